"""The sweeper: frees what a dead worker held, wakes what is due, and keeps the gauges true."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, LeasesExpired, LedgerAway, LedgerBack
from relais.telemetry.metrics import Metrics

_ROOM: Final = 500
_SHORTEST_REST: Final = timedelta(milliseconds=10)


class Sweeper:
    """Looks at the ledger at least once ``every``, so that nothing depends on a wake-up that may be lost.

    ``wake`` is set whenever a case may run. ``settles_ms`` is how long a write may stay invisible in the slowest sink:
    so long a case freed from a dead worker waits. The gauges are read anew once ``gauges_every``. Raises nothing; a
    ledger that is away is waited for.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        metrics: Metrics,
        emit: Emit,
        wake: asyncio.Event,
        settles_ms: int,
        every: timedelta = timedelta(seconds=1),
        gauges_every: timedelta = timedelta(seconds=5),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._emit = emit
        self._wake = wake
        self._settles_ms = settles_ms
        self._every = every
        self._gauges_every = gauges_every.total_seconds()
        self._clock = clock
        self._sleep = sleep
        self._gauges_due = 0.0
        self._sinks_seen: set[str] = set()
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep until ``stop`` is set."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                wait = await self.once()
                resting = asyncio.ensure_future(self._sleep(wait.total_seconds()))
                try:
                    await asyncio.wait({resting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    resting.cancel()
        finally:
            stopping.cancel()

    async def once(self) -> timedelta:
        """Sweep; how long until the next time."""
        try:
            await self._expire()
            wait = await self._wake_what_is_due()
            await self._read_gauges()
        except LedgerAwayError as error:
            self._ledger_lost(error)
            return self._every
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end what everything else leans on
            self._emit(HandlerFailed(where="sweeper", kind=type(error).__name__))
            return self._every
        self._ledger_found()
        return wait

    async def _expire(self) -> None:
        freed = expired = await self._ledger.lanes.expire(settles_ms=self._settles_ms, room=_ROOM)
        while freed == _ROOM:
            # others must be able to write in between
            await asyncio.sleep(0)
            freed = await self._ledger.lanes.expire(settles_ms=self._settles_ms, room=_ROOM)
            expired += freed
        if expired:
            self._emit(LeasesExpired(cases=expired))

    async def _wake_what_is_due(self) -> timedelta:
        milliseconds = await self._ledger.lanes.milliseconds_to_next()
        if milliseconds is None:
            return self._every
        if milliseconds <= 0:
            self._wake.set()
            return self._every
        # what gets due before the next sweep is not made to wait for it
        return max(_SHORTEST_REST, min(self._every, timedelta(milliseconds=milliseconds)))

    async def _read_gauges(self) -> None:
        if self._clock() < self._gauges_due:
            return
        stories = self._ledger.stories
        unfinished, oldest_ms = await stories.unfinished()
        parked = await stories.parked_by_code()
        paused = await self._ledger.sinks.paused()
        self._gauges_due = self._clock() + self._gauges_every
        self._metrics.unfinished.set(unfinished)
        self._metrics.oldest_age.set(oldest_ms / 1000)
        self._metrics.parked_now.clear()
        for code, many in parked.items():
            self._metrics.parked_now.labels(code).set(many)
        self._sinks_seen |= set(paused)
        for sink in self._sinks_seen:
            self._metrics.sink_paused.labels(sink).set(sink in paused)

    def _ledger_lost(self, error: LedgerAwayError) -> None:
        self._metrics.ledger_up.set(0)
        if not self._away:
            self._emit(LedgerAway(part="sweeper", reason=str(error)))
        self._away = True

    def _ledger_found(self) -> None:
        self._metrics.ledger_up.set(1)
        if self._away:
            self._emit(LedgerBack(part="sweeper"))
        self._away = False
