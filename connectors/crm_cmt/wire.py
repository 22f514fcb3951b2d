"""The intake's JSON as it travels: what we read of its answers, and how a request becomes bytes."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

PROBLEM_PREFIX: Final = "urn:crm-cmt:problem:"

_VISIBLE: Final = r"^[^\x00-\x1f\x7f]+$"

CaseId = Annotated[str, Field(max_length=64, pattern=_VISIBLE)]
Etag = Annotated[str, Field(pattern=r'^"[!#-~]{1,64}"$')]
Version = Annotated[int, Field(ge=1, le=2**53 - 1)]
Address = Annotated[str, Field(max_length=2000, pattern=r"^https?://[!-~]+$")]
AdditionKey = Annotated[str, Field(max_length=200, pattern=_VISIBLE)]


class Answer(BaseModel):
    """What comes back. Members that we do not know are ignored, as the contract asks."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


class InvalidParam(Answer):
    """One field that is wrong; the reason in words is not read."""

    name: str
    code: str = ""


class Problem(Answer):
    """An error (RFC 9457): which one, and with ``invalid-field`` about which fields."""

    type: Annotated[str, Field(pattern=rf"^{PROBLEM_PREFIX}[a-z-]{{1,64}}$")]
    invalid_params: tuple[InvalidParam, ...] = ()


class AdditionOutcome(Answer):
    """What became of one note or attachment."""

    key: str | None
    outcome: Literal["stored", "exists", "refused"]
    problem: Problem | None = None


class CaseReceipt(Answer):
    """A case was written."""

    id: CaseId
    reference: str
    version: Version
    etag: Etag
    link: Address
    notes: tuple[AdditionOutcome, ...]
    attachments: tuple[AdditionOutcome, ...]


class CaseState(Answer):
    """A case that was found."""

    id: CaseId
    reference: str
    version: Version
    etag: Etag
    link: Address
    note_keys: tuple[AdditionKey, ...]
    attachment_keys: tuple[AdditionKey, ...]


class CaseStates(Answer):
    """The cases that were found."""

    items: tuple[CaseState, ...]


class ItemWritten(CaseReceipt):
    """The outcome of a batch's item that was written."""

    index: Annotated[int, Field(ge=0)]
    status: Annotated[int, Field(ge=200, le=299)]


class ItemFailed(Answer):
    """The outcome of a batch's item that was not written, or of which that is not known."""

    index: Annotated[int, Field(ge=0)]
    status: Annotated[int, Field(ge=300, le=599)]
    reference: str | None
    retry_after: Annotated[int, Field(ge=0)] | None = None
    problem: Problem | None = None


class BatchOutcomes(Answer):
    """The outcomes of a batch; one that cannot be read is kept as it came, so that it does not spoil the others."""

    outcomes: tuple[Annotated[ItemWritten | ItemFailed | JsonValue, Field(union_mode="left_to_right")], ...]


class Limits(Answer):
    """What one request may hold."""

    batch: int
    references: int


class WhoAmI(Answer):
    """The caller, and what the intake accepts."""

    name: str
    rights: tuple[str, ...]
    case_types: tuple[str, ...]
    statuses: tuple[str, ...]
    limits: Limits


def body_of(document: dict[str, Any]) -> bytes:
    """The JSON text of a request. NUL, which the contract refuses in any text, is left out."""
    body = to_json(document, inf_nan_mode="null")
    # Only NUL is escaped like this; a text that spells the escape out is walked in vain and stays as it is.
    return to_json(_without_nul(document), inf_nan_mode="null") if rb"\u0000" in body else body


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_without_nul(name): _without_nul(item) for name, item in value.items()}
        case _:
            return value
