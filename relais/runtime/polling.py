"""One poll on its rhythm: held under a lease, kept page by page, gone on with where it broke off."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final

from connectors.kit.errors import ConnectorError, MisconfiguredError, TemporaryError
from connectors.kit.ports import Poll, Source
from relais.delivery.patience import Patience
from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.ledger.polling import PollLostError, PollTurn
from relais.ledger.ports import Fate, Receipt
from relais.runtime.poll_run import PollRun
from relais.runtime.second_look import Belief, SweepCloser
from relais.telemetry.emitting import Emit
from relais.telemetry.events import (
    EventsAccepted,
    HandlerFailed,
    LedgerAway,
    LedgerBack,
    PollCompleted,
    PollFailed,
    SweepDoubted,
    ThingsGone,
)

_LOOK_EVERY: Final = timedelta(seconds=15)
_AWAY_WAIT: Final = timedelta(seconds=5)
_MISCONFIGURED_WAIT: Final = timedelta(minutes=5)
_SHORTEST_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(minutes=15)
_CLOSING_TRIES: Final = 8
"""A sweep that cannot be closed so often stays unclosed, so that it does not keep the next one from running."""


class PollRunner:
    """Runs one poll of a source whenever it is due, for as long as nobody else does.

    ``on_accepted`` is called after each commit that brought something new, with how many. ``lease`` is how long the
    poll stays ours without a word from us. Raises nothing; what goes wrong is told, and tried again.
    """

    def __init__(  # a runner needs all of this, and all of it is given
        self,
        *,
        ledger: Ledger,
        source: Source,
        poll: Poll,
        emit: Emit,
        owner: str,
        on_accepted: Callable[[int], None],
        lease: timedelta = timedelta(minutes=1),
        belief: Belief | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._polls = ledger.polls
        self._source = source.name
        self._poll = poll
        self._name = f"{source.name}/{poll.name}"
        self._emit = emit
        self._owner = owner
        self._on_accepted = on_accepted
        self._lease = lease
        self._closer = SweepCloser(ledger.polls, source.name, poll, belief or Belief())
        # nobody is served by waiting much longer than the rhythm of the poll itself
        longest = min(max(poll.every, timedelta(minutes=1)), _LONGEST_WAIT)
        self._patience = patience or Patience(first=timedelta(seconds=2), longest=longest)
        self._clock = clock
        self._sleep = sleep
        self._failures = 0
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until ``stop`` is set; a run under way is then broken off and given back."""
        while not stop.is_set():
            wait = await self.once(stop)
            await self._rest(wait, stop)

    async def once(self, stop: asyncio.Event) -> timedelta:
        """Run the poll if it is due and nobody holds it; how long until it is worth looking again."""
        try:
            turn = await self._polls.take(self._name, self._owner, lease_ms=self._lease_ms)
            self._ledger_found()
            if turn is not None:
                await self._run_held(turn, stop)
            wait = timedelta(milliseconds=max(0, await self._polls.milliseconds_to_next(self._name)))
        except LedgerAwayError as error:
            self._ledger_lost(error)
            return _AWAY_WAIT
        except PollLostError:
            # whoever holds it now goes on from our last page
            return _LOOK_EVERY
        except Exception as error:  # noqa: BLE001  # a fault of ours in one poll must not end the others
            self._emit(HandlerFailed(where=f"poll {self._name}", kind=type(error).__name__))
            return _LOOK_EVERY
        return min(wait, _LOOK_EVERY)

    # --- one run -----------------------------------------------------------------------------------------------------

    async def _run_held(self, turn: PollTurn, stop: asyncio.Event) -> None:
        started = self._clock()
        run = PollRun(
            self._polls, self._source, self._poll, self._closer, turn, lease_ms=self._lease_ms, kept=self._accepted
        )
        error: str | None = None
        try:
            if not await self._while_ours(turn, run.go(), stop):
                await self._polls.let_go(run.turn)
                return
        except (LedgerAwayError, PollLostError):
            raise
        except ConnectorError as failure:
            error = f"{failure.code}: {failure.reason}"
            wait = self._wait_after(failure)
            self._emit(PollFailed(source=self._source, poll=self._poll.name, code=failure.code, reason=failure.reason))
        except Exception as fault:  # noqa: BLE001  # the edge of a handler: told, and tried again later
            error = type(fault).__name__
            wait = self._wait_after(fault)
            self._emit(HandlerFailed(where=f"poll {self._name}", kind=error))
        closed = error is None
        if error is None:
            self._failures = 0
            wait = self._poll.every - timedelta(seconds=self._clock() - started)
            error = self._completed(run, self._clock() - started)
        elif run.unclosed is not None and self._failures >= _CLOSING_TRIES:
            self._failures = 0
            wait = self._poll.every
            closed = True
        cursor = run.closing_cursor() if closed else None
        await self._polls.finish(run.turn, wait_ms=max(0, _milliseconds(wait)), error=error, cursor=cursor)

    def _completed(self, run: PollRun, seconds: float) -> str | None:
        """Tell what a run to the end has brought; what a human should know of it, if anything."""
        source, poll, closed = self._source, self._poll.name, run.closed
        trouble = None
        if closed is not None and closed.gone:
            self._emit(ThingsGone(source=source, count=closed.gone))
        if closed is not None and not closed.believed:
            self._emit(SweepDoubted(source=source, poll=poll, known=closed.known, missing=closed.missing))
            trouble = f"sweep_doubted: {closed.missing} of {closed.known} known things could not be found any more"
        self._emit(
            PollCompleted(
                source=source, poll=poll, observed=run.observed, changed=run.changed, seconds=round(seconds, 3)
            )
        )
        return trouble

    def _wait_after(self, error: Exception) -> timedelta:
        self._failures += 1
        if isinstance(error, MisconfiguredError):
            return _MISCONFIGURED_WAIT
        retry_after = error.retry_after if isinstance(error, TemporaryError) else None
        return max(self._patience.wait_after(self._failures, retry_after), min(self._poll.every, _SHORTEST_WAIT))

    async def _while_ours(self, turn: PollTurn, work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
        """Do the work while the lease is renewed; False where it was broken off because we are to stop.

        Raises what the work raises, and PollLostError as soon as somebody else holds the poll.
        """
        working = asyncio.create_task(work)
        renewing = asyncio.create_task(self._keep_renewing(turn))
        stopping = asyncio.create_task(stop.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (working, renewing, stopping)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return True
            if renewing.done():
                renewing.result()
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_renewing(self, turn: PollTurn) -> None:
        """A page may take longer than the lease; keeping one renews it as well."""
        while True:
            await self._sleep(self._lease.total_seconds() / 3)
            try:
                await self._polls.renew(turn, lease_ms=self._lease_ms)
            except LedgerAwayError:
                # the next page will say so; until then the lease may be saved yet
                continue

    # --- what is told ------------------------------------------------------------------------------------------------

    def _accepted(self, receipts: Sequence[Receipt]) -> None:
        if not receipts:
            return
        fates = Counter(receipt.fate for receipt in receipts)
        self._emit(
            EventsAccepted(
                source=self._source,
                door=self._poll.door,
                new=fates[Fate.NEW],
                same=fates[Fate.SAME],
                conflicts=fates[Fate.CONFLICT],
            )
        )
        if fates[Fate.NEW]:
            self._on_accepted(fates[Fate.NEW])

    def _ledger_lost(self, error: LedgerAwayError) -> None:
        if not self._away:
            self._emit(LedgerAway(part=f"poll {self._name}", reason=str(error)))
        self._away = True

    def _ledger_found(self) -> None:
        if self._away:
            self._emit(LedgerBack(part=f"poll {self._name}"))
        self._away = False

    @property
    def _lease_ms(self) -> int:
        return _milliseconds(self._lease)

    async def _rest(self, wait: timedelta, stop: asyncio.Event) -> None:
        resting = asyncio.ensure_future(self._sleep(wait.total_seconds()))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({resting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            resting.cancel()
            stopping.cancel()


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
