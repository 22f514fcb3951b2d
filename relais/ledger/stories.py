"""What a human may ask of the ledger, and the few things a human may tell it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text

from relais.ledger.database import Database, Transaction, record_set, write
from relais.ledger.numbers import Numbers
from relais.ledger.ports import Backlog
from relais.ledger.tables import DELIVERED, OPEN, PARKED, READY_DUE


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event of a case's story. ``state`` is one of delivered, waiting, in doubt, parked, skipped."""

    seq: int
    source: str
    door: str
    event_id: str
    received_at: int
    state: str
    how: str | None
    code: str | None
    reason: str | None
    rule: str | None
    done_at: int | None
    behind: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """A case and all that came for it, in accepted order."""

    case_id: int
    key: str
    reference: str
    names: tuple[str, ...]
    sink: str | None
    remote_id: str | None
    link: str | None
    version: int
    pending: int
    owner: str | None
    ready_at: int
    attempts: int
    last_error: str | None
    blocked_seq: int | None
    state: str | None
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Another content that came under the id of an accepted event; it was kept and never delivered."""

    seq: int
    event_id: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """How one event stands: delivered, open, parked or skipped; without a ``key`` it names no case."""

    seq: int
    state: str
    code: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that waits for a human. ``understood`` says that it was read and routed, and parked after that."""

    seq: int
    source: str
    door: str
    event_id: str
    key: str | None
    code: str
    reason: str
    understood: bool
    behind: int
    done_at: int | None


@dataclass(frozen=True, slots=True)
class ParkedCount:
    """How many events are parked with a code, those that were understood apart from those that were not."""

    code: str
    understood: bool
    many: int


_UNDERSTOOD: Final = "(d.blocks OR d.rule IS NOT NULL)"  # what cannot be read blocks nobody and is never routed

_CHAPTER: Final = f"""d.seq, e.source, e.door, e.event_id, e.received_at, d.how, d.code, d.reason, d.rule, d.done_at,
    CASE d.state WHEN {DELIVERED} THEN 'delivered' WHEN {PARKED} THEN 'parked'
        WHEN {OPEN} THEN (CASE WHEN d.turn <= c.doubt THEN 'in doubt' ELSE 'waiting' END)
        ELSE 'skipped' END AS state,
    CASE WHEN d.state = {OPEN} AND c.blocked_seq IS NOT NULL THEN c.blocked_seq END AS behind
    FROM deliveries d JOIN events e ON e.seq = d.seq LEFT JOIN cases c ON c.id = d.case_id"""


class Stories:
    """Reads for people; nothing here is on the path of an event."""

    def __init__(self, database: Database) -> None:
        self._database = database
        now = database.now
        self._find = text(
            """SELECT c.id FROM cases c WHERE c.key = :name OR c.reference = :name
            UNION SELECT k.case_id FROM case_keys k WHERE k.key = :name"""
        )
        self._case = text("SELECT * FROM cases WHERE id = :id")
        self._names = text("SELECT key FROM case_keys WHERE case_id = :id ORDER BY key")
        self._chapters = text(f"SELECT {_CHAPTER} WHERE d.case_id = :id ORDER BY d.seq LIMIT 1000")
        self._chapter = text(f"SELECT c.key, {_CHAPTER} WHERE d.seq = :seq")
        self._parked = text(
            f"""SELECT d.seq, e.source, e.door, e.event_id, c.key, d.code, d.reason, d.done_at,
            {_UNDERSTOOD} AS understood,
            CASE WHEN d.blocks THEN coalesce(c.pending, 0) ELSE 0 END AS behind
            FROM deliveries d JOIN events e ON e.seq = d.seq LEFT JOIN cases c ON c.id = d.case_id
            WHERE d.state = {PARKED} ORDER BY d.seq LIMIT :room"""
        )
        self._contradictions = text(
            """SELECT e.seq, e.event_id, x.received_at FROM events e
            JOIN conflicts x ON x.source = e.source AND x.event_id = e.event_id
            WHERE e.case_id = :id ORDER BY e.seq, x.id LIMIT 1000"""
        )
        self._whereabouts = text(
            f"""SELECT d.seq, d.code, c.key,
            CASE d.state WHEN {OPEN} THEN 'open' WHEN {DELIVERED} THEN 'delivered' WHEN {PARKED} THEN 'parked'
                ELSE 'skipped' END AS state
            FROM {record_set(database.dialect, "rows", seq="bigint")} AS r
            JOIN deliveries d ON d.seq = r.seq LEFT JOIN cases c ON c.id = d.case_id ORDER BY d.seq"""
        )
        self._parked_counts = text(
            f"""SELECT d.code, {_UNDERSTOOD} AS understood, count(*) AS many FROM deliveries d
            WHERE d.state = {PARKED} GROUP BY d.code, {_UNDERSTOOD} ORDER BY d.code"""
        )
        self._parked_as = text(f"SELECT seq FROM deliveries WHERE state = {PARKED} AND code = :code ORDER BY seq")
        self._retryable = text(
            f"""SELECT d.seq, d.case_id, d.blocks FROM {record_set(database.dialect, "rows", seq="bigint")} AS r
            JOIN deliveries d ON d.seq = r.seq AND d.state = {PARKED} AND d.case_id IS NOT NULL
            ORDER BY d.case_id, d.seq"""
        )
        self._numbers = Numbers(database)
        lock = "" if database.dialect == "sqlite" else "FOR UPDATE"
        self._lock = text(f"SELECT id, owner FROM cases WHERE id = :id {lock}")
        self._reopen = text(
            f"""UPDATE deliveries SET state = {OPEN}, code = NULL, reason = NULL, blocks = false, done_at = NULL,
            turn = coalesce(CAST(:turn AS bigint), turn), announce = announce | {READY_DUE}
            WHERE seq = :seq AND state = {PARKED}"""
        )
        self._unblock = text(
            f"""UPDATE cases SET pending = pending + 1, attempts = 0, failing_since = NULL,
            last_seq = coalesce(CAST(:turn AS bigint), last_seq),
            ready_at = CASE WHEN doubt > 0 AND ready_at > {now} THEN ready_at ELSE {now} END,
            blocked_seq = CASE WHEN blocked_seq = :seq THEN NULL ELSE blocked_seq END WHERE id = :id"""
        )
        self._backlog = text(
            f"""SELECT
            (SELECT count(*) FROM events) AS accepted,
            (SELECT count(*) FROM deliveries WHERE state = {DELIVERED}) AS delivered,
            (SELECT count(*) FROM deliveries WHERE state = {DELIVERED} AND how = 'superseded') AS superseded,
            (SELECT count(*) FROM deliveries d JOIN cases c ON c.id = d.case_id
                WHERE d.state = {OPEN} AND d.turn > c.doubt) AS waiting,
            (SELECT count(*) FROM deliveries d JOIN cases c ON c.id = d.case_id
                WHERE d.state = {OPEN} AND d.turn <= c.doubt) AS in_doubt,
            (SELECT count(*) FROM deliveries WHERE state = {PARKED}) AS parked,
            (SELECT count(*) FROM conflicts) AS conflicts,
            (SELECT count(*) FROM cases) AS cases"""
        )
        self._parked_by = text(
            f"SELECT code, count(*) AS many FROM deliveries WHERE state = {PARKED} GROUP BY code ORDER BY code"
        )
        self._oldest = text(
            f"""SELECT {now} - e.received_at AS age FROM events e
            WHERE e.seq = (SELECT min(d.seq) FROM deliveries d WHERE d.state = {OPEN})"""
        )
        self._open = text(f"SELECT count(*) AS many FROM deliveries WHERE state = {OPEN}")
        self._body = text("SELECT body FROM events WHERE seq = :seq")

    async def story(self, name: str) -> Story | None:
        """The whole story of a case, by its key, its reference or any of its names."""
        async with self._database.reading() as transaction:
            found = await transaction.rows(self._find, {"name": name})
            if not found:
                return None
            case_id = found[0].id
            case = (await transaction.rows(self._case, {"id": case_id}))[0]
            names = tuple(row.key for row in await transaction.rows(self._names, {"id": case_id}))
            rows = await transaction.rows(self._chapters, {"id": case_id})
        return Story(
            case.id, case.key, case.reference, names, case.sink, case.remote_id, case.link, case.version, case.pending,
            case.owner, case.ready_at, case.attempts, case.last_error, case.blocked_seq, case.state,
            tuple(map(_chapter_of, rows)),
        )  # fmt: skip

    async def chapter(self, seq: int) -> tuple[str | None, Chapter] | None:
        """One event with the key of its case, which is None where it names none; None where there is no such event."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._chapter, {"seq": seq})
        return (rows[0].key, _chapter_of(rows[0])) if rows else None

    async def parked(self, *, room: int = 500) -> list[ParkedEvent]:
        """Parked events, oldest first."""
        async with self._database.reading() as transaction:
            return [
                ParkedEvent(
                    row.seq, row.source, row.door, row.event_id, row.key, row.code, row.reason,
                    bool(row.understood), row.behind, row.done_at,
                )
                for row in await transaction.rows(self._parked, {"room": room})
            ]  # fmt: skip

    async def parked_counts(self) -> list[ParkedCount]:
        """How many events are parked, by code and by whether they were understood."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._parked_counts)
        return [ParkedCount(row.code, bool(row.understood), row.many) for row in rows]

    async def contradictions(self, case_id: int) -> list[Contradiction]:
        """What came under the ids of a case's events with other content."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._contradictions, {"id": case_id})
        return [Contradiction(row.seq, row.event_id, row.received_at) for row in rows]

    async def whereabouts(self, sequences: Sequence[int]) -> list[Whereabouts]:
        """How events stand, in the order of their sequences; one that does not exist is left out."""
        wanted = json.dumps([{"seq": seq} for seq in set(sequences)])
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._whereabouts, {"rows": wanted})
        return [Whereabouts(row.seq, row.state, row.code, row.key) for row in rows]

    async def parked_as(self, code: str) -> list[int]:
        """The sequences of all events that are parked with a code."""
        async with self._database.reading() as transaction:
            return [row.seq for row in await transaction.rows(self._parked_as, {"code": code})]

    async def retry(self, sequences: Sequence[int]) -> list[int]:
        """Open parked events again; the sequences of those that were parked and name a case.

        What a parked event had already brought into the CRM is remembered with its case and not sent again. One that
        held up its case keeps its turn, for nothing has passed it; any other gets a new one at the end of its lane,
        because the CRM takes no version older than what it has.
        """

        async def step(transaction: Transaction) -> list[int]:
            wanted = json.dumps([{"seq": seq} for seq in set(sequences)])
            reopened: list[int] = []
            # case by case in the order of their ids, as everybody takes their locks
            for row in await transaction.rows(self._retryable, {"rows": wanted}):
                await transaction.rows(self._lock, {"id": row.case_id})
                turn = None if row.blocks else await self._numbers.turn(transaction)
                if await transaction.run(self._reopen, {"seq": row.seq, "turn": turn}) == 1:
                    await transaction.run(self._unblock, {"seq": row.seq, "id": row.case_id, "turn": turn})
                    reopened.append(row.seq)
            return sorted(reopened)

        return await write(self._database, step)

    async def body(self, seq: int) -> bytes | None:
        """The stored body of an event. It may hold personal data: the caller writes the look into the audit trail."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._body, {"seq": seq})
        return bytes(rows[0].body) if rows and rows[0].body is not None else None

    async def backlog(self) -> Backlog:
        """How the events stand, counted over the whole ledger."""
        async with self._database.reading() as transaction:
            row = (await transaction.rows(self._backlog))[0]
        return Backlog(
            accepted=row.accepted, delivered=row.delivered, superseded=row.superseded, waiting=row.waiting,
            in_doubt=row.in_doubt, parked=row.parked, conflicts=row.conflicts, cases=row.cases,
        )  # fmt: skip

    async def parked_by_code(self) -> dict[str, int]:
        """How many events are parked, by the code of the reason."""
        async with self._database.reading() as transaction:
            return {row.code: row.many for row in await transaction.rows(self._parked_by)}

    async def unfinished(self) -> tuple[int, int]:
        """How many events are open, and the age of the oldest in milliseconds (0 where none is)."""
        async with self._database.reading() as transaction:
            many = (await transaction.rows(self._open))[0].many
            ages = await transaction.rows(self._oldest)
        return many, max(0, ages[0].age) if ages else 0


def _chapter_of(row: Row[Any]) -> Chapter:
    return Chapter(
        row.seq, row.source, row.door, row.event_id, row.received_at, row.state, row.how, row.code, row.reason,
        row.rule, row.done_at, row.behind,
    )  # fmt: skip
