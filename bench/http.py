"""The smallest HTTP server that still parses HTTP: what both the bare loop and the lean CRM stand on."""

import asyncio
from collections.abc import Awaitable, Callable

import httptools

Answer = Callable[[str, str, bytes, dict[str, str]], Awaitable[tuple[int, bytes]]]
"""Method, path, body and headers to status and JSON body."""

_REASONS = {200: b"OK", 201: b"Created", 401: b"Unauthorized", 404: b"Not Found", 503: b"Service Unavailable"}


class Connection(asyncio.Protocol):
    """One kept connection; requests are answered in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._url = b""
        self._replies: set[asyncio.Future[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream server gives streams

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower().decode()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        work = self._answer(method, self._url.decode(), b"".join(self._body), self._headers)
        self._headers, self._body = {}, []
        reply = asyncio.ensure_future(self._reply(work))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)

    async def _reply(self, work: Awaitable[tuple[int, bytes]]) -> None:
        status, body = await work
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (
            status,
            _REASONS.get(status, b"Answer"),
            len(body),
        )
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(head + body)


async def serve(answer: Answer, port: int = 0) -> tuple[asyncio.Server, int]:
    """Listen on the loopback; the server and its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answer), "127.0.0.1", port)
    return server, server.sockets[0].getsockname()[1]
