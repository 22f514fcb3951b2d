"""The channels of the broker: what may travel where."""

import re
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from schemas.base import is_personal
from schemas.channels import (
    CHANNELS,
    FEEDS,
    INBOUND,
    READY,
    WAKE_UP_CASES,
    CaseDelivered,
    CaseParked,
    CaseReady,
    CaseUpdated,
    Channel,
    Direction,
    WakeUp,
    announcement,
    feed_of,
)
from schemas.envelope import unwrap
from schemas.publish import CONTRACTS
from tests.builders import REPORTED_AT

STREAMED_BY_US = [channel for channel in CHANNELS if channel.stream and channel.direction is not Direction.RECEIVED]
PROSE = [
    "Il habite au 12",
    "il habite en face",
    "two\nlines",
    "tab\there",
    "non\u00a0breaking",
    "https://x.org/ and more",
    "nova:1 and more",
]
HARMLESS_TYPES = {"integer", "boolean", "null"}


def _free_texts(schema: Any, definitions: dict[str, Any], path: str = "") -> list[str]:
    """The places in a JSON Schema where something that no pattern, enum or format binds could be said."""
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[1]], **schema}
    if "anyOf" in schema:
        return [fault for one in schema["anyOf"] for fault in _free_texts(one, definitions, path)]
    match schema.get("type"):
        case "string":
            bound = "enum" in schema or schema.get("format") == "date-time" or _rules_out_prose(schema)
            return [] if bound else [path]
        case "array":
            return _free_texts(schema["items"], definitions, f"{path}/-")
        case "object":
            further = [f"{path}/*"] if isinstance(schema.get("additionalProperties"), dict) else []
            return further + [
                fault
                for name, member in schema.get("properties", {}).items()
                for fault in _free_texts(member, definitions, f"{path}/{name}")
            ]
        case harmless if harmless in HARMLESS_TYPES:
            return []
        case _:
            return [path]


def _rules_out_prose(schema: dict[str, Any]) -> bool:
    pattern = schema.get("pattern", "")
    whole = pattern.startswith("^") and pattern.endswith("$")
    return whole and not any(re.search(pattern, prose) for prose in PROSE)


def _personal_fields(model: type[BaseModel]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        if is_personal(model, name):
            found.append(f"{model.__name__}.{name}")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _personal_fields(field.annotation)
    return found


@pytest.mark.parametrize("channel", STREAMED_BY_US, ids=lambda channel: channel.name)
def test_a_stream_has_no_personal_field_and_no_free_text(channel: Channel) -> None:
    schema = channel.message.model_json_schema()

    assert _personal_fields(channel.message) == []
    assert "x-personal" not in str(schema)
    assert _free_texts(schema, schema.get("$defs", {})) == []


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
@pytest.mark.parametrize("prose", PROSE)
def test_no_text_field_of_a_feed_takes_prose(feed: Channel, prose: str) -> None:
    said = {"source": "nova", "key": "nova:1", "version": 1, "occurred_at": REPORTED_AT, "reason": "invalid_field"}
    texts = [name for name in feed.message.model_fields if name not in {"version", "occurred_at"}]
    feed.message.model_validate(said)

    for name in texts:
        with pytest.raises(ValidationError):
            feed.message.model_validate({**said, name: prose})


def test_the_search_for_free_text_finds_it() -> None:
    class Prose(BaseModel):
        plain: str
        perhaps: str | None
        loosely_bound: Annotated[str, Field(pattern="^[a-z ]+$")]
        open_ended: Annotated[str, Field(pattern="^[0-9]{5}")]
        list_of_texts: list[str]
        anything: Any
        well_bound: Annotated[str, Field(pattern="^[a-z]+$")]

    schema = Prose.model_json_schema()
    assert _free_texts(schema, {}) == [
        "/plain",
        "/perhaps",
        "/loosely_bound",
        "/open_ended",
        "/list_of_texts/-",
        "/anything",
    ]


def test_every_feed_is_a_stream_and_is_published() -> None:
    published = {contract.model for contract in CONTRACTS}

    assert [feed.address for feed in FEEDS] == ["cases.ready", "cases.delivered", "cases.updated", "cases.parked"]
    assert all(feed.stream and feed.enveloped and feed.message in published for feed in FEEDS)


def test_no_two_channels_share_an_address_or_a_name() -> None:
    assert len({channel.address for channel in CHANNELS}) == len(CHANNELS)
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)


def test_a_wake_up_names_a_bounded_number_of_cases() -> None:
    WakeUp(count=5_000, cases=tuple(range(1, WAKE_UP_CASES + 1)))

    with pytest.raises(ValidationError):
        WakeUp(count=5_000, cases=tuple(range(1, WAKE_UP_CASES + 2)))


@pytest.mark.parametrize(
    "message",
    [
        CaseReady(key="nova:1", source="nova", version=0, occurred_at=REPORTED_AT),
        CaseDelivered(key="nova:1", source="nova", version=3, occurred_at=REPORTED_AT),
        CaseUpdated(key="nova:1", source="nova", version=3, occurred_at=REPORTED_AT),
        CaseParked(source="nova", version=0, occurred_at=REPORTED_AT, reason="no_case_key"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_an_announcement_names_its_feed_and_its_schema(
    message: CaseReady | CaseDelivered | CaseUpdated | CaseParked,
) -> None:
    envelope = announcement(message, event_id="1:1")

    feed = feed_of(message)
    contract = next(contract for contract in CONTRACTS if contract.model is feed.message)
    assert envelope.type == f"relais.{feed.name.replace('-', '.')}.v{contract.version}"
    assert envelope.dataschema == contract.schema()["$id"]
    assert envelope.subject == message.key
    assert envelope.time == REPORTED_AT
    assert unwrap(envelope, type(message)) == message


def test_an_older_worker_reads_a_message_that_says_more() -> None:
    message = CaseReady(key="nova:1", source="nova", version=0, occurred_at=REPORTED_AT)

    assert CaseReady.model_validate({**message.model_dump(), "said_since_a_later_version": 1}) == message


@pytest.mark.parametrize("link", ["https://jan:secret@crm.example.org/1", "javascript:alert(1)", "//crm.example.org/1"])
def test_a_link_holds_no_account_and_no_script(link: str) -> None:
    with pytest.raises(ValidationError):
        CaseReady(key="nova:1", source="nova", version=0, occurred_at=REPORTED_AT, link=link)


def test_a_subject_is_the_address_filled_in() -> None:
    assert INBOUND.subject(source="fixmystreet") == "events.inbound.fixmystreet"
    assert INBOUND.pattern == "events.inbound.*"
    assert READY.subject() == READY.pattern == "cases.ready"


@pytest.mark.parametrize("token", ["", "*", ">", "a.b", "a b", "{a}"])
def test_a_subject_is_one_token_for_each_parameter(token: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        INBOUND.subject(source=token)


@pytest.mark.parametrize("parameters", [{}, {"sauce": "nova"}, {"source": "nova", "more": "x"}])
def test_a_subject_takes_exactly_its_parameters(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="source"):
        INBOUND.subject(**parameters)
