"""The endpoints of the intake: wire in, wire out."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from connectors.crm_cmt.problem import error_of, unreadable
from connectors.crm_cmt.wire import (
    AdditionOutcome,
    BatchOutcomes,
    CaseReceipt,
    CaseState,
    CaseStates,
    Problem,
    WhoAmI,
    body_of,
)
from connectors.kit.http import Answer
from connectors.kit.line import Line

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

_Wire = TypeVar("_Wire", bound=BaseModel)


class Client:
    """One method an endpoint. Every method raises ConnectorError; none tries twice."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._cases = line.address("/api/v1/cases")
        self._batch = line.address("/api/v1/cases/batch")
        self._who_am_i = line.address("/api/v1/whoami")

    async def who_am_i(self) -> WhoAmI:
        """Our rights, and what the intake accepts."""
        return _read(WhoAmI, await self._line.send("GET", self._who_am_i, writing=False), writing=False)

    async def find_cases(self, references: Sequence[str]) -> Sequence[CaseState]:
        """The cases known under these references, in no order."""
        address = self._line.address("/api/v1/cases", [("reference", reference) for reference in references])
        return _read(CaseStates, await self._line.send("GET", address, writing=False), writing=False).items

    async def create_case(self, intake: dict[str, Any], *, idempotency_key: str) -> CaseReceipt:
        """Create a case."""
        headers = {"Content-Type": JSON, "Idempotency-Key": idempotency_key}
        answer = await self._line.send("POST", self._cases, writing=True, headers=headers, content=body_of(intake))
        return _read(CaseReceipt, answer, writing=True)

    async def update_case(
        self, case_id: str, patch: dict[str, Any], *, idempotency_key: str, if_match: str
    ) -> CaseReceipt:
        """Merge a patch into the case that stands at ``if_match``."""
        address = self._address_of(case_id)
        headers = {"Content-Type": MERGE_PATCH, "Idempotency-Key": idempotency_key, "If-Match": if_match}
        answer = await self._line.send("PATCH", address, writing=True, headers=headers, content=body_of(patch))
        return _read(CaseReceipt, answer, writing=True)

    async def add_note(self, case_id: str, note: dict[str, Any]) -> AdditionOutcome:
        """Add a note to a case, once."""
        return await self._add(case_id, "notes", note)

    async def add_attachment(self, case_id: str, attachment: dict[str, Any]) -> AdditionOutcome:
        """Add an attachment to a case, once."""
        return await self._add(case_id, "attachments", attachment)

    async def write_batch(self, items: Sequence[dict[str, Any]]) -> BatchOutcomes:
        """Create and update several cases; each item has an outcome of its own."""
        content = body_of({"items": list(items)})
        answer = await self._line.send(
            "POST", self._batch, writing=True, headers={"Content-Type": JSON}, content=content
        )
        return _read(BatchOutcomes, answer, writing=True)

    async def _add(self, case_id: str, kind: str, addition: dict[str, Any]) -> AdditionOutcome:
        address = self._address_of(case_id, f"/{kind}")
        answer = await self._line.send(
            "POST", address, writing=True, headers={"Content-Type": JSON}, content=body_of(addition)
        )
        return _read(AdditionOutcome, answer, writing=True)

    def _address_of(self, case_id: str, below: str = "") -> httpx.URL:
        return self._line.address(f"/api/v1/cases/{quote(case_id, safe='')}{below}")


def _read(model: type[_Wire], answer: Answer, *, writing: bool) -> _Wire:
    if not 200 <= answer.status < 300:
        raise error_of(answer.status, answer.headers, _problem_in(answer.body), writing=writing)
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        raise unreadable(writing=writing) from error


def _problem_in(body: bytes) -> Problem | None:
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return None
