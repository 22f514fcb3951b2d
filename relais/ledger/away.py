"""What the ledger's absence looks like from outside, whichever driver noticed it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

_DEADLOCK_STATES: Final = {"40P01", "40001"}
_OUR_FAULTS: Final = ("22", "23", "42")
"""Classes of SQLSTATE that speak of a value or a statement of ours, not of the database (PostgreSQL, appendix A)."""


class LedgerAwayError(Exception):
    """The ledger cannot be reached or cannot write; nothing is known to have been stored. Try again later."""


@contextmanager
def away_on_failure() -> Iterator[None]:
    """Turn what the drivers raise into LedgerAwayError, but for what is a fault of ours."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, IntegrityError | ProgrammingError | DataError) or state.startswith(_OUR_FAULTS):
            raise
        # the driver's text may repeat parameters, which may be personal: only its kind goes on
        raise LedgerAwayError(f"the ledger cannot be used: {type(error.orig).__name__}") from error
    # SQLAlchemy does not wrap what asyncpg raises while it connects
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LedgerAwayError(f"the ledger cannot be reached: {type(error).__name__}") from error


def is_deadlock(error: BaseException) -> bool:
    """Whether the database broke a transaction off so that another could go on; the same again will work."""
    origin = getattr(error.__cause__, "orig", None) or getattr(error, "orig", None)
    return getattr(origin, "sqlstate", None) in _DEADLOCK_STATES
