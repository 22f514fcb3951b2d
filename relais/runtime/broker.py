"""The broker as the program holds it: kept connected in the background, and never in anybody's way."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from nats.js.errors import APIError

from relais.runtime.inbound import TakeInbound
from relais.runtime.link import BROKER_FAULTS, Link
from relais.runtime.streams import FEEDS_STREAM, StreamLimits
from relais.telemetry.emitting import Emit
from relais.telemetry.events import BrokerAway, BrokerBack, HandlerFailed
from schemas.channels import WAKE, WAKE_UP_CASES, WakeUp
from schemas.envelope import CONTENT_TYPE

_LOOK_SECONDS: Final = 1.0
_OPEN_SECONDS: Final = 5.0
_START_SECONDS: Final = 2.0
_GIVE_UP_SECONDS: Final = 5.0
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 3.0


class BrokerAwayError(Exception):
    """The broker did not take a message; it may or may not have it. Try the same again later."""


@asynccontextmanager
async def open_broker(
    url: str, emit: Emit, *, name: str = "relais", limits: StreamLimits | None = None
) -> AsyncIterator["Broker"]:
    """Hold a connection to the NATS broker at ``url`` until the block ends.

    Returns within two seconds, with the broker or without it: one that is away is sought in the background for ever.
    ``url`` may name several servers of one cluster, with commas between; ``name`` is what they call this connection.
    """
    broker = Broker(url, emit, name=name, limits=limits)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.close()


class Broker:
    """Publishes and subscribes while the broker is there, and says whether it is."""

    def __init__(self, url: str, emit: Emit, *, name: str = "relais", limits: StreamLimits | None = None) -> None:
        self._url = url
        self._emit = emit
        self._name = name
        self._limits = limits or StreamLimits()
        self._link: Link | None = None
        self._woken: Callable[[], None] | None = None
        self._inbound: TakeInbound | None = None
        self._up = False
        self._told_away = False
        self._looked = asyncio.Event()
        self._look = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._waker: asyncio.Task[None] | None = None
        self._due = 0
        self._due_cases: list[int] = []

    @property
    def up(self) -> bool:
        """Whether the broker is connected and holds what it must hold."""
        return self._up and self._link is not None and self._link.connected

    async def start(self) -> None:
        """Begin to seek the broker; returns after the first try, within two seconds."""
        self._keeper = asyncio.create_task(self._keep())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                await self._looked.wait()

    async def close(self) -> None:
        """Let go of the broker within about five seconds, whatever it does."""
        for task in (self._waker, self._keeper):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._up = False

    def on_wake(self, woken: Callable[[], None]) -> None:
        """Call ``woken`` whenever another process says that cases are ready. Once, at any time."""
        self._woken = woken
        self._look.set()

    def on_inbound(self, take: TakeInbound) -> None:
        """Hand the messages of the bus to ``take``, in their order, one batch at a time. Once, at any time."""
        self._inbound = take
        self._look.set()

    async def stop_inbound(self) -> None:
        """Take nothing more from the bus: what was being kept is kept or handed back when this returns."""
        self._inbound = None
        if self._link is not None:
            await self._link.rest()

    def announce_wake(self, count: int, cases: Sequence[int] = ()) -> None:
        """Tell the others that ``count`` cases are ready, without waiting; several calls become one message."""
        if not self.up:
            return
        self._due += count
        self._due_cases = [*self._due_cases, *cases][:WAKE_UP_CASES]
        if self._waker is None or self._waker.done():
            self._waker = asyncio.create_task(self._announce_due())

    async def publish_wake(self, count: int, cases: Sequence[int] = ()) -> None:
        """Tell the others that ``count`` cases are ready. Never raises: who is not told finds out by looking."""
        link = self._link
        if link is None or not self.up or count < 1:
            return
        message = WakeUp(count=count, cases=tuple(cases[:WAKE_UP_CASES]))
        with suppress(*BROKER_FAULTS):
            await link.publish(WAKE.address, message.model_dump_json().encode())

    async def publish_feed(self, subject: str, body: bytes, *, message_id: str) -> None:
        """Put an envelope into the stream of the feeds; it is kept there when this returns.

        The same ``message_id`` within ten minutes is kept once. Raises BrokerAwayError.
        """
        link = self._link
        if link is None or not self.up:
            raise BrokerAwayError("not connected")
        headers = {"Nats-Msg-Id": message_id, "content-type": CONTENT_TYPE}
        try:
            await link.publish_kept(subject, body, headers, stream=FEEDS_STREAM)
        except BROKER_FAULTS as error:
            self._look.set()
            raise BrokerAwayError(_reason(error)) from error

    async def _announce_due(self) -> None:
        while self._due:
            count, cases = self._due, self._due_cases
            self._due, self._due_cases = 0, []
            await self.publish_wake(count, cases)

    async def _keep(self) -> None:
        """Make link after link, and tend each for as long as it holds."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            link = self._link = Link(self._url, name=self._name, limits=self._limits, noticed=self._look.set)
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    await link.open()
                wait = _FIRST_WAIT_SECONDS
                await self._tend(link)
            except BROKER_FAULTS as error:
                self._now_away(_reason(error))
            except Exception as error:  # noqa: BLE001  # a fault of ours or of a library: the program goes on without a broker
                self._emit(HandlerFailed(where="broker", kind=type(error).__name__))
                self._now_away(type(error).__name__)
            finally:
                self._link = None
                self._up = False
                await link.close()
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the load, guards nothing
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    async def _tend(self, link: Link) -> None:
        """Look after a link again and again; returns when it is beyond help."""
        well_at = time.monotonic()
        while time.monotonic() - well_at < _GIVE_UP_SECONDS:
            self._look.clear()
            try:
                await link.tend(self._woken, self._inbound)
                well_at = time.monotonic()
                self._now_up()
            except BROKER_FAULTS as error:
                self._now_away(_reason(error))
                await link.rest()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()

    def _now_up(self) -> None:
        self._up = True
        self._looked.set()
        if self._told_away:
            self._told_away = False
            self._emit(BrokerBack())

    def _now_away(self, reason: str) -> None:
        self._up = False
        self._looked.set()
        if not self._told_away:
            self._told_away = True
            self._emit(BrokerAway(reason=reason))


def _reason(error: Exception) -> str:
    """What is wrong, without what an error's text may repeat: addresses, and with them passwords."""
    if isinstance(error, APIError):
        return f"{type(error).__name__}: {error.description or error.code}"
    return type(error).__name__
