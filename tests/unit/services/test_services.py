"""The servers that other tests stand on."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import nats
import pytest
from nats.js.errors import NotFoundError

from tests.services.nats import NatsServer
from tests.services.postgresql import PostgresqlServer

pytest_plugins = ["pytester"]


def _plain(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def _tables(url: str) -> list[str]:
    connection = await asyncpg.connect(_plain(url))
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        return [row["tablename"] for row in rows]
    finally:
        await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_finds_an_empty_database(postgresql_url: str, turn: int) -> None:
    assert await _tables(postgresql_url) == []

    connection = await asyncpg.connect(_plain(postgresql_url))
    await connection.execute("create table left_behind (id int)")
    await connection.close()


@pytest.mark.postgres
async def test_a_database_can_start_as_a_copy_of_a_prepared_one(postgresql_server: PostgresqlServer) -> None:
    prepared = await postgresql_server.create_database()
    connection = await asyncpg.connect(_plain(postgresql_server.url_of(prepared)))
    await connection.execute("create table prepared (id int)")
    await connection.close()

    copy = await postgresql_server.create_database(template=prepared)

    assert await _tables(postgresql_server.url_of(copy)) == ["prepared"]


async def test_a_killed_broker_keeps_its_address_and_its_streams(nats_server: NatsServer) -> None:
    await _create_stream(nats_server.url)

    nats_server.kill()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", urlsplit(nats_server.url).port)
    nats_server.start()

    assert await _stream_exists(nats_server.url)


async def test_a_broker_robbed_of_its_store_has_forgotten_its_streams(nats_server: NatsServer) -> None:
    await _create_stream(nats_server.url)

    nats_server.kill()
    nats_server.delete_store()
    nats_server.start()

    assert not await _stream_exists(nats_server.url)


async def test_a_server_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        textwrap.dedent(
            """
            import sys
            from pathlib import Path
            from tests.services.process import start_child

            child = start_child(["sleep", "600"], log=Path(sys.argv[1]))
            print(child.pid, flush=True)
            child.wait()
            """
        )
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, parent, tmp_path / "log", stdout=subprocess.PIPE, env={"PYTHONPATH": str(Path.cwd())}
    )
    assert process.stdout is not None
    child = Path("/proc") / (await process.stdout.readline()).decode().strip()
    assert child.exists()

    process.send_signal(signal.SIGKILL)
    await process.wait()

    assert await asyncio.to_thread(_ends, child)


def test_a_skipped_suite_is_named_just_above_the_closing_line(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from tests.services.skipped import SkippedSuites

        def pytest_configure(config):
            config.pluginmanager.register(SkippedSuites(), "skipped-suites")
        """
    )
    pytester.makepyfile(
        test_ledger="""
        import pytest

        def test_first():
            pytest.skip("no database here")

        def test_second():
            pytest.skip("no database here")
        """
    )

    result = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:asyncio")

    assert result.outlines[-2] == "skipped suite: test_ledger.py, 2 of its tests: no database here"
    assert "2 skipped" in result.outlines[-1]


def _ends(child: Path) -> bool:
    """Whether it is gone within ten seconds; an ended process stays listed as a zombie where nobody reaps orphans."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = (child / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
    return False


async def _create_stream(url: str) -> None:
    client = await nats.connect(url)
    try:
        await client.jetstream().add_stream(name="cases", subjects=["cases.*"])
    finally:
        await client.close()


async def _stream_exists(url: str) -> bool:
    client = await nats.connect(url)
    try:
        await client.jetstream().stream_info("cases")
    except NotFoundError:
        return False
    finally:
        await client.close()
    return True
