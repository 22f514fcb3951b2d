"""The small pure parts, as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.fixmystreet.category import path_of_display, path_of_nested, title_of, tree_from, tree_of_2017
from connectors.fixmystreet.conversation import person_from
from connectors.fixmystreet.moment import moment_from, remarked_moment_from
from connectors.fixmystreet.municipality import CANDIDATES, NAMES, nis_code_of
from connectors.fixmystreet.observation import content_of
from connectors.fixmystreet.place import place_of_incident
from connectors.fixmystreet.remarks import Remarks
from connectors.fixmystreet.status import status_from
from connectors.fixmystreet.wire import Creator, DisplayCategory, Incident, Location, NestedCategory
from schemas.case import Status
from schemas.text import Localised
from tests.unit.fixmystreet.world import an_incident

TREE = tree_of_2017()


def codes(remarks: Remarks) -> list[str]:
    return [remark.code for remark in remarks.all() or ()]


@pytest.mark.parametrize(
    ("text", "moment", "remarked"),
    [
        ("2026-05-04T10:11:12", "2026-05-04T08:11:12Z", []),
        ("2026-01-04T10:11:12", "2026-01-04T09:11:12Z", []),
        ("2026-05-04 10:11:12", "2026-05-04T08:11:12Z", []),
        ("2026-05-04T10:11", "2026-05-04T08:11:00Z", []),
        ("2026-05-04T10:11:12.250", "2026-05-04T08:11:12.250Z", []),
        ("2026-05-04T10:11:12Z", "2026-05-04T10:11:12Z", []),
        ("2026-05-04T10:11:12+0200", "2026-05-04T08:11:12Z", []),
        ("2026-05-04T10:11:12-05:00", "2026-05-04T15:11:12Z", []),
        ("2026-05-04T10:11:12.123456789-05:00", "2026-05-04T15:11:12.123456Z", []),
        ("2026-05-04T10:11:12.123456789-05:00 or so", None, ["time_unreadable"]),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z", ["time_ambiguous"]),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z", []),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00Z", []),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z", ["time_skipped"]),
        ("2026-02-30T10:00:00", None, ["time_unreadable"]),
        ("2026-05-04", None, ["time_unreadable"]),
        ("0001-01-01T00:00:00", None, ["time_unreadable"]),
        ("9999-12-31T23:59:59", None, ["time_unreadable"]),
        ("1777888272", None, ["time_unreadable"]),
        ("", None, []),
        (None, None, []),
    ],
)
def test_their_times_are_moments(text: str | None, moment: str | None, remarked: list[str]) -> None:
    remarks = Remarks()
    expected = datetime.fromisoformat(moment) if moment else None
    assert remarked_moment_from(text, "a.field", remarks) == moment_from(text) == expected
    assert codes(remarks) == remarked


@pytest.mark.parametrize(
    ("word", "resolved", "status", "remarked"),
    [
        ("CREATED", False, Status.RECEIVED, []),
        ("created", True, Status.RECEIVED, []),
        ("PROCESSING", False, Status.IN_PROGRESS, []),
        ("PROCESSING", True, Status.RESOLVED, []),
        ("CLOSED", True, Status.CLOSED, []),
        ("1", False, Status.RECEIVED, []),
        ("2", False, Status.IN_PROGRESS, []),
        ("3", False, Status.CLOSED, []),
        ("4", False, Status.ACCEPTED, []),
        ("5", False, Status.IN_PROGRESS, []),
        ("6", False, Status.IN_PROGRESS, []),
        ("7", False, Status.RESOLVED, []),
        ("8", False, Status.REMOVED, []),
        ("9", False, Status.REFUSED, []),
        ("11", False, Status.RECEIVED, []),
        ("10", False, None, ["status_unknown"]),
        ("MERGED", False, None, ["status_unknown"]),
        ("", False, None, []),
        (None, False, None, []),
    ],
)
def test_statuses_of_both_generations(
    word: str | None, resolved: bool, status: Status | None, remarked: list[str]
) -> None:
    remarks = Remarks()
    assert status_from(word, declared_resolved=resolved, remarks=remarks) is status
    assert codes(remarks) == remarked


def test_the_tree_of_2017_is_whole() -> None:
    """10 roots, 36 second, 52 third and 10 distinct fourth levels; six colours of bags hang under two parents."""
    levels = [len([1 for number in TREE.nodes if number.startswith(level)]) for level in "1234"]
    assert levels == [10, 36, 52, 10]
    assert all(parent in TREE for node in TREE.nodes.values() for parent in node.parents)
    assert len([1 for node in TREE.nodes.values() if len(node.parents) == 2]) == 6


@pytest.mark.parametrize(
    ("category", "path", "remarked"),
    [
        ({"id": 3407}, ["1007", "2307", "3407"], []),
        ({"id": "3407", "category": {"id": 2307}}, ["1007", "2307", "3407"], []),
        ({"id": 2307, "category": {"id": 3407}}, ["1007", "2307", "3407"], []),
        ({"id": 1007, "category": {"id": 3407}}, ["1007", "2307", "3407"], []),
        ({"id": 3407, "category": {"id": 3407}}, ["1007", "2307", "3407"], []),
        ({"category": {"id": 3407}}, ["1007", "2307", "3407"], []),
        ({"id": 1007, "category": {"id": 2307, "category": {"id": 3407}}}, ["1007", "2307", "3407"], []),
        ({"id": 3029, "category": {"id": 4001}}, ["1002", "2000", "3029", "4001"], []),
        ({"id": 4001, "category": {"id": 3314}}, ["1002", "2000", "3314", "4001"], []),
        ({"id": 4001}, ["4001"], ["category_path_incomplete"]),
        ({"id": 3999}, ["3999"], ["category_unknown"]),
        ({"id": 3999, "category": {"id": 2307}}, ["1007", "2307", "3999"], ["category_unknown"]),
        ({"id": 1100, "category": {"id": 3407}}, ["1100", "3407"], []),
        ({"id": 80001, "category": {"id": 80002}}, ["80001", "80002"], ["category_order_unknown", "category_unknown"]),
        ({"nameFr": "Sans numéro"}, None, ["category_without_id"]),
    ],
)
def test_a_nested_category_is_read_from_either_end(
    category: dict[str, Any], path: list[str] | None, remarked: list[str]
) -> None:
    remarks = Remarks()
    steps = path_of_nested(NestedCategory.model_validate(category), TREE, remarks)
    assert (steps and [step.id for step in steps]) == path
    assert codes(remarks) == remarked


@pytest.mark.parametrize(
    ("ids", "text", "labels", "remarked"),
    [
        ([1007, 2307, 3407, ""], "A / B : C", ["A", "B", "C"], []),
        (["1007", "2307", "3407"], "A / B : C", ["A", "B", "C"], []),
        ([1002, 2000, 3029, 4001], "A / B : C (D)", ["A", "B", "C", "D"], []),
        ([1002, 2000, 3029, 4001], "A / B : C", None, ["category_text_ambiguous"]),
        ([1002, 2000, 3029, 4001], "A / B / C : D", None, ["category_text_ambiguous"]),
        ([1007, 2307, 3407, ""], "A / B : C (D)", ["A", "B", "C (D)"], []),
        ([1007, 2307, 3407, ""], "A / B / C : D", None, ["category_text_ambiguous"]),
        ([1007, 2307, 3407, ""], "A / B", None, ["category_text_ambiguous"]),
        ([1007, 2307, 3407, ""], "A / B : C : D", None, ["category_text_ambiguous"]),
        ([1007, 2307, 3407, ""], "", None, []),
        ([1007, 3407], "A / B : C", None, ["category_path_incomplete", "category_text_ambiguous"]),
        ([1007, None, 3407], "A : C", None, ["category_path_incomplete", "category_text_ambiguous"]),
    ],
)
def test_a_display_text_labels_its_steps(
    ids: list[Any], text: str, labels: list[str] | None, remarked: list[str]
) -> None:
    remarks = Remarks()
    steps = path_of_display(DisplayCategory.model_validate({"fr": text, "ids": ids}), TREE, remarks)
    kept = [str(number) for number in ids if number]
    assert [step.id for step in steps or ()] == kept
    expected: list[str | None] = [*labels] if labels else [TREE.label(number).fr for number in kept]
    assert [step.label.fr for step in steps or ()] == expected
    assert codes(remarks) == remarked


def test_a_category_that_was_read_before_is_read_the_same_and_anew_with_another_tree() -> None:
    said = DisplayCategory.model_validate({"fr": "Ours", "ids": [1007, 2033, 9999]})
    grown = tree_from([{"id": 9999, "nameFr": "Banc", "nameNl": "Bank"}], known=TREE)
    for tree, nl, remarked in (
        (TREE, None, ["category_text_ambiguous", "category_unknown"]),
        (grown, "Bank", ["category_text_ambiguous"]),
    ) * 2:
        remarks = Remarks()
        path = path_of_display(said, tree, remarks)
        assert path is not None
        assert path[-1].label.nl == nl
        assert codes(remarks) == remarked


def test_a_category_that_is_far_too_long_is_read_like_any_other() -> None:
    text = "Mobilier / Velo : " + "x" * 2000
    path = path_of_display(DisplayCategory.model_validate({"fr": text, "ids": [1007, 2033, 9999]}), TREE, Remarks())
    assert path is not None
    assert path[-1].label.fr == "x" * 2000


def test_a_fourth_level_is_not_a_title_by_itself() -> None:
    path = path_of_nested(NestedCategory.model_validate({"id": 3029, "category": {"id": 4001}}), TREE, Remarks())
    assert title_of(path) == Localised(fr="Sac éventré (Blanc)", nl="Gescheurde zak (Wit)", en="Shredded bags (White)")


@pytest.mark.parametrize(
    "document",
    [
        {"response": {"categories": [{"id": 1, "nameFr": "A", "subCategories": [{"id": 2, "nameNl": "B"}]}]}},
        {"response": [{"id": 1, "nameFr": "A", "subCategories": [{"id": 2, "nameNl": "B"}]}]},
        {"response": {"id": 1, "nameFr": "A", "subCategories": [{"id": 2, "nameNl": "B"}]}},
    ],
)
def test_the_tree_is_read_from_either_way_in(document: Any) -> None:
    tree = tree_from(document)
    assert tree.path("2") == ("1", "2")
    assert tree.label("2").nl == "B"


@pytest.mark.parametrize(
    "document", [None, [], {}, {"response": None}, {"response": {"categories": "none"}}, {"response": [1]}]
)
def test_what_is_no_tree_is_an_empty_one(document: Any) -> None:
    assert not tree_from(document).nodes


def test_a_tree_that_bites_its_tail_ends() -> None:
    node = {"id": 1, "subCategories": [{"id": 2, "subCategories": [{"id": 1}]}]}
    assert tree_from([node]).path("2") is None


def test_every_municipality_has_a_postal_code_and_a_name() -> None:
    assert {code for codes_ in CANDIDATES.values() for code in codes_} == set(NAMES)
    assert len(NAMES) == 19
    assert len(CANDIDATES) == 22


@pytest.mark.parametrize(
    ("postal_code", "said", "nis_code", "remarked"),
    [
        ("1000", None, "21004", []),
        ("1120", Localised(fr="Ailleurs"), "21004", []),
        ("1030", None, "21015", []),
        ("1050", Localised(nl=" brussel "), "21004", []),
        ("1050", Localised(fr="Ixelles"), "21009", []),
        ("1050", None, "21009", ["postal_code_shared"]),
        ("1040", Localised(fr="Nulle part"), "21005", ["postal_code_shared"]),
        ("1999", None, None, ["postal_code_unknown"]),
        (None, None, None, []),
    ],
)
def test_a_postal_code_names_its_municipality(
    postal_code: str | None, said: Localised | None, nis_code: str | None, remarked: list[str]
) -> None:
    remarks = Remarks()
    assert nis_code_of(postal_code, said, remarks) == nis_code
    assert codes(remarks) == remarked


@pytest.mark.parametrize(
    ("x", "y", "longitude", "latitude", "remarked"),
    [
        # The Atomium and the Grand-Place, to some metres.
        (147_880, 176_035, 4.3386, 50.8947, []),
        (148_868, 170_660, 4.3527, 50.8464, []),
        (0, 0, None, None, ["point_outside_belgium"]),
        (170_660, 1_148_868, None, None, ["point_outside_belgium"]),
        (1e300, 1e300, None, None, None),
        (None, 170_660, None, None, ["point_missing"]),
        ("here", 170_660, None, None, ["point_missing"]),
    ],
)
def test_points_are_told_in_both_systems(
    x: Any, y: Any, longitude: float | None, latitude: float | None, remarked: list[str] | None
) -> None:
    remarks = Remarks()
    place = place_of_incident(Location.model_validate({"coordinates": {"x": x, "y": y}}), remarks)
    if longitude is not None:
        assert place is not None
        assert place.point is not None
        assert place.point.longitude == pytest.approx(longitude, abs=0.002)
        assert place.point.latitude == pytest.approx(latitude, abs=0.002)
    assert remarked is None or codes(remarks) == remarked


@pytest.mark.parametrize(
    ("creator", "name", "first", "last"),
    [
        ({"type": "citizen", "firstName": "", "lastName": "Lucie Vanhamme"}, "Lucie Vanhamme", None, None),
        ({"type": "citizen", "firstName": "Lucie", "lastName": "Vanhamme"}, "Lucie Vanhamme", "Lucie", "Vanhamme"),
        ({"type": "pro", "firstName": "", "lastName": "De Smedt"}, "De Smedt", None, "De Smedt"),
        ({"type": "citizen", "phone": "+32 2 555 01 02"}, None, None, None),
    ],
)
def test_a_citizen_s_whole_name_is_not_a_last_name(
    creator: dict[str, str], name: str | None, first: str | None, last: str | None
) -> None:
    person = person_from(Creator.model_validate(creator), None)
    assert person is not None
    assert (person.name, person.first_name, person.last_name) == (name, first, last)


def test_a_creator_who_says_nothing_is_nobody() -> None:
    assert person_from(Creator.model_validate({"type": "citizen", "language": "fr", "email": " "}), None) is None


def content(**changed: Any) -> str:
    return content_of(Incident.model_validate(an_incident(1, **changed)))


@pytest.mark.parametrize(
    "same",
    [
        {"_links": {}},
        {"updatedDate": None, "updateDate": "2026-05-18T10:00:00"},
        {"updatedDate": "2026-05-18T10:00:00+02:00"},
        {"updatedDate": "2026-05-18T08:00:00Z"},
        {"id": "000001"},
        {"comingSoon": 1},
        {"mergedWith": None},
        {"category": {"id": "3407", "nameFr": "Renommé"}},
    ],
)
def test_what_says_the_same_is_the_same_state(same: dict[str, Any]) -> None:
    assert (
        content(**{name: value for name, value in same.items() if value is not None or name == "mergedWith"})
        == content()
    )


@pytest.mark.parametrize(
    "other",
    [
        {"updatedDate": "2026-05-18T10:00:01"},
        {"status": "CLOSED"},
        {"closedDate": "2026-05-19T10:00:00"},
        {"declaredResolved": True},
        {"duplicates": 1},
        {"mergedWith": 2},
        {"category": {"id": 3033}},
        {"category": {"nameFr": "Sans numéro"}},
        {"postal_code": "1020"},
        {"responsibleDepartment": {"id": 7}},
        {"visibility": "PRIVATE"},
    ],
)
def test_what_says_something_else_is_another_state(other: dict[str, Any]) -> None:
    assert content(**other) != content()


def test_contact_addresses_are_no_part_of_the_state() -> None:
    department = {"nameFr": "Voirie", "contact": {"emailAddress": "voirie@ville.example"}}
    assert "voirie@" not in content(responsibleDepartment=department)


def test_a_moment_kept_is_in_utc() -> None:
    moment = moment_from("2026-05-04T10:11:12")
    assert moment is not None
    assert moment.tzinfo is UTC
    assert moment.utcoffset() == timedelta(0)
