"""One event folded into a case."""

from datetime import timedelta

from relais.delivery.fold import Folded, fold, without
from relais.delivery.state import CaseState
from schemas.case import CaseEvent, CaseFacts, Kind, Status
from schemas.decision import Decision
from tests.builders import REPORTED_AT, a_category, a_decision, a_note, a_report, an_attachment, some_facts

PRECEDENCE = {"*": ("incidents", "webhook")}


class Router:
    """Counts how often it was asked, and answers with the last step of the category as case type."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, source: str, kind: Kind, tenant: str | None, facts: CaseFacts) -> Decision:
        self.asked += 1
        return a_decision(case_type=facts.category[-1].id if facts.category else "none")


def folded(state: CaseState | None, event: CaseEvent, router: Router | None = None) -> Folded:
    return fold(state, event, reference="R-1", precedence=PRECEDENCE, route=router or Router())


def test_the_first_event_makes_the_case() -> None:
    result = folded(None, a_report(notes=[a_note("n1")], attachments=[an_attachment("a1")]))
    assert "decision" in result.changed
    assert "title" in result.changed
    assert [note.key for note in result.notes] == ["n1"]
    assert [attachment.key for attachment in result.attachments] == ["a1"]


def test_the_same_again_is_nothing_new() -> None:
    event = a_report(notes=[a_note("n1")])
    assert folded(folded(None, event).state, event).nothing_new


def test_a_note_is_said_once_even_when_one_event_repeats_it() -> None:
    result = folded(None, a_report(notes=[a_note("n1"), a_note("n1"), a_note("n2")]))
    assert [note.key for note in result.notes] == ["n1", "n2"]
    again = folded(
        result.state, a_report(observed_at=REPORTED_AT + timedelta(hours=1), notes=[a_note("n2"), a_note("n3")])
    )
    assert [note.key for note in again.notes] == ["n3"]


def test_an_observation_older_than_the_last_of_its_door_changes_nothing() -> None:
    state = folded(None, a_report(facts=some_facts(status=Status.CLOSED))).state
    older = a_report(observed_at=REPORTED_AT - timedelta(hours=1), facts=some_facts(status=Status.RECEIVED))
    result = folded(state, older)
    assert result.stale
    assert result.nothing_new
    assert result.case.status is Status.CLOSED


def test_an_older_event_still_adds_its_notes() -> None:
    state = folded(None, a_report()).state
    result = folded(state, a_report(observed_at=REPORTED_AT - timedelta(hours=1), notes=[a_note("late")]))
    assert result.stale
    assert [note.key for note in result.notes] == ["late"]
    assert result.changed == frozenset()


def test_an_older_event_of_another_door_is_that_doors_first_word() -> None:
    state = folded(None, a_report(facts=some_facts(status=None))).state
    result = folded(
        state,
        a_report(door="incidents", observed_at=REPORTED_AT - timedelta(days=1), facts=CaseFacts(status=Status.CLOSED)),
    )
    assert not result.stale
    assert result.changed == {"status"}


def test_a_change_that_moves_no_case_is_not_routed_again() -> None:
    router = Router()
    state = folded(None, a_report(), router).state
    folded(
        state, a_report(observed_at=REPORTED_AT + timedelta(hours=1), facts=some_facts(status=Status.CLOSED)), router
    )
    assert router.asked == 1


def test_another_category_is_routed_again() -> None:
    router = Router()
    state = folded(None, a_report(), router).state
    moved = a_report(observed_at=REPORTED_AT + timedelta(hours=1), facts=some_facts(category=[a_category("5000")]))
    result = folded(state, moved, router)
    assert router.asked == 2
    assert {"category", "decision"} <= result.changed
    assert result.case.decision.case_type == "5000"


def test_a_refused_note_may_be_offered_again() -> None:
    event = a_report(notes=[a_note("n1"), a_note("n2")])
    state = without(folded(None, event).state, frozenset({"n2"}))
    again = folded(state, event)
    assert [note.key for note in again.notes] == ["n2"]
    assert again.changed == frozenset()


def test_a_case_once_marked_as_a_test_stays_one() -> None:
    state = folded(None, a_report(test=True)).state
    assert folded(state, a_report(observed_at=REPORTED_AT + timedelta(hours=1))).case.test


def test_a_case_that_becomes_a_test_or_moves_to_another_municipality_says_so() -> None:
    state = folded(None, a_report(facts=some_facts(place=None))).state
    moved = a_report(
        observed_at=REPORTED_AT + timedelta(hours=1), tenant="21015", facts=some_facts(place=None), test=True
    )
    assert {"tenant", "test"} <= folded(state, moved).changed


def test_what_is_kept_survives_its_way_through_the_ledger() -> None:
    event = a_report(notes=[a_note()], attachments=[an_attachment()])
    state = folded(None, event).state
    read_again = CaseState.model_validate_json(state.model_dump_json(exclude_none=True))
    assert folded(read_again, event).nothing_new
