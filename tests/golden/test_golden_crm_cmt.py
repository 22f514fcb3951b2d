"""Golden folders of CRM-CMT: a change of a case, ``given.json``, and what the intake is sent for it, ``expected.json``.

A new folder is a new test. ``RELAIS_GOLDEN_UPDATE=1`` writes what came out, to be read before it is committed.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from connectors.crm_cmt.translate import batch_item_from
from connectors.crm_cmt.wire import body_of
from connectors.kit.ports import CaseChange, Remote
from schemas.attachment import Attachment, Note
from schemas.case import Case
from tests.contract.published import Contract

FOLDER = Path(__file__).parent / "crm_cmt"
CASES = sorted(path.parent for path in FOLDER.glob("*/given.json"))
BATCH = Contract.named("crm-cmt").validator(Contract.named("crm-cmt").schema("Batch"))


def change_from(given: dict[str, Any]) -> CaseChange:
    remote = given.get("remote")
    return CaseChange(
        case=Case.model_validate(given["case"]),
        version=given["version"],
        change_key=f"{given['case']['reference']}:{given['version']}",
        remote=Remote(**remote) if remote else None,
        changed=frozenset(given.get("changed", ())),
        notes=TypeAdapter(tuple[Note, ...]).validate_python(tuple(given.get("notes", ()))),
        attachments=TypeAdapter(tuple[Attachment, ...]).validate_python(tuple(given.get("attachments", ()))),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_change_becomes_the_expected_write(case: Path) -> None:
    item = batch_item_from(change_from(json.loads((case / "given.json").read_text("utf-8"))))
    sent = json.loads(body_of({"items": [item]}))
    expected = case / "expected.json"
    if os.environ.get("RELAIS_GOLDEN_UPDATE") == "1":
        expected.write_text(json.dumps(sent["items"][0], ensure_ascii=False, indent=2) + "\n", "utf-8")
    assert sent["items"][0] == json.loads(expected.read_text("utf-8"))
    assert [error.message for error in BATCH.iter_errors(sent)] == []


def test_there_are_creates_and_updates() -> None:
    operations = [json.loads((case / "expected.json").read_text("utf-8"))["operation"] for case in CASES]
    assert set(operations) == {"create", "update"}
