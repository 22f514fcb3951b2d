"""The HTTP side of a process: one small application on one port."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from relais.runtime.http_head import BoundedHead
from relais.runtime.webhooks import problem

_GRACE_SECONDS: Final = 3
_START_SECONDS: Final = 10.0
_REFUSALS: Final = {
    404: ("not-found", "there is nothing under this path"),
    405: ("method-not-allowed", "this path does not take this method"),
}


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program, which stops its parts in their order."""
        yield


async def _refused(_request: Request, error: Exception) -> Response:
    """What Starlette refuses: another path, another method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    slug, detail = _REFUSALS.get(status, ("error", "this cannot be answered"))
    return problem(status, slug, detail, getattr(error, "headers", None))


async def _failed(_request: Request, _error: Exception) -> Response:
    return problem(500, "internal-error", "this could not be answered")


class HttpServer:
    """Serves routes from ``start`` until ``stop``; what is being answered then gets three seconds to its end."""

    def __init__(self, routes: Sequence[BaseRoute], *, host: str, port: int, head_seconds: float = 10.0) -> None:
        app = Starlette(routes=list(routes), exception_handlers={HTTPException: _refused, Exception: _failed})
        # a sender that takes nothing but 200 for a success is not helped by being sent elsewhere
        app.router.redirect_slashes = False
        self._server = _Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=type("Connection", (BoundedHead,), {"head_seconds": head_seconds}),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; the port. Raises OSError where the address cannot be had."""
        self._serving = asyncio.create_task(self._serve())
        async with asyncio.timeout(_START_SECONDS):
            while not self._server.started:
                if self._serving.done():
                    await self._serving
                    raise OSError("the HTTP server ended before it listened")
                await asyncio.sleep(0.005)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Take no more connections, answer what is being answered, end."""
        if self._serving is None:
            return
        self._server.should_exit = True
        with suppress(OSError):
            await self._serving

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as end:
            # uvicorn leaves the whole process when it cannot bind
            config = self._server.config
            raise OSError(f"{config.host}:{config.port} cannot be listened on") from end
