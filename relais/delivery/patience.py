"""How long to wait before the next try. Only tenacity computes waits."""

import random
from datetime import timedelta
from typing import Final

from tenacity import RetryCallState, wait_random_exponential

IN_LANE_LIMIT: Final = timedelta(seconds=2)
"""A longer wait releases the claim and goes to the ledger's clock."""


class Patience:
    """Full jitter between nothing and a ceiling that doubles with each attempt, up to ``longest``.

    ``gives_up_after`` is how long a case may fail without a success in between before a human is called.
    """

    def __init__(
        self,
        *,
        first: timedelta = timedelta(milliseconds=500),
        longest: timedelta = timedelta(minutes=15),
        gives_up_after: timedelta = timedelta(hours=75),
    ) -> None:
        self._wait = wait_random_exponential(multiplier=first.total_seconds(), max=longest.total_seconds())
        self.gives_up_after = gives_up_after

    def wait_after(self, attempt: int, retry_after: timedelta | None = None) -> timedelta:
        """How long to wait after the ``attempt``-th failure in a row (1 is the first).

        Never less than what the system asked for; that gets a little jitter on top, so that the cases of an outage do
        not all come back in the same moment.
        """
        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = max(1, attempt)
        wait = timedelta(seconds=self._wait(state))
        if retry_after is None or wait > retry_after:
            return wait
        return retry_after * (1 + random.random() / 4)  # noqa: S311  # jitter, not a secret
