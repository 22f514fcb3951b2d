"""After a complete sweep: what it did not list is looked at directly, missed if it is not there, in the end gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kit.errors import ConnectorError, MisconfiguredError, TemporaryError
from connectors.kit.ports import Observation, Poll, SecondLook
from relais.ledger.polling import Polls, PollTurn
from relais.ledger.ports import Receipt

_LOOKED_AT_ONCE: Final = 50
_MISSED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Belief:
    """How much may be missing from one sweep before the sweep itself is doubted: a share of what is known.

    A ``handful`` is believed whatever its share.
    """

    share: float = 0.2
    handful: int = 10

    def holds(self, *, known: int, missing: int) -> bool:
        """Whether so many things can be missing."""
        return missing <= max(self.handful, self.share * known)


@dataclass(frozen=True, slots=True)
class Closed:
    """How a sweep was closed: what its second look and its farewells told the ledger, and whether it was believed."""

    receipts: tuple[Receipt, ...]
    known: int
    missing: int
    gone: int
    believed: bool


class SweepCloser:
    """Closes the complete sweeps of one poll.

    What is done is in the ledger at once and not done again, so that closing may be broken off anywhere and be asked
    for again: a thing is missed once a sweep, and gone once. Nothing is counted as missed before all was looked at.
    """

    def __init__(self, polls: Polls, source: str, poll: Poll, belief: Belief) -> None:
        self._polls = polls
        self._source = source
        self._poll = poll
        self._belief = belief

    async def close(self, turn: PollTurn, sweep: int) -> Closed:
        """Close a sweep. Raises ConnectorError, LedgerAwayError, and PollLostError where the poll is no longer ours."""
        polls, source, door = self._polls, self._source, self._poll.door
        receipts, absent = await self._look_at_unseen(turn, sweep)
        count = await polls.count(source, door, sweep=sweep)
        missing = count.missed + len(absent)
        if not self._belief.holds(known=count.known, missing=missing):
            return Closed(tuple(receipts), count.known, missing, gone=0, believed=False)
        for start in range(0, len(absent), _MISSED_AT_ONCE):
            await polls.miss(source, door, absent[start : start + _MISSED_AT_ONCE], sweep=sweep, turn=turn)
        farewells = await self._say_what_is_gone(turn, sweep)
        return Closed((*receipts, *farewells), count.known, missing, gone=len(farewells), believed=True)

    async def _look_at_unseen(self, turn: PollTurn, sweep: int) -> tuple[list[Receipt], list[str]]:
        polls, source, door = self._polls, self._source, self._poll.door
        receipts: list[Receipt] = []
        absent: list[str] = []
        after = ""
        while unseen := await polls.unseen(source, door, sweep=sweep, after=after, room=_LOOKED_AT_ONCE):
            look = await self._look(unseen)
            if look.present:
                receipts += await polls.observe(source, door, look.present, sweep=sweep, turn=turn)
            absent += look.absent
            after = unseen[-1]
        return receipts, absent

    async def _look(self, external_ids: Sequence[str]) -> SecondLook:
        """Look at several; where that fails, at each alone: one that cannot be shown must not hide the others."""
        try:
            return await self._poll.look_again(external_ids)
        except ConnectorError as error:
            asked_to_wait = isinstance(error, TemporaryError) and error.retry_after is not None
            if asked_to_wait or isinstance(error, MisconfiguredError) or len(external_ids) == 1:
                raise
            return await self._look_one_by_one(external_ids, error)

    async def _look_one_by_one(self, external_ids: Sequence[str], first: ConnectorError) -> SecondLook:
        present: list[Observation] = []
        absent: list[str] = []
        failed = 0
        for external_id in external_ids:
            try:
                look = await self._poll.look_again([external_id])
            except MisconfiguredError:
                raise
            except ConnectorError:
                failed += 1
                if failed * 2 > len(external_ids):
                    raise first from None
                continue
            present += look.present
            absent += look.absent
        return SecondLook(present, absent)

    async def _say_what_is_gone(self, turn: PollTurn, sweep: int) -> list[Receipt]:
        polls, source, door = self._polls, self._source, self._poll.door
        receipts: list[Receipt] = []
        after = ""
        while lost := await polls.lost(source, door, sweep=sweep, after=after, room=_LOOKED_AT_ONCE):
            farewells = [
                self._poll.gone(external_id, await polls.last_body(source, door, external_id)) for external_id in lost
            ]
            receipts += await polls.observe(source, door, farewells, sweep=sweep, gone=True, turn=turn)
            after = lost[-1]
        return receipts
