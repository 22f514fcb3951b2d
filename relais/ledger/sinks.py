"""Which sinks are paused, and why."""

from sqlalchemy import text

from relais.ledger.database import Database, Transaction, write
from relais.ledger.texts import storable


class SinkStates:
    """A pause outlives every process; it ends when a human says so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pause = text(
            f"""INSERT INTO sinks (name, paused_at, reason) VALUES (:name, {database.now}, :reason)
            ON CONFLICT (name) DO UPDATE SET
            paused_at = coalesce(sinks.paused_at, excluded.paused_at), reason = excluded.reason"""
        )
        self._resume = text("UPDATE sinks SET paused_at = NULL WHERE name = :name AND paused_at IS NOT NULL")
        self._hurry = text(
            f"""UPDATE cases SET ready_at = {database.now} WHERE (sink = :name OR sink IS NULL) AND pending > 0
            AND owner IS NULL AND blocked_seq IS NULL AND ready_at > {database.now} AND doubt = 0"""
        )
        self._paused = text("SELECT name, reason FROM sinks WHERE paused_at IS NOT NULL ORDER BY name")

    async def pause(self, name: str, reason: str) -> None:
        """Stop delivering to a sink; ``reason`` is for the human, without personal data."""
        async with self._database.writing() as transaction:
            await transaction.run(self._pause, {"name": name, "reason": storable(reason)})

    async def resume(self, name: str) -> bool:
        """Deliver again, at once; whether it was paused."""

        async def step(transaction: Transaction) -> bool:
            resumed = await transaction.run(self._resume, {"name": name}) > 0
            if resumed:
                await transaction.run(self._hurry, {"name": name})
            return resumed

        return await write(self._database, step)

    async def paused(self) -> dict[str, str]:
        """The reason of each paused sink, by name."""
        async with self._database.reading() as transaction:
            return {row.name: row.reason for row in await transaction.rows(self._paused)}
