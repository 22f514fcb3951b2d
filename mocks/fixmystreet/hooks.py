"""The hook receiver: what a third party says back, with the source's order of checks and its missing idempotency."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from mocks.fixmystreet import times
from mocks.fixmystreet.places import CITY_CRM, commune_department
from mocks.fixmystreet.records import IN_PROGRESS, OPEN, Comment, CommentType, Report, Status
from mocks.fixmystreet.world import World

REFERENCE_CHARACTERS = 20
SUCCESS = {"detail": "Request successfully processed."}
FORBIDDEN = {"detail": "Access or action forbidden."}
SERVER_ERROR = {"detail": "Internal server error."}


@dataclass(frozen=True)
class Hook:
    """One row of the table: what it needs, from which states, and the wording of its comment (ours)."""

    required: str
    allowed_from: frozenset[Status]
    message: str
    comment_type: CommentType = "DOCUMENTATION"


HOOKS: dict[tuple[str, str], Hook] = {
    ("transfer", "accept"): Hook("referenceId", OPEN, "La demande a été acceptée."),
    ("transfer", "reject"): Hook("comment", OPEN, "La demande a été rejetée."),
    ("transfer", "close"): Hook("referenceId", IN_PROGRESS, "La demande a été clôturée."),
    ("assignment", "register"): Hook("referenceId", IN_PROGRESS, "L'intervention a été enregistrée."),
    ("assignment", "accept"): Hook("referenceId", IN_PROGRESS, "L'intervention a été acceptée."),
    ("assignment", "update"): Hook("referenceId", IN_PROGRESS, "L'intervention a été mise à jour."),
    ("assignment", "reject"): Hook("comment", IN_PROGRESS, "L'intervention a été rejetée."),
    ("assignment", "close"): Hook("referenceId", IN_PROGRESS, "L'intervention a été terminée.", "MARK_AS_DONE"),
}


@dataclass(frozen=True)
class HookAnswer:
    """A status with its JSON body; no body is the un-enveloped 500 of an error outside the handler."""

    status: int
    body: dict[str, str] | None


def _malformed(errors: str) -> HookAnswer:
    return HookAnswer(400, {"detail": "Request is malformed.", "errors": errors})


def answer_to(world: World, payload: object, at: datetime) -> HookAnswer:
    """Check and carry out one call, in the source's order: shape, report, state and owner, then the fields."""
    if not isinstance(payload, dict) or "meta" not in payload or "data" not in payload:
        return _malformed("Payload must contain 'meta' and 'data'.")
    meta = payload["meta"]
    if not isinstance(meta, dict) or not all(name in meta for name in ("resource", "hook", "action")):
        return _malformed("'meta' must contain 'resource', 'hook' and 'action'.")
    hook = HOOKS.get((str(meta["hook"]), str(meta["action"]))) if meta["resource"] == "report" else None
    if hook is None:
        return _malformed(f"Unknown inbound webhook for '{meta['resource']}.{meta['hook']}.{meta['action']}'.")
    report = _report_of(world, meta.get("id"))
    if report is None:
        return HookAnswer(500, None)
    owner = report.department if meta["hook"] == "transfer" else report.contractor
    if report.status not in hook.allowed_from or owner != CITY_CRM:
        return HookAnswer(403, FORBIDDEN)
    data = payload["data"]
    if not isinstance(data, dict):
        return HookAnswer(500, SERVER_ERROR)
    if not _given(data, hook.required):
        return _malformed(f"'data.{hook.required}' is required.")
    reference, comment = _given(data, "referenceId"), _given(data, "comment")
    if hook.required == "referenceId" and len(reference) > REFERENCE_CHARACTERS:
        return HookAnswer(500, SERVER_ERROR)
    _carry_out(report, meta["hook"], meta["action"], hook, reference, comment, at)
    world.record(report, f"hook {meta['hook']}.{meta['action']}", at)
    return HookAnswer(200, SUCCESS)


def _report_of(world: World, report_id: object) -> Report | None:
    if isinstance(report_id, str) and report_id.isascii() and report_id.isdigit() and len(report_id) < 12:
        report_id = int(report_id)
    if not isinstance(report_id, int) or isinstance(report_id, bool):
        return None
    return world.reports.get(report_id)


def _given(data: Mapping[str, Any], name: str) -> str:
    # Keys are converted from camelCase before they are read, so the snake_case spelling passes too.
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    value = data.get(name, data.get(snake))
    return "" if value is None else str(value)


def _carry_out(
    report: Report, relation: str, action: str, hook: Hook, reference: str, comment: str, at: datetime
) -> None:
    lines = [hook.message, f"Référence externe: {reference}" if reference else "", comment]
    text = "\n".join(line for line in lines if line)
    report.comments.append(Comment(at, CITY_CRM.fr, text, "private", hook.comment_type))
    if hook.required == "referenceId":
        report.contractor_reference = reference
    match relation, action:
        case "transfer", "accept" if report.status is Status.CREATED:
            report.status, report.accepted_at = Status.MANAGER_ASSIGNED, at
        case "transfer", "reject":
            if report.previous_departments:
                report.department, report.status = report.previous_departments.pop(), Status.MANAGER_ASSIGNED
            else:
                report.department = commune_department(report.postal_code)
        case "transfer", "close":
            report.status, report.closed_at, report.fixed_at = Status.PROCESSED, at, report.fixed_at or at
        case "assignment", "reject":
            report.contractor, report.status = None, Status.MANAGER_ASSIGNED
        case "assignment", "close":
            report.status, report.fixed_at = Status.SOLVED, at


class HookDoor:
    """`POST /api/v1/hooks`: the token, then the call, and a record of both."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def endpoint(self, request: Request) -> Response:
        """Answer one call; a `transfer.accept` waits first, as the source does (5 s there, a setting here)."""
        settings = self._world.settings
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        body = await request.body()
        if scheme.lower() != "token" or not token:
            return self._unauthorised("Authentication credentials were not provided.", body)
        if not hmac.compare_digest(token.strip().encode(), settings.hook_token.encode()):
            return self._unauthorised("Invalid token.", body)
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            self._note(body, 400)
            return JSONResponse({"detail": "JSON parse error"}, 400)
        if settings.accept_delay_seconds and _is_transfer_accept(payload):
            await asyncio.sleep(settings.accept_delay_seconds)
        answer = answer_to(self._world, payload, self._world.moment())
        self._note(body, answer.status)
        if answer.body is None:
            return HTMLResponse("<h1>Server Error (500)</h1>", 500)
        return JSONResponse(answer.body, answer.status)

    def _unauthorised(self, detail: str, body: bytes) -> Response:
        self._note(body, 401)
        return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Token"})

    def _note(self, body: bytes, status: int) -> None:
        self._world.hooks.append(
            {"received_at": times.now().isoformat(), "body": body.decode("utf-8", "replace"), "answer_status": status}
        )


def _is_transfer_accept(payload: object) -> bool:
    meta = payload.get("meta") if isinstance(payload, dict) else None
    return isinstance(meta, dict) and (meta.get("hook"), meta.get("action")) == ("transfer", "accept")
