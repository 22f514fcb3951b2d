"""The intake: many senders cost few commits, each is answered after its own, and nobody suffers for another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.exc import IntegrityError

from connectors.kit.ports import Arrival
from relais.ledger.accepting import Acceptance
from relais.ledger.database import LedgerAwayError
from relais.ledger.ports import Fate, Receipt
from relais.runtime.intake import Intake, IntakeFullError, IntakeRefusedError
from relais.telemetry.events import EventConflicted, EventsAccepted, HandlerFailed, Happening, LedgerAway, LedgerBack
from tests.builders import an_arrival
from tests.contract.ledger_world import a_world
from tests.unit.runtime.webhook_world import listen_to

POISON = "poison"


async def at_once(_group: Sequence[Arrival]) -> None:
    """The ledger commits without being waited for."""


@dataclass
class ScriptedAcceptance:
    """A ledger that remembers its groups; ``before`` runs before each and may wait or raise."""

    before: Callable[[Sequence[Arrival]], Awaitable[None]] = at_once
    groups: list[list[str]] = field(default_factory=list)

    async def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        self.groups.append([arrival.event_id for arrival in arrivals])
        await self.before(arrivals)
        return [Receipt(Fate.NEW, number) for number, _ in enumerate(arrivals)]


class Door:
    """An intake at work, and what it told."""

    def __init__(self, acceptance: object, *, capacity: int = 1000, patience: timedelta = timedelta(seconds=5)) -> None:
        self.told: list[Happening] = []
        self.woken: list[int] = []
        self.stop = asyncio.Event()
        self.intake = Intake(
            cast("Acceptance", acceptance),
            capacity=capacity,
            accepted=self.woken.append,
            emit=self.told.append,
            patience=patience,
        )

    def send(self, *names: str) -> list["asyncio.Task[Receipt]"]:
        """Senders who wait for their answers."""
        return [asyncio.create_task(self.intake.accept(an_arrival(name))) for name in names]

    async def sent(self, *names: str) -> list["asyncio.Task[Receipt]"]:
        """The same, once all of them stand in line."""
        senders = self.send(*names)
        await asyncio.sleep(0)
        return senders


@asynccontextmanager
async def working(door: Door) -> AsyncIterator[Door]:
    running = asyncio.create_task(door.intake.run(door.stop))
    try:
        yield door
    finally:
        door.stop.set()
        async with asyncio.timeout(10):
            await running


def names(many: int) -> list[str]:
    return [f"event-{number}" for number in range(many)]


async def test_32_senders_cost_a_handful_of_commits(tmp_path: Path) -> None:
    statements: list[str] = []
    async with a_world(f"sqlite:///{tmp_path / 'ledger.db'}") as world:
        async with working(Door(world.ledger.acceptance)) as door:
            await asyncio.gather(*door.send("the first"))
            listen_to(world, statements.append)
            for wave in range(4):
                await asyncio.gather(*door.send(*(f"{wave}-{name}" for name in names(32))))
        assert len(await world.sql("SELECT seq FROM events")) == 129
    assert 4 <= statements.count("COMMIT") <= 8, "128 events by 32 senders"
    assert sum(door.woken) == 129


async def test_a_single_sender_is_committed_at_once_and_alone() -> None:
    ledger = ScriptedAcceptance()
    async with working(Door(ledger)) as door:
        for name in names(3):
            await asyncio.gather(*door.send(name))
    assert ledger.groups == [["event-0"], ["event-1"], ["event-2"]]


async def test_those_who_come_during_a_commit_share_the_next() -> None:
    going = asyncio.Event()

    async def wait(_group: Sequence[Arrival]) -> None:
        await going.wait()

    ledger = ScriptedAcceptance(wait)
    async with working(Door(ledger)) as door:
        first = await door.sent("first")
        while not ledger.groups:  # noqa: ASYNC110
            await asyncio.sleep(0)
        rest = await door.sent(*names(40))
        going.set()
        await asyncio.gather(*first, *rest)
    assert ledger.groups == [["first"], names(40)]


async def test_a_group_has_a_largest_size_and_keeps_the_order_of_arrival() -> None:
    ledger = ScriptedAcceptance()
    door = Door(ledger)
    senders = await door.sent(*names(600))
    async with working(door):
        await asyncio.gather(*senders)
    assert [len(group) for group in ledger.groups] == [256, 256, 88]
    assert [name for group in ledger.groups for name in group] == names(600)


async def test_a_sender_is_answered_after_the_commit_and_not_before() -> None:
    going = asyncio.Event()

    async def wait(_group: Sequence[Arrival]) -> None:
        await going.wait()

    async with working(Door(ScriptedAcceptance(wait))) as door:
        (sender,) = await door.sent("one")
        for _ in range(50):
            await asyncio.sleep(0)
        assert not sender.done()
        assert door.woken == []
        going.set()
        assert (await sender).fate is Fate.NEW
    assert door.woken == [1]


async def test_beyond_the_capacity_senders_are_told_at_once_and_the_others_are_served() -> None:
    door = Door(ScriptedAcceptance(), capacity=3)
    senders = await door.sent(*names(5))
    assert [sender.done() for sender in senders] == [False, False, False, True, True]
    assert door.intake.waiting == 3
    async with working(door):
        answers = await asyncio.gather(*senders, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Receipt] * 3 + [IntakeFullError] * 2
        (again,) = await asyncio.gather(*door.send("event-4"))
        assert again.fate is Fate.NEW


async def test_while_the_ledger_is_away_each_sender_is_told_and_nobody_else_is_woken() -> None:
    away = True

    async def gone(_group: Sequence[Arrival]) -> None:
        if away:
            raise LedgerAwayError("the ledger cannot be used")

    async with working(Door(ScriptedAcceptance(gone))) as door:
        for _ in range(2):
            answers = await asyncio.gather(*door.send(*names(5)), return_exceptions=True)
            assert [type(answer) for answer in answers] == [LedgerAwayError] * 5
        away = False
        receipts = await asyncio.gather(*door.send(*names(5)))
        assert {receipt.fate for receipt in receipts} == {Fate.NEW}
    assert door.woken == [5]
    assert [type(one) for one in door.told] == [LedgerAway, LedgerBack, EventsAccepted], "told once, not for each"


@pytest.mark.parametrize(
    "fault",
    [IntegrityError("insert", {}, Exception()), ValueError("x"), KeyError("x"), OverflowError("x"), RecursionError()],
    ids=lambda fault: type(fault).__name__,
)
async def test_one_event_that_cannot_be_stored_does_not_harm_its_group(fault: Exception) -> None:
    async def choke(group: Sequence[Arrival]) -> None:
        if any(arrival.event_id == POISON for arrival in group):
            raise fault

    ledger = ScriptedAcceptance(choke)
    door = Door(ledger)
    senders = await door.sent("before", POISON, "after")
    async with working(door):
        answers = await asyncio.gather(*senders, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Receipt, IntakeRefusedError, Receipt]
        (later,) = await asyncio.gather(*door.send("later"))
        assert later.fate is Fate.NEW
    assert {one.kind for one in door.told if isinstance(one, HandlerFailed)} == {type(fault).__name__}


async def test_stopping_commits_what_waits() -> None:
    ledger = ScriptedAcceptance()
    door = Door(ledger)
    senders = await door.sent(*names(300))
    door.stop.set()
    async with working(door):
        assert len(await asyncio.gather(*senders)) == 300
    assert len(ledger.groups) == 2


async def test_who_comes_after_the_end_is_told_to_come_again() -> None:
    async with working(Door(ScriptedAcceptance())) as door:
        pass
    with pytest.raises(IntakeFullError):
        async with asyncio.timeout(1):
            await door.intake.accept(an_arrival())


async def test_a_sender_who_gives_up_harms_nobody() -> None:
    going = asyncio.Event()

    async def wait(_group: Sequence[Arrival]) -> None:
        await going.wait()

    async with working(Door(ScriptedAcceptance(wait))) as door:
        impatient, patient = await door.sent("impatient", "patient")
        await asyncio.sleep(0)
        impatient.cancel()
        going.set()
        assert (await patient).fate is Fate.NEW
        assert (await asyncio.gather(*door.send("next")))[0].fate is Fate.NEW
    assert impatient.cancelled()


async def test_no_sender_waits_long_for_a_ledger_that_does_not_answer() -> None:
    """The other side blocks on us: whoever cannot be committed soon is told so, and the intake lives on."""
    for_ever = asyncio.Event()

    async def hang(_group: Sequence[Arrival]) -> None:
        await for_ever.wait()

    async with working(Door(ScriptedAcceptance(hang), patience=timedelta(milliseconds=50))) as door:
        for _ in range(2):
            async with asyncio.timeout(5):
                answers = await asyncio.gather(*door.send(*names(3)), return_exceptions=True)
            assert [type(answer) for answer in answers] == [LedgerAwayError] * 3
        assert door.intake.waiting == 0


async def test_the_fate_of_each_is_told(tmp_path: Path) -> None:
    async with a_world(f"sqlite:///{tmp_path / 'ledger.db'}") as world:
        door = Door(world.ledger.acceptance)
        senders = [
            asyncio.create_task(door.intake.accept(one))
            for one in (an_arrival(), an_arrival(), an_arrival(body=b'{"id": 2}'))
        ]
        await asyncio.sleep(0)
        async with working(door):
            fates = [receipt.fate for receipt in await asyncio.gather(*senders)]
    assert fates == [Fate.NEW, Fate.SAME, Fate.CONFLICT]
    assert door.told == [
        EventsAccepted(source="fixmystreet", door="webhook", new=1, same=1, conflicts=1),
        EventConflicted(source="fixmystreet", door="webhook", event_id="event-1"),
    ]
