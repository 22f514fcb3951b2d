"""What an outcome means for the lane: one table from errors to next moves. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from connectors.kit.errors import (
    ConnectorError,
    MisconfiguredError,
    RejectedError,
    TemporaryError,
    UnconfirmedError,
)


class Move(Enum):
    """What the lane does next."""

    TRY_LATER = "try_later"
    LOOK_FIRST = "look_first"
    PARK_AND_BLOCK = "park_and_block"
    PARK_ALONE = "park_alone"
    PAUSE_SINK = "pause_sink"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed try: what to do, under which code, and how long the system asked us to wait."""

    move: Move
    code: str
    reason: str
    retry_after: timedelta | None = None


PATIENCE_ENDED: Final = "patience_ended"

_MOVES: Final[tuple[tuple[type[ConnectorError], Move], ...]] = (
    (TemporaryError, Move.TRY_LATER),
    (UnconfirmedError, Move.LOOK_FIRST),
    (RejectedError, Move.PARK_AND_BLOCK),
    (MisconfiguredError, Move.PAUSE_SINK),
)


def failure_of(error: ConnectorError, *, carries_case: bool, out_of_patience: bool) -> Failure:
    """What to do about an error.

    ``carries_case`` says that the change creates or changes the case itself, so that what comes behind it must wait;
    notes and attachments alone hold nobody up. ``out_of_patience`` turns *later* into *call a human*; what may have
    arrived stays in doubt all the same, so that a human's retry looks first.
    """
    move = next((move for kind, move in _MOVES if isinstance(error, kind)), Move.LOOK_FIRST)
    code = error.code
    if move in (Move.TRY_LATER, Move.LOOK_FIRST) and out_of_patience:
        move, code = Move.PARK_AND_BLOCK, PATIENCE_ENDED
    if move is Move.PARK_AND_BLOCK and not carries_case:
        move = Move.PARK_ALONE
    retry_after = error.retry_after if isinstance(error, TemporaryError) else None
    return Failure(move, code, error.reason, retry_after)
