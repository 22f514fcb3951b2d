"""What every model of the vocabulary has in common, and how personal data is marked."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

PERSONAL_MARK: Final = "x-personal"
"""The key that marks a personal field in the published JSON Schemas."""

_T = TypeVar("_T")

Personal = Annotated[_T, Field(repr=False, json_schema_extra={PERSONAL_MARK: True})]
"""A value that says something about a person: never in a log, a feed, an error or a list."""

Instant = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment, aware, kept in UTC whatever offset it came with."""

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")]
"""A name that machines compare: no blanks, no control characters."""


class Model(BaseModel):
    """A frozen value; an unknown field is an error, and no error repeats what came in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


def is_personal(model: type[BaseModel], field: str) -> bool:
    """Whether a field of a model is marked as personal."""
    extra = model.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(PERSONAL_MARK))


def without_personal(value: BaseModel) -> dict[str, Any]:
    """The value as JSON-like data in which each personal field that is filled reads ``***``."""
    return {name: _masked(value, name) for name in type(value).model_fields}


def _masked(model: BaseModel, name: str) -> Any:
    value = getattr(model, name)
    if value is None or value == ():
        return None
    if is_personal(type(model), name):
        return "***"
    if isinstance(value, BaseModel):
        return without_personal(value)
    if isinstance(value, tuple):
        return [without_personal(item) if isinstance(item, BaseModel) else item for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
