"""The two reading doors, with the same shapes: the gateway wants a token, the site wants nothing."""

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mocks.fixmystreet import times
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.wire import incident_json, status_text
from mocks.fixmystreet.world import World

GATEWAY_BASE = "/gateway/api/fixmystreet/1.0.0"
SITE_BASE = "/site/api"
DEFAULT_SIZE = 12

Endpoint = Callable[[Request], Awaitable[Response]]


class BadParameterError(ValueError):
    """A query parameter that cannot be read."""


def problem(status: int, description: str) -> JSONResponse:
    """The error envelope of the transition API; that the current one kept it is an inference."""
    return JSONResponse({"exceptions": {"type": "ERROR", "code": status, "description": description}}, status)


class AccessTokens:
    """Client-credentials tokens that run out; `clock` is aware."""

    def __init__(self, world: World, clock: Callable[[], datetime] = times.now) -> None:
        self._world = world
        self._clock = clock
        self._ends: dict[str, datetime] = {}

    def revoke(self) -> int:
        """Forget every token that was given out; answers how many there were."""
        count = len(self._ends)
        self._ends.clear()
        return count

    def fault_of(self, authorization: str) -> dict[str, Any] | None:
        """None when the header carries a token that still counts, otherwise the fault to answer."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return {"code": 900902, "message": "Missing Credentials", "description": "Missing Credentials"}
        standing = self._world.settings.standing_key
        if standing and hmac.compare_digest(token.encode(), standing.encode()):
            return None
        ends = self._ends.get(token)
        if ends is None:
            return {"code": 900901, "message": "Invalid Credentials", "description": "Access failure"}
        if ends <= self._clock():
            del self._ends[token]
            return {"code": 900903, "message": "Access Token Expired", "description": "Access Token Expired"}
        return None

    async def endpoint(self, request: Request) -> Response:
        """`POST /gateway/api/token`: RFC 6749 client credentials with HTTP Basic."""
        settings = self._world.settings
        given = _basic_credentials(request.headers.get("authorization", ""))
        expected = f"{settings.consumer_key}:{settings.consumer_secret}"
        if given is None or not hmac.compare_digest(given.encode(), expected.encode()):
            return _token_error("invalid_client", "Client authentication failed", 401)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return _token_error("unsupported_grant_type", "Only client_credentials is served", 400)
        scope = form.get("scope", [""])[0]
        if settings.scope and scope != settings.scope:
            return _token_error("invalid_scope", "The scope is not subscribed", 400)
        token = secrets.token_urlsafe(24)
        self._ends[token] = self._clock() + timedelta(seconds=settings.access_token_seconds)
        return JSONResponse(
            {
                "access_token": token,
                "scope": scope or "default",
                "token_type": "Bearer",
                "expires_in": settings.access_token_seconds,
            },
            headers={"Cache-Control": "no-store"},
        )


def _basic_credentials(authorization: str) -> str | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _token_error(code: str, description: str, status: int) -> JSONResponse:
    headers = {"WWW-Authenticate": "Basic"} if status == 401 else None
    return JSONResponse({"error": code, "error_description": description}, status, headers)


def _number(request: Request, name: str, otherwise: int, least: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise BadParameterError(f"{name} must be a whole number of at least {least}")
    return int(text)


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadParameterError(f"{name} must be YYYY-MM-DD") from error


class ReadingDoor:
    """One door: lists, details, the map and the categories over a world."""

    def __init__(self, world: World, base: str, *, gateway: bool, tokens: AccessTokens | None = None) -> None:
        self._world = world
        self._base = base
        self._gateway = gateway
        self._tokens = tokens
        self._media_type = "application/hal+json" if gateway else "application/json"
        self._written: dict[int, tuple[tuple[int, object, int], str]] = {}

    def routes(self) -> list[Route]:
        """Its paths; every one of them behind the token where there is one."""
        return [
            Route(f"{self._base}/incidents", self._guarded(self._list), methods=["GET"]),
            Route(f"{self._base}/incidents/map", self._guarded(self._map), methods=["GET"]),
            Route(f"{self._base}/incidents/{{incident}}", self._guarded(self._detail), methods=["GET"]),
            Route(f"{self._base}/categories", self._guarded(self._categories), methods=["GET"]),
        ]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            fault = self._tokens.fault_of(request.headers.get("authorization", "")) if self._tokens else None
            if fault is not None:
                return JSONResponse({"fault": fault}, 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
            try:
                return await endpoint(request)
            except BadParameterError as error:
                return problem(400, str(error))

        return guarded

    def _answer(self, body: str) -> Response:
        return Response(body, media_type=self._media_type)

    def _found(self, request: Request) -> list[Report]:
        category = request.query_params.get("category")
        wanted = _number(request, "category", 0, 1) if category is not None else None
        first, last = _day(request, "startDate"), _day(request, "endDate")
        earliest = times.start_of(first) if first else None
        latest = times.start_of(last + timedelta(days=1)) if last else None
        postal_code = request.query_params.get("municipality")
        world = self._world
        return [
            report
            for report in world.in_order()
            if (wanted is None or report.category_id == wanted)
            and (earliest is None or report.created_at >= earliest)
            and (latest is None or report.created_at < latest)
            and (postal_code is None or report.postal_code == postal_code)
            and world.visibility(report, gateway=self._gateway) == "listed"
        ]

    def _text_of(self, report: Report) -> str:
        # A list of a thousand incidents is mostly incidents that have not changed since the last list.
        mark = (len(report.versions), self._world.shape, self._world.tree.revision)
        known = self._written.get(report.id)
        if known is None or known[0] != mark:
            text = json.dumps(incident_json(report, self._world, self._base, detail=False), ensure_ascii=False)
            known = self._written[report.id] = (mark, text)
        return known[1]

    async def _list(self, request: Request) -> Response:
        page, size = _number(request, "page", 0, 0), _number(request, "size", DEFAULT_SIZE, 1)
        size = min(size, self._world.shape.max_size)
        found = self._found(request)
        pages = -(-len(found) // size)
        shown = found[page * size : (page + 1) * size]
        query = [pair for pair in request.query_params.multi_items() if pair[0] not in {"page", "size"}]

        def link(number: int) -> dict[str, str]:
            return {"href": f"{self._base}/incidents?{urlencode([*query, ('page', number), ('size', size)])}"}

        links = {"self": link(page), "first": link(0), "last": link(max(pages - 1, 0))}
        if page > 0:
            links["prev"] = link(page - 1)
        if page + 1 < pages:
            links["next"] = link(page + 1)
        counts = {"size": size, "totalElements": len(found), "totalPages": pages, "number": page}
        rest = f'"page":{json.dumps(counts)},"_links":{json.dumps(links)}}}'
        if not shown:
            return self._answer("{" + rest)
        incidents = ",".join(self._text_of(report) for report in shown)
        return self._answer(f'{{"_embedded":{{"response":[{incidents}]}},{rest}')

    async def _map(self, request: Request) -> Response:
        pins = [
            {
                "id": report.id,
                "status": status_text(report, self._world.shape),
                "coordinates": None if report.point is None else {"x": report.point[0], "y": report.point[1]},
            }
            for report in self._found(request)
        ]
        return self._answer(json.dumps({"response": pins}))

    async def _detail(self, request: Request) -> Response:
        text = request.path_params["incident"]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
        report = self._world.reports.get(number)
        if report is None or self._world.visibility(report, gateway=self._gateway) == "none":
            return problem(404, "Incident not found")
        return self._answer(
            json.dumps({"response": incident_json(report, self._world, self._base, detail=True)}, ensure_ascii=False)
        )

    async def _categories(self, _: Request) -> Response:
        tree = self._world.tree.wire(with_english=self._world.shape.english_names)
        return self._answer(
            json.dumps({"response": tree if self._gateway else {"categories": tree}}, ensure_ascii=False)
        )
