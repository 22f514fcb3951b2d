"""The advisory lock between processes that every writer to SQLite takes: its own busy handler sleeps far too long."""

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from relais.ledger.away import LedgerAwayError


class WriteLock:
    """A lock file beside the ledger; whoever dies gives it back. One task of a process may ask at a time."""

    def __init__(self, ledger: Path, timeout_seconds: float) -> None:
        self._path = f"{ledger}.lock"
        self._timeout_seconds = timeout_seconds
        self._descriptor: int | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._wanted = False

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the lock. Raises LedgerAwayError where it cannot be had in time."""
        if self._descriptor is None:
            self._descriptor = self._open()
        held = self._descriptor
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = await self._wait()
        try:
            yield
        finally:
            fcntl.flock(held, fcntl.LOCK_UN)
            if held != self._descriptor:
                os.close(held)

    def close(self) -> None:
        """Let go of the lock file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerAwayError(f"the ledger's lock file cannot be opened: {error.strerror}") from error

    async def _wait(self) -> int:
        """Wait in the kernel, off the event loop: the wake-up is prompt and the loop stays alive.

        A wait that was given up goes on, for the next one who asks: there is never more than one thread.
        """
        if self._waiting is None:
            self._waiting = self._begin_to_wait()
        waiting, self._wanted = self._waiting, True
        try:
            async with asyncio.timeout(self._timeout_seconds):
                descriptor = await asyncio.shield(waiting)
        except BaseException as error:
            self._wanted = False
            if waiting.done():
                self._give_back(waiting)  # it came while we turned away
            if isinstance(error, TimeoutError):
                raise LedgerAwayError("another process holds the ledger's write lock") from error
            raise
        self._waiting, self._wanted = None, False
        return descriptor

    def _begin_to_wait(self) -> "asyncio.Future[int]":
        # a descriptor of its own, so that what nobody wants any more is given back by closing it
        descriptor = self._open()
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[int] = loop.create_future()

        def arrived() -> None:
            waiting.set_result(descriptor)
            if not self._wanted:
                self._give_back(waiting)

        def wait() -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                loop.call_soon_threadsafe(arrived)
            except RuntimeError:  # the loop has ended
                os.close(descriptor)

        # no thread of the loop's pool: names are resolved there, and the loop's end waits for them
        threading.Thread(target=wait, name="ledger-write-lock", daemon=True).start()
        return waiting

    def _give_back(self, waiting: "asyncio.Future[int]") -> None:
        if self._waiting is waiting:
            self._waiting = None
            os.close(waiting.result())
