"""The members of a case in the intake's words: one function each, and which of our fields each one shows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connectors.crm_cmt.fit import (
    LONG_TEXT,
    NAME,
    SHORT_TEXT,
    Fitting,
    beginning,
    is_address,
    known,
    moment,
    spelled,
    word,
)
from schemas.case import Case
from schemas.person import Person
from schemas.place import Address, Point

Member = Callable[[Case, Fitting], Any]

_MOST: Final = 50
_MOST_REMARKS: Final = 100
_DEEPEST_CATEGORY: Final = 10
_SOURCE_LINK: Final = "source"
_OTHER_LINKS: Final = "otherLinks"

_BY_LANGUAGE: Final = dict.fromkeys(("fr", "nl", "de", "en"))

PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "source": {"status": None, "link": None},
    "title": _BY_LANGUAGE,
    "description": _BY_LANGUAGE,
    "place": {
        "address": {
            "street": _BY_LANGUAGE,
            "number": None,
            "postalCode": None,
            "municipality": _BY_LANGUAGE,
            "niscode": None,
        },
        "point": {"wgs84": None, "lambert72": None, "origin": None},
        "roadManager": None,
    },
    "dates": dict.fromkeys(("reportedAt", "changedAt", "acceptedAt", "plannedAt", "resolvedAt", "closedAt", "goneAt")),
    "extra": {_OTHER_LINKS: None},
}
"""The parts of those members that a patch merges instead of replacing: one that is not named there stays as it was."""

SHOWN_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "category": ("category", "remarks"),
    "status": ("status",),
    "source_status": ("source",),
    "title": ("title", "remarks"),
    "description": ("description", "remarks"),
    "language": ("language",),
    "place": ("place", "tenant", "remarks"),
    "people": ("people", "remarks"),
    "dates": ("dates", "deadline"),
    "source_deadline": ("deadline",),
    "links": ("links", "source", "extra", "remarks"),
    "extra": ("extra",),
    "remarks": ("remarks",),
    "decision": ("caseType", "department", "priority", "tags", "deadline", "language"),
    "tenant": ("tenant",),
    "test": ("test",),
}
"""Which members show a changed field of the facts, a changed decision, municipality or mark as a test.

Remarks go along with what may have to be cut to fit, because they say so.
"""


def _source(case: Case, _fitting: Fitting) -> dict[str, Any]:
    _, _, external_id = case.key.partition(":")
    link = next((link.href for link in case.facts.links or () if link.relation == _SOURCE_LINK), None)
    described = known(
        status=beginning(case.facts.source_status, NAME), link=link if link and is_address(link) else None
    )
    return {"system": case.source, "id": external_id} | (described or {})


def _category(case: Case, fitting: Fitting) -> dict[str, Any] | None:
    if case.facts.category is None:
        return None
    steps = fitting.items(case.facts.category, _DEEPEST_CATEGORY, "category", "path")
    return {
        "path": [
            known(id=step.id, label=fitting.texts(step.label, SHORT_TEXT, "category", "path", position, "label"))
            for position, step in enumerate(steps)
        ]
    }


def _title(case: Case, fitting: Fitting) -> dict[str, Any]:
    title = fitting.texts(case.facts.title, SHORT_TEXT, "title") or {}
    if "fr" in title or "nl" in title:
        return title
    # The contract wants one of the city's languages; the name of the case is right in both.
    fitting.remark("title_missing", "title")
    name = case.key.replace(":", " ", 1)
    return {**title, "fr": name, "nl": name}


def _language(case: Case, _fitting: Fitting) -> str | None:
    return spelled(case.decision.language or case.facts.language)


def _place(case: Case, fitting: Fitting) -> dict[str, Any] | None:
    place = case.facts.place
    if place is None:
        return None
    return known(
        address=_address(place.address, fitting),
        point=_point(place.point, fitting),
        roadManager=spelled(place.road_manager),
    )


def _address(address: Address | None, fitting: Fitting) -> dict[str, Any] | None:
    if address is None:
        return None
    return known(
        street=fitting.texts(address.street, SHORT_TEXT, "place", "address", "street"),
        number=fitting.text(address.number, 20, "place", "address", "number"),
        postalCode=address.postal_code,
        municipality=fitting.texts(address.municipality, SHORT_TEXT, "place", "address", "municipality"),
        niscode=address.nis_code,
    )


def _point(point: Point | None, fitting: Fitting) -> dict[str, Any] | None:
    if point is None:
        return None
    lambert_72 = None
    if abs(point.x) <= 1_000_000 and abs(point.y) <= 1_000_000:
        lambert_72 = {"x": point.x, "y": point.y}
    else:
        fitting.remark("value_left_out", "place", "point", "lambert72")
    return known(
        wgs84={"longitude": point.longitude, "latitude": point.latitude},
        lambert72=lambert_72,
        origin=point.origin.value,
    )


def _people(case: Case, fitting: Fitting) -> list[dict[str, Any]] | None:
    people = case.facts.people
    if people is None:
        return None
    return [
        _person(person, position, fitting) for position, person in enumerate(fitting.items(people, _MOST, "people"))
    ]


def _person(person: Person, position: int, fitting: Fitting) -> dict[str, Any]:
    described = known(
        type=fitting.text(person.capacity, SHORT_TEXT, "people", position, "type"),
        name=fitting.text(person.name, SHORT_TEXT, "people", position, "name"),
        firstName=fitting.text(person.first_name, SHORT_TEXT, "people", position, "firstName"),
        lastName=fitting.text(person.last_name, SHORT_TEXT, "people", position, "lastName"),
        email=fitting.value(person.email, 254, "people", position, "email"),
        phone=fitting.value(person.phone, 50, "people", position, "phone"),
        language=spelled(person.language),
    )
    return {"role": person.role.value} | (described or {})


def _dates(case: Case, _fitting: Fitting) -> dict[str, Any] | None:
    dates = case.facts.dates
    if dates is None:
        return None
    return known(
        reportedAt=moment(dates.reported_at),
        changedAt=moment(dates.changed_at),
        acceptedAt=moment(dates.accepted_at),
        plannedAt=moment(dates.planned_at),
        resolvedAt=moment(dates.resolved_at),
        closedAt=moment(dates.closed_at),
        goneAt=moment(dates.gone_at),
    )


def _deadline(case: Case, _fitting: Fitting) -> str | None:
    try:
        return moment(case.deadline)
    except OverflowError:
        return None  # the time allowed ends after the calendar does


def _tags(case: Case, _fitting: Fitting) -> Sequence[str] | None:
    return case.decision.tags[:_MOST] or None


def _links(case: Case, fitting: Fitting) -> list[dict[str, Any]] | None:
    links = [link for link in case.facts.links or () if is_address(link.href)]
    return [
        {"rel": word(link.relation), "href": link.href}
        | ({"title": title} if (title := fitting.texts(link.title, SHORT_TEXT, "links", position, "title")) else {})
        for position, link in enumerate(fitting.items(links, _MOST, "links"))
    ] or None


def _extra(case: Case, _fitting: Fitting) -> dict[str, Any] | None:
    extra: dict[str, Any] = dict(case.facts.extra or {})
    # Names of other cases and the like, which the contract's links have no form for.
    elsewhere = [link for link in case.facts.links or () if not is_address(link.href)]
    if elsewhere:
        extra[_OTHER_LINKS] = [{"rel": link.relation, "href": link.href} for link in elsewhere]
    return extra or None


def _remarks(case: Case, fitting: Fitting) -> list[dict[str, Any]]:
    said = [
        known(
            code=word(remark.code),
            detail=beginning(remark.detail, 1000),
            field=beginning(remark.field, NAME),
        )
        or {}
        for remark in case.facts.remarks or ()
    ]
    return (said + fitting.remarks)[:_MOST_REMARKS]


MEMBERS: Final[Mapping[str, Member]] = {
    "tenant": lambda case, _: case.tenant,
    "source": _source,
    "kind": lambda case, _: case.kind.value,
    "caseType": lambda case, _: case.decision.case_type,
    "category": _category,
    "status": lambda case, _: case.status.value,
    "title": _title,
    "description": lambda case, fitting: fitting.texts(case.facts.description, LONG_TEXT, "description"),
    "language": _language,
    "place": _place,
    "people": _people,
    "dates": _dates,
    "deadline": _deadline,
    "department": lambda case, _: case.decision.department,
    "priority": lambda case, _: case.decision.priority.value,
    "tags": _tags,
    "links": _links,
    "extra": _extra,
    "test": lambda case, _: case.test,
    "remarks": _remarks,
}
"""Every member of a case that is not a name or a version, by its name there; remarks last, they speak of the others."""
