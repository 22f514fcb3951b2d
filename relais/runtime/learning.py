"""Every process learns the catalogues that one of them has read."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from connectors.kit.ports import Source
from relais.ledger.database import LedgerAwayError
from relais.ledger.polling import Polls


class CatalogueReader:
    """Hands each source the newest catalogue in the ledger, whichever process polled it."""

    def __init__(
        self, polls: Polls, sources: Mapping[str, Source], *, every: timedelta = timedelta(seconds=30)
    ) -> None:
        self._polls = polls
        self._sources = sources
        self._every = every
        self._known: dict[str, int] = {}

    async def once(self) -> None:
        """Learn what is new. Raises LedgerAwayError."""
        for name, source in self._sources.items():
            newest = await self._polls.catalogue(name)
            if newest is not None and self._known.get(name) != newest[0]:
                source.learn(newest[1])
                self._known[name] = newest[0]

    async def run(self, stop: asyncio.Event) -> None:
        """Look again on a rhythm until ``stop`` is set; a ledger that is away is asked again next time."""
        while not stop.is_set():
            # a ledger that is away is told of by the sweeper; what was learnt stays
            with suppress(LedgerAwayError):
                await self.once()
            try:
                async with asyncio.timeout(self._every.total_seconds()):
                    await stop.wait()
            except TimeoutError:
                continue
