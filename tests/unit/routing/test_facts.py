"""What routing sees of a case."""

from routing.facts import RoutingFacts, facts_of
from schemas.case import CaseFacts, Category, Kind, Status
from schemas.place import Address, Place, RoadManager
from schemas.text import Language


def test_the_facts_of_a_case_are_taken_over() -> None:
    path = (Category(id="1"), Category(id="11"))
    address = Address(postal_code="1030", nis_code="21015")
    facts = CaseFacts(
        category=path,
        status=Status.PLANNED,
        language=Language.NL,
        place=Place(address=address, road_manager=RoadManager.REGIONAL),
    )

    assert facts_of("somewhere", Kind.WORKSITE, "21004", facts) == RoutingFacts(
        source="somewhere",
        kind=Kind.WORKSITE,
        category=path,
        municipality="21015",
        postal_code="1030",
        road_manager=RoadManager.REGIONAL,
        status=Status.PLANNED,
        language=Language.NL,
    )


def test_the_tenant_stands_in_for_a_municipality_that_the_place_does_not_name() -> None:
    assert facts_of("somewhere", Kind.REPORT, "21004", CaseFacts()).municipality == "21004"


def test_a_case_of_which_nothing_is_known_counts_as_received() -> None:
    assert facts_of("somewhere", Kind.REPORT, None, CaseFacts()) == RoutingFacts(
        source="somewhere", kind=Kind.REPORT, status=Status.RECEIVED
    )
