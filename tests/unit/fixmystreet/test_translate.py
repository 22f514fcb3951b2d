"""Translation: total, pure, silent about people."""

import copy
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.fixmystreet.category import Tree, tree_from, tree_of_2017
from connectors.fixmystreet.translate import case_event_from
from connectors.kit.errors import RejectedError
from connectors.kit.ports import StoredEvent
from schemas.case import CaseEvent, Status

GOLDEN = Path(__file__).parents[2] / "golden" / "fixmystreet"
TREE = tree_of_2017()


def fingerprint(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def stored(door: str, body: bytes) -> StoredEvent:
    return StoredEvent("fixmystreet", door, "an-event", "fixmystreet:1", body, datetime(2026, 5, 4, tzinfo=UTC))


def translated(door: str, document: Any, tree: Tree = TREE) -> CaseEvent:
    return case_event_from(stored(door, json.dumps(document).encode()), tree, fingerprint)


def golden(case: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GOLDEN / case / "given.json").read_text("utf-8"))["body"]
    return document


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def paths(document: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path for step, below in steps for path in ((*above, step), *paths(below, (*above, step)))]


SHAPES = {
    "webhook": golden("webhook-assignment-by-a-professional"),
    "incidents": golden("incident-closed-spelled-as-detail"),
}
PLACES = [(door, path) for door, document in SHAPES.items() for path in paths(document)]
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=250)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(["", " ", "0", "1", "9999-12-31T23:59:59", "0001-01-01T00:00:00", "2026-10-25T02:30:00", "4001"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4), TEXTS, VALUES)
def test_nothing_shaped_like_an_event_brings_translation_down(
    changes: list[tuple[tuple[str, tuple[Any, ...]], Any]], name: str, value: Any
) -> None:
    documents = {door: {**document, name: value} for door, document in SHAPES.items()}
    for (door, path), other in changes:
        try:
            documents[door] = changed(documents[door], path, other)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took the place away
    for door, document in documents.items():
        try:
            event = translated(door, document)
        except RejectedError:
            continue
        assert CaseEvent.model_validate_json(event.model_dump_json()) == event


@given(st.sampled_from(["webhook", "incidents"]), VALUES)
def test_no_json_at_all_brings_translation_down(door: str, document: Any) -> None:
    try:
        translated(door, document)
    except RejectedError:
        assert not isinstance(document, dict)


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("webhook", b"[]"),
        ("incidents", b"null"),
        ("webhook", b"not json"),
        ("incidents", b'{"a":1,"a":2}'),
        ("x", b"{}"),
    ],
)
def test_what_cannot_be_read_at_all_is_rejected(door: str, body: bytes) -> None:
    with pytest.raises(RejectedError):
        case_event_from(stored(door, body), TREE, fingerprint)


SECRET = "Zwijgzaam-Geheim"
PERSONAL = [path for path in paths(SHAPES["webhook"]) if path[:3] != ("data", "report", "category") and len(path) > 2]


@pytest.mark.parametrize("path", PERSONAL, ids=lambda path: ".".join(map(str, path)))
def test_no_value_reaches_a_remark_or_a_repr(path: tuple[Any, ...]) -> None:
    document = changed(SHAPES["webhook"], path, SECRET)
    event = translated("webhook", document)
    assert SECRET not in repr(event.facts.remarks)
    if path[2] in ("creator", "comments", "pdfUrl"):
        assert SECRET not in repr(event)


def test_a_name_that_is_no_name_is_not_remarked() -> None:
    document = changed(SHAPES["webhook"], ("data", "report", "jan@mail.example"), 1)
    assert "jan" not in repr(translated("webhook", document))


def test_the_first_twenty_unknown_fields_are_named_and_no_more() -> None:
    document = SHAPES["incidents"] | {f"field{'x' * number}": number for number in range(50)}
    remarks = translated("incidents", document).facts.remarks or ()
    assert len([remark for remark in remarks if remark.code == "field_unknown"]) == 21


def test_the_same_event_is_translated_the_same_twice() -> None:
    for door, document in SHAPES.items():
        assert translated(door, document) == translated(door, document)


def test_a_comment_stays_what_it_was_however_often_it_is_repeated() -> None:
    """The text that described the report is never a note, and a note keeps its key."""
    first = golden("webhook-transfer-by-a-citizen")
    again = golden("webhook-requested-again-repeats-comments")
    before, after = translated("webhook", first), translated("webhook", again)
    assert before.facts.description == after.facts.description
    told = [note.text for event in (before, after) for note in event.notes]
    assert before.facts.description is not None
    assert before.facts.description.fr not in told
    keys = {note.key for note in after.notes}
    last = changed(again, ("meta", "now"), "2026-06-01T10:00:00")
    last["data"]["report"]["comments"].insert(0, {"createdAt": "2026-06-01T09:59:00", "name": "X", "text": "Encore."})
    assert {note.key for note in translated("webhook", last).notes} > keys


def test_the_live_tree_decides_where_a_category_stands() -> None:
    live = tree_from(
        {"response": [{"id": 5000, "nameFr": "Racine", "subCategories": [{"id": 3407, "nameFr": "Arceau"}]}]},
        known=TREE,
    )
    document = changed(SHAPES["incidents"], ("category",), {"id": 3407, "nameFr": "Arceau", "nameNl": "Rek"})
    path = translated("incidents", document, live).facts.category
    assert [step.id for step in path or ()] == ["5000", "3407"]


def test_what_is_gone_is_removed_and_keeps_its_place_for_routing() -> None:
    event = translated("incidents", golden("incident-gone"))
    assert event.facts.status is Status.REMOVED
    assert event.tenant == "21004"
    assert event.facts.category


@pytest.mark.parametrize("test", [True, False])
def test_a_replay_stays_a_test(test: bool) -> None:
    body = json.dumps(SHAPES["incidents"]).encode()
    event = StoredEvent("fixmystreet", "incidents", "e", "fixmystreet:1", body, datetime(2026, 5, 4, tzinfo=UTC), test)
    assert case_event_from(event, TREE, fingerprint).test is test
