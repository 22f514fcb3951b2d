"""What every model of the vocabulary has in common, and how personal data is marked."""

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    PlainSerializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

PERSONAL_MARK: Final = "x-personal"
"""The key that marks a personal field in the published JSON Schemas."""

GROWING_MARK: Final = "x-extensible-enum"
"""Stands in the published JSON Schemas in the place of ``enum`` where a later minor version may add values."""

_T = TypeVar("_T")

Personal = Annotated[_T, Field(repr=False, json_schema_extra={PERSONAL_MARK: True})]
"""A value that says something about a person: never in a log, a feed, an error or a list."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment lies outside the calendar in UTC") from None


def _days_and_seconds(duration: timedelta) -> str:
    """ISO 8601 without years or months, whose length a reader would have to guess."""
    sign, rest = ("-", -duration) if duration < timedelta(0) else ("", duration)
    fraction = f".{rest.microseconds:06d}" if rest.microseconds else ""
    return f"{sign}P{rest.days}DT{rest.seconds}{fraction}S"


def _finite(value: JsonValue) -> JsonValue:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_finite(item) for item in value]
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case _:
            return value


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment, aware, kept in UTC whatever offset it came with."""

Duration = Annotated[timedelta, PlainSerializer(_days_and_seconds, when_used="json")]
"""A length of time; as JSON in days and seconds (``P30DT0S``)."""

Json = Annotated[JsonValue, AfterValidator(_finite)]
"""Anything that JSON can say. NaN and infinities, which it would write as ``null``, read as ``null`` from the start."""

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
"""A name that machines compare: no blanks, no control characters."""

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A short stable word that machines group by (``http_503``, ``invalid_field``)."""


class GrowingVocabulary(StrEnum):
    """Words of which a later minor version may know more: a reader takes one that it does not know as *other*.

    The published JSON Schemas list them under ``x-extensible-enum``, which constrains nothing, instead of ``enum``.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        schema[GROWING_MARK] = schema.pop("enum")
        return reference


class Model(BaseModel):  # noqa: PLW1641  # pydantic makes the hash of what is frozen
    """A frozen value; an unknown field is an error, and no error repeats what came in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    def __eq__(self, other: Any) -> bool:
        # The same answer as pydantic's own at a third of its cost: fields and extra ones are all that our models hold.
        if type(self) is not type(other):
            return NotImplemented
        return vars(self) == vars(other) and self.__pydantic_extra__ == other.__pydantic_extra__


def is_personal(model: type[BaseModel], field: str) -> bool:
    """Whether a field of a model is marked as personal."""
    extra = model.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(PERSONAL_MARK))


def without_personal(value: BaseModel) -> dict[str, Any]:
    """The value as JSON-like data in which each personal field that is filled reads ``***``."""
    return {name: _masked(value, name) for name in type(value).model_fields}


def _masked(model: BaseModel, name: str) -> Any:
    value = getattr(model, name)
    if is_personal(type(model), name) and value not in (None, (), {}, ""):
        return "***"
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return without_personal(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case timedelta():
            return _days_and_seconds(value)
        case _:
            return to_jsonable_python(value)
