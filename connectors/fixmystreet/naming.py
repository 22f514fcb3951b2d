"""What things of Fix My Street are called with us: the system, its doors, its cases, its events."""

import hashlib
import re
from typing import Any, Final

from connectors.fixmystreet.moment import moment_from
from connectors.fixmystreet.wire import report_id
from connectors.kit.ports import Arrival

NAME: Final = "fixmystreet"
WEBHOOK: Final = "webhook"
INCIDENTS: Final = "incidents"

_SLUG: Final = re.compile(r"[A-Za-z0-9_-]{1,30}", re.ASCII)


def case_key(number: int) -> str:
    """A report's name for the ledger."""
    return f"{NAME}:{number}"


def arrival_of(document: Any, body: bytes) -> Arrival:
    """A pushed event by name: ``hook.action:report:modifiedAt``.

    The same report may be requested again after it was given back, then modified anew, so number and time name the
    request. Without a time the digest of the body stands for it; without a report's number the event has no case.
    """
    meta, report = _object(document, "meta"), _object(_object(document, "data"), "report")
    number = report_id(report.get("id"))
    hook, action = meta.get("hook"), meta.get("action")
    if number is None:
        return _unreadable(body, "no report number in data.report.id")
    if not (isinstance(hook, str) and isinstance(action, str) and _SLUG.fullmatch(hook) and _SLUG.fullmatch(action)):
        return _unreadable(body, "no hook and action in meta")
    when = next((time for time in (report.get("modifiedAt"), meta.get("now")) if _is_a_time(time)), None)
    event = f"{hook}.{action}:{number}:{when.replace(' ', 'T') if when else _digest(body)}"
    return Arrival(NAME, WEBHOOK, event, case_key(number), body)


def _unreadable(body: bytes, trouble: str) -> Arrival:
    return Arrival(NAME, WEBHOOK, f"unreadable:{_digest(body)}", None, body, trouble)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _is_a_time(value: object) -> bool:
    return isinstance(value, str) and moment_from(value) is not None


def _object(document: Any, name: str) -> dict[str, Any]:
    member = document.get(name) if isinstance(document, dict) else None
    return member if isinstance(member, dict) else {}
