"""A program of the demonstration as a child process that ends with it, however it ends."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_LISTENING: Final = "listening on "
_LOOK_SECONDS: Final = 0.02
_MOST_WORDS: Final = 300


class StageError(Exception):
    """The demonstration cannot go on; the message is for a human and says where to look."""


class Child:
    """One program with a log file. What it writes to either of its outputs goes there."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def pid(self) -> int | None:
        """The number of the process while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    async def start(self, *, within_seconds: float = 30.0) -> str:
        """Start it; the address that it says it listens on. Raises StageError where it ends or stays silent."""
        self._spawn()
        try:
            async with asyncio.timeout(within_seconds):
                while (address := self._address()) is None:
                    self.look()
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise StageError(f"{self.name} did not start within {within_seconds:g} s: see {self.log}") from None
        return address

    def _spawn(self) -> None:
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        # Not in a thread: the kernel would end the child when that thread ends.
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # programs of ours with arguments of ours
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=self._environment,
                start_new_session=True,  # a Ctrl-C at the terminal is the demonstration's to handle
                preexec_fn=_bound_to_parent(),  # noqa: PLW1509  # it makes two system calls and takes no lock
            )

    def look(self) -> None:
        """Raises StageError where it has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise StageError(f"{self.name} ended with {code}, and said last: {self._last_words()}\nsee {self.log}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self, *, within_seconds: float = 25.0) -> None:
        """Ask it to end, and kill it when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            for _ in range(int(within_seconds / _LOOK_SECONDS)):
                if process.poll() is not None:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def memory_mebibytes(self) -> float | None:
        """The most main memory that it ever held, where the system tells (Linux)."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace")
        except OSError:
            return None
        kibibytes = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
        return None if kibibytes is None else int(kibibytes) / 1024

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return lines[-1][:_MOST_WORDS] if lines else "nothing"

    def _address(self) -> str | None:
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            for line in log:
                text = line.decode("utf-8", "replace")
                if text.startswith(_LISTENING) and text.endswith("\n"):
                    return text.removeprefix(_LISTENING).strip()
        return None


def _bound_to_parent() -> Callable[[], None] | None:
    """What binds a new process to us: the kernel kills it when we are gone (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it went before the kernel was told
            os.kill(os.getpid(), signal.SIGKILL)

    return bind
