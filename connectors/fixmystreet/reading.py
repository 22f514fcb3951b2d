"""Reading incidents page by page, for both rhythms."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from connectors.fixmystreet.client import Client, Listing
from connectors.fixmystreet.known_categories import KnownCategories
from connectors.fixmystreet.moment import brussels_day
from connectors.fixmystreet.observation import (
    LISTED_AFTER_CLOSING,
    Territory,
    gone_observation,
    observation_from,
    recorded_observation,
)
from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.fixmystreet.wire import Incident
from connectors.kit.errors import RejectedError, TemporaryError
from connectors.kit.ports import Observation, SecondLook

MOST_READS: Final = 3
"""How often a slice is read from its start because it moved while it was read."""

MOST_PAGES: Final = 2_000
"""How many pages one slice may have: 400,000 reports of one postal code at the usual size, far more than there are in
years, and eight minutes of asking. Whatever has more has no end."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The incidents of one postal code, created within some days; without days those that the listing starts with."""

    municipality: str
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page of a slice; ``last`` is true on the one that ends it, ``unnamed`` counts incidents without a number.

    ``ids`` are those of all that is listed, ours or not.
    """

    number: int
    observations: Sequence[Observation]
    ids: frozenset[str]
    last: bool
    unnamed: int


class Reader:
    """What both polls share: slices by page, the second look, the farewell."""

    def __init__(
        self,
        client: Client,
        settings: FixMyStreetSettings,
        categories: KnownCategories,
        clock: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self.categories = categories
        self._client = client
        self._clock = clock
        self._territory = Territory(settings.since, frozenset(settings.municipalities))

    def today(self) -> date:
        """The day in Brussels."""
        return brussels_day(self._clock())

    async def pages(self, part: Slice, first: int = 0) -> AsyncIterator[SeenPage]:
        """The pages of a slice from ``first`` on.

        A listing moves while it is read. What is added pushes others onto a later page, so they are seen twice; what
        leaves pulls others onto a page already read. So a slice that got fewer pages is read again from its start, and
        so is one that stops bringing news before the last page that it counts. A smaller shift stays unseen: what it
        hides and is known gets a second look, what is new is in the next run.

        Raises TemporaryError ``endless_listing`` after the page that no slice can have.
        """
        for read in range(MOST_READS):
            moved = False
            number = first if read == 0 else 0
            # Where a run resumes there were at least as many pages before.
            fewest: int | None = number + 1 if number else None
            seen: set[str] = set()
            while True:
                listing = await self._listing(part, number)
                page = self._seen(number, listing)
                # A server that cannot page repeats itself, whatever it counts; one that does not count ends empty.
                repeats = bool(page.ids) and page.ids <= seen
                at_end = not listing.incidents or (listing.pages is not None and number + 1 >= listing.pages)
                shrank = fewest is not None and listing.pages is not None and listing.pages < fewest
                moved = moved or shrank or (repeats and not at_end and listing.pages is not None)
                fewest = listing.pages if fewest is None else fewest
                over = at_end or repeats
                last = over and (not moved or read + 1 == MOST_READS)
                yield SeenPage(number, page.observations, page.ids, last, page.unnamed)
                if over:
                    break
                seen |= page.ids
                number += 1
                if number >= MOST_PAGES:
                    raise TemporaryError(f"a list has no end after {MOST_PAGES} pages", code="endless_listing")
            if last:
                return

    async def look_again(self, external_ids: Sequence[str]) -> SecondLook:
        """Look at each by its number. One that the API neither shows nor denies is in neither answer."""
        present, absent = [], []
        for external_id in external_ids:
            try:
                document = await self._client.incident(external_id)
            except RejectedError:
                continue
            if document is None:
                absent.append(external_id)
                continue
            observation = observation_from(document, Incident.model_validate(document), self._settled_before())
            if observation is None:
                continue
            if observation.external_id == external_id:
                present.append(observation)
            else:
                # Another one in its place says that it is not there; of the other one nobody asked.
                absent.append(external_id)
        return SecondLook(present, absent)

    def gone(self, external_id: str, last_body: bytes | None) -> Observation:
        """The observation that says: this can no longer be found."""
        return gone_observation(int(external_id), last_body)

    def recorded(self, document: Any) -> Observation | None:
        """The observation in a body that was kept before, an incident or our own *it can no longer be found*."""
        return recorded_observation(document, self._settled_before())

    async def _listing(self, part: Slice, number: int) -> Listing:
        return await self._client.incidents(
            page=number,
            size=self.settings.page_size,
            municipality=part.municipality,
            start=part.start,
            end=part.end,
        )

    def _seen(self, number: int, listing: Listing) -> SeenPage:
        observations = {}
        ids = set()
        unnamed = 0
        for document in listing.incidents:
            incident = Incident.model_validate(document)
            observation = observation_from(document, incident, self._settled_before())
            if observation is None:
                unnamed += 1
                continue
            ids.add(observation.external_id)
            if self._territory.holds(incident):
                observations[observation.external_id] = observation
        return SeenPage(number, tuple(observations.values()), frozenset(ids), last=False, unnamed=unnamed)

    def _settled_before(self) -> datetime:
        """Two sweeps earlier than it leaves the listings, so that a sweep has seen it settled before it is missed."""
        margin = min(2 * self.settings.sweep_every, LISTED_AFTER_CLOSING - timedelta(days=1))
        return self._clock() - (LISTED_AFTER_CLOSING - margin)
