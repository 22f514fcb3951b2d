"""One process: the roles it plays, in which order its parts start and stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from connectors.kit.ports import Sink, Source
from relais.delivery.fold import Route
from relais.delivery.patience import Patience
from relais.delivery.worker import DeliveryWorker, Pace
from relais.ledger.database import LedgerAwayError, open_database
from relais.ledger.ledger import Ledger, ledger_over
from relais.ledger.revision import REVISION, LedgerRevisionError, revision_of
from relais.personal.register_numbers import masking
from relais.runtime.broker import Broker, open_broker
from relais.runtime.bus import BusIntake
from relais.runtime.embedded_nats import open_embedded_nats
from relais.runtime.feeds import FeedPublisher
from relais.runtime.health import Health
from relais.runtime.intake import Intake
from relais.runtime.learning import CatalogueReader
from relais.runtime.polling import PollRunner
from relais.runtime.serving import HttpServer
from relais.runtime.sweeping import Sweeper
from relais.runtime.webhooks import WebhookRoutes
from relais.settings import Settings
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, LedgerAway, LedgerBack, RoleStarted, RoleStopped
from relais.telemetry.metrics import Metrics

_TRY_LEDGER_EVERY_SECONDS: Final = 1.0
# Together with what the HTTP server and the broker take, all parts end within 20 seconds of being told.
_STOP_READING_SECONDS: Final = 3.0
_STOP_TAKING_SECONDS: Final = 2.0
_DRAIN: Final = timedelta(seconds=7)
_STOP_GIVING_SECONDS: Final = 9.0


class Role(StrEnum):
    """What a process does. One process may play all roles; in containers each has its own."""

    INTAKE = "intake"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the wiring hands to a process."""

    settings: Settings
    sources: Mapping[str, Source]
    sinks: Mapping[str, Sink]
    route: Route
    metrics: Metrics
    emit: Emit
    owner: str


class PartFailedError(Exception):
    """A part of the process ended by a fault; the process must be started again."""


class Program:
    """Runs the chosen roles until told to stop. ``ready_at`` is told the address once HTTP is served."""

    def __init__(self, parts: Parts, roles: frozenset[Role], *, ready_at: Callable[[str], None] | None = None) -> None:
        self._parts = parts
        self._roles = roles
        self._ready_at = ready_at
        self._wake = asyncio.Event()
        self._intake: Intake | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Start every part, wait, stop every part in order; leaves nothing running.

        Raises PartFailedError where a part ended by a fault, OSError where the HTTP address cannot be had.
        """
        parts = self._parts
        settings = parts.settings
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(self._open_broker())
            health = Health(parts.metrics, broker_up=lambda: broker.up)
            webhooks = WebhookRoutes(
                parts.sources if Role.INTAKE in self._roles else {}, lambda: self._intake, parts.emit
            )
            server = HttpServer([*webhooks.routes, *health.routes], host=settings.http_host, port=settings.http_port)
            port = await server.start()
            stack.push_async_callback(server.stop)
            if self._ready_at is not None:
                self._ready_at(f"http://{settings.http_host}:{port}")
            ledger = await self._ledger(stack, health, stop)
            if ledger is None:
                return
            health.ledger = ledger
            await self._work(ledger, broker, health, server, stop)

    async def _work(
        self, ledger: Ledger, broker: Broker, health: Health, server: HttpServer, stop: asyncio.Event
    ) -> None:
        """Run the roles' parts until stop; then stop taking in before stopping to deliver."""
        parts, settings = self._parts, self._parts.settings
        stop_reading, stop_taking, stop_giving = asyncio.Event(), asyncio.Event(), asyncio.Event()
        reading: list[Coroutine[Any, Any, None]] = []
        taking: list[Coroutine[Any, Any, None]] = []
        settles = max((sink.capabilities.settles_after for sink in parts.sinks.values()), default=timedelta(0))
        # every process sweeps, so that an intake tells how old the oldest event is while no delivery lives to tell it
        sweeper = Sweeper(
            ledger=ledger, metrics=parts.metrics, emit=parts.emit, wake=self._wake, settles_ms=_ms(settles)
        )
        giving: list[Coroutine[Any, Any, None]] = [sweeper.run(stop_giving)]
        if Role.INTAKE in self._roles:
            self._intake = intake = Intake(
                ledger.acceptance,
                capacity=settings.intake_capacity,
                accepted=lambda many: self._accepted(broker, many),
                emit=parts.emit,
            )
            parts.metrics.intake_waiting.set_function(lambda: intake.waiting)
            taking.append(intake.run(stop_taking))
            reading.extend(self._pollers(ledger, broker, stop_reading))
            if settings.listens_to_bus:
                self._listen(ledger, broker)
        if Role.DELIVERY in self._roles:
            broker.on_wake(self._wake.set)
            giving.append(self._worker(ledger).run(stop_giving))
            if settings.publishes_feeds:
                giving.append(FeedPublisher(ledger=ledger, broker=broker, emit=parts.emit).run(stop_giving))
        running_reading, running_taking, running_giving = (
            [asyncio.create_task(one) for one in parts_of_it] for parts_of_it in (reading, taking, giving)
        )
        for role in sorted(self._roles):
            parts.emit(RoleStarted(role=role))
        failure = await self._until(stop, running_reading + running_taking + running_giving)
        health.stopping = True
        # whoever is being answered is answered; then what was accepted is committed; then what is in flight ends
        stop_reading.set()
        await asyncio.gather(server.stop(), _finish(running_reading, _STOP_READING_SECONDS))
        await broker.stop_inbound()
        stop_taking.set()
        await _finish(running_taking, _STOP_TAKING_SECONDS)
        stop_giving.set()
        await _finish(running_giving, _STOP_GIVING_SECONDS)
        for role in sorted(self._roles):
            parts.emit(RoleStopped(role=role))
        if failure is not None:
            raise PartFailedError(type(failure).__name__) from failure

    async def _until(self, stop: asyncio.Event, running: list["asyncio.Task[None]"]) -> BaseException | None:
        """Wait for stop or for a part that ends by itself; the fault it ended with."""
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            fault = task.exception() or RuntimeError("a part of the program ended by itself")
            self._parts.emit(HandlerFailed(where="program", kind=type(fault).__name__))
            return fault
        return None

    def _accepted(self, broker: Broker, many: int) -> None:
        """Something new is in the ledger: wake this process and, through the broker, the others."""
        self._wake.set()
        broker.announce_wake(many)

    def _listen(self, ledger: Ledger, broker: Broker) -> None:
        """Take what comes over the bus as well; it waits in its stream for as long as nobody takes it."""
        bus = BusIntake(
            ledger.acceptance,
            self._parts.sources,
            accepted=lambda many: self._accepted(broker, many),
            emit=self._parts.emit,
        )
        broker.on_inbound(bus.take)

    def _pollers(self, ledger: Ledger, broker: Broker, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        parts = self._parts
        return [
            PollRunner(
                ledger=ledger,
                source=source,
                poll=poll,
                emit=parts.emit,
                owner=parts.owner,
                on_accepted=lambda many: self._accepted(broker, many),
            ).run(stop)
            for source in parts.sources.values()
            for poll in source.polls
        ]

    def _worker(self, ledger: Ledger) -> DeliveryWorker:
        parts, settings = self._parts, self._parts.settings
        return DeliveryWorker(
            ledger=ledger,
            sources=parts.sources,
            sinks=parts.sinks,
            route=parts.route,
            fingerprint=ledger.acceptance.fingerprint,
            emit=parts.emit,
            owner=parts.owner,
            wake=self._wake,
            # what is translated with an older tree stays so: a report that has not changed is not told again
            learn=CatalogueReader(ledger.polls, parts.sources).once,
            pace=Pace(max_lanes=settings.max_lanes, lease=settings.lease, drain=_DRAIN),
            patience=Patience(longest=settings.longest_wait, gives_up_after=settings.patience),
        )

    @asynccontextmanager
    async def _open_broker(self) -> AsyncIterator[Broker]:
        """The configured broker, or one of our own as a child of this process."""
        settings, emit = self._parts.settings, self._parts.emit
        async with AsyncExitStack() as stack:
            if settings.broker_url is not None:
                url = settings.broker_url.get_secret_value()
            else:
                # nobody but this process speaks with it, and the ledger holds all that it carries: no need to wait for
                # the disk at every message
                binary = str(settings.nats_server_bin) if settings.nats_server_bin else None
                url = await stack.enter_async_context(
                    open_embedded_nats(settings.broker_store, emit=emit, binary=binary, sync_always=False)
                )
            yield await stack.enter_async_context(open_broker(url, emit))

    async def _ledger(self, stack: AsyncExitStack, health: Health, stop: asyncio.Event) -> Ledger | None:
        """The open ledger; waits for one that is away or not migrated yet. None when told to stop meanwhile."""
        parts, settings = self._parts, self._parts.settings
        database = open_database(settings.ledger_url.get_secret_value())
        stack.push_async_callback(database.close)
        key = settings.digest_key.get_secret_value().encode() if settings.digest_key else None
        told = False
        while not stop.is_set():
            try:
                if settings.embedded and await revision_of(database) != REVISION:
                    # the migration tool is large, and needed once in a ledger's life
                    from relais.ledger.migrating import migrate

                    await migrate(database)
                ledger = await ledger_over(
                    database, masked=masking(settings.register_number_authorisation), digest_key=key
                )
            except (LedgerAwayError, LedgerRevisionError) as error:
                health.waiting_for = str(error)
                if not told:
                    parts.emit(LedgerAway(part="start", reason=str(error)))
                told = True
                await _wait(stop, _TRY_LEDGER_EVERY_SECONDS)
                continue
            if told:
                parts.emit(LedgerBack(part="start"))
            return ledger
        return None


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _finish(running: list["asyncio.Task[None]"], seconds: float) -> None:
    """Let tasks that were told to stop end; one that has not after ``seconds`` is ended."""
    if not running:
        return
    _, late = await asyncio.wait(running, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
