"""The audit trail: every look at personal data and every operator's action, each entry chained to the one before."""

import json
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import text

from relais.ledger.database import Database

_FIRST: Final = "0" * 64


class AuditTrail:
    """Entries can be added and checked, never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = (
            text("SELECT 1") if database.dialect == "sqlite" else text("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
        )
        self._last = text("SELECT hash FROM audit ORDER BY id DESC LIMIT 1")
        self._now = text(f"SELECT {database.now} AS at")
        self._add = text(
            """INSERT INTO audit (at, actor, action, subject, detail, previous, hash)
            VALUES (:at, :actor, :action, :subject, :detail, :previous, :hash)"""
        )
        self._all = text("SELECT id, at, actor, action, subject, detail, previous, hash FROM audit ORDER BY id")

    async def add(self, actor: str, action: str, subject: str, detail: str | None = None) -> None:
        """Write down who did what to what; ``detail`` holds no personal data."""
        async with self._database.writing() as transaction:
            await transaction.run(self._lock)
            last = await transaction.rows(self._last)
            entry: dict[str, Any] = {
                "at": (await transaction.rows(self._now))[0].at,
                "actor": actor[:80],
                "action": action,
                "subject": subject[:200],
                "detail": detail,
                "previous": last[0].hash if last else _FIRST,
            }
            await transaction.run(self._add, {**entry, "hash": _hash(entry)})

    async def first_broken(self) -> int | None:
        """The id of the first entry that was changed or whose predecessor is missing; None where the chain holds."""
        previous = _FIRST
        async with self._database.reading() as transaction:
            for row in await transaction.rows(self._all):
                entry = {
                    "at": row.at, "actor": row.actor, "action": row.action, "subject": row.subject,
                    "detail": row.detail, "previous": row.previous,
                }  # fmt: skip
                if row.previous != previous or row.hash != _hash(entry):
                    broken: int = row.id
                    return broken
                previous = row.hash
        return None


def _hash(entry: dict[str, Any]) -> str:
    return sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
