"""A polite pace: so many requests a second and no more."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """Lets callers through one by one, evenly spaced.

    ``clock`` counts seconds and never goes back; ``sleep`` waits for seconds.
    """

    def __init__(
        self,
        rate_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = 1 / rate_per_second
        self._clock = clock
        self._sleep = sleep
        self._next = float("-inf")

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        now = self._clock()
        mine = max(now, self._next)
        # Taken before waiting, so that those who come meanwhile queue up behind.
        self._next = mine + self._gap
        if mine > now:
            await self._sleep(mine - now)
