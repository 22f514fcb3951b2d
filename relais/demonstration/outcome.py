"""What came out of a demonstration: what Relais says, what the judge found, and whether both are as they should be."""

from collections.abc import Mapping
from dataclasses import dataclass

from relais.demonstration.findings import Kind
from relais.demonstration.judge import Verdict
from relais.ledger.ports import Backlog


@dataclass(frozen=True, slots=True)
class Played:
    """What the stand-in played. ``skipped`` are planned changes that the report no longer allowed when they came up."""

    reports: int
    changes: int
    skipped: int
    pushes: int
    pushes_accepted: int
    given_back: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a demonstration. ``quiet`` is false when the time for it ran out before everything was done."""

    played: Played
    backlog: Backlog
    parked_by_code: Mapping[str, int]
    verdict: Verdict
    repeated_writes: Mapping[str, int]
    quiet: bool
    seconds: float
    memory_mebibytes: float | None

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that is not as it should be, a line each; nothing where the counts hold."""
        backlog = self.backlog
        faults = []
        if not self.quiet:
            faults.append("the time ran out before everything was done")
        if backlog.waiting or backlog.in_doubt:
            faults.append(f"unfinished: {backlog.waiting} waiting, {backlog.in_doubt} in doubt")
        if backlog.parked:
            reasons = ", ".join(f"{many} {code}" for code, many in self.parked_by_code.items())
            faults.append(f"parked, though nothing that was played gives a reason: {reasons}")
        if backlog.conflicts:
            faults.append(f"conflicts, though nothing was said twice in different words: {backlog.conflicts}")
        if backlog.accepted != backlog.delivered + backlog.waiting + backlog.in_doubt + backlog.parked:
            faults.append("the ledger does not add up: not every accepted event is in one of the four states")
        return (*faults, *(str(finding) for finding in self.verdict.findings))

    @property
    def holds(self) -> bool:
        """Whether the counts hold."""
        return not self.faults

    def as_json(self) -> dict[str, int]:
        """The counts, by the names that scripts read."""
        verdict, backlog = self.verdict, self.backlog
        return {
            "accepted": backlog.accepted,
            "delivered": backlog.delivered,
            "superseded": backlog.superseded,
            "waiting": backlog.waiting,
            "in_doubt": backlog.in_doubt,
            "parked": backlog.parked,
            "cases": verdict.cases,
            "lost": verdict.count(Kind.LOST),
            "doubled": verdict.count(Kind.DOUBLED),
            "out_of_order": verdict.count(Kind.OUT_OF_ORDER),
        }
