"""What is to be announced on the feeds, by a flag on the delivery: a crash announces again, never not at all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from relais.ledger.database import Database, Transaction, record_set, write
from relais.ledger.tables import READY_DUE


@dataclass(frozen=True, slots=True)
class Announcement:
    """A delivery whose announcement is due. ``bits`` says which; ``summary`` is what delivery left for the feeds.

    ``version`` is what the CRM holds of the case by now, ``how`` in which way the event was delivered.
    """

    seq: int
    bits: int
    source: str
    key: str | None
    case_id: int | None
    version: int
    state: int
    how: str | None
    code: str | None
    summary: str | None
    link: str | None
    received_at: int
    done_at: int | None


class Feeds:
    """Reads what is due and marks what was published."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due = text(
            """SELECT d.seq, d.announce AS bits, e.source, c.key, d.case_id, coalesce(c.version, 0) AS version,
            d.state, d.how, d.code, d.summary, c.link, e.received_at, d.done_at
            FROM deliveries d JOIN events e ON e.seq = d.seq LEFT JOIN cases c ON c.id = d.case_id
            WHERE d.announce > 0 ORDER BY d.seq LIMIT :room"""
        )
        # Only what was published goes: an outcome, or another one, may have come between reading and marking.
        self._published = text(
            f"""UPDATE deliveries SET announce = deliveries.announce & ~(
                CASE WHEN coalesce(deliveries.done_at, 0) = r.done_at THEN r.bits ELSE r.bits & {READY_DUE} END)
            FROM {record_set(database.dialect, "rows", seq="bigint", bits="integer", done_at="bigint")} AS r
            WHERE deliveries.seq = r.seq"""
        )

    async def due(self, room: int) -> list[Announcement]:
        """Up to ``room`` announcements, in accepted order."""
        async with self._database.reading() as transaction:
            return [Announcement(*row) for row in await transaction.rows(self._due, {"room": room})]

    async def published(self, announcements: Sequence[Announcement]) -> None:
        """Mark them as published."""
        rows = [
            {"seq": one.seq, "bits": one.bits, "done_at": one.done_at or 0}
            for one in sorted(announcements, key=lambda one: one.seq)
        ]

        async def step(transaction: Transaction) -> int:
            return await transaction.run(self._published, {"rows": json.dumps(rows)})

        await write(self._database, step)
