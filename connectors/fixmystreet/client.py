"""The endpoints of the API, through the gateway or the site: wire in, wire out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx

from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.kit.errors import TemporaryError
from connectors.kit.http import Answer, error_for_status, exchange
from connectors.kit.pace import Pace
from connectors.kit.strict_json import MalformedJsonError, mended, parse
from connectors.kit.token import TokenHolder


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of incidents as they travel; ``pages`` is how many there are in all, where the answer says it."""

    incidents: tuple[Mapping[str, Any], ...]
    pages: int | None


class Client:
    """One method an endpoint. Every method raises ConnectorError and waits for its turn before it asks."""

    def __init__(
        self, http: httpx.AsyncClient, settings: FixMyStreetSettings, token: TokenHolder | None, pace: Pace
    ) -> None:
        self._http = http
        self._token = token
        self._pace = pace
        self._limit = settings.answer_limit
        self._within = timedelta(seconds=settings.timeout_seconds)
        self._accept = "application/hal+json" if settings.access == "gateway" else "application/json"

    async def incidents(
        self,
        *,
        page: int,
        size: int,
        municipality: str,
        start: date | None = None,
        end: date | None = None,
    ) -> Listing:
        """A page, counted from 0, of the incidents of a postal code, created from ``start`` to ``end``.

        In which order they come, and whether the last day is included, is not documented.
        """
        days = {"startDate": start, "endDate": end}
        parameters: dict[str, str] = {"page": str(page), "size": str(size), "municipality": municipality}
        parameters |= {name: day.isoformat() for name, day in days.items() if day}
        document = _document(await self._answer("/incidents", parameters), _read_or_mended)
        incidents = _listed(document)
        pages = _count(_object(document, "page").get("totalPages"))
        # No pages and yet something on one: whoever says so does not count its pages.
        return Listing(incidents, None if pages == 0 and incidents else pages)

    async def incident(self, number: str) -> Mapping[str, Any] | None:
        """An incident by its number, ``None`` where there is none (404 or 410)."""
        answer = await self._answer(f"/incidents/{number}", {})
        if answer.status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            return None
        document = _document(answer, _read_or_mended)
        incident = document.get("response", document)
        if not isinstance(incident, dict) or "id" not in incident:
            raise TemporaryError("the incident is not one", code="unreadable_answer")
        return incident

    async def categories(self) -> Mapping[str, Any]:
        """The whole tree of categories."""
        return _document(await self._answer("/categories", {}), parse)

    async def _answer(self, path: str, parameters: Mapping[str, str]) -> Answer:
        async def ask(token: str | None) -> Answer:
            await self._pace.turn()
            headers = {"Accept": self._accept} | ({"Authorization": f"Bearer {token}"} if token else {})
            request = self._http.build_request("GET", path, params=parameters, headers=headers)
            return await exchange(self._http, request, writing=False, limit=self._limit, within=self._within)

        return await (self._token.send(ask) if self._token else ask(None))


def _read_or_mended(body: bytes) -> Any:
    """One unsound incident may not keep us from the others, nor from itself."""
    try:
        return parse(body)
    except MalformedJsonError:
        return mended(body)


def _document(answer: Answer, read: Callable[[bytes], Any]) -> dict[str, Any]:
    reason = f"Fix My Street answered {answer.status}"
    error = error_for_status(answer.status, answer.headers, writing=False, reason=reason)
    if error is not None:
        raise error
    try:
        document = read(answer.body)
    except MalformedJsonError as malformed:
        raise TemporaryError(f"the answer is not sound JSON: {malformed.reason}", code="unreadable_answer") from None
    if not isinstance(document, dict):
        raise TemporaryError("the answer is not a JSON object", code="unreadable_answer")
    return document


def _listed(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The incidents on a page; only what is known to mean an empty page is taken for one."""
    embedded = document.get("_embedded", {})
    # HAL leaves ``_embedded`` out when there is nothing to embed.
    if embedded == {} and isinstance(document.get("page"), dict):
        return ()
    items = embedded.get("response") if isinstance(embedded, dict) else None
    if not isinstance(items, list):
        raise TemporaryError("the list of incidents is not one", code="unreadable_answer")
    # What is no object stays in its place as an incident that says nothing, so that it is told and not overlooked.
    return tuple(item if isinstance(item, dict) else {} for item in items)


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = document.get(name)
    return member if isinstance(member, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
