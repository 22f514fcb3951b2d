"""HTTP connections whose requests must begin soon and briefly: uvicorn bounds neither time nor size of headers."""

import asyncio
import json
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 32 * 1024
"""How much may come before the body: the request line and the headers."""

_REASONS: Final = {408: "Request Timeout", 431: "Request Header Fields Too Large"}


class BoundedHead(HttpToolsProtocol):
    """Refuses a head that is larger than ``HEAD_BYTES`` with 431, one that takes longer than ``head_seconds`` with 408.

    The time runs from the opening of the connection, then from the first byte. The size is looked at once for each
    read, so that a head may be larger than allowed by what came in one of them.
    """

    head_seconds = 10.0
    _head_bytes = 0
    _in_head = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.head_seconds, self._refuse, 408)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_the_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._refuse, 408)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_the_clock()
        super().on_headers_complete()

    def _stop_the_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        """Answer and close; only where nothing is being answered on this connection."""
        self._deadline = None
        if self.transport.is_closing() or (self.cycle is not None and not self.cycle.response_complete):
            return
        if not self._in_head:
            self.transport.close()  # nothing was asked
            return
        slug = _REASONS[status].lower().replace(" ", "-")
        content = {"type": f"urn:relais:problem:{slug}", "title": _REASONS[status].lower(), "status": status}
        body = json.dumps(content).encode()
        self.transport.write(
            f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()
