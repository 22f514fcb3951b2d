"""The ledger on SQLite does what its model does, whatever happens in whatever order."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connectors.kit.ports import Arrival
from relais.ledger.database import SqliteDatabase
from relais.ledger.ledger import ledger_over
from relais.ledger.ports import ClaimedCase, Done, How, LaneReport, Release
from relais.ledger.tables import DELIVERED, OPEN, PARKED
from tests.contract.ledger_world import CLOCK, DIGEST_KEY, START_MS, World, masked, prepare
from tests.property.ledger_model import LEASE_MS, SETTLES_MS, LedgerModel

_T = TypeVar("_T")

CASES = ["a", "b", "c"]
WORKERS = st.sampled_from(["one", "two"])
STATES = {OPEN: "open", DELIVERED: "delivered", PARKED: "parked"}
# few names, so that the same ones come again with the same and with other content
GROUPS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["x", "x", "x", "y"])), min_size=1, max_size=8)


@dataclass(frozen=True)
class Outcome:
    """What a worker has to say of a lane."""

    what: str
    many: int
    wait: int
    goes_on: bool


OUTCOMES = st.builds(
    Outcome,
    what=st.sampled_from(["sent", "sent", "parked blocking", "parked alone", "temporary", "unconfirmed"]),
    many=st.integers(0, 4),
    wait=st.sampled_from([0, 1_000, 60_000]),
    goes_on=st.booleans(),
)


def name_of(case: ClaimedCase) -> str:
    return case.key.partition(":")[2]


@cache
def an_empty_ledger() -> bytes:
    """The file of a migrated ledger, made once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        asyncio.run(prepare(f"sqlite:///{path}"))
        return path.read_bytes()


class LedgerMachine(RuleBasedStateMachine):
    """Drives a ledger and its model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="relais-ledger-"))
        path = self._folder / "ledger.db"
        path.write_bytes(an_empty_ledger())
        self._runner = asyncio.Runner()
        self._database = SqliteDatabase(path, now=CLOCK)
        self._run(
            self._database.run_sync(lambda connection: connection.exec_driver_sql("PRAGMA synchronous=OFF").close())
        )
        ledger = self._run(ledger_over(self._database, masked=masked, digest_key=DIGEST_KEY))
        self.world = World(f"sqlite:///{path}", ledger)
        self.model = LedgerModel(START_MS)
        self.claims: list[tuple[str, ClaimedCase]] = []
        """What workers believe to hold, rightly or not any more."""

    def teardown(self) -> None:
        self._run(self._database.close())
        self._runner.close()
        shutil.rmtree(self._folder)

    def _run(self, step: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(step)

    # --- what happens ---

    @initialize(group=GROUPS)
    def accept_at_first(self, group: list[tuple[int, str]]) -> None:
        self.accept_some(group)

    @rule(group=GROUPS)
    def accept(self, group: list[tuple[int, str]]) -> None:
        self.accept_some(group)

    def accept_some(self, group: list[tuple[int, str]]) -> None:
        named = [(f"e{number}", CASES[number % len(CASES)], content) for number, content in group]
        arrivals = [
            Arrival("fixmystreet", "webhook", name, f"fixmystreet:{case}", content.encode())
            for name, case, content in named
        ]
        receipts = self._run(self.world.ledger.acceptance.accept(arrivals))
        fates = self.model.accept(named, [receipt.seq for receipt in receipts])
        assert [receipt.fate for receipt in receipts] == fates

    @precondition(lambda self: any(event.state == "open" for event in self.model.events.values()))
    @rule(owner=WORKERS, room=st.integers(1, 3))
    def claim(self, owner: str, room: int) -> None:
        expected = self.model.runnable()[:room]
        claimed = self._run(self.world.claim(owner, room=room, lease_ms=LEASE_MS))
        assert [name_of(case) for case in claimed] == expected
        for case, name in zip(claimed, expected, strict=True):
            events, doubtful, either_way = self.model.claim(name, owner)
            assert [event.seq for event in case.events] == events
            in_doubt = {event.seq for event in case.events if event.in_doubt}
            assert in_doubt - either_way == doubtful & set(events) - either_way
            self.claims = [*self.claims[-5:], (owner, case)]

    @precondition(lambda self: self.model.runnable())
    @rule(owner=WORKERS, outcomes=st.tuples(OUTCOMES, OUTCOMES, OUTCOMES))
    def work(self, owner: str, outcomes: tuple[Outcome, ...]) -> None:
        """Claim whatever may run and say what became of each."""
        before = len(self.model.runnable())
        self.claim(owner, room=before)
        for (_, case), outcome in zip(self.claims[-before:], outcomes, strict=False):
            self.report_one(owner, case, outcome)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), outcome=OUTCOMES)
    def report(self, data: st.DataObject, outcome: Outcome) -> None:
        """A worker says what it did, in a lane that it holds or held once."""
        owner, case = data.draw(st.sampled_from(self.claims))
        self.report_one(owner, case, outcome)

    def report_one(self, owner: str, case: ClaimedCase, outcome: Outcome) -> None:
        unfinished = [event.seq for event in case.events if self.model.event(event.seq).state == "open"]
        done = [Done(seq, how=How.SENT) for seq in unfinished[: outcome.many]]
        release: Release | None = None if outcome.goes_on else Release()
        match outcome.what:
            case "parked blocking" if unfinished:
                done = [*done[:-1], Done(unfinished[max(0, len(done) - 1)], code="refused", reason="no", blocks=True)]
                release = Release()
            case "parked alone" if unfinished:
                done = [Done(unfinished[0], code="refused", reason="no"), *done[1:]]
            case "temporary":
                done, release = done[:1], Release(wait_ms=outcome.wait, failed=True, error="busy")
            case "unconfirmed" if unfinished:
                doubt = next(event.turn for event in case.events if event.seq == unfinished[0])
                done, release = [], Release(wait_ms=outcome.wait, doubt=doubt, failed=True, error="no answer")
        report = LaneReport(case.case_id, case.fence, tuple(done), None, release)
        tick = self._run(self.world.ledger.lanes.tick(owner, [report], room=0, lease_ms=LEASE_MS))

        held = self.model.holds(name_of(case), owner, case.fence)
        assert tick.held == ({case.case_id} if held else frozenset())
        if held:
            for one in done:
                self.model.finish(one.seq, "parked" if one.how is None else "delivered", blocks=one.blocks)
            if release is not None:
                self.model.release(name_of(case), wait=release.wait_ms, doubt=release.doubt)

    @precondition(lambda self: any(lane.owner for lane in self.model.cases.values()))
    @rule(settled=st.booleans())
    def a_worker_dies(self, *, settled: bool) -> None:
        """Nobody renews, so every lease runs out; a worker that was only slow may still report under its old fence."""
        self.let_time_pass(LEASE_MS + 1)
        if settled:
            self.let_time_pass(SETTLES_MS)

    @rule(milliseconds=st.sampled_from([1, 1_000, LEASE_MS - 1, 60_000]), renewing=st.none() | WORKERS)
    def let_time_pass(self, milliseconds: int, renewing: str | None = None) -> None:
        if renewing:
            self.renew(renewing)
        self._run(self.world.forward(milliseconds))
        self.model.now += milliseconds
        self.sweep()

    def renew(self, owner: str) -> None:
        mine = [case for holder, case in self.claims if holder == owner]
        # of several claims of one case only the last can be ours
        fences = {case.case_id: case.fence for case in sorted(mine, key=lambda case: case.fence)}
        kept = self._run(self.world.ledger.lanes.renew(owner, fences, lease_ms=LEASE_MS))
        names = {case.case_id: name_of(case) for case in mine}
        assert kept == {number for number, name in names.items() if self.model.holds(name, owner, fences[number])}
        self.model.renew(names[number] for number in kept)

    def sweep(self) -> None:
        assert self._run(self.world.ledger.lanes.expire(settles_ms=SETTLES_MS)) == self.model.expire()

    @precondition(lambda self: any(event.state == "parked" for event in self.model.events.values()))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        parked = sorted(event.seq for event in self.model.events.values() if event.state == "parked")
        seq = data.draw(st.sampled_from(parked))
        assert self._run(self.world.ledger.stories.retry([seq, seq])) == [seq]
        self.model.retry(seq)
        lane = self.model.cases[self.model.event(seq).case]
        # what is in doubt is not hurried; everything else may run at once
        (row,) = self._run(self.world.sql("SELECT ready_at FROM cases WHERE key = :key", key=self._key_of(seq)))
        assert row.ready_at == self.model.now or (lane.unsure and row.ready_at == lane.ready_at)
        lane.ready_at = row.ready_at

    def _key_of(self, seq: int) -> str:
        return f"fixmystreet:{self.model.event(seq).case}"

    # --- what holds at every moment ---

    @invariant()
    def every_event_is_in_its_one_state_and_none_has_vanished(self) -> None:
        rows = self._run(
            self.world.sql("SELECT e.event_id, d.state FROM events e LEFT JOIN deliveries d ON d.seq = e.seq")
        )
        assert sorted((row.event_id, STATES[row.state]) for row in rows) == sorted(
            (name, event.state) for name, event in self.model.events.items()
        )

    @invariant()
    def the_counts_add_up(self) -> None:
        backlog = self._run(self.world.ledger.stories.backlog())
        assert backlog.accepted == backlog.delivered + backlog.waiting + backlog.in_doubt + backlog.parked
        assert backlog.conflicts == len(self.model.conflicts)

    @invariant()
    def a_case_counts_what_is_open_and_has_one_owner(self) -> None:
        rows = self._run(self.world.sql("SELECT key, pending, owner, fence, blocked_seq FROM cases"))
        assert {row.key: (row.pending, row.owner, row.fence, row.blocked_seq) for row in rows} == {
            f"fixmystreet:{case}": (len(self.model.open_of(case)), lane.owner, lane.fence, lane.blocked)
            for case, lane in self.model.cases.items()
        }


TestLedgerModel = LedgerMachine.TestCase
TestLedgerModel.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
