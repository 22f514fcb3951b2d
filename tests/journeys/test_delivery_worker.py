"""The delivery worker over a real ledger, with a CRM that does what a script says."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, UnconfirmedError
from connectors.kit.ports import Arrival, CaseChange
from relais.delivery.patience import Patience
from relais.delivery.worker import DeliveryWorker, Pace
from relais.ledger.database import open_database
from relais.ledger.ledger import Ledger, ledger_over
from relais.ledger.migrating import migrate
from relais.telemetry.events import DeliveryParked, DeliveryPostponed, Happening, LeaseLost, SinkPaused
from schemas.case import CaseFacts, Kind
from schemas.decision import Decision
from tests.builders import a_decision
from tests.doubles.scripted import ScriptedCrm, ScriptedSource, Trouble, a_body, an_event, busy, lost, once

LEASE = timedelta(seconds=5)
A = "scripted-a"
B = "scripted-b"


def to_the_crm(source: str, kind: Kind, tenant: str | None, facts: CaseFacts) -> Decision:
    return a_decision(destination="crm")


@dataclass
class Stage:
    """A ledger, a CRM and the workers that a test starts."""

    ledger: Ledger
    crm: ScriptedCrm
    told: list[Happening] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    patience: Patience = field(
        default_factory=lambda: Patience(first=timedelta(milliseconds=4), longest=timedelta(milliseconds=40))
    )

    def worker(self, name: str = "worker", *, pace: Pace | None = None) -> DeliveryWorker:
        return DeliveryWorker(
            ledger=self.ledger,
            sources={"scripted": ScriptedSource()},
            sinks={"crm": self.crm},
            route=to_the_crm,
            fingerprint=self.ledger.acceptance.fingerprint,
            emit=self.told.append,
            owner=name,
            wake=self.wake,
            pace=pace or Pace(lease=LEASE, look_every=timedelta(milliseconds=20)),
            patience=self.patience,
        )

    async def accept(self, *arrivals: Arrival) -> None:
        await self.ledger.acceptance.accept(arrivals)
        self.wake.set()

    @asynccontextmanager
    async def working(self, *names: str, pace: Pace | None = None) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = [asyncio.create_task(self.worker(name, pace=pace).run(stop)) for name in names or ("worker",)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*running)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(20):
            while not await holds():  # noqa: ASYNC110  # what is waited for stands in a database
                await asyncio.sleep(0.005)

    async def quiet(self) -> bool:
        return (await self.ledger.stories.unfinished())[0] == 0

    async def deliver_all(self, *names: str) -> None:
        async with self.working(*names):
            await self.until(self.quiet)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    database = open_database(f"sqlite:///{tmp_path}/ledger.db")
    await migrate(database)
    yield await ledger_over(database, masked=lambda body: body)
    await database.close()


@pytest.fixture
def stage(ledger: Ledger) -> Stage:
    return Stage(ledger, ScriptedCrm())


async def test_a_case_is_created_once_and_then_changed_in_accepted_order(stage: Stage) -> None:
    await stage.accept(*(an_event(n, "a", a_body(str(n), notes=[f"n{n}"])) for n in range(6)))
    await stage.deliver_all()
    assert stage.crm.creates[A] == 1
    assert stage.crm[A] == ["0", "1", "2", "3", "4", "5"]
    assert stage.crm.notes[A] == [f"n{n}" for n in range(6)]


async def test_a_lost_answer_does_not_create_a_second_case(stage: Stage) -> None:
    stage.crm.after = once(lost())
    await stage.accept(an_event(1, "a", a_body(notes=["n"])))
    await stage.deliver_all()
    assert (stage.crm.creates[A], stage.crm.notes[A], stage.crm.sends[A]) == (1, ["n"], 1)
    assert stage.crm.finds[A] == 1


async def test_a_lost_answer_to_a_change_is_found_and_not_sent_again(stage: Stage) -> None:
    await stage.accept(an_event(1, "a", a_body("1")))
    await stage.deliver_all()
    stage.crm.after = once(lost())
    await stage.accept(an_event(2, "a", a_body("2", notes=["n"])), an_event(3, "a", a_body("3", notes=["m"])))
    await stage.deliver_all()
    assert stage.crm[A] == ["1", "2", "3"]
    assert stage.crm.notes[A] == ["n", "m"]
    assert stage.crm.sends[A] == 3


async def test_a_request_that_never_arrived_is_sent_after_looking(stage: Stage) -> None:
    stage.crm.before = once(UnconfirmedError("reset", code="reset"))
    await stage.accept(an_event(1, "a", a_body()))
    await stage.deliver_all()
    assert (stage.crm.creates[A], stage.crm.finds[A], stage.crm.sends[A]) == (1, 1, 2)


async def test_not_found_is_still_doubt_before_the_crm_has_settled(stage: Stage) -> None:
    stage.crm = ScriptedCrm(settles_after=timedelta(milliseconds=300), before=once(UnconfirmedError("?", code="x")))
    await stage.accept(an_event(1, "a", a_body()))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, DeliveryPostponed))
        assert stage.crm.finds[A] == 0
        await stage.until(stage.quiet)
    postponed = [one for one in stage.told if isinstance(one, DeliveryPostponed)]
    assert postponed[0].outcome == "in_doubt"
    assert postponed[0].wait_seconds >= 0.3


async def test_a_busy_crm_is_tried_again_without_looking(stage: Stage) -> None:
    stage.crm.before = once(busy())
    await stage.accept(an_event(1, "a", a_body()))
    await stage.deliver_all()
    assert (stage.crm.sends[A], stage.crm.finds[A], stage.crm.creates[A]) == (2, 0, 1)


async def test_a_refused_change_blocks_its_own_case_only(stage: Stage) -> None:
    stage.crm.before = _refusing("bad")
    await stage.accept(an_event(1, "a", a_body("good", notes=["g"])), an_event(2, "a", a_body("bad", notes=["n"])))
    await stage.accept(an_event(3, "a", a_body("behind", notes=["m"])), an_event(4, "b", a_body("other")))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, DeliveryParked))
        await stage.until(lambda: _delivered(stage, 2))
    assert (stage.crm[A], stage.crm[B]) == (["good"], ["other"])
    story = await stage.ledger.stories.story("scripted:a")
    assert story is not None
    assert [chapter.state for chapter in story.chapters] == ["delivered", "parked", "waiting"]
    assert story.chapters[2].behind == story.chapters[1].seq


async def test_a_retried_event_goes_first_and_what_was_behind_follows(stage: Stage) -> None:
    stage.crm.before = _refusing("bad")
    await stage.accept(an_event(1, "a", a_body("bad", notes=["n"])), an_event(2, "a", a_body("behind", notes=["m"])))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, DeliveryParked))
    stage.crm.before = lambda _change: None
    (parked,) = await stage.ledger.stories.parked()
    assert await stage.ledger.stories.retry([parked.seq]) == [parked.seq]
    await stage.deliver_all()
    assert (stage.crm[A], stage.crm.notes[A]) == (["bad", "behind"], ["n", "m"])


async def test_a_refused_note_is_parked_alone_and_the_lane_goes_on(stage: Stage) -> None:
    stage.crm = ScriptedCrm(refuse_notes=frozenset({"rude"}))
    await stage.accept(an_event(1, "a", a_body("1", notes=["kind", "rude"])), an_event(2, "a", a_body("2")))
    await stage.deliver_all()
    assert (stage.crm[A], stage.crm.notes[A]) == (["1", "2"], ["kind"])
    (parked,) = await stage.ledger.stories.parked()
    assert (parked.code, await _blocked(stage)) == ("note_refused", None)
    assert "rude" in parked.reason


async def test_a_retried_note_is_sent_alone(stage: Stage) -> None:
    stage.crm = ScriptedCrm(refuse_notes=frozenset({"rude"}))
    await stage.accept(an_event(1, "a", a_body("1", notes=["kind", "rude"])))
    await stage.deliver_all()
    stage.crm.refuse_notes = frozenset()
    await stage.ledger.stories.retry([(await stage.ledger.stories.parked())[0].seq])
    await stage.deliver_all()
    assert (stage.crm[A], stage.crm.notes[A]) == (["1"], ["kind", "rude"])


async def test_an_event_retried_after_a_later_one_was_delivered_still_brings_what_it_says(stage: Stage) -> None:
    ScriptedSource.broken_door = "poll"
    try:
        await stage.accept(an_event(1, "a", a_body("owned", notes=["n"]), door="poll"))
        await stage.accept(an_event(2, "a", a_body("second")))
        await stage.deliver_all()
    finally:
        ScriptedSource.broken_door = None
    assert stage.crm[A] == ["second"]
    (parked,) = await stage.ledger.stories.parked()
    await stage.ledger.stories.retry([parked.seq])
    stage.crm.after = once(lost())
    await stage.deliver_all()
    assert (stage.crm[A], stage.crm.notes[A]) == (["second", "owned"], ["n"])
    assert (stage.crm.sends[A], stage.crm.finds[A]) == (2, 1)


@pytest.mark.parametrize(("said", "code"), [("unreadable", "unreadable"), ("bug", "translation_failed")])
async def test_an_event_that_cannot_be_read_is_parked_alone(stage: Stage, said: str, code: str) -> None:
    await stage.accept(an_event(1, "a", a_body(said)), an_event(2, "a", a_body("fine")))
    await stage.deliver_all()
    assert stage.crm[A] == ["fine"]
    (parked,) = await stage.ledger.stories.parked()
    assert (parked.code, await _blocked(stage)) == (code, None)


async def test_wrong_rights_pause_the_sink_and_park_nothing(stage: Stage) -> None:
    stage.crm.before = lambda _change: MisconfiguredError("the token is wrong", code="http_401")
    await stage.accept(*(an_event(n, str(n), a_body()) for n in range(40)))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, SinkPaused))
        sent = sum(stage.crm.sends.values())
        await asyncio.sleep(0.2)
        assert sum(stage.crm.sends.values()) <= sent + 40, "a paused sink is left alone"
    assert await stage.ledger.sinks.paused() == {"crm": "the token is wrong"}
    assert (await stage.ledger.stories.backlog()).parked == 0
    assert sum(isinstance(one, SinkPaused) for one in stage.told) == 1


async def test_a_resumed_sink_delivers_everything(stage: Stage) -> None:
    stage.crm.before = once(MisconfiguredError("the token is wrong", code="http_401"))
    await stage.accept(an_event(1, "a", a_body("1")))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, SinkPaused))
        await stage.ledger.sinks.resume("crm")
        await stage.until(stage.quiet)
    assert (stage.crm[A], stage.crm.creates[A]) == (["1"], 1)


async def test_a_snapshot_that_was_never_sent_gives_way_to_the_next(stage: Stage) -> None:
    await stage.accept(*(an_event(n, "a", a_body(str(n)), door="poll") for n in range(5)))
    await stage.deliver_all()
    assert stage.crm[A] == ["4"]
    assert (await stage.ledger.stories.backlog()).superseded == 4


async def test_what_adds_something_of_its_own_never_gives_way(stage: Stage) -> None:
    await stage.accept(
        an_event(1, "a", a_body("1", notes=["n"]), door="poll"),
        an_event(2, "a", a_body("2", milestone=True), door="poll"),
        an_event(3, "a", a_body("3"), door="poll"),
        an_event(4, "a", a_body("4"), door="poll"),
    )
    await stage.deliver_all()
    assert (stage.crm[A], stage.crm.notes[A]) == (["1", "2", "4"], ["n"])


async def test_a_snapshot_in_doubt_is_looked_for_before_it_may_give_way(stage: Stage) -> None:
    stage.crm.after = lambda change: lost() if stage.crm[A] == ["1"] else None
    await stage.accept(an_event(1, "a", a_body("1"), door="poll"))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, DeliveryPostponed))
        await stage.accept(an_event(2, "a", a_body("2"), door="poll"))
        await stage.until(stage.quiet)
    assert stage.crm[A] == ["1", "2"]
    assert stage.crm.creates[A] == 1


async def test_a_case_that_the_crm_has_lost_is_not_created_again(stage: Stage) -> None:
    await stage.accept(an_event(1, "a", a_body("1")))
    await stage.deliver_all()
    stage.crm.before = once(UnconfirmedError("reset", code="reset"))
    del stage.crm.versions[A]
    await stage.accept(an_event(2, "a", a_body("2")))
    await stage.deliver_all()
    (parked,) = await stage.ledger.stories.parked()
    assert (parked.code, stage.crm.creates[A]) == ("missing_in_crm", 1)
    assert await _blocked(stage) == parked.seq


async def test_a_failed_look_leaves_the_doubt_as_it_was(stage: Stage) -> None:
    stage.crm.after = once(lost())
    stage.crm.find_trouble = busy()
    await stage.accept(an_event(1, "a", a_body()))
    async with stage.working():
        await stage.until(lambda: _finds(stage, 3))
        stage.crm.find_trouble = None
        await stage.until(stage.quiet)
    assert (stage.crm.creates[A], stage.crm.sends[A]) == (1, 1)


async def test_a_worker_that_lost_its_lease_writes_nothing_and_the_other_looks_first(stage: Stage) -> None:
    holding = asyncio.Event()
    going = asyncio.Event()

    class SlowCrm(ScriptedCrm):
        async def deliver(self, changes):  # type: ignore[no-untyped-def]
            outcomes = await super().deliver(changes)
            holding.set()
            await going.wait()
            return outcomes

    stage.crm = SlowCrm()
    await stage.accept(an_event(1, "a", a_body("1", notes=["n"])))
    async with stage.working("first"):
        await holding.wait()
        # somebody takes the lease away, as the sweeper does when a worker is believed dead
        await stage.ledger.lanes.let_go("first", settles_ms=0)
        second = ScriptedCrm()
        second.__dict__.update(stage.crm.__dict__)
        stage.crm = second
        async with stage.working("second"):
            await stage.until(stage.quiet)
        going.set()
    assert (second.creates[A], second.notes[A], second.sends[A]) == (1, ["n"], 1)
    assert second.finds[A] == 1
    assert any(isinstance(one, LeaseLost) for one in stage.told)


async def test_a_case_that_fails_for_longer_than_patience_lasts_is_parked_for_a_human(stage: Stage) -> None:
    stage.crm.before = lambda _change: busy()
    # waits too long to be spent in the lane, and no patience at all once a failure was written down
    stage.patience = Patience(first=timedelta(hours=1), longest=timedelta(hours=1), gives_up_after=timedelta(0))
    await stage.accept(an_event(1, "a", a_body("1")), an_event(2, "a", a_body("2", notes=["n"])))
    async with stage.working():
        await stage.until(lambda: _has(stage.told, DeliveryPostponed))
        await stage.until(lambda: _waits(stage))
        await stage.ledger.sinks.pause("crm", "so that resuming makes everything ready")
        await stage.ledger.sinks.resume("crm")
        stage.wake.set()
        await stage.until(lambda: _has(stage.told, DeliveryParked))
    (parked,) = await stage.ledger.stories.parked()
    assert (parked.code, await _blocked(stage)) == ("patience_ended", parked.seq)


async def test_several_workers_under_random_trouble_lose_double_and_reorder_nothing(stage: Stage) -> None:
    dice = random.Random(20260302)  # a repeatable test

    def trouble(share: float, error: Callable[[], ConnectorError]) -> Trouble:
        return lambda _change: error() if dice.random() < share else None

    stage.crm = ScriptedCrm(before=trouble(0.15, busy), after=trouble(0.15, lost))
    arrivals = [an_event(n, str(dice.randrange(30)), a_body(str(n), notes=[f"n{n}"])) for n in range(300)]
    async with stage.working("one", "two", "three"):
        for start in range(0, 300, 20):
            await stage.accept(*arrivals[start : start + 20])
            await asyncio.sleep(0.005)
        await stage.until(stage.quiet)
    assert sorted(note for notes in stage.crm.notes.values() for note in notes) == sorted(f"n{n}" for n in range(300))
    for history in stage.crm.history.values():
        assert [int(said) for said in history] == sorted(int(said) for said in history)
    assert set(stage.crm.creates.values()) == {1}


async def test_a_worker_that_is_stopped_hands_back_what_it_never_sent(stage: Stage) -> None:
    await stage.accept(*(an_event(n, str(n), a_body()) for n in range(200)))
    async with stage.working():
        await stage.until(lambda: _delivered(stage, 1))
    claimed = await stage.ledger.lanes.tick("another", [], room=500, lease_ms=1000)
    open_now = (await stage.ledger.stories.unfinished())[0]
    assert len(claimed.claimed) == open_now, "every case that is not finished may be claimed at once"
    assert not any(event.in_doubt for case in claimed.claimed for event in case.events)


def _refusing(said: str) -> Trouble:
    def refuse(change: CaseChange) -> ConnectorError | None:
        return RejectedError("no", code="invalid_field") if change.case.facts.source_status == said else None

    return refuse


async def _has(told: list[Happening], kind: type[Happening]) -> bool:
    return any(isinstance(one, kind) for one in told)


async def _delivered(stage: Stage, many: int) -> bool:
    return (await stage.ledger.stories.backlog()).delivered >= many


async def _finds(stage: Stage, many: int) -> bool:
    return stage.crm.finds.total() >= many


async def _blocked(stage: Stage, name: str = "scripted:a") -> int | None:
    story = await stage.ledger.stories.story(name)
    assert story is not None
    return story.blocked_seq


async def _waits(stage: Stage) -> bool:
    story = await stage.ledger.stories.story("scripted:a")
    return story is not None and story.owner is None and story.attempts > 0
