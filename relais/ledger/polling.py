"""The pollers' side of the ledger: who polls, from where to go on, what was already seen, what has gone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import TextClause, text

from connectors.kit.ports import Observation
from relais.ledger.accepting import Acceptance
from relais.ledger.database import Database, Transaction, record_set, write
from relais.ledger.observing import Observations
from relais.ledger.ports import Receipt
from relais.ledger.texts import storable

MISSES_UNTIL_GONE: Final = 2
"""A thing is gone only after this many complete sweeps did not find it."""


class PollLostError(Exception):
    """The poll's lease or cursor is no longer ours; nothing was written."""


@dataclass(frozen=True, slots=True)
class PollTurn:
    """A poll held under a lease, and where it goes on from. ``moved`` counts the cursor's moves: compare and set."""

    name: str
    fence: int
    cursor: Mapping[str, Any] | None
    moved: int


@dataclass(frozen=True, slots=True)
class SweepCount:
    """How a complete sweep stands: things known that a listing should show, and those that it is counted to lack."""

    known: int
    missed: int


class Polls:
    """Poll cursors move in the transaction that accepts what they cover."""

    def __init__(self, database: Database, acceptance: Acceptance) -> None:
        self._database = database
        self._acceptance = acceptance
        self._observations = Observations(database, acceptance)
        now = database.now
        self._register = text("INSERT INTO polls (name) VALUES (:name) ON CONFLICT (name) DO NOTHING")
        self._take = text(
            f"""UPDATE polls SET owner = :owner, fence = fence + 1, until = {now} + :lease
            WHERE name = :name AND next_at <= {now} AND (owner IS NULL OR until < {now} OR owner = :owner)
            RETURNING fence, cursor, moved"""
        )
        self._move = text(
            f"""UPDATE polls SET cursor = :cursor, moved = moved + 1, until = {now} + :lease
            WHERE name = :name AND fence = :fence AND moved = :moved"""
        )
        self._finish = text(
            f"""UPDATE polls SET owner = NULL, until = NULL, next_at = {now} + :wait, last_error = :error,
            succeeded_at = CASE WHEN :failed = 1 THEN succeeded_at ELSE {now} END,
            cursor = coalesce(CAST(:cursor AS text), cursor)
            WHERE name = :name AND fence = :fence"""
        )
        self._renew = text(f"UPDATE polls SET until = {now} + :lease WHERE name = :name AND fence = :fence")
        # It changes nothing and holds the row: nobody can take the poll before this transaction has ended.
        self._still_ours = text("UPDATE polls SET fence = fence WHERE name = :name AND fence = :fence")
        self._let_go = text(
            f"UPDATE polls SET owner = NULL, until = NULL, next_at = {now} WHERE name = :name AND fence = :fence"
        )
        self._next = text(
            f"""SELECT CASE WHEN owner IS NOT NULL AND until > next_at THEN until ELSE next_at END - {now} AS wait
            FROM polls WHERE name = :name"""
        )
        seen = record_set(database.dialect, "rows", external_id="text")
        self._unseen = text(
            """SELECT external_id FROM observations WHERE source = :source AND door = :door AND sweep < :sweep
            AND gone = false AND settled = false AND external_id > :after ORDER BY external_id LIMIT :room"""
        )
        self._miss = text(
            f"""UPDATE observations SET missed = missed + 1, sweep = :sweep FROM {seen} AS r
            WHERE observations.source = :source AND observations.door = :door
            AND observations.external_id = r.external_id AND observations.sweep < :sweep
            AND observations.gone = false AND observations.settled = false
            RETURNING observations.external_id, observations.missed"""
        )
        expected = "source = :source AND door = :door AND gone = false AND settled = false"
        self._lost = text(
            f"""SELECT external_id FROM observations WHERE {expected} AND sweep = :sweep
            AND missed >= {MISSES_UNTIL_GONE} AND external_id > :after ORDER BY external_id LIMIT :room"""
        )
        self._still_lost = text(
            f"""SELECT o.external_id FROM {seen} AS r JOIN observations o
            ON {expected} AND o.external_id = r.external_id WHERE o.missed >= {MISSES_UNTIL_GONE}"""
        )
        self._count = text(
            f"""SELECT count(*) AS known, coalesce(sum(CASE WHEN sweep = :sweep AND missed > 0 THEN 1 ELSE 0 END), 0)
            AS missed FROM observations WHERE {expected}"""
        )
        self._catalogue = text(
            "SELECT version, digest, body FROM catalogues WHERE source = :source ORDER BY version DESC LIMIT 1"
        )
        self._versions = text("SELECT source, max(version) AS version FROM catalogues GROUP BY source")
        self._new_catalogue = text(
            f"""INSERT INTO catalogues (source, version, digest, body, fetched_at)
            VALUES (:source, :version, :digest, :body, {now})"""
        )

    async def take(self, name: str, owner: str, *, lease_ms: int) -> PollTurn | None:
        """Hold a poll whose time has come; None where it is not due or somebody else holds it."""
        async with self._database.writing() as transaction:
            await transaction.run(self._register, {"name": name})
            rows = await transaction.rows(self._take, {"name": name, "owner": owner, "lease": lease_ms})
        if not rows:
            return None
        row = rows[0]
        return PollTurn(name, row.fence, json.loads(row.cursor) if row.cursor else None, row.moved)

    async def keep(
        self,
        turn: PollTurn,
        source: str,
        door: str,
        observations: Sequence[Observation],
        cursor: Mapping[str, Any],
        *,
        sweep: int | None,
        catalogue: str | None,
        lease_ms: int,
    ) -> tuple[PollTurn, list[Receipt]]:
        """Accept what is new among the observations and move the cursor, in one transaction.

        An observation whose content equals the last one of the same thing is nothing new. Returns the turn to go on
        with, and a receipt for each observation that was new. Raises PollLostError, LedgerAwayError.
        """

        async def step(transaction: Transaction) -> list[Receipt]:
            moved = await transaction.run(
                self._move,
                {"name": turn.name, "fence": turn.fence, "moved": turn.moved, "cursor": json.dumps(cursor),
                 "lease": lease_ms},
            )  # fmt: skip
            if moved != 1:
                raise PollLostError(turn.name)
            receipts = await self._observations.note(transaction, source, door, observations, sweep)
            if catalogue is not None:
                await self._keep_catalogue(transaction, source, catalogue)
            return receipts

        receipts = await write(self._database, step)
        return PollTurn(turn.name, turn.fence, cursor, turn.moved + 1), receipts

    async def finish(
        self, turn: PollTurn, *, wait_ms: int, error: str | None = None, cursor: Mapping[str, Any] | None = None
    ) -> None:
        """Let go of a poll until its next time; ``error`` is for the human, without personal data.

        A ``cursor`` takes the place of the one that is kept. A poll that is no longer ours stays as it is.
        """
        async with self._database.writing() as transaction:
            await transaction.run(
                self._finish,
                {"name": turn.name, "fence": turn.fence, "wait": wait_ms, "failed": int(bool(error)),
                 "error": storable(error) if error else None, "cursor": None if cursor is None else json.dumps(cursor)},
            )  # fmt: skip

    async def renew(self, turn: PollTurn, *, lease_ms: int) -> None:
        """Make the lease last ``lease_ms`` from now. Raises PollLostError where it is no longer ours."""
        async with self._database.writing() as transaction:
            if await transaction.run(self._renew, {"name": turn.name, "fence": turn.fence, "lease": lease_ms}) != 1:
                raise PollLostError(turn.name)

    async def let_go(self, turn: PollTurn) -> None:
        """Give a poll that was broken off back at once, as neither a success nor a failure."""
        async with self._database.writing() as transaction:
            await transaction.run(self._let_go, {"name": turn.name, "fence": turn.fence})

    async def milliseconds_to_next(self, name: str) -> int:
        """How long until a poll may be taken if nobody renews its lease (0 or less: now)."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._next, {"name": name})
        return rows[0].wait if rows else 0

    async def unseen(self, source: str, door: str, *, sweep: int, after: str, room: int) -> list[str]:
        """Ids, in order, of things known, neither settled nor gone, that this complete sweep did not see."""
        return await self._ids(self._unseen, source, door, sweep, after, room)

    async def count(self, source: str, door: str, *, sweep: int) -> SweepCount:
        """How many things are known that are neither settled nor gone, and how many of them this sweep has missed."""
        async with self._database.reading() as transaction:
            row = (await transaction.rows(self._count, {"source": source, "door": door, "sweep": sweep}))[0]
        return SweepCount(known=row.known, missed=row.missed)

    async def miss(
        self, source: str, door: str, external_ids: Sequence[str], *, sweep: int, turn: PollTurn | None = None
    ) -> list[str]:
        """Count a miss for each, once a sweep; the ids of those that are now gone.

        With a ``turn`` it raises PollLostError, and counts nothing, where the poll is no longer ours.
        """
        rows = json.dumps([{"external_id": external_id} for external_id in external_ids])

        async def step(transaction: Transaction) -> list[str]:
            await self._only_if_ours(transaction, turn)
            await self._observations.alone(transaction, source, door)
            found = await transaction.rows(self._miss, {"rows": rows, "source": source, "door": door, "sweep": sweep})
            return [row.external_id for row in found if row.missed >= MISSES_UNTIL_GONE]

        return await write(self._database, step)

    async def lost(self, source: str, door: str, *, sweep: int, after: str, room: int) -> list[str]:
        """Ids, in order, of things that this sweep has missed once too often and that are not said to be gone yet."""
        return await self._ids(self._lost, source, door, sweep, after, room)

    async def observe(
        self,
        source: str,
        door: str,
        observations: Sequence[Observation],
        *,
        sweep: int,
        gone: bool = False,
        turn: PollTurn | None = None,
    ) -> list[Receipt]:
        """Accept observations that no cursor covers: the second look after a sweep, and what has gone.

        With a ``turn`` it raises PollLostError, and accepts nothing, where the poll is no longer ours; and a thing that
        somebody saw since it was missed is not gone.
        """

        async def step(transaction: Transaction) -> list[Receipt]:
            await self._only_if_ours(transaction, turn)
            wanted = observations
            if gone and turn is not None:
                await self._observations.alone(transaction, source, door)
                rows = json.dumps([{"external_id": one.external_id} for one in observations])
                found = await transaction.rows(self._still_lost, {"rows": rows, "source": source, "door": door})
                still_lost = {row.external_id for row in found}
                wanted = [one for one in observations if one.external_id in still_lost]
            return await self._observations.note(transaction, source, door, wanted, sweep, gone=gone)

        return await write(self._database, step)

    async def last_body(self, source: str, door: str, external_id: str) -> bytes | None:
        """The body of the last observation of a thing, where it is still kept."""
        async with self._database.reading() as transaction:
            return await self._observations.last_body(transaction, source, door, external_id)

    async def catalogue_versions(self) -> dict[str, int]:
        """The newest version of each source's catalogue."""
        async with self._database.reading() as transaction:
            return {row.source: row.version for row in await transaction.rows(self._versions)}

    async def catalogue(self, source: str) -> tuple[int, str] | None:
        """The newest catalogue of a source: its version and its text."""
        async with self._database.reading() as transaction:
            rows = await transaction.rows(self._catalogue, {"source": source})
        return (rows[0].version, rows[0].body) if rows else None

    async def _ids(self, statement: TextClause, source: str, door: str, sweep: int, after: str, room: int) -> list[str]:
        parameters = {"source": source, "door": door, "sweep": sweep, "after": after, "room": room}
        async with self._database.reading() as transaction:
            return [row.external_id for row in await transaction.rows(statement, parameters)]

    async def _only_if_ours(self, transaction: Transaction, turn: PollTurn | None) -> None:
        if turn is None:
            return
        if await transaction.run(self._still_ours, {"name": turn.name, "fence": turn.fence}) != 1:
            raise PollLostError(turn.name)

    async def _keep_catalogue(self, transaction: Transaction, source: str, catalogue: str) -> None:
        digest = self._acceptance.digest(catalogue.encode())
        # two polls may bring the catalogue at once: the second one finds the version of the first
        await self._observations.alone(transaction, source, "catalogue")
        rows = await transaction.rows(self._catalogue, {"source": source})
        if rows and rows[0].digest == digest:
            return
        version = rows[0].version + 1 if rows else 1
        parameters = {"source": source, "version": version, "digest": digest, "body": catalogue}
        await transaction.run(self._new_catalogue, parameters)
