"""One valid thing of each sort, for tests: a test states only what matters to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.kit.ports import Arrival
from schemas.attachment import Attachment, Note, Visibility
from schemas.case import Case, CaseEvent, CaseFacts, Category, Dates, Kind, Status
from schemas.decision import Decision, Priority
from schemas.person import Person, PersonRole
from schemas.place import Address, Place, Point, PointOrigin
from schemas.text import Language, Localised

REPORTED_AT: Final = datetime(2025, 3, 14, 8, 30, tzinfo=UTC)
"""When everything that a builder makes happened, unless the test says otherwise."""

CITY_OF_BRUSSELS: Final = "21004"


def a_category(
    identifier: str = "3407", *, fr: str | None = "Arceau à vélo", nl: str | None = "Fietsbeugel"
) -> Category:
    """A step of a category path."""
    return Category(id=identifier, label=Localised(fr=fr, nl=nl))


def a_place(
    *, postal_code: str | None = "1000", number: str | None = "1", nis_code: str | None = CITY_OF_BRUSSELS
) -> Place:
    """A place on the Grand-Place, with its point in both reference systems."""
    return Place(
        address=Address(
            street=Localised(fr="Grand-Place", nl="Grote Markt"),
            number=number,
            postal_code=postal_code,
            municipality=Localised(fr="Bruxelles", nl="Brussel"),
            nis_code=nis_code,
        ),
        point=Point(x=148855.4, y=170699.7, longitude=4.3525, latitude=50.8467, origin=PointOrigin.LAMBERT_72),
    )


def a_person(
    *,
    role: PersonRole = PersonRole.REPORTER,
    first_name: str | None = "Camille",
    last_name: str | None = "Vermeulen",
    email: str | None = "camille.vermeulen@example.org",
    phone: str | None = "+32 2 555 01 23",
    language: Language | None = Language.FR,
) -> Person:
    """Somebody invented, who reported something."""
    return Person(role=role, first_name=first_name, last_name=last_name, email=email, phone=phone, language=language)


def a_note(
    key: str = "comment-1",
    *,
    text: str = "La situation est dangereuse.",
    author: str | None = "Camille Vermeulen",
    written_at: datetime | None = REPORTED_AT,
    language: Language | None = Language.FR,
    visibility: Visibility = Visibility.INTERNAL,
) -> Note:
    """A comment in French."""
    return Note(key=key, text=text, author=author, written_at=written_at, language=language, visibility=visibility)


def an_attachment(
    key: str = "photo-1",
    *,
    url: str = "https://fixmystreet.example.org/files/photo-1.jpg",
    media_type: str | None = "image/jpeg",
    visibility: Visibility = Visibility.PUBLIC,
) -> Attachment:
    """A photo, by reference."""
    return Attachment(key=key, url=url, media_type=media_type, visibility=visibility)


_PATH: Final = (a_category("1006", fr="Mobilier urbain", nl="Stadsmeubilair"), a_category())
_TITLE: Final = Localised(fr="Arceau à vélo", nl="Fietsbeugel")
_DESCRIPTION: Final = Localised(fr="L'arceau est descellé.")
_PLACE: Final = a_place()
_PEOPLE: Final = (a_person(),)
_DATES: Final = Dates(reported_at=REPORTED_AT)


def some_facts(
    *,
    category: Sequence[Category] | None = _PATH,
    status: Status | None = Status.RECEIVED,
    source_status: str | None = "CREATED",
    title: Localised | None = _TITLE,
    description: Localised | None = _DESCRIPTION,
    language: Language | None = Language.FR,
    place: Place | None = _PLACE,
    people: Sequence[Person] | None = _PEOPLE,
    dates: Dates | None = _DATES,
) -> CaseFacts:
    """What is known of a new report of a loose bicycle rack."""
    return CaseFacts(
        category=None if category is None else tuple(category),
        status=status,
        source_status=source_status,
        title=title,
        description=description,
        language=language,
        place=place,
        people=None if people is None else tuple(people),
        dates=dates,
    )


def a_report(
    external_id: str = "123456",
    *,
    source: str = "fixmystreet",
    door: str = "webhook",
    event_id: str | None = None,
    tenant: str | None = CITY_OF_BRUSSELS,
    kind: Kind = Kind.REPORT,
    observed_at: datetime | None = REPORTED_AT,
    facts: CaseFacts | None = None,
    notes: Sequence[Note] = (),
    attachments: Sequence[Attachment] = (),
    milestone: bool = False,
    also_known_as: Sequence[str] = (),
    test: bool = False,
) -> CaseEvent:
    """A new report; give ``facts`` (see ``some_facts``) to say something else of it.

    Its event id follows from the report, the door and the moment, so that equal arguments make the same event.
    """
    moment = observed_at.isoformat() if observed_at else "undated"
    return CaseEvent(
        key=f"{source}:{external_id}",
        source=source,
        door=door,
        event_id=event_id or f"{door}:{external_id}:{moment}",
        tenant=tenant,
        kind=kind,
        observed_at=observed_at,
        facts=facts or some_facts(),
        notes=tuple(notes),
        attachments=tuple(attachments),
        milestone=milestone,
        also_known_as=tuple(also_known_as),
        test=test,
    )


def a_decision(
    *,
    case_type: str = "street_furniture",
    department: str = "public_space",
    priority: Priority = Priority.NORMAL,
    within: timedelta | None = timedelta(days=30),
    destination: str = "crm_cmt",
    tags: Sequence[str] = (),
    language: Language | None = Language.FR,
    rule: str = "street-furniture",
    rules_version: str = "1",
) -> Decision:
    """What the rules decide for the report of ``a_report``."""
    return Decision(
        case_type=case_type,
        department=department,
        priority=priority,
        within=within,
        destination=destination,
        tags=tuple(tags),
        language=language,
        rule=rule,
        rules_version=rules_version,
    )


def a_case(
    external_id: str = "123456",
    *,
    source: str = "fixmystreet",
    reference: str | None = None,
    tenant: str | None = CITY_OF_BRUSSELS,
    kind: Kind = Kind.REPORT,
    facts: CaseFacts | None = None,
    decision: Decision | None = None,
    test: bool = False,
) -> Case:
    """The case that the report of ``a_report`` makes."""
    return Case(
        key=f"{source}:{external_id}",
        reference=reference or f"TEST-{external_id}",
        source=source,
        tenant=tenant,
        kind=kind,
        facts=facts or some_facts(),
        decision=decision or a_decision(),
        test=test,
    )


def an_arrival(
    event_id: str = "event-1",
    *,
    source: str = "fixmystreet",
    door: str = "webhook",
    case_key: str | None = "fixmystreet:123456",
    body: bytes = b'{"id": 123456}',
    trouble: str | None = None,
) -> Arrival:
    """An event at a door, named and not yet understood."""
    return Arrival(source=source, door=door, event_id=event_id, case_key=case_key, body=body, trouble=trouble)
