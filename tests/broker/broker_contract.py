"""What every broker promises to the program, whichever product it is."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from relais.runtime.broker import Broker, BrokerAwayError
from relais.runtime.inbound import InboundMessage, NotNowError
from relais.telemetry.emitting import Emit
from relais.telemetry.events import BrokerAway, BrokerBack, Happening
from tests.broker.waiting import eventually

OpenBroker = Callable[[Emit], AbstractAsyncContextManager[Broker]]
"""Opens a connection of the program to the server under test."""


class Server(Protocol):
    """The product under test, which may be killed, started again at its address and robbed of its store."""

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def delete_store(self) -> None: ...


class Outsider(Protocol):
    """Somebody else at the same broker: a sender on the bus, a reader of the feeds."""

    async def send(self, subject: str, body: bytes) -> None:
        """Put a message on the bus; it is kept when this returns."""

    async def feed(self) -> list[tuple[str, bytes]]:
        """Every message that the feeds keep, oldest first, with its subject."""

    async def unread(self) -> int:
        """How many messages of the bus nobody has acknowledged."""


def told(happenings: Sequence[Happening], kind: type[Happening]) -> int:
    """How often something of this kind was told."""
    return sum(isinstance(happening, kind) for happening in happenings)


class Taker:
    """Takes what the bus hands over; ``fails`` batches are refused first."""

    def __init__(self, *, fails: int = 0) -> None:
        self.bodies: list[bytes] = []
        self.refused = 0
        self._fails = fails

    async def take(self, messages: Sequence[InboundMessage]) -> None:
        if self.refused < self._fails:
            self.refused += 1
            raise NotNowError
        self.bodies += [message.body for message in messages]


class BrokerContract:
    """Inherit it, and give the fixtures ``server``, ``opened`` and ``outsider``."""

    async def test_a_wake_up_reaches_another_process_within_a_second(self, opened: OpenBroker) -> None:
        async with opened(_nothing) as intake, opened(_nothing) as delivery:
            woken = asyncio.Event()
            delivery.on_wake(woken.set)
            await eventually(lambda: intake.up and delivery.up)
            await _announce_until(intake, woken)
            woken.clear()
            began = time.monotonic()
            intake.announce_wake(3, (1, 2, 3))
            await asyncio.wait_for(woken.wait(), 1)
            assert time.monotonic() - began < 1

    async def test_many_wake_ups_at_once_become_a_few_messages(self, opened: OpenBroker) -> None:
        async with opened(_nothing) as intake, opened(_nothing) as delivery:
            heard = 0
            woken = asyncio.Event()

            def count() -> None:
                nonlocal heard
                heard += 1
                woken.set()

            delivery.on_wake(count)
            await _announce_until(intake, woken)
            before = heard
            for _ in range(1000):
                intake.announce_wake(1)
            woken.clear()
            await asyncio.wait_for(woken.wait(), 5)
            assert heard - before < 10

    async def test_an_absent_broker_neither_holds_up_the_start_nor_raises(
        self, server: Server, opened: OpenBroker
    ) -> None:
        server.kill()
        happenings: list[Happening] = []
        began = time.monotonic()
        async with opened(happenings.append) as broker:
            assert time.monotonic() - began < 3
            assert not broker.up
            await broker.publish_wake(1)
            broker.announce_wake(1)
            with pytest.raises(BrokerAwayError):
                await broker.publish_feed("cases.ready", b"{}", message_id="1")
        assert time.monotonic() - began < 8
        assert told(happenings, BrokerAway) == 1
        assert told(happenings, BrokerBack) == 0

    async def test_a_broker_that_starts_later_is_found(self, server: Server, opened: OpenBroker) -> None:
        server.kill()
        happenings: list[Happening] = []
        async with opened(happenings.append) as broker:
            server.start()
            await eventually(lambda: broker.up)
        assert told(happenings, BrokerBack) == 1

    async def test_after_a_crash_of_the_broker_everything_flows_again(
        self, server: Server, opened: OpenBroker, outsider: Outsider
    ) -> None:
        happenings: list[Happening] = []
        taker, woken = Taker(), asyncio.Event()
        async with opened(happenings.append) as broker, opened(_nothing) as other:
            broker.on_wake(woken.set)
            broker.on_inbound(taker.take)
            await eventually(lambda: broker.up)
            await broker.publish_feed("cases.ready", b"before", message_id="1")
            server.kill()
            await eventually(lambda: not broker.up)
            server.start()
            await eventually(lambda: broker.up and other.up)
            await broker.publish_feed("cases.ready", b"after", message_id="2")
            await outsider.send("events.inbound.fixmystreet", b"hello")
            await eventually(lambda: taker.bodies == [b"hello"])
            await _announce_until(other, woken)
        assert [body for _, body in await outsider.feed()] == [b"before", b"after"]
        assert told(happenings, BrokerAway) == told(happenings, BrokerBack) == 1

    async def test_a_broker_that_lost_its_whole_store_gets_its_streams_again(
        self, server: Server, opened: OpenBroker, outsider: Outsider
    ) -> None:
        taker = Taker()
        async with opened(_nothing) as broker:
            broker.on_inbound(taker.take)
            await eventually(lambda: broker.up)
            await outsider.send("events.inbound.fixmystreet", b"before")
            await eventually(lambda: taker.bodies == [b"before"])
            server.kill()
            server.delete_store()
            server.start()
            await eventually(lambda: is_kept(broker, b"after", "1"))
            await outsider.send("events.inbound.fixmystreet", b"after")
            await eventually(lambda: taker.bodies == [b"before", b"after"])
        assert [body for _, body in await outsider.feed()] == [b"after"]

    async def test_a_feed_message_that_is_sent_againis_kept_once(self, opened: OpenBroker, outsider: Outsider) -> None:
        async with opened(_nothing) as broker:
            for _ in range(3):
                await broker.publish_feed("cases.ready", b"{}", message_id="1:ready")
        assert len(await outsider.feed()) == 1

    async def test_the_bus_hands_over_in_order_and_keeps_nothing_that_was_taken(
        self, opened: OpenBroker, outsider: Outsider
    ) -> None:
        taker = Taker()
        sent = [f"{number}".encode() for number in range(200)]
        async with opened(_nothing) as broker:
            broker.on_inbound(taker.take)
            await eventually(lambda: broker.up)
            for body in sent:
                await outsider.send("events.inbound.fixmystreet", body)
            await eventually(lambda: len(taker.bodies) >= len(sent))
            await eventually(lambda: _is_empty(outsider))
        assert taker.bodies == sent

    async def test_what_cannot_be_kept_now_comes_again_before_what_is_behind_it(
        self, opened: OpenBroker, outsider: Outsider
    ) -> None:
        taker = Taker(fails=2)
        async with opened(_nothing) as broker:
            broker.on_inbound(taker.take)
            await eventually(lambda: broker.up)
            await outsider.send("events.inbound.fixmystreet", b"first")
            await eventually(lambda: taker.refused > 0)
            for body in (b"second", b"third"):
                await outsider.send("events.inbound.fixmystreet", body)
            await eventually(lambda: len(taker.bodies) == 3)
        assert taker.bodies == [b"first", b"second", b"third"]

    async def test_after_it_was_told_to_stop_nothing_more_is_taken_from_the_bus(
        self, opened: OpenBroker, outsider: Outsider
    ) -> None:
        taker = Taker()
        async with opened(_nothing) as broker:
            broker.on_inbound(taker.take)
            await outsider.send("events.inbound.fixmystreet", b"before")
            await eventually(lambda: taker.bodies == [b"before"])
            await broker.stop_inbound()
            await outsider.send("events.inbound.fixmystreet", b"after")
        assert taker.bodies == [b"before"]
        assert await outsider.unread() == 1

    async def test_what_was_not_kept_when_the_program_ends_comes_to_the_next_one(
        self, opened: OpenBroker, outsider: Outsider
    ) -> None:
        never, taker = Taker(fails=1_000), Taker()
        async with opened(_nothing) as broker:
            broker.on_inbound(never.take)
            await eventually(lambda: broker.up)
            await outsider.send("events.inbound.fixmystreet", b"kept")
            await eventually(lambda: never.refused > 0)
        async with opened(_nothing) as broker:
            broker.on_inbound(taker.take)
            await eventually(lambda: taker.bodies == [b"kept"])
        assert never.refused < 10


def _nothing(_happening: Happening) -> None: ...


async def _announce_until(broker: Broker, woken: asyncio.Event) -> None:
    """A subscription takes effect a moment after it was asked for: announce until the first one arrives."""

    async def heard() -> bool:
        broker.announce_wake(1)
        with_time: Any = asyncio.timeout(0.1)
        try:
            async with with_time:
                await woken.wait()
        except TimeoutError:
            return False
        return True

    await eventually(heard)


async def is_kept(broker: Broker, body: bytes, message_id: str) -> bool:
    """Whether the feeds took a message; a caller tries again, as the publisher of the feeds does."""
    try:
        await broker.publish_feed("cases.ready", body, message_id=message_id)
    except BrokerAwayError:
        return False
    return True


async def _is_empty(outsider: Outsider) -> bool:
    return await outsider.unread() == 0
