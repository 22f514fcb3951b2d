"""Whether the process lives, whether it is ready, and what is degraded."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.ledger.probing import prove_writable
from relais.telemetry.metrics import Metrics

_CHECK_EVERY_SECONDS: Final = 1.0
_CHECK_TIMEOUT_SECONDS: Final = 2.0


class Health:
    """What the probes answer from.

    Ready needs the ledger, and that we are not stopping; a broker that is away or a paused sink only degrades.
    """

    def __init__(self, metrics: Metrics, *, broker_up: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._broker_up = broker_up
        metrics.broker_up.set_function(broker_up)
        self._checked_at = 0.0
        self._trouble: str | None = "the ledger is not open yet"
        self._paused: list[str] = []
        self.ledger: Ledger | None = None
        self.waiting_for = "the ledger is not open yet"
        self.stopping = False
        self.routes = [
            Route("/live", self._live),
            Route("/ready", self._ready),
            Route("/metrics", self._page),
        ]

    async def trouble(self) -> str | None:
        """Why the process is not ready; None where it is. Looks at the ledger at most once a second."""
        if self.stopping:
            return "stopping"
        if self.ledger is None:
            return self.waiting_for
        if time.monotonic() - self._checked_at < _CHECK_EVERY_SECONDS:
            return self._trouble
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
                # a ledger that can be read and not written is of no use to anybody who is pushed to
                await prove_writable(self.ledger.database)
                self._paused = sorted(await self.ledger.sinks.paused())
            self._trouble = None
        except (LedgerAwayError, TimeoutError) as error:
            self._trouble = str(error) or "the ledger does not answer"
        self._checked_at = time.monotonic()
        self._metrics.ledger_up.set(self._trouble is None)
        return self._trouble

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, _request: Request) -> Response:
        trouble = await self.trouble()
        broker_up = self._broker_up()
        degraded = [] if broker_up else ["broker"]
        degraded += [f"sink {name} is paused" for name in self._paused]
        content: dict[str, object] = {"ready": trouble is None, "degraded": degraded}
        if trouble is not None:
            content["reason"] = trouble
        return JSONResponse(content, 200 if trouble is None else 503)

    async def _page(self, _request: Request) -> Response:
        return Response(self._metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
