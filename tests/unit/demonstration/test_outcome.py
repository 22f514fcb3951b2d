"""The end of a demonstration: what holds, what is said, in tables and as JSON."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from relais.demonstration.display import following, show_outcome
from relais.demonstration.findings import Finding, Kind
from relais.demonstration.judge import Verdict
from relais.demonstration.outcome import Outcome, Played
from relais.demonstration.performance import Progress
from relais.ledger.ports import Backlog

DONE = Backlog(accepted=9, delivered=9, superseded=2, waiting=0, in_doubt=0, parked=0, conflicts=0, cases=3)
VERDICT = Verdict(findings=(), cases=3, by_type={"lighting": {"fr": 1, "nl": 1}, "sewer": {"-": 1}}, liveliest="7")


def an_outcome(**different: object) -> Outcome:
    good = Outcome(
        played=Played(reports=3, changes=6, skipped=0, pushes=2, pushes_accepted=2, given_back=0),
        backlog=DONE,
        parked_by_code={},
        verdict=VERDICT,
        repeated_writes={},
        quiet=True,
        seconds=12.0,
        memory_mebibytes=120.0,
    )
    return replace(good, **different)  # type: ignore[arg-type]


def a_finding(kind: Kind) -> Verdict:
    return replace(VERDICT, findings=(Finding(kind, "7", "something is wrong"),))


def shown(outcome: Outcome) -> str:
    said = io.StringIO()
    show_outcome(Console(file=said, width=120), outcome)
    return said.getvalue()


def test_the_counts_hold_where_nothing_is_wrong() -> None:
    assert an_outcome().holds
    assert an_outcome().faults == ()


@pytest.mark.parametrize(
    "wrong",
    [
        an_outcome(quiet=False),
        an_outcome(backlog=replace(DONE, delivered=8, waiting=1)),
        an_outcome(backlog=replace(DONE, delivered=8, in_doubt=1)),
        an_outcome(backlog=replace(DONE, delivered=8, parked=1), parked_by_code={"invalid_field": 1}),
        an_outcome(backlog=replace(DONE, conflicts=1)),
        an_outcome(backlog=replace(DONE, delivered=8)),
        *(an_outcome(verdict=a_finding(kind)) for kind in Kind),
    ],
)
def test_the_counts_do_not_hold_where(wrong: Outcome) -> None:
    assert not wrong.holds
    assert len(wrong.faults) == 1
    assert wrong.faults[0] in shown(wrong)
    assert "The counts do not hold." in shown(wrong)


def test_the_reason_of_what_is_parked_is_said() -> None:
    parked = an_outcome(backlog=replace(DONE, delivered=8, parked=1), parked_by_code={"invalid_field": 1})

    assert "invalid_field" in parked.faults[0]
    assert "invalid_field" in shown(parked)


def test_the_json_has_the_promised_names_and_plain_counts() -> None:
    wrong = an_outcome(verdict=a_finding(Kind.OUT_OF_ORDER))

    assert wrong.as_json() == {
        "accepted": 9,
        "delivered": 9,
        "superseded": 2,
        "waiting": 0,
        "in_doubt": 0,
        "parked": 0,
        "cases": 3,
        "lost": 0,
        "doubled": 0,
        "out_of_order": 1,
    }


def test_the_tables_name_every_count_and_every_language() -> None:
    said = shown(an_outcome())

    for word in (
        "accepted",
        "delivered",
        "superseded",
        "waiting",
        "in doubt",
        "parked",
        *(kind.value for kind in Kind),
    ):
        assert word in said
    for word in ("lighting", "sewer", "fr", "nl", "not known", "120 MiB", "The counts hold."):
        assert word in said


def test_plain_lines_come_every_couple_of_seconds_and_not_at_every_look() -> None:
    said = io.StringIO()
    with following(Console(file=said, width=120)) as tell:
        for number in range(50):
            tell(Progress("playing the day", planned=210, played=number))

    assert said.getvalue().count("\n") == 1
    assert "0 of 210 played" in said.getvalue()


def test_a_terminal_shows_what_is_going_on() -> None:
    said = io.StringIO()
    with following(Console(file=said, width=120, force_terminal=True)) as tell:
        tell(Progress("playing the day", planned=210, played=105, accepted=61, delivered=59, cases=31))

    for word in ("playing the day", "accepted 61", "delivered 59", "in the CRM 31"):
        assert word in said.getvalue()
