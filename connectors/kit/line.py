"""The short way to one system: requests go straight to the transport, for who sends thousands of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import httpx

from connectors.kit.http import Answer, AnswerTooLargeError, error_for_exception, read_limited

_Header = tuple[bytes, bytes]


class Line:
    """Sends requests to one system and reads whole answers, without what httpx's client adds for everybody.

    There are no redirects, cookies or credentials beyond the headers given: what remains costs a third.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        *,
        headers: Mapping[str, str],
        within: timedelta,
        limit: int,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        # A compressed answer would have to be unpacked to be counted; one that comes all the same is.
        self._headers = [_header(name, value) for name, value in {"Accept-Encoding": "identity", **headers}.items()]
        self._within: Final = within.total_seconds()
        self._extensions = {"timeout": httpx.Timeout(self._within).as_dict()}
        self._limit = limit

    def address(self, path: str, query: Iterable[tuple[str, str]] = ()) -> httpx.URL:
        """The address of a path under the base address; worth keeping where it is asked often."""
        url = httpx.URL(self._base_url + path)
        return url.copy_with(params=httpx.QueryParams(list(query))) if query else url

    async def send(
        self,
        method: str,
        address: httpx.URL,
        *,
        writing: bool,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """The answer, whatever its status, at most ``limit`` decoded bytes and ``within`` the time given altogether.

        Raises ConnectorError where no whole answer came; ``writing`` says that the request may change something there.
        """
        own = [_header(name, value) for name, value in headers.items()] if headers else []
        request = httpx.Request(
            method, address, headers=[*self._headers, *own], content=content, extensions=self._extensions
        )
        try:
            async with asyncio.timeout(self._within):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await _body_of(response, self._limit)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLargeError, OSError) as error:
            raise error_for_exception(error, writing=writing) from error
        return Answer(response.status_code, response.headers, body)


@asynccontextmanager
async def open_line(
    base_url: str,
    transport: httpx.AsyncBaseTransport,
    *,
    headers: Mapping[str, str],
    within: timedelta,
    limit: int,
) -> AsyncIterator[Line]:
    """A line to the system at ``base_url``; every request carries ``headers``."""
    async with transport:
        yield Line(base_url, transport, headers=headers, within=within, limit=limit)


def _header(name: str, value: str) -> _Header:
    return name.encode("ascii"), value.encode("utf-8")


async def _body_of(response: httpx.Response, limit: int) -> bytes:
    stream = response.stream
    if "content-encoding" in response.headers or not isinstance(stream, httpx.AsyncByteStream):
        return await read_limited(response, limit)
    body = b""
    async for chunk in stream:
        body = body + chunk if body else chunk
        if len(body) > limit:
            raise AnswerTooLargeError
    return body
