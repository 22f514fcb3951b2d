"""With a hundred thousand waiting cases the hot statements still read only what they need: asserted on the plans."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Row, TextClause, text

from relais.ledger.database import Database, Transaction, open_database
from relais.ledger.lanes import Lanes
from relais.ledger.ports import LaneReport, Release
from relais.ledger.stories import Stories
from tests.contract.ledger_world import LEASE_MS, prepare, sent

WAITING = 100_000
_T = TypeVar("_T")


class ExplainingTransaction:
    """Asks for the plan of each statement before it runs it."""

    def __init__(self, inner: Transaction, dialect: str, plans: list[str]) -> None:
        self._inner, self._plans = inner, plans
        self._explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "

    async def rows(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        explained = await self._inner.rows(text(self._explain + statement.text), parameters)
        self._plans.append("\n".join(str(row[-1]) for row in explained))
        return await self._inner.rows(statement, parameters)

    async def run(
        self, statement: TextClause, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        assert not isinstance(parameters, Sequence)
        explained = await self._inner.rows(text(self._explain + statement.text), parameters)
        self._plans.append("\n".join(str(row[-1]) for row in explained))
        return await self._inner.run(statement, parameters)


class ExplainingDatabase:
    """A database that keeps the plans of what was asked of it."""

    def __init__(self, inner: Database) -> None:
        self.inner, self.dialect, self.now = inner, inner.dialect, inner.now
        self.plans: list[str] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        async with self.inner.reading() as transaction:
            yield ExplainingTransaction(transaction, self.dialect, self.plans)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        async with self.inner.writing() as transaction:
            yield ExplainingTransaction(transaction, self.dialect, self.plans)

    async def run_sync(self, action: Callable[[Connection], _T]) -> _T:
        return await self.inner.run_sync(action)

    async def close(self) -> None:
        await self.inner.close()

    def taken(self) -> str:
        """The plans since the last time they were taken."""
        plans, self.plans = "\n".join(self.plans), []
        return plans


NUMBERS = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :many) SELECT n FROM s)",
    "postgresql": "(SELECT n FROM generate_series(1, CAST(:many AS integer)) AS g(n))",
}


async def fill(database: Database) -> None:
    """So many cases, with one event each that waits and one that was delivered."""
    numbers = NUMBERS[database.dialect]
    statements = (
        f"""INSERT INTO cases (key, reference, pending, ready_at, ready_seq, last_seq, created_at)
        SELECT 'fixmystreet:' || n, 'fixmystreet-' || n, 1, n, n, 2 * n, 0 FROM {numbers} AS s""",
        f"""INSERT INTO events (seq, source, door, event_id, case_id, digest, received_at)
        SELECT 2 * n - part, 'fixmystreet', 'webhook', n || '-' || part, n, '', 0
        FROM {numbers} AS s CROSS JOIN (SELECT 0 AS part UNION SELECT 1) AS p""",
        f"""INSERT INTO deliveries (seq, case_id, turn, state, announce)
        SELECT 2 * n - part, n, 2 * n - part, part, 0
        FROM {numbers} AS s CROSS JOIN (SELECT 0 AS part UNION SELECT 1) AS p""",
    )
    async with database.writing() as transaction:
        for statement in statements:
            await transaction.run(text(statement), {"many": WAITING})
    async with database.writing() as transaction:
        await transaction.run(text("ANALYZE"))


@asynccontextmanager
async def a_full_ledger(url: str) -> AsyncIterator[ExplainingDatabase]:
    await prepare(url)
    database = open_database(url)
    try:
        await fill(database)
        yield ExplainingDatabase(database)
    finally:
        await database.close()


def scans(plan: str) -> list[str]:
    """The tables that a plan reads from one end to the other."""
    sqlite = re.findall(r"^SCAN (\w+)(?! USING (?:COVERING )?INDEX ix_)(?! VIRTUAL)", plan, re.MULTILINE)
    aliases = {"c": "cases", "d": "deliveries", "e": "events"}
    found = [aliases.get(name, name) for name in [*sqlite, *re.findall(r"Seq Scan on (\w+)", plan)]]
    return [name for name in found if name in {"cases", "deliveries", "events", "case_keys"}]


async def assert_that_only_indexes_are_read(database: ExplainingDatabase) -> None:
    lanes = Lanes(database)
    tick = await lanes.tick("worker", (), room=32, lease_ms=LEASE_MS)
    claim, load = database.plans
    plan = database.taken()
    assert len(tick.claimed) == 32
    assert sum(len(case.events) for case in tick.claimed) == 32
    assert scans(plan) == [], plan
    assert "ix_cases_ready" in claim
    # the index gives them in the order in which they are wanted
    assert "Sort" not in claim
    assert "TEMP B-TREE" not in claim
    assert "ix_deliveries_lane" in load

    assert await lanes.renew("worker", {case.case_id: case.fence for case in tick.claimed}, lease_ms=LEASE_MS)
    assert scans(plan := database.taken()) == [], plan

    reports = [LaneReport(case.case_id, case.fence, sent(*case.events), None, Release()) for case in tick.claimed[:16]]
    await lanes.tick("worker", reports, room=0, lease_ms=LEASE_MS)
    assert scans(plan := database.taken()) == [], plan

    async with database.inner.writing() as transaction:
        await transaction.run(text("UPDATE cases SET until = 1 WHERE owner IS NOT NULL"))
    assert await lanes.expire(settles_ms=0) == 16
    assert scans(plan := database.taken()) == [], plan
    assert "ix_cases_leased" in plan, "expire"

    assert await lanes.let_go("worker", settles_ms=0) == 0
    assert scans(plan := database.taken()) == [], plan

    assert await lanes.milliseconds_to_next() is not None
    assert scans(plan := database.taken()) == [], plan
    assert "ix_cases_ready" in plan, "next"

    many, _ = await Stories(database).unfinished()
    plan = database.taken()
    assert many == WAITING - 16
    assert "ix_deliveries_open" in plan or "ix_deliveries_lane" in plan, plan


async def test_on_sqlite_the_partial_indexes_are_used(tmp_path: Path) -> None:
    async with a_full_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as database:
        await assert_that_only_indexes_are_read(database)


@pytest.mark.postgres
async def test_on_postgresql_the_partial_indexes_are_used(postgresql_url: str) -> None:
    async with a_full_ledger(postgresql_url) as database:
        await assert_that_only_indexes_are_read(database)


@pytest.mark.postgres
async def test_on_postgresql_no_table_is_read_from_end_to_end_however_often_it_is_asked(postgresql_url: str) -> None:
    """A statement that was prepared and ran a few times may get a plan that knows no parameters: so count the scans."""
    async with a_full_ledger(postgresql_url) as explaining:
        database, lanes = explaining.inner, Lanes(explaining.inner)
        before = await full_scans(database)
        reports: list[LaneReport] = []
        for _ in range(12):
            tick = await lanes.tick("worker", reports, room=32, lease_ms=LEASE_MS)
            fences = {case.case_id: case.fence for case in tick.claimed}
            assert len(await lanes.renew("worker", fences, lease_ms=LEASE_MS)) == 32
            assert await lanes.expire(settles_ms=0) == 0
            reports = [
                LaneReport(case.case_id, case.fence, sent(*case.events), None, Release()) for case in tick.claimed
            ]

        assert await full_scans(database) == before
        async with database.reading() as transaction:
            await transaction.rows(text("SELECT count(*) FROM cases WHERE link IS NULL"))
        assert (await full_scans(database))["cases"] > before["cases"]


async def full_scans(database: Database) -> dict[str, int]:
    """How often each table was read from one end to the other; every statement goes over one connection here."""
    async with database.writing() as transaction:
        await transaction.rows(text("SELECT pg_stat_force_next_flush()"))
    async with database.writing() as transaction:
        rows = await transaction.rows(text("SELECT relname, seq_scan FROM pg_stat_user_tables"))
    return {row.relname: row.seq_scan for row in rows if row.relname in {"cases", "deliveries", "events"}}


def test_a_full_scan_would_be_seen() -> None:
    assert scans("SCAN c\nSEARCH d USING INDEX x") == ["cases"]
    assert scans("  ->  Seq Scan on cases c  (cost=0.00..1 rows=1)") == ["cases"]
    assert scans("SCAN json_each VIRTUAL TABLE INDEX 1:") == []
