"""What the rules may look at in a case."""

from typing import NamedTuple

from schemas.case import CaseFacts, Category, Kind, Status
from schemas.place import RoadManager
from schemas.text import Language


class RoutingFacts(NamedTuple):
    """The facts of one case that decide its route; the category path runs from the root to the leaf.

    Nothing in it is personal, so that an explanation may be shown and kept. One is made for every event, and a named
    tuple is made in half the time of a frozen dataclass.
    """

    source: str
    kind: Kind
    category: tuple[Category, ...] = ()
    municipality: str | None = None
    postal_code: str | None = None
    road_manager: RoadManager | None = None
    status: Status = Status.RECEIVED
    language: Language | None = None


def facts_of(source: str, kind: Kind, tenant: str | None, facts: CaseFacts) -> RoutingFacts:
    """The routing facts of a case: the municipality is where it is, else the tenant it belongs to."""
    place = facts.place
    address = place.address if place else None
    return RoutingFacts(
        source=source,
        kind=kind,
        category=facts.category or (),
        municipality=(address.nis_code if address else None) or tenant,
        postal_code=address.postal_code if address else None,
        road_manager=place.road_manager if place else None,
        status=facts.status or Status.RECEIVED,
        language=facts.language,
    )
