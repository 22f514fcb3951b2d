"""The CloudEvents envelope: what may be written and what is refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.case import CaseEvent, Category
from schemas.envelope import Envelope, UnexpectedDataError, unwrap, wrap
from tests.builders import REPORTED_AT, a_category, a_report

LEAST: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/fixmystreet", "type": "report.created"}


def test_a_message_comes_out_as_it_went_in() -> None:
    report = a_report()

    envelope = wrap(report, event_id=report.event_id, event_type="relais.case.event.v1", source="/relais")
    travelled = Envelope.model_validate_json(envelope.model_dump_json())

    assert travelled == envelope
    assert unwrap(travelled, CaseEvent) == report


def test_the_attributes_lie_beside_the_data_as_the_specification_writes_them() -> None:
    envelope = wrap(
        a_category("3407", fr="Arceau", nl=None),
        event_id="7",
        event_type="category.seen",
        source="/fixmystreet",
        subject="3407",
        time=REPORTED_AT,
        dataschema="urn:example:category:1",
        extensions={"traceparent": "00-ab-cd-01", "sequence": 4, "test": True},
    )

    assert json.loads(envelope.model_dump_json()) == {
        "specversion": "1.0",
        "id": "7",
        "source": "/fixmystreet",
        "type": "category.seen",
        "subject": "3407",
        "time": "2025-03-14T08:30:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:example:category:1",
        "data": {"id": "3407", "label": {"fr": "Arceau", "nl": None, "de": None, "en": None}},
        "traceparent": "00-ab-cd-01",
        "sequence": 4,
        "test": True,
    }


def test_an_attribute_that_is_null_counts_as_not_set() -> None:
    given = Envelope.model_validate({**LEAST, "subject": None, "traceparent": None, "data": None})

    assert given == Envelope.model_validate(LEAST)
    assert json.loads(given.model_dump_json()) == LEAST


def test_a_null_within_the_data_stays() -> None:
    envelope = Envelope.model_validate({**LEAST, "data": {"label": None}})

    assert json.loads(envelope.model_dump_json())["data"] == {"label": None}


def test_an_extension_keeps_its_type() -> None:
    extensions = Envelope.model_validate({**LEAST, "flag": True, "count": 1, "word": "1"}).extensions

    assert extensions == {"flag": True, "count": 1, "word": "1"}
    assert [type(value) for value in extensions.values()] == [bool, int, str]


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type"])
def test_a_required_attribute_may_not_be_missing(missing: str) -> None:
    with pytest.raises(ValidationError):
        Envelope.model_validate({name: value for name, value in LEAST.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"type": ""},
        {"source": "with blanks"},
        {"subject": ""},
        {"subject": "bell\x07"},
        {"time": "2025-03-14T08:30:00"},
        {"time": "yesterday"},
        {"datacontenttype": "json"},
        {"dataschema": "no-scheme"},
        {"traceParent": "upper case"},
        {"trace_parent": "underscore"},
        {"": "no name"},
        {"data_base64": "AAE="},
        {"count": 2**31},
        {"ratio": 0.5},
        {"nested": {"a": 1}},
        {"bell": "\x07"},
    ],
    ids=str,
)
def test_what_the_specification_rules_out_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Envelope.model_validate({**LEAST, **wrong})


@pytest.mark.parametrize("media_type", [None, "application/json", "application/ld+json; charset=utf-8", "text/JSON"])
def test_json_data_is_read_under_any_name_of_json(media_type: str | None) -> None:
    envelope = Envelope.model_validate({**LEAST, "datacontenttype": media_type, "data": {"id": "3407"}})

    assert unwrap(envelope, Category) == Category(id="3407")


@pytest.mark.parametrize("media_type", ["text/xml", "application/jsonp", "application/json-seq", "text/plain; a=json"])
def test_data_that_is_not_json_is_not_read(media_type: str) -> None:
    envelope = Envelope.model_validate({**LEAST, "datacontenttype": media_type, "data": {"id": "3407"}})

    with pytest.raises(UnexpectedDataError, match="not JSON"):
        unwrap(envelope, Category)


@pytest.mark.parametrize(
    "data", [None, "Zénobie", ["Zénobie"], {"id": ["Zénobie"]}, {"id": "1", "Zénobie": 1}], ids=str
)
def test_unreadable_data_is_named_and_not_repeated(data: Any) -> None:
    envelope = Envelope.model_validate({**LEAST, "data": data, "author": "Zénobie"})

    with pytest.raises(UnexpectedDataError) as caught:
        unwrap(envelope, Category)

    assert "Category" in str(caught.value)
    assert "Zénobie" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "Zénobie" not in repr(envelope)
