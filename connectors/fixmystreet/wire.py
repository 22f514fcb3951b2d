"""What Fix My Street says, in its own spelling: the webhook's report and the API's incident.

Nothing is required: of both shapes the sources leave much open, so what is missing or of another type reads as ``None``
and is named by :func:`irregularities`. No ``repr`` shows a value, because reports are about people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

_T = TypeVar("_T")

HIGHEST_ID: Final = 10**12


class _OrNothing:
    """Reads a value of another type as ``None``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


Lenient = Annotated[_T | None, _OrNothing()]


def report_id(value: object) -> int | None:
    """A report's number, given as a number or, zero-padded, as a text; ``None`` where it is neither."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < HIGHEST_ID else None


def _merged_with(value: object) -> object:
    """How a merge shows is not documented: the number alone and an incident with a number are both taken."""
    return report_id(value.get("id") if isinstance(value, Mapping) else value)


class Wire(BaseModel):
    """A piece of their JSON; never shows what it holds."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, coerce_numbers_to_str=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


ReportId = Annotated[Lenient[int], BeforeValidator(report_id)]


class TwoLanguages(Wire):
    """A text in French and Dutch."""

    fr: Lenient[str] = None
    nl: Lenient[str] = None


class Meta(Wire):
    """Which event a webhook is about; ``now`` is when the report was modified."""

    now: Lenient[str] = None
    resource: Lenient[str] = None
    hook: Lenient[str] = None
    action: Lenient[str] = None


class DisplayCategory(TwoLanguages):
    """A category as ``L1 / L2 : L3 (L4)``; ``ids`` ends in an empty text where there is no fourth level."""

    ids: Lenient[tuple[Lenient[str], ...]] = None


class PostalAddress(Wire):
    """An address by the webhook."""

    street: Lenient[TwoLanguages] = None
    number: Lenient[str] = None
    postal_code: Lenient[str] = None
    municipality: Lenient[TwoLanguages] = None


class Coordinates(Wire):
    """A point in Lambert 72 (EPSG:31370), in metres."""

    x: Lenient[Annotated[float, Field(allow_inf_nan=False)]] = None
    y: Lenient[Annotated[float, Field(allow_inf_nan=False)]] = None


class Creator(Wire):
    """Who made a report; the whole name of a citizen may stand in ``last_name``."""

    type: Lenient[str] = None
    first_name: Lenient[str] = None
    last_name: Lenient[str] = None
    phone: Lenient[str] = None
    email: Lenient[str] = None
    language: Lenient[str] = None


class Comment(Wire):
    """Something said about a report; it has no number of its own."""

    created_at: Lenient[str] = None
    name: Lenient[str] = None
    text: Lenient[str] = None


class Report(Wire):
    """A report as it is pushed."""

    id: ReportId = None
    created_at: Lenient[str] = None
    modified_at: Lenient[str] = None
    category: Lenient[DisplayCategory] = None
    pdf_url: Lenient[TwoLanguages] = None
    address: Lenient[PostalAddress] = None
    point: Lenient[Coordinates] = None
    creator: Lenient[Creator] = None
    comments: Lenient[tuple[Lenient[Comment], ...]] = None
    # Spelled like this by them.
    several_occurences: Lenient[bool] = None


class Data(Wire):
    """What a webhook carries."""

    report: Lenient[Report] = None


class Push(Wire):
    """A whole webhook."""

    meta: Lenient[Meta] = None
    data: Lenient[Data] = None


class ThreeLanguages(Wire):
    """A name in French, Dutch and, in places, English."""

    name_fr: Lenient[str] = None
    name_nl: Lenient[str] = None
    name_en: Lenient[str] = None


class NestedCategory(ThreeLanguages):
    """A category, and perhaps another one inside it, of which nobody says whether it is the parent or the leaf."""

    id: Lenient[str] = None
    public: Lenient[bool] = None
    category: "Lenient[NestedCategory]" = None


class IncidentAddress(Wire):
    """An address by the API."""

    street_name_fr: Lenient[str] = None
    street_name_nl: Lenient[str] = None
    street_name_en: Lenient[str] = None
    street_number: Lenient[str] = None
    postal_code: Lenient[str] = None
    address_type: Lenient[str] = None


class Location(Wire):
    """Where an incident is."""

    coordinates: Lenient[Coordinates] = None
    address: Lenient[IncidentAddress] = None


class Organisation(ThreeLanguages):
    """Who is responsible; ``contact`` is known of and left where it is."""

    id: Lenient[str] = None
    type: Lenient[str] = None
    contact: Annotated[Any, Field(exclude=True)] = None


class Incident(Wire):
    """A report as the API lists it and shows it alone."""

    id: ReportId = None
    status: Lenient[str] = None
    creation_date: Lenient[str] = None
    updated_date: Annotated[Lenient[str], Field(validation_alias=AliasChoices("updatedDate", "updateDate"))] = None
    closed_date: Lenient[str] = None
    duplicates: Lenient[int] = None
    declared_resolved: Lenient[bool] = None
    several_occurrence: Lenient[bool] = None
    third_party: Lenient[bool] = None
    private_location: Lenient[bool] = None
    visibility: Lenient[str] = None
    merged_with: Annotated[Lenient[int], BeforeValidator(_merged_with)] = None
    location: Lenient[Location] = None
    category: Lenient[NestedCategory] = None
    responsible_organisation: Lenient[Organisation] = None
    responsible_department: Lenient[Organisation] = None


@dataclass(frozen=True, slots=True)
class Irregularities:
    """Names in a document that we do not know, and names whose value is not of the type that we know."""

    unknown: tuple[str, ...]
    unreadable: tuple[str, ...]


def irregularities(read: Wire, document: Mapping[str, Any]) -> Irregularities:
    """What ``read`` leaves out of the document that it was read from: dotted names, each once, in their order."""
    unknown: dict[str, None] = {}
    unreadable: dict[str, None] = {}
    _leave_out(read, document, "", unknown, unreadable)
    return Irregularities(unknown=tuple(unknown), unreadable=tuple(unreadable))


def _leave_out(
    read: Wire, document: Mapping[str, Any], above: str, unknown: dict[str, None], unreadable: dict[str, None]
) -> None:
    fields = _fields_by_name(type(read))
    values = vars(read)
    for name, given in document.items():
        if name in fields:
            value = values[fields[name]]
            # Most values are texts, taken as they came; only what may hide something is looked into.
            if value is not given and given is not None:
                _leave_out_of_value(value, given, above + name, unknown, unreadable)
        # Names with an underscore in front are HAL's, not the report's.
        elif not name.startswith("_"):
            unknown.setdefault(above + name)


def _leave_out_of_value(
    value: Any, given: object, path: str, unknown: dict[str, None], unreadable: dict[str, None]
) -> None:
    if value is None:
        unreadable.setdefault(path)
    elif isinstance(given, dict):
        kind: Any = type(value)
        if _is_wire(kind):
            _leave_out(value, given, path + ".", unknown, unreadable)
    elif isinstance(given, list) and isinstance(value, tuple):
        for item, given_item in zip(value, given, strict=True):
            if given_item is not None:
                _leave_out_of_value(item, given_item, path, unknown, unreadable)


@cache
def _is_wire(kind: type) -> bool:
    """Asked once for each type, because pydantic's ``isinstance`` takes longer than all the rest."""
    return issubclass(kind, Wire)


@cache
def _fields_by_name(model: type[Wire]) -> dict[str, str]:
    names = {}
    for attribute, field in model.model_fields.items():
        match field.validation_alias:
            case AliasChoices(choices=choices):
                names.update({str(choice): attribute for choice in choices})
            case alias:
                names[str(alias)] = attribute
    return names
