"""The embedded server: quick to start, for us alone, and gone when we are."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import nats
import nats.errors
import pytest

from relais.runtime.broker import open_broker
from relais.runtime.embedded_nats import EmbeddedNatsError, open_embedded_nats
from relais.telemetry.events import EmbeddedBrokerDied, Happening
from tests.broker.broker_contract import is_kept
from tests.broker.nats_outsider import NatsOutsider
from tests.broker.waiting import eventually

_PROGRAM_OF_A_PARENT = """
import asyncio, pathlib, sys
from relais.runtime.embedded_nats import open_embedded_nats

async def main():
    async with open_embedded_nats(pathlib.Path(sys.argv[1]), emit=lambda happening: None) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "broker"


def a_program(folder: Path, answer: str) -> str:
    """A program that says ``answer`` when it is asked for its version."""
    program = folder / "nats-server"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    return str(program)


def processes_using(store: Path) -> list[int]:
    """The servers that were started with a configuration in ``store``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(store).encode() in command and b"nats-server" in command.split(b"\0")[0]:
            found.append(int(folder.name))
    return found


def command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text(errors="replace")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_of_files_with(secret: str, folder: Path) -> set[int]:
    return {mode_of(path) for path in folder.iterdir() if path.is_file() and secret in path.read_text(errors="replace")}


async def listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError:
        return False
    writer.close()
    return True


async def test_it_takes_connections_within_two_seconds(store: Path) -> None:
    began = time.monotonic()
    async with open_embedded_nats(store, emit=_nothing) as url:
        assert time.monotonic() - began < 2
        async with await nats.connect(url) as client:
            await client.flush()


async def test_it_is_gone_when_it_was_closed(store: Path) -> None:
    async with open_embedded_nats(store, emit=_nothing) as url:
        assert processes_using(store)
    assert not await listens(url)
    assert not processes_using(store)


async def test_it_dies_with_a_parent_that_was_killed(store: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PROGRAM_OF_A_PARENT)
    root = Path(__file__).parents[2]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, script, store, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()
    assert await listens(url)
    parent.kill()
    await parent.wait()

    await eventually(lambda: processes_using(store) == [])
    assert not await listens(url)
    async with open_embedded_nats(store, emit=_nothing) as again:
        assert await listens(again)


async def test_what_it_kept_is_there_at_the_next_start(store: Path) -> None:
    async with open_embedded_nats(store, emit=_nothing) as url, open_broker(url, _nothing) as broker:
        await broker.publish_feed("cases.ready", b"kept", message_id="1")
    async with open_embedded_nats(store, emit=_nothing) as url, open_broker(url, _nothing):
        assert await NatsOutsider(url).feed() == [("cases.ready", b"kept")]


@pytest.mark.parametrize("credentials", ["", "relais:guessed@", "somebody:else@"])
async def test_nobody_without_the_password_of_this_start_may_connect(store: Path, credentials: str) -> None:
    async with open_embedded_nats(store, emit=_nothing) as url:
        stranger = f"nats://{credentials}127.0.0.1:{urlsplit(url).port}"
        with pytest.raises(nats.errors.Error):
            await nats.connect(stranger, allow_reconnect=False, error_cb=_quiet)


async def test_the_password_is_another_one_at_each_start_and_for_our_eyes_only(store: Path) -> None:
    passwords = set()
    for _ in range(2):
        async with open_embedded_nats(store, emit=_nothing) as url:
            passwords.add(urlsplit(url).password)
            password = urlsplit(url).password or ""
            (process,) = processes_using(store)
            assert password not in command_of(process)
            assert modes_of_files_with(password, store) == {0o600}
    assert len(passwords) == 2
    assert mode_of(store) == 0o700


async def test_a_server_that_dies_is_started_again_at_the_same_address(store: Path) -> None:
    happenings: list[Happening] = []
    async with open_embedded_nats(store, emit=happenings.append) as url, open_broker(url, _nothing) as broker:
        await broker.publish_feed("cases.ready", b"before", message_id="1")
        (first,) = processes_using(store)
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: processes_using(store) not in ([], [first]))
        await eventually(lambda: is_kept(broker, b"after", "2"))
        assert [body for _, body in await NatsOutsider(url).feed()] == [b"before", b"after"]
    assert [type(happening) for happening in happenings] == [EmbeddedBrokerDied]


async def test_a_store_deleted_under_a_running_server_is_noticed_and_the_feeds_go_on(store: Path) -> None:
    happenings: list[Happening] = []
    async with open_embedded_nats(store, emit=happenings.append) as url, open_broker(url, _nothing) as broker:
        await broker.publish_feed("cases.ready", b"before", message_id="1")
        _delete(store)
        await eventually(lambda: happenings != [])
        numbers = count(2)

        async def goes_on() -> bool:
            # the server without a store may still take a message in its last moments, so it is said until it is held
            if not await is_kept(broker, b"after", str(next(numbers))):
                return False
            with suppress(OSError, nats.errors.Error):
                return b"after" in [body for _, body in await NatsOutsider(url).feed()]
            return False

        await eventually(goes_on)
        assert b"before" not in [body for _, body in await NatsOutsider(url).feed()]
        assert (store / "jetstream").is_dir()


async def test_two_programs_never_write_into_one_store(store: Path) -> None:
    async with open_embedded_nats(store, emit=_nothing):
        with pytest.raises(EmbeddedNatsError, match="another Relais"):
            async with open_embedded_nats(store, emit=_nothing):
                pass


async def test_a_program_that_is_missing_is_named(store: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no-such-server"
    with pytest.raises(EmbeddedNatsError, match="no-such-server"):
        async with open_embedded_nats(store, emit=_nothing, binary=str(missing)):
            pass


@pytest.mark.parametrize("answer", ["nats-server: v2.9.25", "nats-server: v1.99.0", "hello"])
async def test_a_server_that_is_too_old_or_none_is_refused(store: Path, tmp_path: Path, answer: str) -> None:
    with pytest.raises(EmbeddedNatsError, match=r"at least 2\.10|not a NATS server"):
        async with open_embedded_nats(store, emit=_nothing, binary=a_program(tmp_path, answer)):
            pass


async def test_a_server_that_does_not_come_up_says_where_to_look(store: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedNatsError, match=r"nats-server\.log"):
        async with open_embedded_nats(store, emit=_nothing, binary=a_program(tmp_path, "nats-server: v2.99.0")):
            pass


def _delete(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()


def _nothing(_happening: Happening) -> None: ...


async def _quiet(_error: Exception) -> None: ...
