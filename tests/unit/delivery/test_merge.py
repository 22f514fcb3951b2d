"""Partial views of one case, merged."""

from datetime import UTC, datetime

from relais.delivery.merge import differing_fields, merged_facts
from relais.delivery.state import DoorView
from schemas.case import CaseFacts, Dates, Remark, Status
from schemas.place import Address, Place, Point, PointOrigin
from schemas.text import Localised

PRECEDENCE = {"status": ("poll", "webhook"), "description": ("webhook", "poll"), "*": ("poll", "webhook")}
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
EVENING = datetime(2026, 3, 2, 18, tzinfo=UTC)


def merged(**views: CaseFacts) -> CaseFacts:
    return merged_facts({door: DoorView(facts=facts) for door, facts in views.items()}, PRECEDENCE)


def test_each_field_comes_from_the_door_that_owns_it() -> None:
    facts = merged(
        webhook=CaseFacts(status=Status.RECEIVED, description=Localised(fr="pushed")),
        poll=CaseFacts(status=Status.CLOSED, description=Localised(fr="polled")),
    )
    assert (facts.status, facts.description) == (Status.CLOSED, Localised(fr="pushed"))


def test_what_a_door_does_not_say_clears_nothing() -> None:
    facts = merged(webhook=CaseFacts(status=Status.RECEIVED, title=Localised(nl="x")), poll=CaseFacts())
    assert (facts.status, facts.title) == (Status.RECEIVED, Localised(nl="x"))


def test_dates_and_places_are_merged_part_by_part() -> None:
    point = Point(x=150000, y=170000, longitude=4.35, latitude=50.85, origin=PointOrigin.LAMBERT_72)
    facts = merged(
        webhook=CaseFacts(dates=Dates(reported_at=MORNING), place=Place(point=point)),
        poll=CaseFacts(dates=Dates(closed_at=EVENING), place=Place(address=Address(postal_code="1000"))),
    )
    assert facts.dates == Dates(reported_at=MORNING, closed_at=EVENING)
    assert facts.place == Place(point=point, address=Address(postal_code="1000"))


def test_the_owner_of_a_part_wins() -> None:
    facts = merged(webhook=CaseFacts(dates=Dates(changed_at=MORNING)), poll=CaseFacts(dates=Dates(changed_at=EVENING)))
    assert facts.dates == Dates(changed_at=EVENING)


def test_untranslated_facts_are_merged_by_name_and_remarks_are_all_kept() -> None:
    both = Remark(code="both")
    facts = merged(
        webhook=CaseFacts(extra={"a": 1, "b": 1}, remarks=(both, Remark(code="pushed"))),
        poll=CaseFacts(extra={"b": 2}, remarks=(both,)),
    )
    assert facts.extra == {"a": 1, "b": 2}
    assert facts.remarks is not None
    assert [remark.code for remark in facts.remarks] == ["both", "pushed"]


def test_a_door_that_nobody_named_comes_last() -> None:
    facts = merged(zzz=CaseFacts(status=Status.REFUSED), webhook=CaseFacts(status=Status.RECEIVED))
    assert facts.status is Status.RECEIVED


def test_a_new_case_differs_in_all_that_is_known() -> None:
    assert differing_fields(None, CaseFacts(status=Status.CLOSED, source_status="x")) == {"status", "source_status"}


def test_what_became_unknown_differs_too() -> None:
    assert differing_fields(CaseFacts(status=Status.CLOSED), CaseFacts()) == {"status"}
