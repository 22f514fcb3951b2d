"""Many intakes and workers on one PostgreSQL ledger: races, deadlocks, a server that goes away."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger, open_ledger
from relais.ledger.ports import Done, Fate, LaneReport, Release
from tests.contract.ledger_world import (
    DIGEST_KEY,
    LEASE_MS,
    World,
    a_world,
    an_arrival,
    arrivals,
    masked,
    names_of,
    sent,
)

pytestmark = pytest.mark.postgres

GATE = """CREATE FUNCTION gate() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    PERFORM pg_advisory_lock_shared(4711); PERFORM pg_advisory_unlock_shared(4711);
    RETURN (SELECT ms FROM test_clock); END $$"""


@pytest_asyncio.fixture
async def world(postgresql_url: str) -> AsyncIterator[World]:
    async with a_world(postgresql_url) as world:
        yield world


@asynccontextmanager
async def a_connection(world: World, database: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A hand in the server that belongs to nobody of ours, in the ledger's database if no other is named."""
    address = make_url(world.url)
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.username,
        password=address.password,
        database=database or address.database,
    )
    try:
        yield connection
    finally:
        await connection.close()


async def until_waiting(connection: asyncpg.Connection) -> None:
    """Return once somebody else waits for a lock in this database."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await connection.fetchval(query):
        pass


class TestSeveralAtOnce:
    async def test_what_is_accepted_while_a_claim_runs_is_in_doubt_if_it_was_handed_out(self, world: World) -> None:
        await world.accept(*arrivals("1", "a"))
        await world.sql(GATE)
        async with (
            a_connection(world) as gatekeeper,
            open_ledger(world.url, masked=masked, digest_key=DIGEST_KEY, now="gate()") as slow,
        ):
            await gatekeeper.execute("SELECT pg_advisory_lock(4711)")
            claim = asyncio.ensure_future(slow.lanes.tick("dies", (), room=5, lease_ms=LEASE_MS))
            await until_waiting(gatekeeper)
            await world.accept(*arrivals("1", "b"))
            await gatekeeper.execute("SELECT pg_advisory_unlock(4711)")
            (handed_out,) = (await claim).claimed

        assert names_of(handed_out) == ["1:a", "1:b"]
        await world.forward(LEASE_MS + 1)
        await world.ledger.lanes.expire(settles_ms=0)
        assert [event.in_doubt for event in (await world.claim_one()).events] == [True, True]

    @pytest.mark.parametrize("step", ["accept", "tick", "renew", "retry", "resume", "let_go"])
    async def test_a_step_that_the_database_breaks_off_is_taken_again(self, world: World, step: str) -> None:
        await world.accept(*arrivals("1", "a"), *arrivals("2", "a"))
        first, second = await world.claim()
        if step in {"retry", "resume"}:
            done = [(Done(case.events[0].seq, code="refused", reason="no"),) for case in (first, second)]
            for case, parked in zip((first, second), done, strict=True):
                await world.report(case, parked)
        if step == "resume":
            await world.accept(*arrivals("1", "b"), *arrivals("2", "b"))
            for case in await world.claim():
                await world.report(case, release=Release(wait_ms=60_000))
            await world.ledger.sinks.pause("crm_cmt", "wrong token")
        reports = [
            LaneReport(case.case_id, case.fence, sent(*case.events), None, Release()) for case in (first, second)
        ]
        lanes = world.ledger.lanes
        steps: dict[str, Callable[[], Awaitable[object]]] = {
            "accept": lambda: world.accept(*arrivals("1", "b"), *arrivals("2", "b")),
            "tick": lambda: lanes.tick("worker", reports, room=0, lease_ms=LEASE_MS),
            "renew": lambda: lanes.renew("worker", {one.case_id: one.fence for one in reports}, lease_ms=LEASE_MS),
            "retry": lambda: world.ledger.stories.retry([first.events[0].seq, second.events[0].seq]),
            "resume": lambda: world.ledger.sinks.resume("crm_cmt"),
            "let_go": lambda: lanes.let_go("worker", settles_ms=0),
        }
        async with a_connection(world) as rival:
            # the rival waits without end: it is the ledger's step that the database breaks off
            await rival.execute("SET deadlock_timeout = '10min'")
            lock = "SELECT id FROM cases WHERE id = $1 FOR UPDATE"
            transaction = rival.transaction()
            await transaction.start()
            await rival.fetch(lock, second.case_id)
            running = asyncio.ensure_future(steps[step]())
            await until_waiting(rival)
            # granted only because the step gave way
            await rival.fetch(lock, first.case_id)
            await transaction.rollback()
            await running

    async def test_many_intakes_and_workers_with_the_same_cases_lose_double_and_reorder_nothing(
        self, world: World
    ) -> None:
        accepted: dict[str, list[tuple[int, str]]] = defaultdict(list)
        delivered: dict[str, list[int]] = defaultdict(list)
        taking = asyncio.Event()

        async def intake(ledger: Ledger, name: int) -> None:
            for turn in range(60):
                # half the cases are known, half are met for the first time by several intakes at once, in any order
                cases = [f"{(turn * 7 + step * (name + 1)) % 90}" for step in range(6)]
                group = [an_arrival(f"{name}:{turn}:{step}", case=case) for step, case in enumerate(cases)]
                for arrival, receipt in zip(group, await ledger.acceptance.accept(group), strict=True):
                    assert receipt.fate is Fate.NEW
                    assert receipt.seq is not None
                    accepted[arrival.case_key or ""].append((receipt.seq, arrival.event_id))

        async def worker(ledger: Ledger, name: str) -> None:
            reports: list[LaneReport] = []
            while True:
                last_look = taking.is_set()
                tick = await ledger.lanes.tick(name, reports, room=7, lease_ms=LEASE_MS)
                assert tick.held == {report.case_id for report in reports}
                await ledger.lanes.renew(name, {case.case_id: case.fence for case in tick.claimed}, lease_ms=LEASE_MS)
                for case in tick.claimed:
                    delivered[case.key] += [event.seq for event in case.events]
                reports = [
                    LaneReport(case.case_id, case.fence, sent(*case.events), None, Release()) for case in tick.claimed
                ]
                await ledger.feeds.published(await ledger.feeds.due(50))
                if last_look and not tick.claimed and await ledger.lanes.milliseconds_to_next() is None:
                    return

        async with world.another() as second, world.another() as third:
            workers = [
                asyncio.ensure_future(worker(ledger, f"w{n}")) for n, ledger in enumerate((world.ledger, second))
            ]
            await asyncio.gather(*(intake(ledger, n) for n, ledger in enumerate((second, third, third, world.ledger))))
            taking.set()
            await asyncio.gather(*workers)

        assert sum(len(events) for events in accepted.values()) == 4 * 60 * 6
        assert delivered == {key: [seq for seq, _ in sorted(events)] for key, events in accepted.items()}
        assert {row.pending for row in await world.sql("SELECT pending FROM cases")} == {0}


class TestTheServerGone:
    async def test_connections_cut_are_the_ledger_away_and_it_comes_back(self, world: World) -> None:
        await world.accept(an_arrival("a"))
        async with a_connection(world) as hand:
            await hand.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        with pytest.raises(LedgerAwayError):
            await world.accept(an_arrival("b"))

        assert [receipt.fate for receipt in await world.accept(an_arrival("a"), an_arrival("b"))] == [
            Fate.SAME, Fate.NEW
        ]  # fmt: skip

    async def test_a_server_that_takes_nobody_in_is_the_ledger_away(self, world: World) -> None:
        name = make_url(world.url).database
        async with a_connection(world, "postgres") as hand:
            await hand.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            with pytest.raises(LedgerAwayError):
                async with world.another():
                    pass
            await hand.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

        async with world.another() as ledger:
            assert (await ledger.stories.backlog()).accepted == 0

    @pytest.mark.parametrize("replaced", [("@127.0.0.1", "x@127.0.0.1"), ("/test_", "/never_")])
    async def test_a_wrong_password_or_database_is_the_ledger_away(
        self, postgresql_url: str, replaced: tuple[str, str]
    ) -> None:
        with pytest.raises(LedgerAwayError) as refusal:
            async with open_ledger(postgresql_url.replace(*replaced), masked=masked):
                pass
        assert "@" not in str(refusal.value)

    async def test_nobody_listening_is_the_ledger_away(self) -> None:
        with pytest.raises(LedgerAwayError):
            async with open_ledger("postgresql://relais@127.0.0.1:1/relais", masked=masked):
                pass
