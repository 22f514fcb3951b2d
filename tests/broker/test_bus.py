"""The bus as a door: everything reaches the ledger once and in order, and what cannot be read is parked alone."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from connectors.kit.ports import Arrival, Source, Webhook
from relais.ledger.accepting import Acceptance
from relais.ledger.database import LedgerAwayError
from relais.ledger.ports import Receipt
from relais.runtime.broker import Broker, open_broker
from relais.runtime.bus import BusIntake
from relais.runtime.inbound import InboundMessage, NotNowError
from relais.telemetry.events import ArrivalUnreadable, EventConflicted, HandlerFailed, Happening, LedgerAway, LedgerBack
from tests.broker.broker_contract import told
from tests.broker.nats_outsider import NatsOutsider
from tests.broker.waiting import eventually
from tests.contract.ledger_world import World, a_world
from tests.services.nats import NatsServer


class AWebhook:
    """A door whose events say which case they are of."""

    door = "webhook"
    body_limit = 1_000

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        raise AssertionError("the bus has nothing that a signature could be checked against")

    def arrival(self, document: Any, body: bytes) -> Arrival:
        if document == "a fault":
            raise KeyError(document)
        return Arrival("fixmystreet", self.door, document["id"], f"fixmystreet:{document['case']}", body)


class ASource:
    def __init__(self, *webhooks: Webhook) -> None:
        self.webhooks: Sequence[Webhook] = webhooks


class AFailingAcceptance:
    """Accepts like the one behind it, after ``failures`` were raised one by one."""

    def __init__(self, behind: Acceptance, *failures: Exception) -> None:
        self._behind = behind
        self._failures = list(failures)

    def digest(self, content: bytes) -> str:
        return self._behind.digest(content)

    async def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        if self._failures:
            raise self._failures.pop(0)
        return await self._behind.accept(arrivals)


class Bus:
    """A bus intake under test, and what it told."""

    def __init__(self, world: World, *failures: Exception) -> None:
        self.happenings: list[Happening] = []
        self.accepted: list[int] = []
        acceptance = cast("Acceptance", AFailingAcceptance(world.ledger.acceptance, *failures))
        sources = {"fixmystreet": ASource(AWebhook()), "nova": ASource()}
        self.intake = BusIntake(
            acceptance,
            cast("Mapping[str, Source]", sources),
            accepted=self.accepted.append,
            emit=self.happenings.append,
        )

    async def take(self, *messages: InboundMessage) -> None:
        await self.intake.take(messages)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(f"sqlite:///{tmp_path / 'ledger.db'}") as world:
        yield world


def an_envelope(data: Any, **changed: Any) -> bytes:
    given = {"specversion": "1.0", "id": "1", "source": "/elsewhere", "type": "x", "data": data}
    return json.dumps({**given, **changed}).encode()


def an_event(name: str = "1", case: str = "1") -> dict[str, str]:
    return {"id": name, "case": case}


def a_message(body: bytes | None = None, *, source: str = "fixmystreet") -> InboundMessage:
    return InboundMessage(source, an_envelope(an_event()) if body is None else body)


async def stored(world: World) -> list[tuple[str, str, bytes]]:
    rows = await world.sql("SELECT source, event_id, body FROM events ORDER BY seq")
    return [(row.source, row.event_id, bytes(row.body)) for row in rows]


async def parked(world: World) -> list[tuple[str, str]]:
    rows = await world.sql(
        """SELECT e.source, d.reason FROM deliveries d JOIN events e ON e.seq = d.seq
        WHERE d.state = 2 AND d.case_id IS NULL ORDER BY d.seq"""
    )
    return [(row.source, row.reason) for row in rows]


async def test_a_message_is_kept_as_its_source_s_webhook_would_have_kept_it(world: World) -> None:
    bus = Bus(world)
    await bus.take(a_message(an_envelope({"id": "created:1", "case": "1", "name": "Rue Haute, à côté"})))
    body = '{"id":"created:1","case":"1","name":"Rue Haute, à côté"}'.encode()
    assert await stored(world) == [("fixmystreet", "created:1", body)]
    assert bus.accepted == [1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "not JSON"),
        (b'{"id": "1", "id": "2"}', "said twice"),
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (an_envelope(an_event(), specversion="0.3"), "not a CloudEvent"),
        (an_envelope(None), "no data"),
        (an_envelope(an_event(), datacontenttype="text/xml"), "not JSON"),
        (an_envelope("a fault"), "could not read it"),
        (an_envelope("x" * 2_000), "larger than the webhook takes"),
    ],
)
async def test_what_cannot_be_read_is_parked_alone_with_its_reason(world: World, body: bytes, reason: str) -> None:
    bus = Bus(world)
    await bus.take(a_message(body), a_message())
    ((source, said),) = await parked(world)
    assert source == "fixmystreet"
    assert reason in said
    assert ("fixmystreet", "1") in [(source, name) for source, name, _ in await stored(world)]
    assert told(bus.happenings, ArrivalUnreadable) == 1


async def test_what_is_parked_keeps_the_message_as_it_came(world: World) -> None:
    await Bus(world).take(a_message(b"\x00\xff not json"))
    assert [body for _, _, body in await stored(world)] == [b"\x00\xff not json"]


@pytest.mark.parametrize("source", ["nova", "nobody", "x" * 300])
async def test_a_message_for_a_source_without_a_webhook_is_parked(world: World, source: str) -> None:
    await Bus(world).take(a_message(source=source))
    assert await parked(world) == [("bus", "its subject names no source with a webhook")]


@pytest.mark.parametrize("body", [None, b"poison"])
async def test_the_same_message_again_is_stored_once_and_told_to_nobody(world: World, body: bytes | None) -> None:
    bus = Bus(world)
    for _ in range(3):
        await bus.take(a_message(body), a_message(body))
    assert len(await stored(world)) == 1
    assert bus.accepted == [1]


async def test_the_same_id_with_other_content_is_a_conflict(world: World) -> None:
    bus = Bus(world)
    await bus.take(a_message())
    await bus.take(a_message(an_envelope({**an_event(), "more": 1})))
    assert told(bus.happenings, EventConflicted) == 1
    assert len(await stored(world)) == 1


async def test_a_ledger_that_is_away_asks_for_the_same_messages_again_and_is_told_once(world: World) -> None:
    bus = Bus(world, LedgerAwayError("gone"), LedgerAwayError("gone"))
    for _ in range(2):
        with pytest.raises(NotNowError):
            await bus.take(a_message())
    await bus.take(a_message())
    assert len(await stored(world)) == 1
    assert [type(happening) for happening in bus.happenings[:2]] == [LedgerAway, LedgerBack]


async def test_one_message_that_the_ledger_refuses_is_parked_and_the_others_go_on(world: World) -> None:
    refused = IntegrityError("statement", {}, Exception())
    bus = Bus(world, refused, refused)
    await bus.take(a_message(an_envelope(an_event("1"))), a_message(an_envelope(an_event("2"))))
    assert await parked(world) == [("fixmystreet", "the ledger could not take it")]
    assert [name for _, name, _ in await stored(world)][1] == "2"
    assert told(bus.happenings, HandlerFailed) == 1


async def test_a_ledger_that_takes_nothing_at_all_loses_nothing(world: World) -> None:
    refused = IntegrityError("statement", {}, Exception())
    bus = Bus(world, refused, refused, refused)
    with pytest.raises(NotNowError):
        await bus.take(a_message())


@asynccontextmanager
async def reading(server: NatsServer, bus: Bus) -> AsyncIterator[Broker]:
    async with open_broker(server.url, bus.happenings.append) as broker:
        broker.on_inbound(bus.intake.take)
        yield broker


async def test_events_of_one_case_reach_the_ledger_once_and_in_order_while_the_broker_and_the_ledger_fail(
    world: World, nats_server: NatsServer
) -> None:
    away = [LedgerAwayError("gone")] * 2
    outsider = NatsOutsider(nats_server.url)
    names = [f"{number}" for number in range(120)]
    bus = Bus(world, *away)
    async with reading(nats_server, bus):
        for name in names[:60]:
            await outsider.send("events.inbound.fixmystreet", an_envelope(an_event(name)))
        await eventually(lambda: sum(bus.accepted) > 0)
        nats_server.kill()
        nats_server.start()
        for name in [*names[50:60], *names[60:]]:
            await outsider.send("events.inbound.fixmystreet", an_envelope(an_event(name)))
        await eventually(lambda: sum(bus.accepted) == len(names), seconds=30)
    assert [name for _, name, _ in await stored(world)] == names
    order = await world.claim_one()
    assert [event.event.event_id for event in order.events] == names[: len(order.events)]


async def test_a_poison_message_does_not_come_again(world: World, nats_server: NatsServer) -> None:
    outsider = NatsOutsider(nats_server.url)
    bus = Bus(world)
    async with reading(nats_server, bus):
        await outsider.send("events.inbound.fixmystreet", b"poison")
        await outsider.send("events.inbound.fixmystreet", an_envelope(an_event()))

        async def all_taken() -> bool:
            return await outsider.unread() == 0

        await eventually(all_taken)
    assert len(await parked(world)) == 1
    assert len(await stored(world)) == 2


async def test_what_the_ledger_did_not_take_before_a_stop_is_given_to_the_next_start(
    world: World, nats_server: NatsServer
) -> None:
    outsider = NatsOutsider(nats_server.url)
    away = Bus(world, *[LedgerAwayError("gone")] * 1_000)
    async with reading(nats_server, away):
        await outsider.send("events.inbound.fixmystreet", an_envelope(an_event()))
        await eventually(lambda: told(away.happenings, LedgerAway) == 1)
    assert await stored(world) == []
    back = Bus(world)
    async with reading(nats_server, back):
        await eventually(lambda: back.accepted == [1])
    assert len(await stored(world)) == 1
