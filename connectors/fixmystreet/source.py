"""Fix My Street as a source: two doors, one report."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.fixmystreet.category import tree_of_2017
from connectors.fixmystreet.client import Client
from connectors.fixmystreet.known_categories import KnownCategories
from connectors.fixmystreet.naming import INCIDENTS, NAME, WEBHOOK
from connectors.fixmystreet.polls import RecentPoll, SweepPoll
from connectors.fixmystreet.reading import Reader
from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.fixmystreet.translate import case_event_from
from connectors.fixmystreet.webhook import ReportWebhook
from connectors.kit.errors import ConnectorError
from connectors.kit.http import open_client
from connectors.kit.manifest import OpenTransport
from connectors.kit.pace import Pace
from connectors.kit.ports import Fingerprint, Health, Poll, StoredEvent, Webhook
from connectors.kit.token import TokenHolder, client_credentials
from schemas.case import CaseEvent

PRECEDENCE: Final = {
    "*": (INCIDENTS, WEBHOOK),
    "description": (WEBHOOK,),
    "people": (WEBHOOK,),
    "language": (WEBHOOK,),
}
"""The API follows a report for as long as it lives, but says nothing about people; that only the webhook does."""


class FixMyStreet:
    """The source; :func:`open_source` makes one."""

    def __init__(
        self,
        settings: FixMyStreetSettings,
        client: Client,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._client = client
        self._categories = KnownCategories(client, tree_of_2017(), clock)
        reader = Reader(client, settings, self._categories, clock)
        self._webhooks = (ReportWebhook(settings),)
        self._polls = (RecentPoll(reader), SweepPoll(reader))

    @property
    def name(self) -> str:
        return NAME

    @property
    def precedence(self) -> Mapping[str, Sequence[str]]:
        return PRECEDENCE

    @property
    def webhooks(self) -> Sequence[Webhook]:
        return self._webhooks

    @property
    def polls(self) -> Sequence[Poll]:
        return self._polls

    def translate(self, event: StoredEvent, fingerprint: Fingerprint) -> CaseEvent:
        return case_event_from(event, self._categories.tree, fingerprint)

    def learn(self, catalogue: str) -> None:
        self._categories.learn(catalogue)

    async def check(self) -> Health:
        """A token where one is needed, and the smallest page."""
        try:
            listing = await self._client.incidents(page=0, size=1, municipality=self._settings.municipalities[0])
        except ConnectorError as error:
            return Health(ok=False, detail=f"{error.reason} ({error.code})")
        return Health(ok=True, detail=f"incidents can be read, {listing.pages or 0} pages of one")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_source(
    settings: FixMyStreetSettings, open_transport: OpenTransport, clock: Callable[[], datetime] = _utc_now
) -> AsyncIterator[FixMyStreet]:
    """Fix My Street through its gateway or its site. ``clock`` tells the moment, aware."""
    within = timedelta(seconds=settings.timeout_seconds)
    async with open_client(settings.base_url, open_transport(), timeout=within) as http:
        token = None
        if settings.access == "gateway" and settings.consumer_key and settings.consumer_secret:
            fetch = client_credentials(
                http,
                settings.token_url,
                key=settings.consumer_key,
                secret=settings.consumer_secret,
                scope=settings.scope,
                within=within,
            )
            token = TokenHolder(fetch)
        yield FixMyStreet(settings, Client(http, settings, token, Pace(settings.rate_per_second)), clock)
