"""The numbers that order everything: each is given once and is higher than all before it."""

from typing import Final

from sqlalchemy import text

from relais.ledger.database import Database, Transaction

_FLOOR: Final = "number_floor"


class Numbers:
    """Sequences for events, and later turns for those that are tried again after others have passed them."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.dialect == "sqlite"
        # On SQLite the one writer counts on from the highest event, or from the highest turn that was given to none.
        self._highest = text(
            f"""SELECT max(coalesce((SELECT max(seq) FROM events), 0),
            coalesce((SELECT CAST(value AS INTEGER) FROM ledger_meta WHERE key = '{_FLOOR}'), 0)) AS highest"""
        )
        self._raise_floor = text(
            f"""INSERT INTO ledger_meta (key, value) VALUES ('{_FLOOR}', :value)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
        )
        self._drawn = text("SELECT nextval('event_seq') AS number FROM generate_series(1, :count)")

    async def next(self, transaction: Transaction, count: int) -> list[int]:
        """The next numbers, in order; those for events that are stored in the same transaction."""
        if not self._sqlite:
            return sorted(row.number for row in await transaction.rows(self._drawn, {"count": count}))
        highest: int = (await transaction.rows(self._highest))[0].highest
        return list(range(highest + 1, highest + 1 + count))

    async def turn(self, transaction: Transaction) -> int:
        """One number that no event will have."""
        (number,) = await self.next(transaction, 1)
        if self._sqlite:
            await transaction.run(self._raise_floor, {"value": str(number)})
        return number
