"""A batch: every item done as the single operation would do it, none in another's way."""

import re
from typing import Any, Final, NoReturn

from mocks.crm_cmt.fields import KEY_PATTERN
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.problems import Invalid, ProblemError, invalid_field
from mocks.crm_cmt.records import Receipt, Request
from mocks.crm_cmt.vocabulary import MAX_BATCH
from mocks.faults import ITEM_KINDS, Fault, Faults, Kind

ITEM_OPERATION: Final = "batchItem"
"""The operation that a fault names to hit single items."""

_MEMBERS: Final = {
    "create": frozenset(("operation", "idempotencyKey", "case")),
    "update": frozenset(("operation", "idempotencyKey", "id", "ifMatch", "case")),
}
_ITEM_PROBLEMS: Final = {429: "too-many-requests", 500: "internal-error", 503: "unavailable"}
_is_key: Final = re.compile(KEY_PATTERN).fullmatch
_is_reference: Final = re.compile(r"[A-Za-z0-9_-]{1,40}").fullmatch


def outcomes_of(body: Any, intake: Intake, request: Request, faults: Faults | None) -> list[dict[str, Any]]:
    """One outcome an item, in order; raises `ProblemError`, with nothing written, where the batch itself is refused."""
    items = _items_of(body)
    references = [_reference_of(item) for item in items]
    named = [reference for reference in references if reference is not None]
    if len(named) != len(set(named)):
        raise ProblemError("same-case-twice")
    outcomes = []
    for index, (item, reference) in enumerate(zip(items, references, strict=True)):
        operation = item.get("operation") if type(item) is dict else None
        counted = f"writeBatch.{operation}" if operation in ("create", "update") else "writeBatch.unknown"
        outcome: dict[str, Any] = {"index": index, "status": 0, "reference": reference}
        fault = faults.meeting_item(ITEM_OPERATION) if faults else None
        if fault and fault.kind is not Kind.SERVER_ERROR:
            outcome["retryAfter"] = fault.retry_after
        try:
            receipt = _harmed(fault, item, intake, request) if fault else _done(item, intake, request)
        except ProblemError as problem:
            intake.counters[counted, problem.slug] += 1
            outcome |= {"status": problem.status, "problem": problem.body()}
        else:
            intake.counters[counted, "replayed" if receipt.replayed else str(receipt.status)] += 1
            outcome |= {"status": receipt.status, "replayed": receipt.replayed, **receipt.body}
        outcomes.append(outcome)
    return outcomes


def _harmed(fault: Fault, item: Any, intake: Intake, request: Request) -> NoReturn:
    if fault.kind is Kind.SERVER_ERROR and fault.effect:
        _done(item, intake, request)
    raise ProblemError(_ITEM_PROBLEMS[ITEM_KINDS[fault.kind]])


def _items_of(body: Any) -> list[Any]:
    if type(body) is not dict:
        raise invalid_field([("", "type", "Must be an object.")])
    unknown: list[Invalid] = [
        (name, "unknown_field", "The contract has no such member.") for name in body if name != "items"
    ]
    if unknown:
        raise invalid_field(unknown)
    if "items" not in body:
        raise invalid_field([("items", "required", "Must be given.")])
    items = body["items"]
    if type(items) is not list:
        raise invalid_field([("items", "type", "Must be an array.")])
    if not items:
        raise invalid_field([("items", "too_few", "At least 1 item.")])
    if len(items) > MAX_BATCH:
        raise ProblemError("batch-too-large", f"At most {MAX_BATCH}.")
    return items


def _reference_of(item: Any) -> str | None:
    case = item.get("case") if type(item) is dict else None
    reference = case.get("reference") if type(case) is dict else None
    return reference if type(reference) is str and _is_reference(reference) else None


def _done(item: Any, intake: Intake, request: Request) -> Receipt:
    if type(item) is not dict:
        raise invalid_field([("", "type", "Must be an object.")])
    operation = item.get("operation")
    if type(operation) is not str or operation not in _MEMBERS:
        raise invalid_field([("operation", "unknown_value", "create or update.")])
    faults: list[Invalid] = [
        (name, "unknown_field", "This operation has no such member.")
        for name in item
        if name not in _MEMBERS[operation]
    ]
    if "case" not in item:
        faults.append(("case", "required", "Must be given."))
    if operation == "update":
        faults += [
            (name, "type", "Must be a text.") for name in ("id", "ifMatch") if type(item.get(name, "")) is not str
        ]
        if "id" not in item:
            faults.append(("id", "required", "Must be given."))
        if type(item.get("case")) is dict and "reference" not in item["case"]:
            faults.append(("case.reference", "required", "Must be repeated in a batch."))
    if faults:
        raise invalid_field(faults)
    key = item.get("idempotencyKey")
    if type(key) is not str or not _is_key(key):
        raise ProblemError("idempotency-key-required")
    if operation == "create":
        return intake.create(key, item["case"], request)
    return intake.update(key, item["id"], item.get("ifMatch"), item["case"], request)
