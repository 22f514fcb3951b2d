"""One life of the connection to a NATS broker, through FastStream; when it breaks for good a new one is made."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import nats.errors
from faststream import AckPolicy
from faststream.exceptions import FastStreamException
from faststream.message import StreamMessage
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client, Server
from nats.aio.msg import Msg

from relais.runtime.inbound import InboundMessage, NotNowError, TakeInbound
from relais.runtime.streams import (
    INBOUND_BATCH,
    INBOUND_READER,
    INBOUND_STREAM,
    StreamLimits,
    declare_feeds,
    declare_inbound,
    inbound_reader,
)
from schemas.channels import INBOUND, WAKE

BROKER_FAULTS: Final = (nats.errors.Error, FastStreamException, OSError, TimeoutError)
"""Everything that a broker which is away, stopping or robbed of its store makes the libraries raise."""

_REQUEST_SECONDS: Final = 2
_TRIES: Final = 3
_TRY_AGAIN_SECONDS: Final = 0.3
_HELD_TRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_BATCH_SECONDS: Final = 0.2  # FastStream gathers a batch for so long, also when the first message is there
_STOP_SECONDS: Final = 3.0


class Link:
    """A connection, its subscriptions, and what must be there on the other side. ``noticed`` is called on changes."""

    def __init__(self, url: str, *, name: str, limits: StreamLimits, noticed: Callable[[], None]) -> None:
        async def changed() -> None:
            noticed()

        async def failed(_error: Exception) -> None:
            """What goes wrong is seen by looking at the broker; the error may repeat an address with its password."""

        self._faststream = NatsBroker(
            url.split(","),
            name=name,
            connect_timeout=_REQUEST_SECONDS,
            # A short interruption is bridged with the subscriptions kept; a longer one ends this link. The first
            # connection goes by these tries too, without a pause, so that an absent broker is known at once.
            max_reconnect_attempts=_TRIES,
            reconnect_time_wait=0,
            reconnect_to_server_handler=_any_server_soon,
            ping_interval=10,
            max_outstanding_pings=2,
            no_echo=True,  # who announces a wake-up has woken itself
            disconnected_cb=changed,
            reconnected_cb=changed,
            closed_cb=changed,
            error_cb=failed,
            js_options={"timeout": _REQUEST_SECONDS},
            graceful_timeout=_STOP_SECONDS,
            ack_policy=AckPolicy.MANUAL,
            # No injection: it costs a thread's hop for each message, and our handlers take what they are given.
            apply_types=False,
            logger=None,
        )
        self._limits = limits
        self._client: Client | None = None
        self._wake_subscriber: Any = None
        self._inbound_subscriber: Any = None
        self._declared_feeds = False
        self._declared_inbound = False
        self._quiet = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether messages can go out now."""
        return self._client is not None and self._client.is_connected and not self._client.is_draining

    async def open(self) -> None:
        """Connect. Raises one of BROKER_FAULTS."""
        self._client = await self._faststream.connect()

    async def tend(self, woken: Callable[[], None] | None, inbound: TakeInbound | None) -> None:
        """See that everything is there on both sides, and start what is missing.

        Raises one of BROKER_FAULTS, NotFoundError and its like among them.
        """
        async with self._turn:
            if not self.connected:
                raise nats.errors.ConnectionClosedError
            jetstream = self._jetstream
            # Liveness is what the broker holds: a ping is answered also by one that has lost every stream.
            await declare_feeds(jetstream, self._limits, anew=not self._declared_feeds)
            self._declared_feeds = True
            if woken is not None and self._wake_subscriber is None:
                await self._subscribe_to_wake_ups(woken)
            if inbound is not None:
                await declare_inbound(jetstream, self._limits, anew=not self._declared_inbound)
                self._declared_inbound = True
                await self._read_inbound(inbound)

    async def rest(self) -> None:
        """Stop reading the bus until the next ``tend``: FastStream asks a missing consumer again without a pause."""
        async with self._turn:
            self._quiet.set()
            if self._inbound_subscriber is not None and self._inbound_subscriber.running:
                with suppress(*BROKER_FAULTS):
                    await self._inbound_subscriber.stop()

    async def publish(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send without asking whether anybody got it."""
        await self._faststream.publish(body, subject, headers=headers)

    async def publish_kept(self, subject: str, body: bytes, headers: dict[str, str], *, stream: str) -> None:
        """Return once the stream holds the message."""
        await self._faststream.publish(body, subject, headers=headers, stream=stream, timeout=_REQUEST_SECONDS)

    async def close(self) -> None:
        """Let go of everything, within a few seconds whatever the other side does."""
        self._quiet.set()
        client = self._client
        with suppress(*BROKER_FAULTS):
            async with asyncio.timeout(_STOP_SECONDS + 1):
                await self._faststream.stop()
        if client is not None and not client.is_closed:
            with suppress(*BROKER_FAULTS):
                async with asyncio.timeout(1):
                    await client.close()

    @property
    def _jetstream(self) -> Any:
        return self._faststream.config.connection_state.stream

    async def _subscribe_to_wake_ups(self, woken: Callable[[], None]) -> None:
        async def wake(_body: object) -> None:
            woken()

        # Every process hears every wake-up: the one that a queue group would choose may be the busy one.
        listening = self._faststream.subscriber(WAKE.address, ack_policy=AckPolicy.MANUAL, no_reply=True)
        listening(wake)
        await listening.start()
        self._wake_subscriber = listening

    async def _read_inbound(self, take: TakeInbound) -> None:
        self._quiet.clear()
        if self._inbound_subscriber is not None:
            if not self._inbound_subscriber.running:
                await self._inbound_subscriber.start()
            return

        async def keep(messages: list[Msg]) -> None:
            await self._keep(messages, take)

        listening = self._faststream.subscriber(
            INBOUND.pattern,
            durable=INBOUND_READER,
            stream=JStream(INBOUND_STREAM, declare=False),
            config=inbound_reader(),
            pull_sub=PullSub(batch_size=INBOUND_BATCH, timeout=_BATCH_SECONDS, batch=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=_as_received,
            no_reply=True,
        )
        listening(keep)
        await listening.start()
        self._inbound_subscriber = listening

    async def _keep(self, messages: list[Msg], take: TakeInbound) -> None:
        """Hand a batch over, and acknowledge it when it is kept.

        While it cannot be kept it is held here, and the broker is told so: handing it back for later would let what
        comes behind it overtake. It goes back only when we stop.
        """
        inbound = [InboundMessage(message.subject.rpartition(".")[2], message.data) for message in messages]
        tries = 0
        while not self._quiet.is_set():
            try:
                await take(inbound)
            except NotNowError:
                with suppress(*BROKER_FAULTS):
                    for message in messages:
                        await message.in_progress()
                wait = _HELD_TRY_SECONDS[min(tries, len(_HELD_TRY_SECONDS) - 1)]
                tries += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._quiet.wait()
                continue
            # An acknowledgement that is lost brings the message again, and the ledger knows it.
            with suppress(*BROKER_FAULTS):
                for message in messages:
                    await message.ack()
            return
        with suppress(*BROKER_FAULTS):
            for message in messages:
                await message.nak()


async def _as_received(message: StreamMessage[list[Msg]]) -> list[Msg]:
    """Messages with their subjects, undecoded: reading them is for whoever may park what cannot be read."""
    return message.raw_message


def _any_server_soon(_servers: list[Server], _information: dict[str, Any]) -> tuple[Server | None, float]:
    return None, _TRY_AGAIN_SECONDS
