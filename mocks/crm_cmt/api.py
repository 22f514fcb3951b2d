"""The intake over HTTP: the operations of docs/contracts/crm-cmt.openapi.yaml."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mocks.crm_cmt import records
from mocks.crm_cmt.batch import outcomes_of
from mocks.crm_cmt.bodies import JSON, MERGE_PATCH, body_of, expect_media_type, json_from
from mocks.crm_cmt.fields import KEY_PATTERN
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.problems import ProblemError
from mocks.crm_cmt.vocabulary import MAX_BATCH, MAX_BYTES, MAX_REFERENCES, STATUSES
from mocks.faults import FAULTS_EXTENSION, Scope

BASE_PATH: Final = "/api/v1"
READ: Final = "cases.read"
WRITE: Final = "cases.write"

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_is_key: Final = re.compile(KEY_PATTERN).fullmatch
_is_reference: Final = re.compile(r"[A-Za-z0-9_-]{1,40}").fullmatch
_is_request_id: Final = re.compile(r"[ -~]{1,200}").fullmatch


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token was given to, and what it allows."""

    name: str
    rights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer; ``outcome`` is the word under which it is counted."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str | None = None


Operation = Callable[[Request, records.Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Api:
    """The operations on one intake. ``public_url`` is the CRM's own address in links; by default the one asked."""

    intake: Intake
    callers: Mapping[str, Caller]
    public_url: str | None = None

    def routes(self) -> list[Route]:
        """The contract's paths."""
        return [
            self._route("/cases", "POST", "createCase", self.create_case, WRITE),
            self._route("/cases/batch", "POST", "writeBatch", self.write_batch, WRITE),
            self._route("/cases", "GET", "findCases", self.find_cases, READ),
            self._route("/cases/{id}", "PATCH", "updateCase", self.update_case, WRITE),
            self._route("/cases/{id}", "GET", "getCase", self.get_case, READ),
            self._route("/cases/{id}/notes", "POST", "addNote", self.add_note, WRITE),
            self._route("/cases/{id}/attachments", "POST", "addAttachment", self.add_attachment, WRITE),
            self._route("/whoami", "GET", "whoAmI", self.who_am_i, None),
        ]

    async def who_am_i(self, request: Request, asked: records.Request) -> Answer:
        """Who the caller is and what the intake takes."""
        caller = self._caller(request)
        limits = {"batch": MAX_BATCH, "references": MAX_REFERENCES, "bytes": MAX_BYTES}
        vocabulary = {"caseTypes": list(self.intake.case_types), "statuses": list(STATUSES)}
        return Answer(200, {"name": asked.caller, "rights": list(caller.rights), **vocabulary, "limits": limits})

    async def find_cases(self, request: Request, _: records.Request) -> Answer:
        """The states of the cases known among the references asked."""
        pairs = request.query_params.multi_items()
        references = [value for name, value in pairs if name == "reference"]
        if len(references) != len(pairs) or not all(map(_is_reference, references)):
            raise ProblemError("invalid-query", "Only well-formed references may be asked.")
        if not 1 <= len(references) <= MAX_REFERENCES:
            raise ProblemError("invalid-query", f"From 1 to {MAX_REFERENCES} references.")
        return Answer(200, {"items": self.intake.states(references)})

    async def get_case(self, request: Request, _: records.Request) -> Answer:
        """A whole case."""
        record = self.intake.case(request.path_params["id"])
        return Answer(200, record.whole(), {"ETag": record.etag})

    async def create_case(self, request: Request, asked: records.Request) -> Answer:
        """Create a case."""
        body = await _json_of(request, JSON)
        receipt = self.intake.create(_key_of(request), body, asked)
        return _receipt(receipt, {"Location": f"{BASE_PATH}/cases/{receipt.body['id']}"})

    async def update_case(self, request: Request, asked: records.Request) -> Answer:
        """Change a case."""
        body = await _json_of(request, MERGE_PATCH)
        key = _key_of(request)
        if_match = request.headers.get("if-match")
        return _receipt(self.intake.update(key, request.path_params["id"], if_match, body, asked))

    async def write_batch(self, request: Request, asked: records.Request) -> Answer:
        """Create and change several cases, each on its own."""
        body = await _json_of(request, JSON)
        faults = request.scope.get("extensions", {}).get(FAULTS_EXTENSION)
        return Answer(200, {"outcomes": outcomes_of(body, self.intake, asked, faults)})

    async def add_note(self, request: Request, asked: records.Request) -> Answer:
        """Add a note to a case."""
        return await self._add("notes", request, asked)

    async def add_attachment(self, request: Request, asked: records.Request) -> Answer:
        """Add an attachment to a case."""
        return await self._add("attachments", request, asked)

    async def _add(self, name: str, request: Request, asked: records.Request) -> Answer:
        body = await _json_of(request, JSON)
        receipt = self.intake.add(request.path_params["id"], name, body, asked)
        return Answer(receipt.status, receipt.body, outcome=receipt.body["outcome"])

    def _route(self, path: str, method: str, name: str, operation: Operation, right: str | None) -> Route:
        counters = self.intake.counters

        async def endpoint(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                asked = self._asked(request, right)
                if asked.request_id:
                    headers["X-Request-Id"] = asked.request_id
                answer = await operation(request, asked)
            except ProblemError as problem:
                counters[name, problem.slug] += 1
                return problem_response(problem, headers)
            counters[name, answer.outcome or str(answer.status)] += 1
            return _json_response(answer.status, answer.body, JSON, {**headers, **answer.headers})

        return Route(BASE_PATH + path, endpoint, methods=[method], name=name)

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        caller = self.callers.get(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise ProblemError("unauthorized")
        return caller

    def _asked(self, request: Request, right: str | None) -> records.Request:
        caller = self._caller(request)
        if right is not None and right not in caller.rights:
            raise ProblemError("forbidden", f"{right} is needed.")
        request_id = request.headers.get("x-request-id", "")
        public_url = self.public_url or f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
        return records.Request(caller.name, now(), public_url, request_id if _is_request_id(request_id) else None)


def now() -> str:
    """This moment as the contract writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def operation_of(scope: Scope) -> str | None:
    """The contract's name of the operation a request asks for; None for what is not the intake's."""
    path: str = scope["path"]
    if not path.startswith(BASE_PATH):
        return None
    steps = path[len(BASE_PATH) :].strip("/").split("/")
    match (scope["method"], *steps):
        case ("GET", "whoami"):
            return "whoAmI"
        case ("GET", "cases"):
            return "findCases"
        case ("POST", "cases"):
            return "createCase"
        case ("POST", "cases", "batch"):
            return "writeBatch"
        case ("GET", "cases", _):
            return "getCase"
        case ("PATCH", "cases", _):
            return "updateCase"
        case ("POST", "cases", _, "notes"):
            return "addNote"
        case ("POST", "cases", _, "attachments"):
            return "addAttachment"
    return "unknown"


def problem_response(problem: ProblemError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that a problem is."""
    extra = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    return _json_response(problem.status, problem.body(), "application/problem+json", {**(headers or {}), **extra})


def _json_response(status: int, body: Any, media_type: str, headers: Mapping[str, str]) -> Response:
    return Response(_encode(body).encode(), status, headers, media_type)


def _receipt(receipt: records.Receipt, headers: Mapping[str, str] | None = None) -> Answer:
    replayed = {"Idempotent-Replayed": "true"} if receipt.replayed else {}
    all_headers = {"ETag": receipt.body["etag"], **(headers or {}), **replayed}
    return Answer(receipt.status, receipt.body, all_headers, "replayed" if receipt.replayed else None)


async def _json_of(request: Request, media_type: str) -> Any:
    raw = await body_of(request)
    expect_media_type(request, media_type)
    return json_from(raw)


def _key_of(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not _is_key(key):
        raise ProblemError("idempotency-key-required")
    return key
