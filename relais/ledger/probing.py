"""Whether the ledger can be written, found out by writing."""

from typing import Final

from sqlalchemy import text

from relais.ledger.database import Database, Transaction, write

_SIZE: Final = 8 * 1024
"""As much as a large event: a disk that is nearly full still takes a few bytes."""

_WRITE: Final = text(
    """INSERT INTO ledger_meta (key, value) VALUES ('probe', :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
)


async def prove_writable(database: Database) -> None:
    """Write something and keep it. Raises LedgerAwayError."""

    async def step(transaction: Transaction) -> None:
        await transaction.run(_WRITE, {"value": "0" * _SIZE})

    await write(database, step)
