"""What holds for every value of the vocabulary, whatever is in it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from schemas import attachment, case, channels, decision, envelope, person, place, text
from schemas.base import Model, without_personal
from schemas.case import Dates
from schemas.publish import CONTRACTS, FOLDER, Contract
from tests.strategies import (
    BRUSSELS,
    EVERY_MODEL,
    MOMENT,
    a_case,
    a_case_event,
    an_envelope,
)

MODULES = (attachment, case, channels, decision, envelope, person, place, text)
ABSTRACT = {channels.FeedMessage, channels.KeyedFeedMessage}
SECRET = "Zénobie-Quaghebeur"
A_SECRET = st.text(max_size=5).map(lambda rest: SECRET + rest)
A_BEARER_OF_SECRETS = st.one_of(a_case_event(A_SECRET), a_case(A_SECRET), an_envelope(A_SECRET))

with_room = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_model_has_a_strategy() -> None:
    ours = {
        member
        for module in MODULES
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Model) and member.__module__ == module.__name__
    }
    assert ours - ABSTRACT == set(EVERY_MODEL)


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model.__name__)
@with_room
@given(data=st.data())
def test_what_was_written_reads_as_the_same(model: type[Model], data: st.DataObject) -> None:
    value = data.draw(EVERY_MODEL[model])

    assert model.model_validate_json(value.model_dump_json()) == value
    assert model.model_validate(json.loads(value.model_dump_json())) == value


@pytest.mark.parametrize("model", [case.CaseFacts, place.Place, envelope.Envelope], ids=lambda model: model.__name__)
@with_room
@given(data=st.data())
def test_values_are_equal_when_and_only_when_pydantic_says_so(model: type[Model], data: st.DataObject) -> None:
    value, other = data.draw(EVERY_MODEL[model]), data.draw(EVERY_MODEL[model])
    again = model.model_validate_json(value.model_dump_json())

    assert value == again
    assert hash_of(value) == hash_of(again)
    assert (value == other) is BaseModel.__eq__(value, other)
    assert value != value.model_dump()


def hash_of(value: Model) -> int | None:
    """The hash of a value, ``None`` where it holds what has none."""
    try:
        return hash(value)
    except TypeError:
        return None


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@with_room
@given(data=st.data())
def test_what_we_write_keeps_to_the_schema_that_we_publish(contract: Contract, data: st.DataObject) -> None:
    published = json.loads(contract.path(FOLDER).read_text(encoding="utf-8"))
    written = json.loads(data.draw(EVERY_MODEL[contract.model]).model_dump_json())

    for schema in (published, contract.model.model_json_schema()):
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert [error.message for error in validator.iter_errors(written)] == []


@with_room
@given(value=A_BEARER_OF_SECRETS)
def test_personal_data_shows_neither_in_print_nor_in_a_masked_view(value: Model) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value)
    assert SECRET not in json.dumps(without_personal(value), ensure_ascii=False)


@with_room
@given(value=A_BEARER_OF_SECRETS, data=st.data())
def test_an_error_does_not_repeat_what_came_in(value: Model, data: st.DataObject) -> None:
    document = json.loads(value.model_dump_json())
    holder, key = data.draw(st.sampled_from(list(_slots(document))))
    holder[key] = data.draw(st.sampled_from([SECRET, [SECRET], {"fr": [SECRET]}, 10**400, "9999-99-99T" + SECRET]))

    try:
        type(value).model_validate_json(json.dumps(document))
    except ValidationError as error:
        assert SECRET not in str(error)
        assert SECRET not in repr(error)


def _slots(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON document that something else could be put into."""
    places = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(places):
        yield document, key
        if isinstance(value, (dict, list)):
            yield from _slots(value)


@given(moment=MOMENT)
def test_a_moment_is_kept_in_utc_and_stays_the_same_moment(moment: datetime) -> None:
    kept = Dates(reported_at=moment).reported_at

    assert kept is not None
    assert kept.tzinfo is UTC
    assert kept.timestamp() == moment.timestamp()


@given(minutes=st.integers(0, 2 * 24 * 60))
def test_the_hour_that_comes_twice_is_two_moments(minutes: int) -> None:
    # Adding to a moment with a zone moves the hands of the clock, not the time that passes.
    clock = datetime(2025, 10, 25, tzinfo=BRUSSELS) + timedelta(minutes=minutes)
    first, second = (Dates(reported_at=clock.replace(fold=fold)).reported_at for fold in (0, 1))
    comes_twice = (clock.day, clock.hour) == (26, 2)

    assert first is not None
    assert second is not None
    assert second - first == (timedelta(hours=1) if comes_twice else timedelta(0))
