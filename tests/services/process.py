"""Child processes that cannot outlive the tests, and what is needed to wait for them."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal the kernel sends when the parent is gone, however it went


class UnavailableError(Exception):
    """A server cannot be had on this machine; the message says what is missing and how to get it."""


def start_child(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    end_with: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server whose output goes to ``log``, as ``user`` when given (needs root), in our environment or another.

    On Linux the kernel sends it ``end_with`` as soon as this process is gone, even when it was killed.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def bind_to_parent() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(end_with))
            if os.getppid() != parent:  # the parent went before the kernel was told
                os.kill(os.getpid(), signal.SIGKILL)

    identity = pwd.getpwnam(user) if user is not None else None
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=identity.pw_uid if identity else None,
            group=identity.pw_gid if identity else None,
            extra_groups=[] if identity else None,
            cwd=log.parent,
            env=environment,
            preexec_fn=bind_to_parent,  # safe while no other thread of the tests holds a lock
        )


def wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes], *, log: Path, timeout_seconds: float) -> None:
    """Return once ``ready`` says so. Raises ``RuntimeError`` with the end of the log when it ends or is late."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            went = "ended" if child.poll() is not None else f"was not ready within {timeout_seconds:g} s"
            raise RuntimeError(f"{child.args!r} {went}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.01)


def end_child(child: subprocess.Popen[bytes], *, end_with: signal.Signals, timeout_seconds: float = 10) -> None:
    """Ask the child to end, and kill it when it does not within ``timeout_seconds``."""
    if child.poll() is None:
        child.send_signal(end_with)
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
