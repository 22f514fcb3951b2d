"""The stand-in as one app: the intake, the pages, what whoever counts may ask, and faults around the intake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mocks.crm_cmt.api import READ, WRITE, Api, Caller, now, operation_of, problem_response
from mocks.crm_cmt.bodies import body_of, json_from
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.pages import Filter, case_page, list_page
from mocks.crm_cmt.problems import ProblemError, invalid_field, problem_for_status
from mocks.crm_cmt.records import Request as Asked
from mocks.faults import App, Faults, FaultsMiddleware

DEFAULT_TOKEN: Final = "mock-token"  # noqa: S105 the stand-in guards nothing
DEFAULT_READ_TOKEN: Final = "mock-read-token"  # noqa: S105
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def callers_for(token: str, read_token: str) -> dict[str, Caller]:
    """Two callers: one that may do everything, one that may only look."""
    return {token: Caller("relais", (READ, WRITE)), read_token: Caller("reader", (READ,))}


@dataclass(frozen=True, slots=True)
class Desk:
    """The side of the stand-in that no contract speaks of: pages, the oracle and the controls."""

    intake: Intake
    public_url: str | None = None

    def routes(self) -> list[Route]:
        """Where a person looks and a program counts."""
        return [
            Route("/", self.list_cases),
            Route("/cases/{id}", self.show_case),
            Route("/_oracle", self.oracle),
            Route("/_control/reset", self.reset, methods=["POST"]),
            Route("/_control/edit", self.edit, methods=["POST"]),
        ]

    async def list_cases(self, request: Request) -> Response:
        """The page that lists cases, filtered by the query."""
        chosen = Filter.from_query(request.query_params)
        return HTMLResponse(list_page(self.intake, chosen), headers=PAGE_HEADERS)

    async def show_case(self, request: Request) -> Response:
        """The page of one case."""
        try:
            record = self.intake.case(request.path_params["id"])
        except ProblemError as problem:
            return problem_response(problem)
        return HTMLResponse(case_page(self.intake, record), headers=PAGE_HEADERS)

    async def oracle(self, _: Request) -> Response:
        """Everything: cases whole, each write in order, and what was asked how often with which outcome."""
        return JSONResponse(everything(self.intake))

    async def reset(self, _: Request) -> Response:
        """Forget everything but the faults in force."""
        self.intake.reset()
        return JSONResponse({"cases": 0})

    async def edit(self, request: Request) -> Response:
        """Change a case as an agent of the CRM would: ``{"reference": …, "patch": {…}}``."""
        asked = Asked("agent", now(), self.public_url or str(request.base_url).rstrip("/"))
        try:
            body = json_from(await body_of(request))
            if type(body) is not dict or type(body.get("reference")) is not str or type(body.get("patch")) is not dict:
                raise invalid_field([("", "type", "Must hold a reference and a patch.")])
            record = self.intake.edit(body["reference"], body["patch"], asked)
        except ProblemError as problem:
            return problem_response(problem)
        return JSONResponse(record.whole())


def everything(intake: Intake) -> dict[str, Any]:
    """All that the stand-in holds, as JSON-like data."""
    requests: dict[str, dict[str, int]] = {}
    for (operation, outcome), count in sorted(intake.counters.items()):
        requests.setdefault(operation, {})[outcome] = count
    refused = {
        slug: sum(count for (_, outcome), count in intake.counters.items() if outcome == slug)
        for slug in ("replayed", "case-exists", "stale-version", "etag-mismatch", "idempotency-key-reused", "exists")
    }
    return {
        "cases": [record.whole() for record in intake.cases],
        "history": [write.to_json() for write in intake.history],
        "requests": requests,
        "repeated": refused,
    }


@dataclass(frozen=True, slots=True)
class StandIn:
    """An ASGI app with its parts at hand, for tests and demos that run it in their own process."""

    intake: Intake
    faults: Faults
    app: App

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.app(scope, receive, send)


def stand_in(intake: Intake, callers: Mapping[str, Caller], public_url: str | None = None) -> StandIn:
    """The app over one intake."""
    faults = Faults()
    routes = [*Api(intake, callers, public_url).routes(), *Desk(intake, public_url).routes()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _misdirected, Exception: _broken})
    return StandIn(intake, faults, FaultsMiddleware(app, operation_of, faults, problem_for_status))


async def _misdirected(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem_response(ProblemError("method-not-allowed" if status == 405 else "not-found"))


async def _broken(_: Request, __: Exception) -> Response:
    return problem_response(ProblemError("internal-error"))
