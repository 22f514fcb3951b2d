"""The broker's promises on NATS, and what is NATS's own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.js import JetStreamContext

from relais.runtime.broker import Broker, open_broker
from relais.runtime.streams import FEEDS_STREAM, INBOUND_READER, INBOUND_STREAM, StreamLimits
from relais.telemetry.emitting import Emit
from relais.telemetry.events import BrokerAway, Happening
from tests.broker.broker_contract import BrokerContract, OpenBroker, Server, Taker, told
from tests.broker.nats_outsider import NatsOutsider
from tests.broker.waiting import eventually
from tests.services.nats import NatsServer


@pytest.fixture
def server(nats_server: NatsServer) -> Server:
    return nats_server


@pytest.fixture
def opened(nats_server: NatsServer) -> OpenBroker:
    url = nats_server.url

    @asynccontextmanager
    async def open_it(emit: Emit) -> AsyncIterator[Broker]:
        async with open_broker(url, emit) as broker:
            yield broker

    return open_it


@pytest.fixture
def outsider(nats_server: NatsServer) -> NatsOutsider:
    return NatsOutsider(nats_server.url)


class TestNats(BrokerContract):
    """Every promise of a broker."""


@asynccontextmanager
async def jetstream_of(url: str) -> AsyncIterator[JetStreamContext]:
    async with await nats.connect(url) as client:
        yield client.jetstream()


async def test_a_stream_that_somebody_deletes_is_declared_again(nats_url: str, outsider: NatsOutsider) -> None:
    async with open_broker(nats_url, _nothing) as broker, jetstream_of(nats_url) as jetstream:
        await jetstream.delete_stream(FEEDS_STREAM)
        await eventually(lambda: _has_stream(jetstream, FEEDS_STREAM))
        await eventually(lambda: broker.up)
        await broker.publish_feed("cases.ready", b"{}", message_id="1")
    assert len(await outsider.feed()) == 1


async def test_a_reader_that_somebody_deletes_is_declared_again(nats_url: str, outsider: NatsOutsider) -> None:
    taker = Taker()
    async with open_broker(nats_url, _nothing) as broker, jetstream_of(nats_url) as jetstream:
        broker.on_inbound(taker.take)
        await eventually(lambda: _has_reader(jetstream))
        await jetstream.delete_consumer(INBOUND_STREAM, INBOUND_READER)
        await outsider.send("events.inbound.fixmystreet", b"hello")
        await eventually(lambda: taker.bodies == [b"hello"])


async def test_the_feeds_forget_by_age_and_size_and_the_bus_refuses_when_full(nats_url: str) -> None:
    limits = StreamLimits(feeds_bytes=1_000_000, inbound_bytes=2_000_000)
    async with open_broker(nats_url, _nothing, limits=limits) as broker, jetstream_of(nats_url) as jetstream:
        broker.on_inbound(Taker().take)
        await eventually(lambda: _has_stream(jetstream, INBOUND_STREAM))
        feeds = (await jetstream.stream_info(FEEDS_STREAM)).config
        inbound = (await jetstream.stream_info(INBOUND_STREAM)).config
    assert (feeds.max_age, feeds.max_bytes, feeds.discard) == (7 * 24 * 3600, 1_000_000, "old")
    assert (inbound.max_age or 0, inbound.max_bytes, inbound.discard) == (0, 2_000_000, "new")
    assert inbound.retention == "workqueue"


async def test_limits_that_changed_since_the_last_start_are_brought_in_step(nats_url: str) -> None:
    async with open_broker(nats_url, _nothing, limits=StreamLimits(feeds_bytes=1_000_000)):
        pass
    async with (
        open_broker(nats_url, _nothing, limits=StreamLimits(feeds_bytes=3_000_000)) as broker,
        jetstream_of(nats_url) as jetstream,
    ):
        assert broker.up
        assert (await jetstream.stream_info(FEEDS_STREAM)).config.max_bytes == 3_000_000


async def test_a_server_that_takes_the_connection_and_never_speaks_holds_nothing_up() -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    gone = asyncio.Event()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        began = time.monotonic()
        async with open_broker(f"nats://127.0.0.1:{port}", _nothing) as broker:
            assert not broker.up
            assert time.monotonic() - began < 3
        assert time.monotonic() - began < 8
        gone.set()


async def test_what_is_told_of_an_absent_broker_holds_no_password(nats_server: NatsServer) -> None:
    nats_server.kill()
    happenings: list[Happening] = []
    url = nats_server.url.replace("nats://", "nats://relais:open-sesame@")
    async with open_broker(url, happenings.append):
        pass
    assert told(happenings, BrokerAway) == 1
    assert "open-sesame" not in repr(happenings)


def _nothing(_happening: Happening) -> None: ...


async def _has_stream(jetstream: JetStreamContext, name: str) -> bool:
    return name in [stream.config.name for stream in await jetstream.streams_info()]


async def _has_reader(jetstream: JetStreamContext) -> bool:
    if not await _has_stream(jetstream, INBOUND_STREAM):
        return False
    return INBOUND_READER in [consumer.name for consumer in await jetstream.consumers_info(INBOUND_STREAM)]
