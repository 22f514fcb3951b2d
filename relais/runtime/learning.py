"""Every process learns the catalogues that one of them has read."""

from collections.abc import Mapping

from connectors.kit.ports import Source
from relais.ledger.polling import Polls


class CatalogueReader:
    """Hands each source the newest catalogue in the ledger, whichever process polled it.

    Asked after a claim it knows at least what was known when the claimed events were accepted: a catalogue is stored
    no later than the events that were seen with it.
    """

    def __init__(self, polls: Polls, sources: Mapping[str, Source]) -> None:
        self._polls = polls
        self._sources = sources
        self._known: dict[str, int] = {}

    async def once(self) -> None:
        """Learn what is new. Raises LedgerAwayError."""
        for name, version in (await self._polls.catalogue_versions()).items():
            source = self._sources.get(name)
            if source is None or self._known.get(name) == version:
                continue
            newest = await self._polls.catalogue(name)
            if newest is not None:
                source.learn(newest[1])
                self._known[name] = newest[0]
