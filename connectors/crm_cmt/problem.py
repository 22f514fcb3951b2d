"""What the intake's errors mean for the next move: the table of the kit, and where CRM-CMT differs from it."""

import re
from collections.abc import Mapping
from typing import Final

from connectors.crm_cmt.wire import PROBLEM_PREFIX, AdditionOutcome, ItemFailed, Problem
from connectors.kit.errors import (
    ConnectorError,
    MisconfiguredError,
    RejectedError,
    TemporaryError,
    UnconfirmedError,
)
from connectors.kit.http import error_for_status

_LOOK_FIRST: Final = {
    "case_exists": "the CRM already has a case under this reference",
    "stale_version": "the CRM already has this version of the case or a newer one",
    "etag_mismatch": "somebody changed the case in the CRM",
}
"""Not written, because the case does not stand as we thought: look at it before anything else."""

_NOT_ABOUT_DATA: Final = (404, 405, 415)
"""No case will ever pass: the address, or what stands there, is not the intake of the contract."""

_NAMES_SHOWN: Final = 8
_MEMBER: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,40}|[0-9]{1,3}")
_CODE: Final = re.compile(r"[a-z][a-z_]{0,40}")


def error_of(status: int, headers: Mapping[str, str], problem: Problem | None, *, writing: bool) -> ConnectorError:
    """The error that an answer which is no success stands for. Its text names fields, never what was in them."""
    kind = problem.type.removeprefix(PROBLEM_PREFIX).replace("-", "_") if problem else ""
    code = kind or f"http_{status}"
    reason = f"the CRM answered {status}" + (f" {kind}" if kind else "")
    if writing and status in (409, 412):
        return UnconfirmedError(_LOOK_FIRST.get(kind, reason), code=code)
    if kind == "case_not_found":
        return RejectedError("the CRM has no case of this id any more", code=code)
    if status in _NOT_ABOUT_DATA:
        return MisconfiguredError(f"{reason}: base_url does not lead to the intake that we know", code=code)
    if status == 422 and problem and problem.invalid_params:
        return RejectedError(f"the CRM does not accept {_fields(problem)}", code=code)
    error = error_for_status(status, headers, writing=writing, reason=reason)
    if error is None:
        return unreadable(writing=writing)
    if kind == "unavailable" and not isinstance(error, TemporaryError):
        return TemporaryError(reason, code=code)  # said by the intake itself, it means that nothing was written
    error.code = code
    return error


def error_of_item(failed: ItemFailed) -> ConnectorError:
    """The error of one item of a batch: what the single operation would have meant."""
    headers = {} if failed.retry_after is None else {"retry-after": str(failed.retry_after)}
    return error_of(failed.status, headers, failed.problem, writing=True)


def error_of_addition(refused: AdditionOutcome) -> RejectedError:
    """Why a note or an attachment was not taken."""
    problem = refused.problem
    if problem is None:
        return RejectedError("the CRM refused it without saying why", code="addition_refused")
    kind = problem.type.removeprefix(PROBLEM_PREFIX).replace("-", "_")
    said = _fields(problem) if problem.invalid_params else kind
    return RejectedError(f"the CRM does not accept {said}", code=kind)


def unreadable(*, writing: bool) -> ConnectorError:
    """The error of a success whose body is not what the contract says."""
    reason, code = "the CRM's answer is not what its contract says", "unreadable_answer"
    return UnconfirmedError(reason, code=code) if writing else TemporaryError(reason, code=code)


def _fields(problem: Problem) -> str:
    named = [
        f"{_path(one.name)} ({one.code})" if _CODE.fullmatch(one.code) else _path(one.name)
        for one in problem.invalid_params
    ]
    more = len(named) - _NAMES_SHOWN
    return ", ".join(named[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _path(name: str) -> str:
    """The dotted path as far as it consists of members of the contract: below ``extra`` names are data."""
    steps: list[str] = []
    for step in name.split("."):
        if not _MEMBER.fullmatch(step):
            return ".".join([*steps, "…"])
        steps.append(step)
        if step == "extra":
            break
    return ".".join(steps)
