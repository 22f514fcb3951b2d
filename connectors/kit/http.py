"""Talking HTTP: one fast transport, bounded answers, and the one table from HTTP outcomes to the four errors."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, TemporaryError, UnconfirmedError

LONGEST_RETRY_AFTER: Final = timedelta(days=1)


class AnswerTooLargeError(Exception):
    """An answer was longer than we are willing to hold in memory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, decoded and within bounds."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)


def fast_transport(*, connections: int = 128) -> httpx.AsyncBaseTransport:
    """A transport for httpx that stays fast with many requests in flight: aiohttp's, telling its errors apart.

    No redirects, no proxies from the environment. Certificates are checked against ``SSL_CERT_FILE`` where that is set.
    """
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=30)
    return _FastTransport(limits=limits)


def open_client(
    base_url: str, transport: httpx.AsyncBaseTransport, *, timeout: timedelta, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client (an async context manager) that goes nowhere but where it is sent."""
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        timeout=timeout.total_seconds(),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )


async def exchange(
    client: httpx.AsyncClient, request: httpx.Request, *, writing: bool, limit: int, within: timedelta
) -> Answer:
    """Send a request and read its whole answer, at most ``limit`` decoded bytes, in at most ``within`` altogether.

    Any status is an answer. Raises ConnectorError where no whole answer came.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            response = await client.send(request, stream=True)
            try:
                body = await read_limited(response, limit)
            finally:
                await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL, AnswerTooLargeError, OSError) as error:
        raise error_for_exception(error, writing=writing) from error
    return Answer(response.status_code, response.headers, body)


async def read_limited(response: httpx.Response, limit: int) -> bytes:
    """The body of a streamed response. Raises AnswerTooLargeError beyond ``limit`` bytes, counted after decoding."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise AnswerTooLargeError
    return bytes(body)


def error_for_status(
    status: int, headers: Mapping[str, str], *, writing: bool, reason: str, now: datetime | None = None
) -> ConnectorError | None:
    """What an answer's status means for the next move, ``None`` for a success.

    ``writing`` says that the request may have changed something there; ``reason`` is a sentence for a human without
    personal data; ``now`` is for a Retry-After that names a date.
    """
    code = f"http_{status}"
    if 200 <= status < 300:
        return None
    says_when = "retry-after" in {name.lower() for name in headers}
    if status in (408, 425, 429) or (status == 503 and says_when):
        return TemporaryError(reason, code=code, retry_after=retry_after(headers, now or datetime.now(UTC)))
    if status >= 500:
        return UnconfirmedError(reason, code=code) if writing else TemporaryError(reason, code=code)
    if status in (401, 403, 407) or status < 400:
        return MisconfiguredError(reason, code=code)
    return RejectedError(reason, code=code)


def error_for_exception(error: Exception, *, writing: bool) -> ConnectorError:
    """What it means for the next move that no whole answer came. The message names the kind of fault only."""
    if isinstance(error, AnswerTooLargeError):
        reason = "the answer is larger than allowed"
        code = "answer_too_large"
        return UnconfirmedError(reason, code=code) if writing else MisconfiguredError(reason, code=code)
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return MisconfiguredError("the address is not one that can be called", code="invalid_address")
    if _is_distrust(error):
        return MisconfiguredError("the certificate of the other side is not trusted", code="certificate")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return TemporaryError("no connection could be made", code="no_connection")
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        reason, code = "no answer in time", "timeout"
    else:
        reason, code = "the connection broke before the answer was whole", "broken_connection"
    return UnconfirmedError(reason, code=code) if writing else TemporaryError(reason, code=code)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a Retry-After header (RFC 9110, seconds or a date) asks to wait: never negative, at most a day.

    ``None`` where there is none or it cannot be read.
    """
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if text.isascii() and text.isdigit():
        # A number of that many digits is over the bound whatever it is.
        return LONGEST_RETRY_AFTER if len(text) > 9 else min(timedelta(seconds=int(text)), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_RETRY_AFTER)


def _is_distrust(error: BaseException | None) -> bool:
    """A certificate that fails comes wrapped: aiohttp keeps the reason as an attribute, others as a cause."""
    while error is not None:
        reason = getattr(error, "certificate_error", None) or error
        if isinstance(reason, (ssl.CertificateError, aiohttp.ClientConnectorCertificateError)):
            return True
        error = error.__cause__ or error.__context__
    return False


class _FastTransport(AiohttpTransport):
    """httpx-aiohttp 0.2 reports a connection lost after sending as a connect timeout, and passes some of aiohttp's own
    errors through; who decides whether to send again must be able to tell these apart.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await super().handle_async_request(request)
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _told_apart(error) from error
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - narrows a union for the type checker
        response.stream = _ToldApartStream(response.stream)
        return response


class _ToldApartStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _told_apart(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _told_apart(error: Exception) -> httpx.TransportError:
    root = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    match root:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time")
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError("no connection")
        case aiohttp.ServerTimeoutError():
            return httpx.ReadTimeout("no answer in time")
        case aiohttp.ClientConnectionError():
            return httpx.ReadError("the connection was lost")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol("not an address for HTTP")
        case httpx.TransportError():
            return root
        case _:
            return httpx.RemoteProtocolError("the answer is not HTTP")
