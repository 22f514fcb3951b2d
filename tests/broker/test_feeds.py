"""The feeds: at least once, in order, nothing personal, and never in the way of delivery."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from relais.ledger.announcing import Announcement
from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.ledger.ports import ClaimedCase, Done, How, Standing
from relais.ledger.tables import DELIVERED, OUTCOME_DUE, PARKED, READY_DUE, SKIPPED
from relais.runtime.broker import BrokerAwayError, open_broker
from relais.runtime.feeds import FeedPublisher, messages_of
from relais.telemetry.events import HandlerFailed, Happening, LedgerAway, LedgerBack
from schemas.channels import CaseDelivered, CaseParked, CaseReady
from tests.broker.nats_outsider import NatsOutsider
from tests.broker.waiting import eventually
from tests.contract.ledger_world import World, a_world, an_arrival
from tests.services.nats import NatsServer

SECRET = "Camille Vermeulen camille@example.org +3225550123"
SUMMARY = {"case_type": "bike_rack", "status": "received", "tenant": "21004", "version": 1}


class ABroker:
    """Remembers what it was given; ``fails`` says which calls, counted from 1, are not answered."""

    def __init__(self, *, fails: frozenset[int] = frozenset(), up: bool = True) -> None:
        self.kept: list[tuple[str, str, dict[str, Any]]] = []
        self.calls = 0
        self.up = up
        self.fails = fails

    async def publish_feed(self, subject: str, body: bytes, *, message_id: str) -> None:
        self.calls += 1
        if self.calls in self.fails:
            raise BrokerAwayError("lost")
        self.kept.append((subject, message_id, json.loads(body)))

    @property
    def subjects(self) -> list[str]:
        return [subject for subject, _, _ in self.kept]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(f"sqlite:///{tmp_path / 'ledger.db'}") as world:
        yield world


def a_publisher(world: World, broker: Any, happenings: list[Happening] | None = None) -> FeedPublisher:
    told = happenings if happenings is not None else []
    return FeedPublisher(ledger=world.ledger, broker=broker, emit=told.append)


async def deliver(world: World, *, how: How = How.SENT, summary: dict[str, Any] | None = None) -> None:
    """Work off the one case that may run now."""
    case = await world.claim_one()
    said = json.dumps(summary if summary is not None else SUMMARY)
    done = [Done(event.seq, how=how, summary=said) for event in case.events]
    assert await world.report(case, done, standing=a_standing(case))


def a_standing(case: ClaimedCase) -> Standing:
    return Standing("crm", "C-1", None, "https://crm.example.org/cases/1", case.events[-1].seq, json.dumps(SECRET))


def an_announcement(**changed: Any) -> Announcement:
    """A case that was sent, with everything still to be told."""
    given: dict[str, Any] = {
        "seq": 7, "bits": READY_DUE | OUTCOME_DUE, "source": "fixmystreet", "key": "fixmystreet:1", "case_id": 1,
        "version": 7, "state": DELIVERED, "how": "sent", "code": None, "summary": json.dumps(SUMMARY),
        "link": "https://crm.example.org/cases/1", "received_at": 1_700_000_000_000, "done_at": 1_700_000_000_004,
    }  # fmt: skip
    return Announcement(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, [CaseReady, CaseDelivered]),
        ({"how": "found"}, [CaseReady, CaseDelivered]),
        ({"how": "nothing_new"}, [CaseReady]),
        ({"how": "superseded"}, [CaseReady]),
        ({"how": "skipped", "state": SKIPPED}, [CaseReady]),
        ({"bits": OUTCOME_DUE}, [CaseDelivered]),
        ({"bits": READY_DUE, "state": 0, "how": None, "done_at": None}, [CaseReady]),
        ({"bits": OUTCOME_DUE, "state": 0, "how": None, "done_at": None}, []),
        ({"bits": OUTCOME_DUE, "state": PARKED, "how": None, "code": "rejected"}, [CaseParked]),
        (
            {"bits": READY_DUE, "state": PARKED, "case_id": None, "key": None, "how": None, "code": "unreadable",
             "done_at": None, "summary": None},
            [CaseParked],
        ),
    ],
)  # fmt: skip
def test_what_is_told_follows_from_what_happened(changed: dict[str, Any], kinds: list[type]) -> None:
    assert [type(message) for message in messages_of(an_announcement(**changed))] == kinds


def test_a_link_that_a_feed_may_not_carry_is_left_out() -> None:
    (ready, delivered) = messages_of(an_announcement(link="https://user:token@crm.example.org/cases/1"))
    assert ready.link is None
    assert delivered.link is None


async def test_a_delivery_is_announced_as_ready_and_as_delivered_and_then_never_again(world: World) -> None:
    broker = ABroker()
    publisher = a_publisher(world, broker)
    await world.accept(an_arrival())
    await publisher.publish_due()
    assert broker.subjects == ["cases.ready"]
    await deliver(world)
    await publisher.publish_due()
    await publisher.publish_due()
    assert broker.subjects == ["cases.ready", "cases.delivered"]
    delivered = broker.kept[1][2]
    assert delivered["type"] == "relais.case.delivered.v1"
    assert delivered["data"]["version"] == 1
    assert delivered["data"]["link"] == "https://crm.example.org/cases/1"


async def test_an_event_that_names_no_case_is_announced_as_parked(world: World) -> None:
    broker = ABroker()
    await world.accept(an_arrival(case=None, trouble="no id"))
    await a_publisher(world, broker).publish_due()
    ((subject, _, envelope),) = broker.kept
    assert subject == "cases.parked"
    assert envelope["data"]["reason"] == "unreadable"
    assert "key" not in envelope["data"] or envelope["data"]["key"] is None


async def test_nothing_personal_reaches_a_feed(world: World) -> None:
    broker = ABroker()
    publisher = a_publisher(world, broker)
    await world.accept(an_arrival(content=SECRET), an_arrival("2", case="2", content=SECRET))
    await world.accept(an_arrival("3", case=None, content=SECRET, trouble=SECRET))
    first, second = await world.claim()
    summary = json.dumps({**SUMMARY, "title": SECRET})
    done = (Done(first.events[0].seq, how=How.SENT, summary=summary),)
    assert await world.report(first, done, standing=a_standing(first))
    parked = Done(second.events[0].seq, code="rejected", reason=SECRET, blocks=True)
    assert await world.report(second, (parked,))
    await publisher.publish_due()
    assert len(broker.kept) == 5
    told = json.dumps(broker.kept)
    assert [word for word in SECRET.split() if word in told] == []


async def test_a_crash_between_publishing_and_marking_publishes_again_under_the_same_id(
    world: World, nats_server: NatsServer
) -> None:
    await world.accept(an_arrival())
    await deliver(world)
    async with open_broker(nats_server.url, _nothing) as broker:
        due = await world.ledger.feeds.due(10)
        crashing, again = a_publisher(world, broker), a_publisher(world, broker)
        await crashing.publish_due()
        await world.sql("UPDATE deliveries SET announce = :bits", bits=due[0].bits)
        await again.publish_due()
    assert await world.ledger.feeds.due(10) == []
    assert [subject for subject, _ in await NatsOutsider(nats_server.url).feed()] == ["cases.ready", "cases.delivered"]


async def test_what_the_broker_did_not_take_stays_due_and_the_rest_is_marked(world: World) -> None:
    broker = ABroker(fails=frozenset({2}))
    publisher = a_publisher(world, broker)
    for number in range(3):
        await world.accept(an_arrival(f"{number}", case=f"{number}"))
    with pytest.raises(BrokerAwayError):
        await publisher.publish_due()
    assert [one.seq for one in await world.ledger.feeds.due(10)] == [2]
    await publisher.publish_due()
    assert await world.ledger.feeds.due(10) == []


async def test_an_outcome_that_comes_while_another_is_published_is_not_marked_with_it(world: World) -> None:
    await world.accept(an_arrival())
    case = await world.claim_one()
    await world.report(case, (Done(case.events[0].seq, code="rejected", reason="no", blocks=True),))
    parked = await world.ledger.feeds.due(10)
    await world.forward(1_000)
    await world.ledger.stories.retry([parked[0].seq])
    await deliver(world)
    await world.ledger.feeds.published(parked)
    broker = ABroker()
    await a_publisher(world, broker).publish_due()
    assert broker.subjects == ["cases.delivered"]


async def test_what_no_message_may_say_is_passed_over_and_told(world: World) -> None:
    broker, happenings = ABroker(), list[Happening]()
    await world.accept(an_arrival("1"), an_arrival("2", case="2"))
    await world.sql("UPDATE cases SET key = 'no key at all' WHERE id = 1")
    await a_publisher(world, broker, happenings).publish_due()
    assert len(broker.kept) == 1
    assert await world.ledger.feeds.due(10) == []
    assert [type(happening) for happening in happenings] == [HandlerFailed]


async def test_messages_go_out_in_the_order_in_which_events_were_accepted(world: World) -> None:
    broker = ABroker()
    await world.accept(*[an_arrival(f"{number}", case=f"{number % 3}") for number in range(150)])
    assert not await a_publisher(world, broker).publish_due()
    order = [int(message_id.partition(":")[0]) for _, message_id, _ in broker.kept]
    assert order == sorted(order)
    assert len(order) == 150


async def test_it_waits_for_an_absent_broker_and_goes_on_by_itself(world: World, nats_server: NatsServer) -> None:
    nats_server.kill()
    await world.accept(an_arrival())
    stop = asyncio.Event()
    async with open_broker(nats_server.url, _nothing) as broker:
        running = asyncio.create_task(a_publisher(world, broker).run(stop))
        nats_server.start()

        async def nothing_due() -> bool:
            return await world.ledger.feeds.due(10) == []

        await eventually(nothing_due)
        stop.set()
        await asyncio.wait_for(running, 5)
    assert len(await NatsOutsider(nats_server.url).feed()) == 1


async def test_it_is_quick_when_it_is_woken_and_ends_when_it_is_told(world: World) -> None:
    broker, stop = ABroker(), asyncio.Event()
    publisher = a_publisher(world, broker)
    running = asyncio.create_task(publisher.run(stop))
    await world.accept(an_arrival())
    publisher.wake.set()
    await eventually(lambda: broker.kept != [], seconds=0.9)
    stop.set()
    await asyncio.wait_for(running, 1)


def _nothing(_happening: Happening) -> None: ...


class AwayOnce:
    """A ledger that is away the first time it is asked what is due, and has nothing to tell from then on."""

    def __init__(self) -> None:
        self.feeds = self
        self.asked = 0

    async def due(self, _limit: int) -> list[Announcement]:
        self.asked += 1
        if self.asked == 1:
            raise LedgerAwayError("refused")
        return []


class Lookout(ABroker):
    """Counts how often somebody looked whether it is up."""

    looks = 0
    stands = True

    @property
    def up(self) -> bool:
        self.looks += 1
        return self.stands

    @up.setter
    def up(self, stands: bool) -> None:
        self.stands = stands


async def test_a_ledger_is_not_said_to_be_back_before_it_was_asked() -> None:
    """With the broker away as well, nobody asks it."""
    told: list[Happening] = []
    broker, ledger, stop = Lookout(), AwayOnce(), asyncio.Event()
    publisher = FeedPublisher(ledger=cast("Ledger", ledger), broker=broker, emit=told.append)
    running = asyncio.create_task(publisher.run(stop))
    await eventually(lambda: told == [LedgerAway(part="feeds", reason="refused")])
    broker.stands, seen = False, broker.looks
    publisher.wake.set()
    await eventually(lambda: broker.looks > seen)
    assert len(told) == 1
    broker.stands = True
    publisher.wake.set()
    await eventually(lambda: told[1:] == [LedgerBack(part="feeds")])
    stop.set()
    await running
