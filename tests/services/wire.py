"""The wire between a program and a server, which a test may cut or let fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Wire:
    """Passes bytes between whoever connects to ``port`` and a server on this machine."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self._server_port = server_port
        self._whole = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Pass nothing on, in neither direction, and say nothing of it."""
        self._flowing.clear()

    def mend(self) -> None:
        """Be as before."""
        self._whole = True
        self._flowing.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        if not self._whole:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, there_writer}
        self._writers |= ends
        try:
            with suppress(ConnectionError):
                await asyncio.gather(self._pass_on(reader, there_writer), self._pass_on(there_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def a_wire(server_port: int) -> AsyncIterator[Wire]:
    """A wire to a server, on a port of its own."""
    wire = Wire(server_port)
    listening = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    wire.port = listening.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        wire.cut()
        wire.mend()
        listening.close()
