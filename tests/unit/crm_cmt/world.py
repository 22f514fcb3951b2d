"""Changes to deliver, answers of the intake spelt as its contract spells them, and a sink between the two."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import respx

from connectors.crm_cmt.settings import CrmCmtSettings
from connectors.crm_cmt.sink import CrmCmt, open_sink
from connectors.kit.ports import CaseChange, Outcome, Remote
from schemas.attachment import Attachment, Note
from schemas.case import Case
from tests.builders import a_case

CRM = "https://crm.example"
CASES = f"{CRM}/api/v1/cases"
BATCH = f"{CASES}/batch"


def some_settings(**changed: Any) -> CrmCmtSettings:
    """The CRM at its address, with a token."""
    return CrmCmtSettings.model_validate({"base_url": CRM, "token": "word-of-access"} | changed)


def a_remote(**changed: Any) -> Remote:
    """The case of ``a_change`` as the CRM has it, at version 1."""
    known: dict[str, Any] = {"remote_id": "CMT-2026-0000042", "etag": '"42-1"', "version": 1}
    return Remote(**(known | changed))


def a_create(
    external_id: str = "123456",
    *,
    case: Case | None = None,
    notes: Sequence[Note] = (),
    attachments: Sequence[Attachment] = (),
) -> CaseChange:
    """A case that the CRM is to have."""
    case = case or a_case(external_id)
    return CaseChange(case, 1, f"{case.reference}:1", None, frozenset(), tuple(notes), tuple(attachments))


def an_update(
    *changed: str,
    external_id: str = "123456",
    case: Case | None = None,
    remote: Remote | None = None,
    version: int = 2,
    notes: Sequence[Note] = (),
    attachments: Sequence[Attachment] = (),
) -> CaseChange:
    """A change of these fields of a case that the CRM has."""
    case = case or a_case(external_id)
    key = f"{case.reference}:{version}"
    return CaseChange(case, version, key, remote or a_remote(), frozenset(changed), tuple(notes), tuple(attachments))


def a_receipt(change: CaseChange, **changed: Any) -> dict[str, Any]:
    """The answer to a change that was taken with everything it brought."""
    return {
        "id": "CMT-2026-0000042",
        "reference": change.case.reference,
        "version": change.version,
        "etag": '"42-7"',
        "link": "https://crm.example/cases/CMT-2026-0000042",
        "notes": [{"key": note.key, "outcome": "stored"} for note in change.notes],
        "attachments": [{"key": attachment.key, "outcome": "exists"} for attachment in change.attachments],
    } | changed


def a_written_item(index: int, change: CaseChange, **changed: Any) -> dict[str, Any]:
    """The outcome of an item that was taken."""
    return a_receipt(change) | {"index": index, "status": 201, "replayed": False} | changed


def a_failed_item(index: int, change: CaseChange, problem: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The outcome of an item that was not taken."""
    return {
        "index": index,
        "status": problem["status"],
        "reference": change.case.reference,
        "problem": problem,
    } | changed


def a_problem(kind: str, status: int, **members: Any) -> dict[str, Any]:
    """An error of the intake."""
    return {"type": f"urn:crm-cmt:problem:{kind}", "title": "It is so", "status": status} | members


@asynccontextmanager
async def a_sink(**settings: Any) -> AsyncIterator[tuple[CrmCmt, respx.MockRouter]]:
    """The sink, and the router that decides what it is answered."""
    router = respx.MockRouter(assert_all_called=False)
    async with open_sink(some_settings(**settings), lambda: httpx.MockTransport(router.async_handler)) as sink:
        yield sink, router


async def outcome_of(change: CaseChange, answer: httpx.Response | Exception, **settings: Any) -> Outcome:
    """What the sink makes of an answer to a change that is delivered alone; it is asked once."""
    async with a_sink(**settings) as (sink, router):
        route = router.route(host="crm.example").mock(side_effect=[answer])
        (outcome,) = await sink.deliver([change])
    assert route.call_count == 1
    return outcome
