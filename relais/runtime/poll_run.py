"""One run of a poll that we hold: pages kept with their cursor, then a complete sweep closed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.kit.ports import Kept, Page, Poll
from relais.ledger.polling import Polls, PollTurn
from relais.ledger.ports import Receipt
from relais.runtime.second_look import Closed, SweepCloser


@dataclass(frozen=True, slots=True)
class Position:
    """Where a poll stands: the connector's own cursor, and the complete sweep that is still to be closed."""

    cursor: Mapping[str, Any] | None
    unclosed: int | None

    @classmethod
    def stored(cls, document: Mapping[str, Any] | None) -> "Position":
        """As the ledger gives it back; a poll that never ran stands nowhere."""
        return cls(document.get("cursor"), document.get("unclosed_sweep")) if document else cls(None, None)

    def json_like(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {"cursor": self.cursor, "unclosed_sweep": self.unclosed}


class PollRun:
    """Does one run, and remembers what it brought.

    ``kept`` is told the receipts of everything that was committed. ``turn`` is the turn to end the run with, ``closed``
    how a sweep was closed in it.
    """

    def __init__(
        self,
        polls: Polls,
        source: str,
        poll: Poll,
        closer: SweepCloser,
        turn: PollTurn,
        *,
        lease_ms: int,
        kept: Callable[[Sequence[Receipt]], None],
    ) -> None:
        self._polls = polls
        self._source = source
        self._poll = poll
        self._closer = closer
        self._lease_ms = lease_ms
        self._kept = kept
        self._position = Position.stored(turn.cursor)
        self.turn = turn
        self.observed = 0
        self.changed = 0
        self.closed: Closed | None = None

    @property
    def unclosed(self) -> int | None:
        """The number of the complete sweep that is still to be closed."""
        return self._position.unclosed

    async def go(self) -> None:
        """Read what there is and close the sweep that got complete; one that an earlier run left is all that is done.

        Raises ConnectorError, LedgerAwayError, PollLostError; what was kept stays kept.
        """
        if self.unclosed is None:
            await self._poll.run(self._position.cursor, self._keep)
        if self.unclosed is not None:
            self.closed = await self._closer.close(self.turn, self.unclosed)
            self._count(self.closed.receipts)

    def closing_cursor(self) -> dict[str, Any]:
        """What to finish the poll with, so that nothing more is done about its sweep.

        It is written in the transaction that lets go of the poll: a sweep closed and not let go of would be followed by
        the next one at once, and two sweeps in one hour are not two days of absence.
        """
        return Position(self._position.cursor, None).json_like()

    async def _keep(self, page: Page) -> Kept:
        position = Position(page.cursor, page.sweep if page.sweep_complete else self._position.unclosed)
        self.turn, receipts = await self._polls.keep(
            self.turn,
            self._source,
            self._poll.door,
            page.observations,
            position.json_like(),
            sweep=page.sweep,
            catalogue=page.catalogue,
            lease_ms=self._lease_ms,
        )
        self._position = position
        self.observed += len(page.observations)
        self._count(receipts)
        return Kept(changed=len(receipts))

    def _count(self, receipts: Sequence[Receipt]) -> None:
        self.changed += len(receipts)
        self._kept(receipts)
