"""A case in the intake's words: whatever the case, the contract takes it, and a patch ends where a create would."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm_cmt.members import MEMBERS, PARTS, SHOWN_BY
from connectors.crm_cmt.translate import (
    attachment_from,
    batch_item_from,
    case_intake_from,
    case_patch_from,
    note_from,
)
from connectors.crm_cmt.wire import body_of
from schemas.case import Case, CaseFacts, Category, Dates, Link, Remark
from schemas.place import Address, Place, Point, PointOrigin
from schemas.text import Localised
from tests import strategies
from tests.builders import a_case, a_decision, a_note, a_person, an_attachment, some_facts
from tests.contract.published import Contract
from tests.unit.crm_cmt.world import a_create, an_update

CONTRACT = Contract.named("crm-cmt")
VALIDATORS = {
    name: CONTRACT.validator(CONTRACT.schema(name))
    for name in ("CaseIntake", "CasePatch", "Batch", "Note", "Attachment")
}


def faults_of(schema: str, body: bytes) -> list[str]:
    return [error.message for error in VALIDATORS[schema].iter_errors(json.loads(body))]


def sent(document: dict[str, Any]) -> Any:
    return json.loads(body_of(document))


def some_case(**changed: Any) -> Case:
    return a_case(facts=some_facts(**changed))


# What the rules and the wiring choose is not bent to fit: a wrong word there must be noticed.
CASES = st.builds(
    lambda case, source, case_type, department: case.model_copy(
        update={
            "key": f"{source}:123",
            "source": source,
            "decision": case.decision.model_copy(update={"case_type": case_type, "department": department}),
        }
    ),
    strategies.a_case(),
    strategies.CODE,
    strategies.CODE,
    strategies.CODE,
)


@given(CASES)
def test_the_contract_takes_whatever_case(case: Case) -> None:
    assert faults_of("CaseIntake", body_of(case_intake_from(a_create(case=case)))) == []


@given(CASES, st.sets(st.sampled_from(sorted(SHOWN_BY))))
def test_the_contract_takes_whatever_change(case: Case, changed: set[str]) -> None:
    change = an_update(*changed, case=case)
    assert faults_of("CasePatch", body_of(case_patch_from(change))) == []
    assert faults_of("Batch", body_of({"items": [batch_item_from(change)]})) == []


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def held(case: dict[str, Any]) -> dict[str, Any]:
    """A case as the CRM holds it; a list or an object without anything in it says as much as none."""
    held = {name: _held(value) for name, value in case.items() if name not in ("version", "notes", "attachments")}
    return {name: value for name, value in held.items() if value not in ({}, [], None)}


def _held(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: inner for name, item in value.items() if (inner := _held(item)) not in ({}, None)}


def differing(before: Case, after: Case) -> list[str]:
    fields = [name for name in CaseFacts.model_fields if getattr(before.facts, name) != getattr(after.facts, name)]
    beside = [name for name in ("decision", "tenant", "test") if getattr(before, name) != getattr(after, name)]
    return fields + beside


@given(CASES, CASES)
def test_a_case_that_was_changed_ends_where_a_create_would_have_put_it(before: Case, after: Case) -> None:
    # The names that leave extra are the one thing that a merge patch cannot say without knowing them.
    kept = {"key": before.key, "source": before.source, "kind": before.kind}
    facts = after.facts.model_copy(update={"extra": before.facts.extra})
    after = after.model_copy(update={**kept, "reference": before.reference, "facts": facts})
    change = an_update(*differing(before, after), case=after)
    stands = sent(case_intake_from(a_create(case=before)))
    assert held(merged(stands, sent(case_patch_from(change)))) == held(sent(case_intake_from(a_create(case=after))))


def test_every_fact_is_shown_somewhere() -> None:
    assert set(SHOWN_BY) == {*CaseFacts.model_fields, "decision", "tenant", "test"}
    assert {name for names in SHOWN_BY.values() for name in names} <= set(MEMBERS)


def test_every_member_of_the_contract_is_said() -> None:
    known = set(CONTRACT.document["components"]["schemas"]["CaseIntake"]["properties"])
    assert set(MEMBERS) | {"reference", "version", "notes", "attachments"} == known


def test_the_parts_that_a_patch_names_are_those_of_the_contract() -> None:
    schemas = CONTRACT.document["components"]["schemas"]
    assert set(PARTS["dates"]) == set(schemas["Dates"]["properties"])
    assert set(PARTS["title"]) == set(schemas["Label"]["properties"])
    assert set(PARTS["description"]) == set(schemas["Description"]["properties"])
    assert set(PARTS["source"]) == set(schemas["Source"]["properties"]) - set(schemas["Source"]["required"])
    place = schemas["Place"]["properties"]
    assert set(PARTS["place"]) == set(place)
    assert set(PARTS["place"]["address"]) == set(place["address"]["properties"])
    assert set(PARTS["place"]["point"]) == set(place["point"]["properties"])


def test_a_change_names_what_changed_and_nothing_else() -> None:
    assert sent(case_patch_from(an_update("status", "source_status"))) == {
        "reference": "TEST-123456",
        "version": 2,
        "source": {"system": "fixmystreet", "id": "123456", "status": "CREATED", "link": None},
        "status": "received",
    }


@pytest.mark.parametrize(
    ("fields", "nothing"),
    [
        (["category"], {"category": None}),
        (["description"], {"description": None}),
        (["place"], {"place": None, "tenant": None}),
        (["people"], {"people": None}),
        (["dates"], {"dates": None, "deadline": None}),
        (["links"], {"links": None, "extra": None}),
        (["extra"], {"extra": None}),
    ],
)
def test_what_is_no_longer_known_is_null(fields: Sequence[str], nothing: dict[str, None]) -> None:
    case = Case.model_validate(a_case().model_dump() | {"facts": {}, "tenant": None})
    patch = sent(case_patch_from(an_update(*fields, case=case)))
    assert {name: patch[name] for name in nothing} == nothing


def test_a_part_that_is_no_longer_known_is_null() -> None:
    case = some_case(title=Localised(nl="Fietsbeugel"), dates=Dates(planned_at=datetime(2026, 3, 9, 8, tzinfo=UTC)))
    patch = sent(case_patch_from(an_update("title", "dates", case=case)))
    assert patch["title"] == {"fr": None, "nl": "Fietsbeugel", "de": None, "en": None}
    assert patch["dates"]["plannedAt"] == "2026-03-09T08:00:00Z"
    assert patch["dates"]["closedAt"] is None


def test_what_is_too_long_is_shortened_and_says_so() -> None:
    case = some_case(
        title=Localised(fr="t" * 301),
        description=Localised(nl="b" * 20_001),
        people=[a_person(first_name="n" * 301, email="e" * 255)],
        category=[Category(id=str(level)) for level in range(11)],
    )
    intake = sent(case_intake_from(a_create(case=case)))
    assert intake["title"]["fr"] == "t" * 299 + "…"
    assert intake["description"]["nl"] == "b" * 19_999 + "…"
    assert len(intake["category"]["path"]) == 10
    assert "email" not in intake["people"][0]
    assert {(remark["code"], remark["field"]) for remark in intake["remarks"]} == {
        ("list_cut", "category.path"),
        ("text_cut", "title.fr"),
        ("text_cut", "description.nl"),
        ("text_cut", "people.0.firstName"),
        ("value_left_out", "people.0.email"),
    }


def test_remarks_of_the_source_stay_beside_ours_when_a_text_changes() -> None:
    facts = some_facts(title=Localised(fr="t" * 301)).model_copy(
        update={"remarks": (Remark(code="unknown_category", field="category", detail="9001"),)}
    )
    patch = sent(case_patch_from(an_update("description", case=a_case(facts=facts))))
    assert patch["remarks"] == [
        {"code": "unknown_category", "field": "category", "detail": "9001"},
        {"code": "text_cut", "field": "title.fr"},
    ]


@pytest.mark.parametrize(
    ("field", "too_much", "path"),
    [
        ("category", tuple(Category(id=str(level)) for level in range(11)), "category.path"),
        ("title", Localised(fr="t" * 301), "title.fr"),
        ("description", Localised(fr="t" * 20_001), "description.fr"),
        ("place", Place(address=Address(number="n" * 21)), "place.address.number"),
        ("people", (a_person(phone="0" * 51),), "people.0.phone"),
        ("links", tuple(Link(relation="map", href="https://map.example") for _ in range(51)), "links"),
    ],
)
def test_a_remark_about_what_was_cut_comes_and_goes_with_it(field: str, too_much: Any, path: str) -> None:
    cut, whole = (a_case(facts=some_facts().model_copy(update={field: value})) for value in (too_much, None))
    assert path in [remark.get("field") for remark in sent(case_patch_from(an_update(field, case=cut)))["remarks"]]
    assert path not in [
        remark.get("field") for remark in sent(case_patch_from(an_update(field, case=whole)))["remarks"]
    ]


@pytest.mark.parametrize("title", [None, Localised(), Localised(fr=""), Localised(en="Bicycle rack")])
def test_a_case_without_a_title_in_a_language_of_the_city_is_called_by_its_key(title: Localised | None) -> None:
    intake = sent(case_intake_from(a_create(case=some_case(title=title))))
    assert (intake["title"]["fr"], intake["title"]["nl"]) == ("fixmystreet 123456", "fixmystreet 123456")
    assert {"code": "title_missing", "field": "title"} in intake["remarks"]


def test_links_that_are_no_addresses_are_kept_aside() -> None:
    links = (
        Link(relation="source", href="https://fixmystreet.example/reports/123456"),
        Link(relation="merged_with", href="fixmystreet:1"),
    )
    facts = some_facts().model_copy(update={"links": links, "extra": {"duplicates": 2}})
    intake = sent(case_intake_from(a_create(case=a_case(facts=facts))))
    patch = sent(case_patch_from(an_update("links", case=a_case(facts=facts))))
    assert {name: patch[name] for name in ("source", "links", "extra")} == {
        "source": intake["source"],
        "links": intake["links"],
        "extra": intake["extra"],
    }
    assert intake["source"]["link"] == "https://fixmystreet.example/reports/123456"
    assert intake["links"] == [{"rel": "source", "href": "https://fixmystreet.example/reports/123456"}]
    assert intake["extra"] == {"duplicates": 2, "otherLinks": [{"rel": "merged_with", "href": "fixmystreet:1"}]}


def test_null_in_extra_removes_in_a_change_and_is_left_out_of_a_create() -> None:
    facts = some_facts().model_copy(update={"extra": {"a": None, "b": {"c": None, "d": [None]}}})
    case = a_case(facts=facts)
    assert sent(case_intake_from(a_create(case=case)))["extra"] == {"b": {"d": [None]}}
    assert sent(case_patch_from(an_update("extra", case=case)))["extra"] == {
        "a": None,
        "b": {"c": None, "d": [None]},
        "otherLinks": None,
    }


def test_a_point_beyond_the_contract_keeps_its_other_half() -> None:
    point = Point(x=1e7, y=0, longitude=4.35, latitude=50.84, origin=PointOrigin.WGS_84)
    intake = sent(case_intake_from(a_create(case=some_case(place=Place(point=point)))))
    assert intake["place"]["point"] == {"wgs84": {"longitude": 4.35, "latitude": 50.84}, "origin": "wgs84"}


def test_a_deadline_beyond_the_calendar_is_not_said() -> None:
    case = a_case(decision=a_decision(within=timedelta(days=999_999_999)))
    assert "deadline" not in case_intake_from(a_create(case=case))


def test_moments_are_said_in_utc() -> None:
    written_at = datetime.fromisoformat("2026-03-29T03:30:00.25+02:00")
    assert note_from(a_note(written_at=written_at))["writtenAt"] == "2026-03-29T01:30:00.250000Z"


def test_nul_is_left_out_wherever_it_stands() -> None:
    facts = some_facts(description=Localised(fr="a\x00b")).model_copy(update={"extra": {"a\x00": ["b\x00", "\\u0000"]}})
    body = body_of(case_intake_from(a_create(case=a_case(facts=facts), notes=[a_note(text="c\x00d")])))
    document = json.loads(body)
    assert document["description"] == {"fr": "ab"}
    assert document["extra"] == {"a": ["b", "\\u0000"]}
    assert document["notes"][0]["text"] == "cd"


def test_a_note_and_an_attachment_satisfy_the_contract() -> None:
    assert faults_of("Note", body_of(note_from(a_note(author="x" * 500)))) == []
    attachment = an_attachment(media_type="Image/JPEG; q=1")
    assert faults_of("Attachment", body_of(attachment_from(attachment))) == []
    assert attachment_from(attachment)["mediaType"] == "image/jpeg"
    assert "mediaType" not in attachment_from(an_attachment(media_type="a picture"))


def test_the_same_change_reads_the_same_each_time() -> None:
    forwards, backwards = sorted(SHOWN_BY), sorted(SHOWN_BY, reverse=True)
    assert body_of(case_patch_from(an_update(*forwards))) == body_of(case_patch_from(an_update(*backwards)))
