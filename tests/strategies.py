"""Hypothesis strategies for every model of the vocabulary; ``personal`` is what the personal texts are drawn from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.attachment import Attachment, Note, Visibility
from schemas.base import Model
from schemas.case import Case, CaseEvent, CaseFacts, Category, Dates, Kind, Link, Remark, Status
from schemas.channels import (
    WAKE_UP_CASES,
    CaseDelivered,
    CaseParked,
    CaseReady,
    CaseUpdated,
    FeedMessage,
    KeyedFeedMessage,
    WakeUp,
)
from schemas.decision import Decision, Priority
from schemas.envelope import Envelope
from schemas.person import Person, PersonRole
from schemas.place import Address, Place, Point, PointOrigin, RoadManager
from schemas.text import Language, Localised

_T = TypeVar("_T")
_F = TypeVar("_F", bound=FeedMessage)

BRUSSELS: Final = ZoneInfo("Europe/Brussels")

TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
"""Any text that UTF-8 can hold, control characters among them."""

IDENTIFIER: Final = st.from_regex(r"[!-~À-ɏ]{1,30}", fullmatch=True)
CODE: Final = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
CASE_KEY: Final = st.builds("{}:{}".format, CODE, IDENTIFIER)
NIS_CODE: Final = st.from_regex(r"[0-9]{5}", fullmatch=True)

_NEAR_A_CLOCK_CHANGE: Final = st.builds(
    lambda change, away: (change + away).astimezone(BRUSSELS),
    st.sampled_from(
        [
            datetime(year, month, day, 1, tzinfo=UTC)
            for year, month, day in ((2025, 3, 30), (2025, 10, 26), (2024, 3, 31))
        ]
    ),
    st.timedeltas(timedelta(hours=-3), timedelta(hours=3)),
)
_AROUND_THE_WORLD: Final = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - the zone is drawn beside it
    datetime(9998, 12, 31),  # noqa: DTZ001 - the zone is drawn beside it
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
MOMENT: Final = st.one_of(_NEAR_A_CLOCK_CHANGE, _AROUND_THE_WORLD)
"""An aware moment in whatever offset: often within hours of a clock change in Brussels."""

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def _json_of(personal: SearchStrategy[str]) -> SearchStrategy[object]:
    return JSON if personal is TEXT else st.lists(personal, max_size=2)


def _maybe(strategy: SearchStrategy[_T]) -> SearchStrategy[_T | None]:
    return st.none() | strategy


def _some(strategy: SearchStrategy[_T], *, most: int = 2) -> SearchStrategy[tuple[_T, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


def a_localised_text(words: SearchStrategy[str] = TEXT) -> SearchStrategy[Localised]:
    """A text in any of the languages, or in none."""
    return st.builds(Localised, fr=_maybe(words), nl=_maybe(words), de=_maybe(words), en=_maybe(words))


def a_point() -> SearchStrategy[Point]:
    """A point; its two halves need not agree."""
    metres = st.floats(allow_nan=False, allow_infinity=False)
    return st.builds(
        Point,
        x=metres,
        y=metres,
        longitude=st.floats(-180, 180),
        latitude=st.floats(-90, 90),
        origin=st.sampled_from(PointOrigin),
    )


def an_address() -> SearchStrategy[Address]:
    """An address of which anything may be missing."""
    return st.builds(
        Address,
        street=_maybe(a_localised_text()),
        number=_maybe(TEXT),
        postal_code=_maybe(st.from_regex(r"[1-9][0-9]{3}", fullmatch=True)),
        municipality=_maybe(a_localised_text()),
        nis_code=_maybe(NIS_CODE),
    )


def a_place() -> SearchStrategy[Place]:
    """A place of which anything may be missing."""
    return st.builds(
        Place, address=_maybe(an_address()), point=_maybe(a_point()), road_manager=_maybe(st.sampled_from(RoadManager))
    )


def a_person(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Person]:
    """Somebody in a case."""
    return st.builds(
        Person,
        role=st.sampled_from(PersonRole),
        capacity=_maybe(TEXT),
        name=_maybe(personal),
        first_name=_maybe(personal),
        last_name=_maybe(personal),
        email=_maybe(personal),
        phone=_maybe(personal),
        language=_maybe(st.sampled_from(Language)),
    )


def a_note(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Note]:
    """Something said in a case."""
    return st.builds(
        Note,
        key=IDENTIFIER,
        text=personal,
        author=_maybe(personal),
        written_at=_maybe(MOMENT),
        language=_maybe(st.sampled_from(Language)),
        visibility=st.sampled_from(Visibility),
    )


def an_attachment(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Attachment]:
    """A file by reference."""
    return st.builds(
        Attachment,
        key=IDENTIFIER,
        url=personal,
        title=_maybe(a_localised_text()),
        media_type=_maybe(TEXT),
        language=_maybe(st.sampled_from(Language)),
        visibility=st.sampled_from(Visibility),
    )


def a_category() -> SearchStrategy[Category]:
    """A step of a category path."""
    return st.builds(Category, id=IDENTIFIER, label=a_localised_text())


def some_dates() -> SearchStrategy[Dates]:
    """Any of the dates of a case, in no particular order."""
    return st.builds(Dates, **{name: _maybe(MOMENT) for name in Dates.model_fields})


def a_link(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Link]:
    """An address where more is found."""
    return st.builds(Link, relation=IDENTIFIER, href=personal, title=_maybe(a_localised_text()))


def a_remark() -> SearchStrategy[Remark]:
    """Something about the quality of what a source said."""
    return st.builds(Remark, code=IDENTIFIER, field=_maybe(TEXT), detail=_maybe(TEXT))


def some_facts(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[CaseFacts]:
    """What may be known of a case."""
    return st.builds(
        CaseFacts,
        category=_maybe(_some(a_category(), most=4)),
        status=_maybe(st.sampled_from(Status)),
        source_status=_maybe(TEXT),
        title=_maybe(a_localised_text()),
        description=_maybe(a_localised_text(personal)),
        language=_maybe(st.sampled_from(Language)),
        place=_maybe(a_place()),
        people=_maybe(_some(a_person(personal))),
        dates=_maybe(some_dates()),
        source_deadline=_maybe(MOMENT),
        links=_maybe(_some(a_link(personal))),
        extra=_maybe(st.dictionaries(TEXT, _json_of(personal), max_size=3)),
        remarks=_maybe(_some(a_remark())),
    )


def a_case_event(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[CaseEvent]:
    """One thing that happened."""
    return st.builds(
        CaseEvent,
        key=CASE_KEY,
        source=IDENTIFIER,
        door=IDENTIFIER,
        event_id=IDENTIFIER,
        tenant=_maybe(NIS_CODE),
        kind=st.sampled_from(Kind),
        observed_at=_maybe(MOMENT),
        facts=some_facts(personal),
        notes=_some(a_note(personal)),
        attachments=_some(an_attachment(personal)),
        milestone=st.booleans(),
        also_known_as=_some(CASE_KEY),
        test=st.booleans(),
    )


def a_decision() -> SearchStrategy[Decision]:
    """What the rules may decide."""
    return st.builds(
        Decision,
        case_type=IDENTIFIER,
        department=IDENTIFIER,
        priority=st.sampled_from(Priority),
        within=_maybe(st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000))),
        destination=IDENTIFIER,
        tags=_some(IDENTIFIER),
        language=_maybe(st.sampled_from(Language)),
        rule=IDENTIFIER,
        rules_version=IDENTIFIER,
    )


def a_case(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Case]:
    """A case as the CRM is to hold it."""
    return st.builds(
        Case,
        key=CASE_KEY,
        reference=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True),
        source=IDENTIFIER,
        tenant=_maybe(NIS_CODE),
        kind=st.sampled_from(Kind),
        facts=some_facts(personal),
        decision=a_decision(),
        test=st.booleans(),
    )


def a_wake_up() -> SearchStrategy[WakeUp]:
    """Something is ready."""
    cases = st.lists(st.integers(1, 2**63 - 1), max_size=WAKE_UP_CASES).map(tuple)
    return st.builds(WakeUp, count=st.integers(1), cases=cases)


def a_feed_message(message: type[_F]) -> SearchStrategy[_F]:
    """A message of one of the feeds."""
    fields: dict[str, SearchStrategy[object]] = {
        "key": CASE_KEY if issubclass(message, KeyedFeedMessage) else _maybe(CASE_KEY),
        "source": IDENTIFIER,
        "tenant": _maybe(NIS_CODE),
        "case_type": _maybe(IDENTIFIER),
        "status": _maybe(st.sampled_from(Status)),
        "version": st.integers(0, 2**63 - 1),
        "link": _maybe(st.from_regex(r"https?://[a-z.]{1,20}(:[0-9]{2,4})?(/[!-~]{0,30})?", fullmatch=True)),
        "occurred_at": MOMENT,
    }
    if issubclass(message, CaseParked):
        fields["reason"] = CODE
    return st.builds(message, **fields)


def an_envelope(personal: SearchStrategy[str] = TEXT) -> SearchStrategy[Envelope]:
    """A CloudEvent with extensions, about anything."""
    words = st.from_regex(r"[ -~À-ɏ]{1,30}", fullmatch=True)
    own = {"specversion": st.just("1.0"), "id": words, "source": st.just("/relais"), "type": words}
    optional = {
        "subject": words,
        "time": MOMENT,
        "datacontenttype": st.sampled_from(["application/json", "application/problem+json; charset=utf-8"]),
        "dataschema": st.just("urn:relais:schema:case-event:1"),
        "data": _json_of(personal),
    }
    names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in Envelope.model_fields)
    values = st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.from_regex(r"[ -~]{0,20}", fullmatch=True)
    return st.builds(
        lambda given, extensions: Envelope.model_validate({**extensions, **given}),
        st.fixed_dictionaries(own, optional=optional),
        st.dictionaries(names, values, max_size=3),
    )


EVERY_MODEL: Final[Mapping[type[Model], SearchStrategy[Model]]] = {
    Localised: a_localised_text(),
    Point: a_point(),
    Address: an_address(),
    Place: a_place(),
    Person: a_person(),
    Note: a_note(),
    Attachment: an_attachment(),
    Category: a_category(),
    Dates: some_dates(),
    Link: a_link(),
    Remark: a_remark(),
    CaseFacts: some_facts(),
    CaseEvent: a_case_event(),
    Decision: a_decision(),
    Case: a_case(),
    WakeUp: a_wake_up(),
    CaseReady: a_feed_message(CaseReady),
    CaseDelivered: a_feed_message(CaseDelivered),
    CaseUpdated: a_feed_message(CaseUpdated),
    CaseParked: a_feed_message(CaseParked),
    Envelope: an_envelope(),
}
"""A strategy for every model that a message or a case is made of."""
