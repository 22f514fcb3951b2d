"""Golden folders of sources: ``<system>/<case>/given.json`` and the case event that it must become, ``expected.json``.

A new folder is a new test. ``RELAIS_GOLDEN_UPDATE=1`` writes what came out, to be read before it is committed.
"""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.fixmystreet.category import tree_of_2017
from connectors.fixmystreet.naming import arrival_of
from connectors.fixmystreet.translate import case_event_from
from connectors.fixmystreet.wire import report_id
from connectors.kit.ports import StoredEvent
from schemas.case import CaseEvent

FOLDER = Path(__file__).parent


def fingerprint(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16, key=b"golden").hexdigest()


def from_fixmystreet(given: dict[str, Any]) -> CaseEvent:
    document = given["body"]
    body = json.dumps(document).encode()
    if given["door"] == "webhook":
        arrival = arrival_of(document, body)
        event_id, case_key = arrival.event_id, arrival.case_key
    else:
        number = report_id(document.get("incident", document)["id"])
        event_id, case_key = given.get("event_id", f"incident:{number}:1"), f"fixmystreet:{number}"
    assert case_key is not None
    received_at = datetime.fromisoformat(given["received_at"])
    event = StoredEvent("fixmystreet", given["door"], event_id, case_key, body, received_at)
    return case_event_from(event, tree_of_2017(), fingerprint)


SYSTEMS: dict[str, Callable[[dict[str, Any]], CaseEvent]] = {"fixmystreet": from_fixmystreet}
CASES = sorted(path.parent for system in SYSTEMS for path in FOLDER.glob(f"{system}/*/given.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(FOLDER)))
def test_what_a_source_says_becomes_the_expected_case_event(case: Path) -> None:
    given = json.loads((case / "given.json").read_text("utf-8"))
    event = SYSTEMS[case.parent.name](given)
    said = json.loads(event.model_dump_json(exclude_none=True))
    expected = case / "expected.json"
    if os.environ.get("RELAIS_GOLDEN_UPDATE") == "1":
        expected.write_text(json.dumps(said, ensure_ascii=False, indent=2) + "\n", "utf-8")
    assert said == json.loads(expected.read_text("utf-8"))
    assert CaseEvent.model_validate(json.loads(expected.read_text("utf-8"))) == event


def test_every_source_has_golden_folders() -> None:
    assert {case.parent.name for case in CASES} == set(SYSTEMS)
