"""Waiting for what happens elsewhere, without guessing how long it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(true: Callable[[], bool | Awaitable[bool]], *, seconds: float = 15) -> None:
    """Return once ``true`` says so; fail when it has not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = true()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < deadline, f"it did not come true within {seconds:g} s"
        await asyncio.sleep(0.01)
