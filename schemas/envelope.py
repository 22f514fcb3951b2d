"""The envelope that messages travel in between parts: a CloudEvents 1.0 event in structured JSON mode."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictInt,
    ValidationError,
    model_serializer,
    model_validator,
)

from schemas.base import Instant, Json, Model, Personal

CONTENT_TYPE: Final = "application/cloudevents+json"
"""The media type of an envelope on the wire (CloudEvents JSON format, section 3)."""

DATA_CONTENT_TYPE: Final = "application/json"
SPEC_VERSION: Final = "1.0"

_EXTENSION_NAME: Final = re.compile(r"^[a-z0-9]+$")
_JSON_MEDIA_TYPE: Final = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json\s*(?:;.*)?", re.IGNORECASE)

Text = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""A String of CloudEvents that may not be empty: no control characters."""

UriReference = Annotated[str, Field(min_length=1, pattern=r'^[^\s\x00-\x1f\x7f-\x9f<>"{}|\\^`]+$')]
"""A URI or a part of one (RFC 3986); only the characters are checked."""

Uri = Annotated[str, Field(pattern=r'^[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f\x7f-\x9f<>"{}|\\^`]+$')]
"""An absolute URI (RFC 3986); only the scheme and the characters are checked."""

MediaType = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;[^\x00-\x1f\x7f-\x9f]*)?$")]
"""A media type with its parameters (RFC 2046)."""

Extension = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]
    | Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
)
"""The value of an extension attribute, in the types that JSON has of those that CloudEvents knows."""

_M = TypeVar("_M", bound=BaseModel)


class UnexpectedDataError(ValueError):
    """An envelope whose data is not what its reader asked for. The message never repeats what came in."""


class Envelope(Model):
    """A CloudEvent (CloudEvents 1.0.2). Extension attributes are fields beside the others, as on the wire.

    What came from a stranger is parsed strictly first (a key said twice, nesting) and validated then. An
    attribute that is ``null`` counts as not set and is not written. Binary data is not carried: ``data_base64``
    is refused by the rule for extension names.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"propertyNames": {"pattern": _EXTENSION_NAME.pattern}},
    )
    __pydantic_extra__: dict[str, Extension]

    specversion: Literal["1.0"]
    id: Text
    source: UriReference
    type: Text
    subject: Text | None = None
    time: Instant | None = None
    datacontenttype: MediaType | None = None
    dataschema: Uri | None = None
    data: Personal[Json] = None

    @property
    def extensions(self) -> dict[str, Extension]:
        """The extension attributes by name."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="before")
    @classmethod
    def _names_and_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if any(name not in cls.model_fields and not _is_extension_name(name) for name in given):
            raise ValueError("an attribute's name may hold lower-case letters and digits only")
        return {name: value for name, value in given.items() if value is not None}

    @model_serializer(mode="wrap")
    def _without_nulls(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value is not None}

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """The attributes of the specification; a stranger's extensions may hold anything and are not shown."""
        return [(name, value) for name, value in super().__repr_args__() if name in type(self).model_fields]


def schema_urn(name: str, version: int) -> str:
    """The ``$id`` of one of our published schemas, which a message names as its ``dataschema``."""
    return f"urn:relais:schema:{name}:{version}"


def wrap(
    message: BaseModel,
    *,
    event_id: str,
    event_type: str,
    source: str,
    subject: str | None = None,
    time: datetime | None = None,
    dataschema: str | None = None,
    extensions: Mapping[str, Extension] | None = None,
) -> Envelope:
    """An envelope around one of our messages; ``source`` and ``event_id`` together name it for ever.

    Raises pydantic.ValidationError where an attribute is not what CloudEvents allows.
    """
    return Envelope.model_validate(
        {
            **(extensions or {}),
            "specversion": SPEC_VERSION,
            "id": event_id,
            "source": source,
            "type": event_type,
            "subject": subject,
            "time": time,
            "datacontenttype": DATA_CONTENT_TYPE,
            "dataschema": dataschema,
            "data": message.model_dump(mode="json"),
        }
    )


def unwrap(envelope: Envelope, message: type[_M]) -> _M:
    """The message that an envelope carries.

    Raises UnexpectedDataError where the data is not JSON or not that message.
    """
    if envelope.datacontenttype is not None and not _JSON_MEDIA_TYPE.fullmatch(envelope.datacontenttype):
        raise UnexpectedDataError("the data is not JSON")
    try:
        return message.model_validate(envelope.data)
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors(include_input=False) if fault["loc"]}
        # A name that is not ours came from a stranger and is not repeated.
        known = [name for name in message.model_fields if name in wrong]
        raise UnexpectedDataError(f"not a {message.__name__}: see {', '.join(known) or 'the whole'}") from None


def _is_extension_name(name: Any) -> bool:
    return isinstance(name, str) and _EXTENSION_NAME.fullmatch(name) is not None
