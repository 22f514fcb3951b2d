"""How a stand-in is put on a socket: uvicorn, quietly, with a way to drop a connection."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mocks.faults import DROP_EXTENSION, App

GRACE_SECONDS: Final = 1


class DroppableProtocol(HttpToolsProtocol):
    """Lets an app drop the connection of its request, which ASGI itself has no word for."""

    def on_message_begin(self) -> None:
        """Put the transport's abort into the scope of the request that begins."""
        super().on_message_begin()
        extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
        extensions[DROP_EXTENSION] = self.transport.abort


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own raises the signal again after a clean end, which would end the process with an error
        yield


@contextlib.asynccontextmanager
async def served(app: App, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The base address at which ``app`` answers for as long as the block runs; port 0 takes a free one.

    Raises OSError when the address is taken.
    """
    listener = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
    )
    config = uvicorn.Config(
        app,
        http=DroppableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    accepting = asyncio.create_task(server.accepting.wait())
    try:
        await asyncio.wait({running, accepting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
            raise OSError(f"{host}:{port} could not be served")
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listener.getsockname()[1]}"
    finally:
        accepting.cancel()
        server.should_exit = True
        await running
        listener.close()


async def serve_until_told(app: App, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve ``app`` until SIGTERM or SIGINT; ``ready`` is called with the base address once it accepts.

    The process is the stand-in's own: uvicorn says nothing of the connections that are dropped on purpose.
    """
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with served(app, host=host, port=port) as address:
        ready(address)
        await stop.wait()
