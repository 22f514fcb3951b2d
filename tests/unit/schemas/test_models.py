"""What the models of the vocabulary make of odd values."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.base import Code, GrowingVocabulary, Identifier, without_personal
from schemas.case import CaseEvent, CaseFacts, CaseKey, Dates, Kind
from schemas.decision import Decision
from schemas.person import PersonRole
from schemas.text import Language, Localised
from tests.builders import REPORTED_AT, a_case, a_decision, a_note, a_person, a_report, an_attachment, some_facts

BEYOND = [
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
]


@pytest.mark.parametrize("moment", BEYOND, ids=str)
def test_a_moment_outside_the_calendar_is_an_ordinary_fault(moment: datetime) -> None:
    with pytest.raises(ValidationError, match="outside the calendar"):
        Dates(reported_at=moment)
    with pytest.raises(ValidationError, match="outside the calendar"):
        Dates.model_validate_json(json.dumps({"reported_at": moment.isoformat()}))


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError):
        Dates(reported_at=datetime(2025, 3, 14, 8, 30))  # noqa: DTZ001 - the fault under test


@pytest.mark.parametrize(
    ("brussels", "utc"),
    [
        ("2025-03-30T01:59:59+01:00", "2025-03-30T00:59:59Z"),
        ("2025-03-30T03:00:00+02:00", "2025-03-30T01:00:00Z"),
        ("2025-10-26T02:30:00+02:00", "2025-10-26T00:30:00Z"),
        ("2025-10-26T02:30:00+01:00", "2025-10-26T01:30:00Z"),
        ("2025-12-31T23:59:59.999999+01:00", "2025-12-31T22:59:59.999999Z"),
    ],
)
def test_a_moment_around_a_clock_change_is_written_in_utc(brussels: str, utc: str) -> None:
    assert json.loads(Dates.model_validate({"changed_at": brussels}).model_dump_json())["changed_at"] == utc


@pytest.mark.parametrize(
    ("within", "written"),
    [
        (timedelta(days=30), "P30DT0S"),
        (timedelta(days=400), "P400DT0S"),
        (timedelta(hours=36, microseconds=5), "P1DT43200.000005S"),
        (timedelta(days=-3, seconds=5), "-P2DT86395S"),
    ],
    ids=str,
)
def test_a_duration_is_written_without_years(within: timedelta, written: str) -> None:
    decision = a_decision(within=within)

    assert json.loads(decision.model_dump_json())["within"] == written
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_a_number_that_json_does_not_know_reads_as_not_given(number: float) -> None:
    facts = CaseFacts(extra={"depth": number, "list": [{"deeper": number}], "sound": 0.5})

    assert facts.extra == {"depth": None, "list": [{"deeper": None}], "sound": 0.5}
    assert CaseFacts.model_validate_json(facts.model_dump_json()) == facts


@pytest.mark.parametrize(
    "name", ["", "two words", "a\x07b", "a\x7fb", "a\x85b", "a\u00a0b", "line\n", "x" * 201], ids=repr
)
def test_an_identifier_holds_no_blank_and_no_control_character(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Identifier).validate_python(name)


@pytest.mark.parametrize("key", ["fixmystreet:123456", "nova:8f14e45f-ceea", "osiris:BXL/2025/17", "mypermit:é"])
def test_a_case_key_is_a_source_and_its_own_name(key: str) -> None:
    assert TypeAdapter(CaseKey).validate_python(key) == key


@pytest.mark.parametrize("key", ["123456", "fixmystreet:", ":1", "Nova:1", "nova:a b", "nova:a\n", "nova:" + "x" * 151])
def test_what_names_no_source_is_no_case_key(key: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(CaseKey).validate_python(key)


@pytest.mark.parametrize("code", ["http_503", "x", "no_case_key"])
def test_a_code_is_a_short_word(code: str) -> None:
    assert TypeAdapter(Code).validate_python(code) == code


@pytest.mark.parametrize("code", ["", "HTTP", "5xx", "not a code", "x" * 65, "é"])
def test_prose_is_no_code(code: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Code).validate_python(code)


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        a_report().test = True  # type: ignore[misc]


def test_a_path_without_steps_is_not_said() -> None:
    assert CaseFacts(category=()).category is None


@pytest.mark.parametrize(
    ("event", "additive"),
    [
        (a_report(), False),
        (a_report(notes=[a_note()]), True),
        (a_report(attachments=[an_attachment()]), True),
        (a_report(milestone=True), True),
    ],
    ids=["plain", "note", "attachment", "milestone"],
)
def test_only_what_a_later_event_would_lose_is_additive(event: CaseEvent, additive: bool) -> None:
    assert event.additive is additive


@pytest.mark.parametrize(
    ("text", "preferred", "first"),
    [
        (Localised(fr="rue", nl="straat"), [Language.NL], "straat"),
        (Localised(fr="rue"), [Language.NL], "rue"),
        (Localised(en="street", nl="straat"), [], "straat"),
        (Localised(fr="", nl="straat"), [Language.FR], "straat"),
        (Localised(), [Language.FR], None),
    ],
)
def test_the_first_text_is_in_the_preferred_language_that_has_one(
    text: Localised, preferred: list[Language], first: str | None
) -> None:
    assert text.first(*preferred) == first


REPORTED = Dates(reported_at=REPORTED_AT)
LATE_IN_TIME = Dates(reported_at=datetime(9999, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("dates", "source_deadline", "within", "deadline"),
    [
        (REPORTED, None, timedelta(days=30), REPORTED_AT + timedelta(days=30)),
        (REPORTED, REPORTED_AT + timedelta(days=5), timedelta(days=30), REPORTED_AT + timedelta(days=5)),
        (REPORTED, None, None, None),
        (Dates(), None, timedelta(days=30), None),
        (None, None, timedelta(days=30), None),
        (LATE_IN_TIME, None, timedelta(days=30), None),
    ],
    ids=["from the rule", "from the source", "no rule", "no report date", "no dates", "beyond the calendar"],
)
def test_a_deadline_is_the_sources_or_follows_from_the_report(
    dates: Dates | None, source_deadline: datetime | None, within: timedelta | None, deadline: datetime | None
) -> None:
    facts = CaseFacts(dates=dates, source_deadline=source_deadline)

    assert a_case(facts=facts, decision=a_decision(within=within)).deadline == deadline


def test_the_masked_view_keeps_what_is_not_personal_and_masks_what_is_filled() -> None:
    event = a_report(
        facts=some_facts(people=[a_person()]),
        notes=[a_note("comment-1", author=None)],
    )

    masked = without_personal(event)

    assert masked["key"] == "fixmystreet:123456"
    assert masked["facts"]["people"] == "***"
    assert masked["facts"]["description"] == "***"
    assert masked["facts"]["extra"] is None
    assert masked["facts"]["dates"]["reported_at"] == "2025-03-14T08:30:00Z"
    assert masked["notes"][0]["text"] == "***"
    assert masked["notes"][0]["author"] is None
    assert masked["attachments"] == []


def test_the_masked_view_is_plain_json() -> None:
    masked = without_personal(a_case(decision=a_decision(within=timedelta(days=400))))

    assert json.loads(json.dumps(masked)) == masked
    assert masked["decision"]["within"] == "P400DT0S"


@pytest.mark.parametrize("words", [Kind, PersonRole], ids=lambda words: words.__name__)
def test_a_growing_vocabulary_lists_its_words_without_ruling_out_others(words: type[GrowingVocabulary]) -> None:
    schema = TypeAdapter(words).json_schema()

    assert schema["x-extensible-enum"] == [word.value for word in words]
    assert "enum" not in schema
    with pytest.raises(ValidationError):
        TypeAdapter(words).validate_python("a word that we do not know")
