"""What an SQLite ledger promises as a file that several processes share."""

import asyncio
import sqlite3
import stat
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from relais.ledger.database import LedgerAwayError, SqliteDatabase, open_database
from relais.ledger.ledger import Ledger, ledger_over, open_ledger
from relais.ledger.migrating import migrate
from relais.ledger.ports import Fate
from relais.ledger.probing import prove_writable
from tests.contract.ledger_world import CLOCK, DIGEST_KEY, World, a_world, an_arrival, arrivals, masked, prepare

SHORT_SECONDS = 0.2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest_asyncio.fixture
async def world(path: Path) -> AsyncIterator[World]:
    async with a_world(f"sqlite:///{path}") as world:
        yield world


@asynccontextmanager
async def an_impatient_ledger(path: Path) -> AsyncIterator[Ledger]:
    """The same ledger for somebody who waits for the write lock only shortly."""
    database = SqliteDatabase(path, now=CLOCK, lock_timeout_seconds=SHORT_SECONDS)
    try:
        yield await ledger_over(database, masked=masked, digest_key=DIGEST_KEY)
    finally:
        await database.close()


@asynccontextmanager
async def a_process(*arguments: str) -> AsyncIterator[Process]:
    """Another process, ready to begin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.ledger_process", *arguments, stdin=PIPE, stdout=PIPE
    )
    try:
        assert await said(process) == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()


async def tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    await process.stdin.drain()


def waiting_threads() -> int:
    return sum(thread.name == "ledger-write-lock" for thread in threading.enumerate())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # the beginning and the end of a thread set no event
        await asyncio.sleep(0)


async def pragma(world: World, statement: str) -> None:
    await world.ledger.database.run_sync(lambda connection: connection.exec_driver_sql(statement).close())


def swap(path: Path, content: bytes) -> bytes:
    """Write a file over; what it held before."""
    before = path.read_bytes()
    path.write_bytes(content)
    return before


class TestSeveralProcesses:
    async def test_two_processes_that_write_at_once_both_get_on(self, world: World) -> None:
        groups = 60
        async with (
            a_process("accept", world.url, "a", str(groups)) as one,
            a_process("accept", world.url, "b", str(groups)) as other,
        ):
            await asyncio.gather(tell(one), tell(other))
            assert [await said(one), await said(other)] == ["done", "done"]

        rows = await world.sql("SELECT event_id FROM events ORDER BY seq")
        writers = [row.event_id[0] for row in rows]
        assert len(writers) == 2 * 2 * groups
        assert sum(before != after for before, after in pairwise(writers)) >= 10
        assert {row.pending for row in await world.sql("SELECT pending FROM cases")} == {2 * 2 * groups // 5}

    async def test_a_reader_sees_no_half_transaction(self, world: World) -> None:
        async with world.another() as reader:
            async with world.ledger.database.writing() as transaction:
                await world.ledger.acceptance.accept_within(transaction, arrivals("1", "a", "b"))
                assert (await reader.stories.backlog()).accepted == 0
                assert await reader.stories.story("fixmystreet:1") is None

            assert (await reader.stories.backlog()).accepted == 2

    async def test_the_write_lock_of_a_killed_process_is_given_back(self, world: World) -> None:
        async with a_process("hold", world.url) as process:
            await tell(process)
            assert await said(process) == "held"
            accepting = asyncio.ensure_future(world.accept(an_arrival("a")))
            await until(lambda: waiting_threads() == 1)
            process.kill()
            (receipt,) = await asyncio.wait_for(accepting, 5)

        assert receipt.fate is Fate.NEW
        assert (await world.ledger.stories.backlog()).accepted == 1

    async def test_waiting_for_the_write_lock_leaves_the_event_loop_free(self, world: World, path: Path) -> None:
        turns = 0

        async def live() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with world.another() as holder, an_impatient_ledger(path) as ledger:
            living = asyncio.ensure_future(live())
            async with holder.database.writing():
                before = turns
                with pytest.raises(LedgerAwayError):
                    await ledger.acceptance.accept([an_arrival()])
                assert turns - before > 100
                # what only reads is not kept waiting
                assert (await ledger.stories.backlog()).accepted == 0
            living.cancel()

    async def test_waits_that_were_given_up_leave_one_thread_and_no_lock_behind(self, world: World, path: Path) -> None:
        async with an_impatient_ledger(path) as ledger:
            async with world.ledger.database.writing():
                for _ in range(4):
                    with pytest.raises(LedgerAwayError):
                        await ledger.acceptance.accept([an_arrival("a")])
                assert waiting_threads() == 1
                cancelled = asyncio.ensure_future(ledger.acceptance.accept([an_arrival("a")]))
                await asyncio.sleep(0)
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                assert waiting_threads() == 1
            await until(lambda: waiting_threads() == 0)

            await world.accept(an_arrival("b"))
            assert (await ledger.acceptance.accept([an_arrival("a")]))[0].fate is Fate.NEW

    async def test_a_wait_goes_on_for_the_next_who_asks(self, world: World, path: Path) -> None:
        async with an_impatient_ledger(path) as ledger:
            async with world.ledger.database.writing():
                with pytest.raises(LedgerAwayError):
                    await ledger.acceptance.accept([an_arrival("a")])
                accepting = asyncio.ensure_future(ledger.acceptance.accept([an_arrival("a")]))
                await asyncio.sleep(0)
            assert [receipt.fate for receipt in await accepting] == [Fate.NEW]
            await world.accept(an_arrival("b"))

    async def test_a_broken_transaction_writes_nothing_and_gives_the_lock_back(self, world: World) -> None:
        with pytest.raises(ZeroDivisionError):
            async with world.ledger.database.writing() as transaction:
                await world.ledger.acceptance.accept_within(transaction, [an_arrival("a")])
                raise ZeroDivisionError

        async with world.another() as other:
            assert [receipt.fate for receipt in await other.acceptance.accept([an_arrival("a")])] == [Fate.NEW]


class TestTheFileGone:
    async def test_a_folder_that_cannot_be_made_is_the_ledger_away(self, tmp_path: Path) -> None:
        in_the_way = tmp_path / "state"
        in_the_way.write_text("not a folder")
        url = f"sqlite:///{in_the_way / 'ledger.db'}"
        with pytest.raises(LedgerAwayError):
            async with open_ledger(url, masked=masked):
                pass

        in_the_way.unlink()
        async with a_world(url) as world:
            assert [receipt.fate for receipt in await world.accept(an_arrival())] == [Fate.NEW]

    @pytest.mark.parametrize("what", ["PRAGMA query_only = ON", "PRAGMA max_page_count = 1"])
    async def test_a_disk_that_takes_nothing_is_the_ledger_away_and_it_comes_back(
        self, world: World, what: str
    ) -> None:
        await pragma(world, what)
        with pytest.raises(LedgerAwayError):
            await world.accept(an_arrival("a", content="much" * 50_000))

        await pragma(world, "PRAGMA query_only = OFF")
        await pragma(world, "PRAGMA max_page_count = 1000000")
        assert [receipt.fate for receipt in await world.accept(an_arrival("a"))] == [Fate.NEW]

    async def test_a_spoilt_file_is_the_ledger_away_until_it_is_put_back(self, path: Path) -> None:
        url = f"sqlite:///{path}"
        await prepare(url)
        sound = swap(path, b"this was a ledger once" * 1_000)
        database = SqliteDatabase(path, now=CLOCK)
        try:
            with pytest.raises(LedgerAwayError):
                await ledger_over(database, masked=masked, digest_key=DIGEST_KEY)

            swap(path, sound)
            ledger = await ledger_over(database, masked=masked, digest_key=DIGEST_KEY)
            assert [receipt.fate for receipt in await ledger.acceptance.accept([an_arrival()])] == [Fate.NEW]
        finally:
            await database.close()

    async def test_a_file_locked_by_a_stranger_is_the_ledger_away_and_it_comes_back(
        self, world: World, path: Path
    ) -> None:
        stranger = sqlite3.connect(path, isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerAwayError):
            await world.accept(an_arrival())
        stranger.execute("ROLLBACK")
        stranger.close()

        assert [receipt.fate for receipt in await world.accept(an_arrival())] == [Fate.NEW]


async def test_a_stranger_who_holds_the_file_stops_writing_and_nothing_else(world: World, path: Path) -> None:
    """A backup or a shell knows nothing of our lock; SQLite itself would wait for it on the loop."""
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    beating = asyncio.create_task(beat())
    try:
        with pytest.raises(LedgerAwayError):
            await world.accept(an_arrival())
        assert beats > 5, "the loop went on"
        async with world.ledger.database.reading():
            pass
        waiting = asyncio.create_task(world.accept(an_arrival()))
        await asyncio.sleep(0)
        stranger.execute("ROLLBACK")
        assert [receipt.fate for receipt in await waiting] == [Fate.NEW]
    finally:
        beating.cancel()
        stranger.close()


async def test_a_new_ledger_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/folder/ledger.db")
    await migrate(database)
    try:
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "folder").iterdir()}
        assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
        assert {"ledger.db", "ledger.db-wal"} <= set(modes)
        assert set(modes.values()) == {0o600}
    finally:
        await database.close()


async def test_a_disk_that_is_full_is_noticed_by_writing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/ledger.db")
    await migrate(database)
    try:
        async with database.reading() as transaction:
            pages = (await transaction.rows(text("PRAGMA page_count")))[0][0]
            # no more pages than there are: what SQLite says then is what it says of a full disk
            await transaction.rows(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(LedgerAwayError):
            await prove_writable(database)
        async with database.reading() as transaction:
            await transaction.rows(text("PRAGMA max_page_count = 1000000"))
        await prove_writable(database)
    finally:
        await database.close()
