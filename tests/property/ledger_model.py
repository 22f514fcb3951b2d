"""What a ledger should do, in plain Python: no tables, no statements, one dictionary of cases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relais.ledger.ports import Fate

LEASE_MS = 30_000
SETTLES_MS = 5_000


@dataclass
class ModelEvent:
    """An accepted event."""

    seq: int
    case: str
    content: str
    turn: int
    state: str = "open"
    blocking: bool = False


@dataclass
class ModelCase:
    """A lane: who holds it, until when, and when it may run."""

    ready_at: int = 0
    ready_seq: int = 0
    owner: str | None = None
    fence: int = 0
    until: int = 0
    blocked: int | None = None
    unsure: bool = False
    doubtful: set[int] = field(default_factory=set)
    either_way: set[int] = field(default_factory=set)
    """Reopened by a human: whether they count as in doubt until the next release is left to the ledger."""


class LedgerModel:
    """The promises, as a program that keeps them trivially."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.events: dict[str, ModelEvent] = {}
        self.cases: dict[str, ModelCase] = {}
        self.conflicts: set[tuple[str, str]] = set()
        self.highest = 0

    def event(self, seq: int) -> ModelEvent:
        (found,) = [event for event in self.events.values() if event.seq == seq]
        return found

    def open_of(self, case: str) -> list[int]:
        waiting = [event for event in self.events.values() if event.case == case and event.state == "open"]
        return [event.seq for event in sorted(waiting, key=lambda event: event.turn)]

    def accept(self, group: Sequence[tuple[str, str, str]], sequences: Sequence[int | None]) -> list[Fate]:
        """Take in (name, case, content); ``sequences`` is what the ledger numbered them. Their fates."""
        fates = []
        had_open = {case: bool(self.open_of(case)) for case in self.cases}
        for (name, case, content), seq in zip(group, sequences, strict=True):
            known = self.events.get(name)
            if known is not None:
                assert seq == known.seq
                same = content == known.content
                fates.append(Fate.SAME if same else Fate.CONFLICT)
                self.conflicts |= set() if same else {(name, content)}
                continue
            assert seq is not None
            assert seq > self.highest, "a number is used again or falls"
            self.highest = seq
            self.events[name] = ModelEvent(seq, case, content, turn=seq)
            lane = self.cases.setdefault(case, ModelCase())
            if not had_open.get(case):
                had_open[case] = True
                lane.ready_at, lane.ready_seq = self.now, seq
            fates.append(Fate.NEW)
        return fates

    def runnable(self) -> list[str]:
        """The cases that may be claimed, first come first."""
        ready = [
            (lane.ready_at, lane.ready_seq, case)
            for case, lane in self.cases.items()
            if lane.owner is None and lane.blocked is None and lane.ready_at <= self.now and self.open_of(case)
        ]
        return [case for _, _, case in sorted(ready)]

    def claim(self, case: str, owner: str) -> tuple[list[int], set[int], set[int]]:
        """What its owner is given: the open events, those in doubt, and those that may be either."""
        lane = self.cases[case]
        given = self.open_of(case), set(lane.doubtful), set(lane.either_way)
        lane.owner, lane.fence, lane.until = owner, lane.fence + 1, self.now + LEASE_MS
        lane.doubtful, lane.unsure = set(given[0]), True
        return given

    def holds(self, case: str, owner: str, fence: int) -> bool:
        lane = self.cases[case]
        return (lane.owner, lane.fence) == (owner, fence)

    def finish(self, seq: int, state: str, *, blocks: bool = False) -> None:
        event = self.event(seq)
        if event.state != "open":
            return
        if state == "delivered":
            before = [other for other in self.events.values() if other.case == event.case and other.turn < event.turn]
            assert all(other.state != "open" for other in before), "delivered out of order"
        event.state, event.blocking = state, blocks
        if blocks:
            self.cases[event.case].blocked = seq

    def release(self, case: str, *, wait: int, doubt: int) -> None:
        lane = self.cases[case]
        lane.owner, lane.ready_at = None, self.now + wait
        lane.doubtful = {seq for seq in self.open_of(case) if self.event(seq).turn <= doubt}
        lane.either_way, lane.unsure = set(), doubt > 0

    def renew(self, cases: Iterable[str]) -> None:
        for case in cases:
            self.cases[case].until = self.now + LEASE_MS

    def expire(self) -> int:
        """The leases that have run out."""
        lost = [lane for lane in self.cases.values() if lane.owner is not None and lane.until < self.now]
        for lane in lost:
            lane.owner, lane.ready_at = None, lane.until + SETTLES_MS
        return len(lost)

    def retry(self, seq: int) -> None:
        """A human opens a parked event again."""
        event = self.event(seq)
        lane = self.cases[event.case]
        event.state = "open"
        if event.blocking:
            lane.either_way.add(seq)
        else:
            event.turn = self.highest = self.highest + 1
            lane.doubtful.discard(seq)
        lane.blocked = None if lane.blocked == seq else lane.blocked
