"""Folding one event into a case: what the case becomes, and what of it is new to the CRM. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from relais.delivery.merge import differing_fields, merged_facts
from relais.delivery.state import CaseState, DoorView
from schemas.attachment import Attachment, Note
from schemas.case import Case, CaseEvent, CaseFacts, Kind
from schemas.decision import Decision
from schemas.place import NisCode

_Keyed = TypeVar("_Keyed", Note, Attachment)

Route = Callable[[str, Kind, NisCode | None, CaseFacts], Decision]
"""Who gets a case: source, kind, municipality and facts to a decision. Pure: the same rules give the same answer."""

DECISION: Final = "decision"
TENANT: Final = "tenant"
TEST: Final = "test"
"""The names under which what is no field of the facts stands among the changed fields."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A case after an event.

    ``state`` is what to keep once the CRM has taken the change; ``changed`` what differs from what it was last given;
    ``stale`` says that the door had said something later before, so that its view was left alone.
    """

    state: CaseState
    case: Case
    changed: frozenset[str]
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    stale: bool

    @property
    def nothing_new(self) -> bool:
        """Whether the CRM already holds all that the event says."""
        return not (self.changed or self.notes or self.attachments)


def fold(
    state: CaseState | None,
    event: CaseEvent,
    *,
    reference: str,
    precedence: Mapping[str, Sequence[str]],
    route: Route,
) -> Folded:
    """The case after ``event``, given its state before (None for a case that the CRM does not have).

    A door's view is replaced as a whole, unless the event speaks of an earlier moment than the view it would replace.
    Notes and attachments count only once. The decision is made anew only when what it rests on has changed.
    """
    views = dict(state.views) if state else {}
    stale = _is_stale(views.get(event.door), event)
    if not stale:
        views[event.door] = DoorView(observed_at=event.observed_at, facts=event.facts)
    before = merged_facts(state.views, precedence) if state else None
    facts = merged_facts(views, precedence)
    tenant = _tenant(state, event, facts)
    routed_by = _routing_basis(tenant, facts)
    decision = (
        state.decision if state and state.routed_by == routed_by else route(event.source, event.kind, tenant, facts)
    )
    changed = differing_fields(before, facts)
    test = event.test or bool(state and state.test)
    if state is None or decision != state.decision:
        changed |= {DECISION}
    if state is None or tenant != state.tenant:
        changed |= {TENANT}
    if test and (state is None or not state.test):
        changed |= {TEST}
    notes = _new(event.notes, state.notes if state else ())
    attachments = _new(event.attachments, state.attachments if state else ())
    following = CaseState(
        source=event.source,
        tenant=tenant,
        kind=event.kind,
        views=views,
        notes=(*(state.notes if state else ()), *(note.key for note in notes)),
        attachments=(*(state.attachments if state else ()), *(attachment.key for attachment in attachments)),
        decision=decision,
        routed_by=routed_by,
        test=test,
    )
    case = Case(
        key=event.key,
        reference=reference,
        source=event.source,
        tenant=tenant,
        kind=event.kind,
        facts=facts,
        decision=decision,
        test=test,
    )
    return Folded(following, case, changed, notes, attachments, stale)


def without(state: CaseState, refused: frozenset[str]) -> CaseState:
    """The state without the notes and attachments that the CRM did not take, so that they may be offered again."""
    if not refused:
        return state
    return state.model_copy(
        update={
            "notes": tuple(key for key in state.notes if key not in refused),
            "attachments": tuple(key for key in state.attachments if key not in refused),
        }
    )


def _is_stale(view: DoorView | None, event: CaseEvent) -> bool:
    if view is None or view.observed_at is None or event.observed_at is None:
        return False
    return event.observed_at < view.observed_at


def _tenant(state: CaseState | None, event: CaseEvent, facts: CaseFacts) -> NisCode | None:
    address = facts.place.address if facts.place else None
    if address is not None and address.nis_code is not None:
        return address.nis_code
    return event.tenant or (state.tenant if state else None)


def _routing_basis(tenant: NisCode | None, facts: CaseFacts) -> str:
    """The facts a decision rests on: a change of anything else moves no case."""
    category = "/".join(step.id for step in facts.category or ())
    place = facts.place
    postal_code = place.address.postal_code if place and place.address else None
    manager = place.road_manager if place else None
    return f"{tenant or ''}|{category}|{postal_code or ''}|{manager or ''}"


def _new(items: Sequence[_Keyed], known: Sequence[str]) -> tuple[_Keyed, ...]:
    fresh: dict[str, _Keyed] = {}
    for item in items:
        if item.key not in known:
            fresh.setdefault(item.key, item)
    return tuple(fresh.values())
