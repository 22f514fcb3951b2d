"""The delivery worker: claims cases, sends their changes, writes down what became of them; many lanes, one loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.kit.ports import Delivered, Fingerprint, Sink, Source
from relais.delivery.asking import Answer, Found, find, send
from relais.delivery.decide import Failure, Move
from relais.delivery.fold import Route
from relais.delivery.gate import SinkGate
from relais.delivery.lane import Lane
from relais.delivery.leases import Leases
from relais.delivery.patience import IN_LANE_LIMIT, Patience
from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.ledger.ports import ClaimedCase, Done, LaneReport, Release
from relais.telemetry.emitting import Emit
from relais.telemetry.events import (
    DeliveryCompleted,
    DeliveryParked,
    DeliveryPostponed,
    HandlerFailed,
    LeaseLost,
    LedgerAway,
    LedgerBack,
    SinkPaused,
)

_PAUSED_WAIT_MS: Final = 5_000
_FAULT_WAIT_MS: Final = 60_000
_GATHER_SECONDS: Final = 0.004
_LANES_BETWEEN_BREATHS: Final = 16


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker paces itself. ``lease`` must be longer than twice the longest request of any sink."""

    max_lanes: int = 256
    lease: timedelta = timedelta(seconds=30)
    look_every: timedelta = timedelta(seconds=1)
    drain: timedelta = timedelta(seconds=12)


class DeliveryWorker:
    """Delivers what is ready until it is told to stop.

    ``wake`` may be set by anybody at any time: it says that something is ready. Without it the worker looks by itself
    every ``pace.look_every``. ``learn`` is awaited after each claim, before anything of it is translated. Raises
    nothing; a ledger that is away is waited for.
    """

    def __init__(  # a worker needs all of this, and all of it is given
        self,
        *,
        ledger: Ledger,
        sources: Mapping[str, Source],
        sinks: Mapping[str, Sink],
        route: Route,
        fingerprint: Fingerprint,
        emit: Emit,
        owner: str,
        wake: asyncio.Event,
        learn: Callable[[], Awaitable[None]] | None = None,
        pace: Pace | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._ledger = ledger
        self._sources = sources
        self._route = route
        self._fingerprint = fingerprint
        self._emit = emit
        self._owner = owner
        self._wake = wake
        self._learn = learn
        self._pace = pace or Pace()
        self._patience = patience or Patience()
        self._gates = {name: SinkGate(sink) for name, sink in sinks.items()}
        longest = max((sink.capabilities.request_timeout for sink in sinks.values()), default=timedelta(0))
        if self._pace.lease <= longest * 2:
            raise ValueError("the lease must be longer than twice the longest request of a sink")
        self._leases = Leases(self._pace.lease)
        self._releases: dict[int, Release] = {}
        self._touched: dict[int, Lane] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._away = False
        self._pauses_read_until = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish what is in flight and let go of the rest."""
        stopper = asyncio.create_task(self._watch(stop))
        look_at = 0.0
        try:
            while not self._stopping:
                look = self._wake.is_set() or time.monotonic() >= look_at
                if look:
                    self._wake.clear()
                    look_at = time.monotonic() + self._pace.look_every.total_seconds()
                if await self._turn(look=look):
                    self._wake.set()
                await self._rest(look_at)
            await self._drain()
        finally:
            stopper.cancel()
            for task in self._tasks:
                task.cancel()

    # --- the turn: one transaction, then everything that can be sent is sent ----------------------------------------

    async def _turn(self, *, look: bool) -> bool:
        """Write reports, claim when there is reason to, send; whether more is ready than was claimed."""
        if self._in_flight and len(self._touched) < self._in_flight:
            # several answers are on their way: one transaction for all of them
            await asyncio.sleep(_GATHER_SECONDS)
        reports = self._collect_reports()
        more = False
        if reports or look:
            try:
                await self._read_pauses()
                # a lane that was just let go may have more behind it, so whoever writes also looks
                room = self._pace.max_lanes - len(self._leases) if self._usable() and not self._stopping else 0
                asked_at = time.monotonic()
                tick = await self._ledger.lanes.tick(self._owner, reports, room=room, lease_ms=self._lease_ms)
                if tick.claimed and self._learn is not None:
                    await self._learn()
            except LedgerAwayError as error:
                # what was claimed meanwhile is handed to nobody: its leases run out
                self._ledger_lost(error)
                return False
            self._ledger_found()
            self._settle(reports, tick.held)
            more = room > 0 and len(tick.claimed) == room
            for count, claimed in enumerate(tick.claimed, start=1):
                self._take(claimed, asked_at)
                if count % _LANES_BETWEEN_BREATHS == 0:
                    self._pump()
                    await asyncio.sleep(0)
        await self._keep_leases()
        self._pump()
        return more

    async def _rest(self, look_at: float) -> None:
        if self._touched or self._wake.is_set() or self._stopping:
            await asyncio.sleep(0)
            return
        waiters = [asyncio.ensure_future(self._news.wait()), asyncio.ensure_future(self._wake.wait())]
        try:
            timeout = max(0.0, look_at - time.monotonic())
            await asyncio.wait(waiters, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
            self._news.clear()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        self._news.set()

    async def _drain(self) -> None:
        """Let what is in flight end, hand back what was never sent, and write it all down."""
        for gate in self._gates.values():
            for lane in gate.give_up_all():
                self._let_go(lane, Release(doubt=lane.doubt))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain.total_seconds())
        for lane in self._leases.lanes:
            if lane.case_id not in self._releases and not lane.in_flight:
                self._let_go(lane, Release(doubt=lane.doubt))
        reports = self._collect_reports()
        if reports:
            try:
                tick = await self._ledger.lanes.tick(self._owner, reports, room=0, lease_ms=self._lease_ms)
                self._settle(reports, tick.held)
            except LedgerAwayError as error:
                self._ledger_lost(error)

    # --- lanes -------------------------------------------------------------------------------------------------------

    def _take(self, claimed: ClaimedCase, asked_at: float) -> None:
        lane = Lane(claimed, self._sources, self._route, self._fingerprint)
        self._leases.take(lane, asked_at)
        self._go_on(lane)

    def _go_on(self, lane: Lane) -> None:
        """Bring a lane to where it needs its sink, or to its end."""
        self._touched[lane.case_id] = lane
        self._news.set()
        try:
            change = None if lane.must_look else lane.advance()
            sink = lane.sink_to_ask()
        except Exception as error:  # noqa: BLE001  # a fault of ours in one case must not stop the others
            self._give_up(lane, error)
            return
        if lane.blocked or (change is None and not lane.must_look):
            self._let_go(lane, Release(doubt=lane.doubt))
            return
        gate = self._gates.get(sink or "")
        if gate is None:
            self._let_go(lane, Release(wait_ms=_FAULT_WAIT_MS, doubt=lane.doubt, error=f"no sink {sink} is configured"))
        elif gate.paused or self._stopping:
            self._let_go(lane, Release(wait_ms=_PAUSED_WAIT_MS if gate.paused else 0, doubt=lane.doubt))
        elif lane.must_look:
            gate.to_find.append(lane)
        else:
            gate.to_send.append(lane)

    def _let_go(self, lane: Lane, release: Release) -> None:
        self._releases[lane.case_id] = release
        self._touched[lane.case_id] = lane
        self._news.set()

    def _retreat(self, lane: Lane, failure: Failure) -> None:
        """A try failed: wait in the lane, hand the wait to the ledger, or pause the sink."""
        if failure.move in (Move.PARK_ALONE, Move.PARK_AND_BLOCK):
            self._go_on(lane)
            return
        if failure.move is Move.PAUSE_SINK:
            self._let_go(lane, Release(wait_ms=_PAUSED_WAIT_MS, doubt=lane.doubt, error=failure.reason))
            return
        gate = self._gates[lane.sink or ""]
        wait = self._patience.wait_after(lane.tries, failure.retry_after)
        in_doubt = failure.move is Move.LOOK_FIRST
        if in_doubt:
            wait = max(wait, gate.sink.capabilities.settles_after)
        front = lane.front
        self._emit(
            DeliveryPostponed(
                sink=lane.sink or "",
                reference=lane.reference,
                seq=front.seq if front else 0,
                outcome="in_doubt" if in_doubt else "waiting",
                code=failure.code,
                attempt=lane.tries,
                wait_seconds=round(wait.total_seconds(), 3),
            )
        )
        if wait <= IN_LANE_LIMIT and not self._stopping:
            self._spawn(self._wait_in_lane(lane, wait))
            return
        wait_ms = int(wait.total_seconds() * 1000)
        self._let_go(lane, Release(wait_ms=wait_ms, doubt=lane.doubt, failed=True, error=failure.code))

    async def _wait_in_lane(self, lane: Lane, wait: timedelta) -> None:
        await asyncio.sleep(wait.total_seconds())
        if not lane.lost:
            self._go_on(lane)

    # --- requests ----------------------------------------------------------------------------------------------------

    @property
    def _in_flight(self) -> int:
        return sum(gate.in_flight for gate in self._gates.values())

    def _usable(self) -> bool:
        return not self._gates or any(not gate.paused for gate in self._gates.values())

    def _pump(self) -> None:
        """Start every request that may start now; a lane whose lease is too short for one waits for its renewal."""
        for gate in self._gates.values():
            if gate.paused:
                for lane in gate.give_up_all():
                    self._let_go(lane, Release(wait_ms=_PAUSED_WAIT_MS, doubt=lane.doubt))
                continue
            while gate.free > 0 and (lanes := self._with_time(gate, gate.next_to_find(), gate.to_find)):
                references = [lane.reference for lane in lanes]
                self._start(gate, lanes, find(gate.sink, references, self._emit))
            while gate.free > 0 and (lanes := self._with_time(gate, gate.next_to_send(), gate.to_send)):
                changes = [change for lane in lanes if (change := lane.change) is not None]
                self._start(gate, lanes, send(gate.sink, changes, self._emit))

    def _with_time(self, gate: SinkGate, lanes: list[Lane], back: list[Lane]) -> list[Lane]:
        """The lanes that are ours for longer than a request may take; the others wait for their renewal."""
        ours = [lane for lane in lanes if not lane.lost]
        ready = [lane for lane in ours if self._leases.lasts(lane, gate.sink.capabilities.request_timeout)]
        back.extend(lane for lane in ours if lane not in ready)
        return ready

    def _start(self, gate: SinkGate, lanes: list[Lane], request: Coroutine[Any, Any, list[Answer]]) -> None:
        gate.in_flight += 1
        for lane in lanes:
            lane.in_flight = True
        self._spawn(self._request(gate, lanes, request))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _request(self, gate: SinkGate, lanes: list[Lane], request: Coroutine[Any, Any, list[Answer]]) -> None:
        try:
            answers = await request
        finally:
            gate.in_flight -= 1
            for lane in lanes:
                lane.in_flight = False
        for lane, answer in zip(lanes, answers, strict=True):
            if not lane.lost:
                await self._answered(gate, lane, answer)
        self._pump()

    async def _answered(self, gate: SinkGate, lane: Lane, answer: Answer) -> None:
        """Take an answer into its lane and see what the lane does next."""
        try:
            failure = None
            match answer:
                case Delivered():
                    failure = lane.delivered(answer)
                case Found():
                    lane.looked(answer.remote)
                case _:
                    failure = lane.failed(answer, out_of_patience=self._out_of_patience(lane))
        except Exception as error:  # noqa: BLE001  # a fault of ours in one case must not stop the others
            self._give_up(lane, error)
            return
        if failure is None:
            self._go_on(lane)
            return
        if failure.move is Move.PAUSE_SINK:
            await self._pause(gate, failure)
        self._retreat(lane, failure)

    def _give_up(self, lane: Lane, error: Exception) -> None:
        """Let a lane go for a while with everything in doubt: what happened in it is not understood."""
        self._emit(HandlerFailed(where=f"lane {lane.reference}", kind=type(error).__name__))
        doubt = max((event.turn for event in lane.claimed.events), default=0)
        self._let_go(lane, Release(wait_ms=_FAULT_WAIT_MS, doubt=doubt, failed=True, error=type(error).__name__))

    def _out_of_patience(self, lane: Lane) -> bool:
        since = lane.claimed.failing_since
        if since is None:
            return False
        failing = datetime.now(UTC) - datetime.fromtimestamp(since / 1000, UTC)
        return failing > self._patience.gives_up_after

    async def _pause(self, gate: SinkGate, failure: Failure) -> None:
        if gate.paused:
            return
        gate.paused = True
        self._emit(SinkPaused(sink=gate.sink.name, code=failure.code, reason=failure.reason))
        try:
            await self._ledger.sinks.pause(gate.sink.name, failure.reason)
        except LedgerAwayError as error:
            self._ledger_lost(error)

    async def _read_pauses(self) -> None:
        if time.monotonic() < self._pauses_read_until:
            return
        self._pauses_read_until = time.monotonic() + self._pace.look_every.total_seconds()
        paused = await self._ledger.sinks.paused()
        for name, gate in self._gates.items():
            gate.paused = name in paused

    # --- the ledger --------------------------------------------------------------------------------------------------

    @property
    def _lease_ms(self) -> int:
        return int(self._pace.lease.total_seconds() * 1000)

    def _collect_reports(self) -> list[LaneReport]:
        reports = []
        for case_id, lane in self._touched.items():
            if lane.lost:
                continue
            done, standing = lane.take_report()
            release = self._releases.get(case_id)
            if done or standing is not None or release is not None:
                reports.append(LaneReport(case_id, lane.claimed.fence, done, standing, release))
                self._tell(lane, done)
        self._touched = {}
        return reports

    def _settle(self, reports: list[LaneReport], held: frozenset[int]) -> None:
        """After a commit: lanes that were let go are gone, lanes whose fence was lost are stopped."""
        for report in reports:
            if report.case_id not in held:
                self._lose(report.case_id)
            elif report.release is not None:
                self._forget(report.case_id)

    async def _keep_leases(self) -> None:
        """Renew leases well before they end; a lane that cannot be renewed is stopped."""
        fences = {case_id: fence for case_id, fence in self._leases.to_renew().items() if case_id not in self._releases}
        if not fences:
            return
        asked_at = time.monotonic()
        try:
            kept = await self._ledger.lanes.renew(self._owner, fences, lease_ms=self._lease_ms)
        except LedgerAwayError as error:
            self._ledger_lost(error)
            return
        for case_id in fences:
            if case_id in kept:
                self._leases.renewed(case_id, asked_at)
            else:
                self._lose(case_id)

    def _lose(self, case_id: int) -> None:
        lane = self._forget(case_id, lost=True)
        if lane is not None:
            self._emit(LeaseLost(reference=lane.reference))

    def _forget(self, case_id: int, *, lost: bool = False) -> Lane | None:
        self._releases.pop(case_id, None)
        self._touched.pop(case_id, None)
        return self._leases.drop(case_id, lost=lost)

    def _ledger_lost(self, error: LedgerAwayError) -> None:
        """Whether the last transaction took hold is not known: stop every lane; their leases run out into doubt."""
        if not self._away:
            self._emit(LedgerAway(part="delivery", reason=str(error)))
        self._away = True
        for gate in self._gates.values():
            gate.give_up_all()
        for lane in self._leases.lanes:
            self._forget(lane.case_id, lost=True)

    def _ledger_found(self) -> None:
        if self._away:
            self._away = False
            self._emit(LedgerBack(part="delivery"))

    def _tell(self, lane: Lane, finished: tuple[Done, ...]) -> None:
        received = {event.seq: event.event for event in lane.claimed.events}
        now = datetime.now(UTC)
        for done in finished:
            event = received[done.seq]
            if done.how is not None:
                seconds = (now - event.received_at).total_seconds()
                self._emit(DeliveryCompleted(sink=lane.sink or "", how=done.how, seconds=seconds))
            else:
                self._emit(
                    DeliveryParked(
                        source=event.source,
                        reference=lane.reference,
                        seq=done.seq,
                        code=done.code or "",
                        blocks=done.blocks,
                    )
                )
