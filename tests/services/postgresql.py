"""A throw-away PostgreSQL cluster. Run as a module it says where PostgreSQL was found, or fails."""

import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.services.process import UnavailableError, end_child, start_child, wait_until

_OWNER = "relais"
_ATTEMPTS = 3  # between finding a free port and listening on it, somebody else may take it
_STATUS_LINE = 7  # of postmaster.pid, counted from 0: "ready" once connections are accepted


@dataclass(frozen=True)
class PostgresqlServer:
    """A running cluster: it hands out databases of its own to each test."""

    port: int
    password: str
    numbers: Iterator[int]

    def url_of(self, database: str) -> str:
        """The address of one database as the settings take it, password included."""
        return f"postgresql+asyncpg://{_OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    async def create_database(self, template: str = "template0", *, encoding: str | None = None) -> str:
        """A new database, a copy of ``template`` (nobody may be connected to that one); the answer is its name.

        ``encoding`` makes one of ``template0`` that keeps its texts otherwise than the others.
        """
        name = f"test_{next(self.numbers)}"
        otherwise = f" encoding '{encoding}' lc_collate 'C' lc_ctype 'C'" if encoding else ""
        await self._execute(f"create database {_quoted(name)} template {_quoted(template)}{otherwise}")
        return name

    async def drop_database(self, name: str) -> None:
        """Throw a database away, and whoever is still connected to it out."""
        await self._execute(f"drop database if exists {_quoted(name)} with (force)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=_OWNER, password=self.password, database="postgres"
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def find_programs() -> Path:
    """The folder of ``initdb`` and ``postgres``, the newest when there are several.

    Raises ``UnavailableError`` where PostgreSQL is not installed, or may not run because nobody but root exists.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(
        installed, key=lambda folder: [int(n) for n in re.findall(r"\d+", folder.parent.name)], reverse=True
    )
    for folder in folders:
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            _unprivileged_user()
            return folder
    raise UnavailableError("PostgreSQL is not installed (on Debian: apt-get install postgresql)")


@contextmanager
def running_postgresql(*, fsync: bool = False) -> Iterator[PostgresqlServer]:
    """A cluster that lives as long as the block. ``fsync`` makes commits durable, which only measurements need.

    Raises ``UnavailableError`` where PostgreSQL cannot be had.
    """
    programs, user = find_programs(), _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="relais-postgresql-"))
    try:
        if user is not None:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        password = secrets.token_hex(16)
        _initialise(programs, folder, user, password)
        child, port = _start(programs, folder, user, fsync=fsync)
        try:
            yield PostgresqlServer(port, password, itertools.count(1))
        finally:
            end_child(child, end_with=signal.SIGINT)  # fast shutdown: whoever is still connected is thrown out
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initialise(programs: Path, folder: Path, user: str | None, password: str) -> None:
    password_file, log = folder / "password", folder / "initdb.log"
    password_file.write_text(password)
    if user is not None:
        shutil.chown(password_file, user)
    password_file.chmod(0o600)
    child = start_child(
        [
            programs / "initdb",
            f"--pgdata={folder / 'data'}",
            f"--username={_OWNER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
        log=log,
        user=user,
    )
    if child.wait() != 0:
        raise RuntimeError(f"initdb failed:\n{log.read_text(errors='replace')}")
    password_file.unlink()


def _start(programs: Path, folder: Path, user: str | None, *, fsync: bool) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "postgresql.log"
    for attempt in range(1, _ATTEMPTS + 1):
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if fsync else "off",
            "synchronous_commit": "on" if fsync else "off",
            "full_page_writes": "on" if fsync else "off",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        # A quit signal ends it at once, without a checkpoint: nobody will read this cluster again.
        child = start_child(
            [programs / "postgres", "-D", folder / "data", *settings], log=log, user=user, end_with=signal.SIGQUIT
        )
        try:
            wait_until(lambda: _is_ready(folder / "data"), child, log=log, timeout_seconds=60)
        except RuntimeError:
            end_child(child, end_with=signal.SIGQUIT)
            if attempt == _ATTEMPTS:
                raise
        else:
            return child, port
    raise AssertionError("unreachable: the last attempt raises")


def _is_ready(data: Path) -> bool:
    with suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text().splitlines()[_STATUS_LINE].strip() == "ready"
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged_user() -> str | None:
    """Whom to run as: PostgreSQL refuses root. ``None`` means as we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise UnavailableError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find_programs()}\n")
    except UnavailableError as error:
        sys.exit(str(error))
