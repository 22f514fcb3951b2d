"""Accepting arrivals in groups, so that many senders cost a handful of commits."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from connectors.kit.ports import Arrival
from relais.ledger.accepting import Acceptance
from relais.ledger.database import LedgerAwayError
from relais.ledger.ports import Receipt
from relais.runtime.telling import tell_accepted
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, LedgerAway, LedgerBack

_LARGEST_GROUP: Final = 256
_SMALL_GROUP: Final = 4
_GATHER_SECONDS: Final = 0.002

_Sender = tuple[Arrival, "asyncio.Future[Receipt]"]


class IntakeFullError(Exception):
    """So many arrivals wait for a commit that another one may not, or we are stopping; the sender is to come again."""


class IntakeRefusedError(Exception):
    """The ledger will not take this arrival, whatever is done; a fault of ours."""


class Intake:
    """Takes arrivals from every door of the process and commits them in groups.

    At most ``capacity`` wait, and none much longer than ``patience``: senders block on us. ``accepted`` is called after
    each commit that brought something new, with how many.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        *,
        capacity: int,
        accepted: Callable[[int], None],
        emit: Emit,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self._acceptance = acceptance
        self._capacity = capacity
        self._accepted = accepted
        self._emit = emit
        self._patience = patience.total_seconds()
        self._ended = False
        self._waiting: list[_Sender] = []
        self._in_commit = 0
        self._news = asyncio.Event()
        self._away = False

    @property
    def waiting(self) -> int:
        """How many arrivals wait for their commit, those included whose commit is under way."""
        return self._in_commit + len(self._waiting)

    async def accept(self, arrival: Arrival) -> Receipt:
        """Return once the arrival is durable.

        Raises IntakeFullError, LedgerAwayError (nothing is known to be stored) and IntakeRefusedError.
        """
        if self._ended or len(self._waiting) >= self._capacity:
            raise IntakeFullError
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, answer))
        self._news.set()
        return await answer

    async def run(self, stop: asyncio.Event) -> None:
        """Commit groups until ``stop`` is set and nothing waits."""
        stopper = asyncio.create_task(self._watch(stop))
        last_size = 0
        try:
            while not (stop.is_set() and not self._waiting):
                if not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                    continue
                if last_size > _SMALL_GROUP and len(self._waiting) < _LARGEST_GROUP:
                    # the last group was no small one: more is coming, and one commit serves all of it
                    await asyncio.sleep(_GATHER_SECONDS)
                group, self._waiting = self._waiting[:_LARGEST_GROUP], self._waiting[_LARGEST_GROUP:]
                last_size = self._in_commit = len(group)
                await self._commit(group)
                self._in_commit = 0
                # the answers go out before the next group is taken
                await asyncio.sleep(0)
        finally:
            stopper.cancel()
            self._ended = True
            self._in_commit = 0
            self._turn_away(LedgerAwayError("the intake has ended"))

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _commit(self, group: list[_Sender]) -> None:
        arrivals = [arrival for arrival, _ in group]
        try:
            async with asyncio.timeout(self._patience):
                receipts = await self._acceptance.accept(arrivals)
        except (LedgerAwayError, TimeoutError) as error:
            away = error if isinstance(error, LedgerAwayError) else LedgerAwayError("the ledger does not answer")
            if not self._away:
                self._emit(LedgerAway(part="intake", reason=str(away)))
            self._away = True
            # those behind them would wait as long again, one group after the other
            self._waiting = [*group, *self._waiting]
            self._turn_away(away)
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop what comes after
            self._emit(HandlerFailed(where="intake", kind=type(error).__name__))
            await self._one_by_one(group)
            return
        if self._away:
            self._away = False
            self._emit(LedgerBack(part="intake"))
        for (_, answer), receipt in zip(group, receipts, strict=True):
            if not answer.done():
                answer.set_result(receipt)
        fresh = tell_accepted(self._emit, arrivals, receipts)
        if fresh:
            self._accepted(fresh)

    async def _one_by_one(self, group: list[_Sender]) -> None:
        """One arrival of the group cannot be stored: the others must not suffer for it."""
        for member in group:
            if len(group) == 1:
                _fail(member[1], IntakeRefusedError())
            elif self._away:
                _fail(member[1], LedgerAwayError("the ledger went away"))
            elif not member[1].done():
                await self._commit([member])

    def _turn_away(self, error: LedgerAwayError) -> None:
        """Tell everybody who waits."""
        waiting, self._waiting = self._waiting, []
        for _, answer in waiting:
            _fail(answer, error)


def _fail(answer: "asyncio.Future[Receipt]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
