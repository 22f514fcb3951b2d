"""A small Fix My Street to read from, a ledger to keep in, and one valid thing of each sort."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx

from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.fixmystreet.source import FixMyStreet, open_source
from connectors.kit.ports import Poll

NOW = datetime(2026, 5, 20, 10, 0, tzinfo=UTC)
SITE = "https://site.example/api"


def some_settings(**changed: Any) -> FixMyStreetSettings:
    """The site, two postal codes, history from the first of May."""
    plain: dict[str, Any] = {
        "access": "site",
        "base_url": SITE,
        "webhook_signature_key": "signature-key",
        "since": date(2026, 5, 1),
        "municipalities": ("1000", "1020"),
        "page_size": 2,
        "rate_per_second": 1000,
    }
    return FixMyStreetSettings.model_validate(plain | changed)


def an_incident(number: int, **changed: Any) -> dict[str, Any]:
    """A report in the City of Brussels, created on the 18th of May."""
    postal_code = changed.pop("postal_code", "1000")
    return {
        "id": number,
        "status": "CREATED",
        "creationDate": "2026-05-18T10:00:00",
        "updatedDate": "2026-05-18T10:00:00",
        "closedDate": None,
        "location": {"coordinates": {"x": 148412.21, "y": 171008.97}, "address": {"postalCode": postal_code}},
        "category": {"id": 3407, "nameFr": "Arceau à vélo", "nameNl": "Fietsenrek"},
        "_links": {"self": {"href": f"{SITE}/incidents/{number}"}},
    } | changed


class Api:
    """The incidents API of the site: filters, pages, and what a test does to it between two requests."""

    def __init__(self, *incidents: dict[str, Any]) -> None:
        self.incidents = list(incidents)
        self.categories: Any = {"response": {"categories": [{"id": 9001, "nameFr": "Tout", "subCategories": []}]}}
        self.asked: list[httpx.Request] = []
        self.before_answer: Callable[[httpx.Request], None] = lambda request: None
        self.answers: dict[str, httpx.Response] = {}
        self.counts_pages = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.before_answer(request)
        path = request.url.path.removeprefix("/api")
        if path in self.answers:
            return self.answers[path]
        if path == "/categories":
            return httpx.Response(200, json=self.categories)
        if path == "/incidents":
            return self._listing(request.url.params)
        found = [incident for incident in self.incidents if path == f"/incidents/{incident['id']}"]
        return httpx.Response(200, json={"response": found[0]}) if found else httpx.Response(404, json={})

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [str(request.url).removeprefix(SITE) for request in self.asked]

    def _listing(self, query: Mapping[str, str]) -> httpx.Response:
        listed = [
            incident
            for incident in self.incidents
            if incident["location"]["address"]["postalCode"] == query["municipality"]
            and query.get("startDate", "") <= str(incident["creationDate"])[:10] <= query.get("endDate", "9")
        ]
        size, number = int(query["size"]), int(query["page"])
        part = listed[number * size : (number + 1) * size]
        document: dict[str, Any] = {"_embedded": {"response": part}} if part else {}
        document["page"] = {"totalPages": -(-len(listed) // size)} if self.counts_pages else {}
        return httpx.Response(200, json=document)


@asynccontextmanager
async def a_source(
    api: Api, *, now: Callable[[], datetime] = lambda: NOW, **settings: Any
) -> AsyncIterator[FixMyStreet]:
    """The source over the small API."""
    async with open_source(some_settings(**settings), lambda: httpx.MockTransport(api), now) as source:
        yield source


def the_polls(source: FixMyStreet) -> tuple[Poll, Poll]:
    """The fast and the slow one."""
    recent, sweep = source.polls
    return recent, sweep
