"""From HTTP outcomes to the next move, and the transport told apart on a real socket."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, TemporaryError, UnconfirmedError
from connectors.kit.http import (
    AnswerTooLargeError,
    error_for_exception,
    error_for_status,
    exchange,
    fast_transport,
    open_client,
    read_limited,
    retry_after,
)

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LATER = {"Retry-After": "7"}

STATUSES: list[tuple[int, dict[str, str], type[ConnectorError], type[ConnectorError]]] = [
    # status, headers, on a read, on a write
    (301, {}, MisconfiguredError, MisconfiguredError),
    (400, {}, RejectedError, RejectedError),
    (401, {}, MisconfiguredError, MisconfiguredError),
    (403, LATER, MisconfiguredError, MisconfiguredError),
    (404, {}, RejectedError, RejectedError),
    (407, {}, MisconfiguredError, MisconfiguredError),
    (408, {}, TemporaryError, TemporaryError),
    (409, {}, RejectedError, RejectedError),
    (413, {}, RejectedError, RejectedError),
    (422, {}, RejectedError, RejectedError),
    (429, {}, TemporaryError, TemporaryError),
    (429, LATER, TemporaryError, TemporaryError),
    (500, {}, TemporaryError, UnconfirmedError),
    (502, LATER, TemporaryError, UnconfirmedError),
    (503, {}, TemporaryError, UnconfirmedError),
    (503, LATER, TemporaryError, TemporaryError),
    (503, {"retry-after": "tomorrow"}, TemporaryError, TemporaryError),
    (504, {}, TemporaryError, UnconfirmedError),
    (599, {}, TemporaryError, UnconfirmedError),
]


@pytest.mark.parametrize(("status", "headers", "on_a_read", "on_a_write"), STATUSES)
def test_a_status_says_what_to_do_next(
    status: int, headers: dict[str, str], on_a_read: type[ConnectorError], on_a_write: type[ConnectorError]
) -> None:
    read = error_for_status(status, headers, writing=False, reason="no", now=NOW)
    write = error_for_status(status, headers, writing=True, reason="no", now=NOW)
    assert (type(read), type(write)) == (on_a_read, on_a_write)
    assert read is not None
    assert (read.code, read.reason) == (f"http_{status}", "no")


@pytest.mark.parametrize("status", [200, 201, 204, 207])
def test_a_success_is_no_error(status: int) -> None:
    assert error_for_status(status, {}, writing=True, reason="no") is None


def test_a_busy_system_is_asked_again_when_it_says() -> None:
    error = error_for_status(429, {"retry-after": "7"}, writing=True, reason="busy", now=NOW)
    assert isinstance(error, TemporaryError)
    assert error.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 5 ", timedelta(seconds=5)),
        ("999999", timedelta(days=1)),
        ("9" * 5_000, timedelta(days=1)),
        ("Mon, 04 May 2026 08:00:30 GMT", timedelta(seconds=30)),
        ("Mon, 04 May 2026 07:00:00 GMT", timedelta(0)),
        ("Mon, 04 May 2026 08:00:30", timedelta(seconds=30)),
        ("Fri, 04 May 2096 08:00:30 GMT", timedelta(days=1)),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(text: str, wait: timedelta | None) -> None:
    assert retry_after({"Retry-After": text}, NOW) == wait


def test_no_retry_after_is_no_wait() -> None:
    assert retry_after({}, NOW) is None


EXCEPTIONS: list[tuple[Exception, type[ConnectorError], type[ConnectorError]]] = [
    (httpx.ConnectError("x"), TemporaryError, TemporaryError),
    (httpx.ConnectTimeout("x"), TemporaryError, TemporaryError),
    (httpx.PoolTimeout("x"), TemporaryError, TemporaryError),
    (httpx.ReadTimeout("x"), TemporaryError, UnconfirmedError),
    (httpx.WriteTimeout("x"), TemporaryError, UnconfirmedError),
    (TimeoutError(), TemporaryError, UnconfirmedError),
    (httpx.ReadError("x"), TemporaryError, UnconfirmedError),
    (httpx.WriteError("x"), TemporaryError, UnconfirmedError),
    (httpx.RemoteProtocolError("x"), TemporaryError, UnconfirmedError),
    (httpx.DecodingError("x"), TemporaryError, UnconfirmedError),
    (ConnectionResetError(), TemporaryError, UnconfirmedError),
    (httpx.UnsupportedProtocol("x"), MisconfiguredError, MisconfiguredError),
    (httpx.InvalidURL("x"), MisconfiguredError, MisconfiguredError),
    (AnswerTooLargeError(), MisconfiguredError, UnconfirmedError),
]


@pytest.mark.parametrize(("error", "on_a_read", "on_a_write"), EXCEPTIONS)
def test_a_missing_answer_says_what_to_do_next(
    error: Exception, on_a_read: type[ConnectorError], on_a_write: type[ConnectorError]
) -> None:
    assert type(error_for_exception(error, writing=False)) is on_a_read
    assert type(error_for_exception(error, writing=True)) is on_a_write


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server_that(speaks: Speak) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await speaks(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hangs_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def keeps_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def says(answer: bytes) -> Speak:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return speak


async def outcome(url: str, *, within: timedelta = timedelta(seconds=5), limit: int = 1_000) -> str | int:
    async with open_client(url, fast_transport(), timeout=within) as client:
        try:
            answer = await exchange(client, client.build_request("POST", "/"), writing=True, limit=limit, within=within)
        except ConnectorError as error:
            return f"{type(error).__name__} {error.code}"
        return answer.status


@pytest.mark.parametrize(
    ("speaks", "expected"),
    [
        (resets, "UnconfirmedError broken_connection"),
        (hangs_up, "UnconfirmedError broken_connection"),
        (says(b"gibberish\r\n\r\n"), "UnconfirmedError broken_connection"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "UnconfirmedError broken_connection"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha"), "UnconfirmedError broken_connection"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
            "UnconfirmedError broken_connection",
        ),
        (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), 302),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 200),
    ],
    ids=["reset", "hung up", "gibberish", "half a body", "half a chunk", "not gzip", "redirect", "answer"],
)
async def test_what_happens_after_sending_is_never_taken_for_never_sent(speaks: Speak, expected: str | int) -> None:
    async with a_server_that(speaks) as url:
        assert await outcome(url) == expected


async def test_a_silent_server_is_left_after_the_time_allowed() -> None:
    async with a_server_that(keeps_silent) as url:
        assert await outcome(url, within=timedelta(seconds=0.05)) == "UnconfirmedError timeout"


async def test_a_refused_connection_was_never_sent() -> None:
    async with a_server_that(hangs_up) as url:
        closed = url
    assert await outcome(closed) == "TemporaryError no_connection"


async def test_an_answer_is_counted_after_decoding() -> None:
    bomb = gzip.compress(b"0" * 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with a_server_that(says(head + bomb)) as url:
        assert await outcome(url) == "UnconfirmedError answer_too_large"


async def test_a_proxy_named_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with a_server_that(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        assert await outcome(url) == 200


async def test_an_answer_just_within_the_limit_is_read() -> None:
    assert await read_limited(httpx.Response(200, content=b"x" * 10), 10) == b"x" * 10
    with pytest.raises(AnswerTooLargeError):
        await read_limited(httpx.Response(200, content=b"x" * 11), 10)
