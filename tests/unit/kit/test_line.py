"""The short way to one system, on a real socket: bounded, without anything that nobody asked for."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from connectors.kit.errors import ConnectorError
from connectors.kit.http import Answer, fast_transport
from connectors.kit.line import Line, open_line
from tests.unit.kit.test_http import Speak, a_server_that, hangs_up, keeps_silent, resets, says


@asynccontextmanager
async def a_line(
    url: str, transport: httpx.AsyncBaseTransport, *, within: float = 5, limit: int = 1_000
) -> AsyncIterator[Line]:
    headers = {"Authorization": "Bearer word"}
    async with open_line(url, transport, headers=headers, within=timedelta(seconds=within), limit=limit) as line:
        yield line


async def outcome(url: str, *, within: float = 5, limit: int = 1_000, writing: bool = True) -> str | Answer:
    async with a_line(url, fast_transport(), within=within, limit=limit) as line:
        try:
            return await line.send("POST", line.address("/"), writing=writing, content=b"{}")
        except ConnectorError as error:
            return f"{type(error).__name__} {error.code}"


@pytest.mark.parametrize(
    ("speaks", "on_a_write", "on_a_read"),
    [
        (resets, "UnconfirmedError broken_connection", "TemporaryError broken_connection"),
        (hangs_up, "UnconfirmedError broken_connection", "TemporaryError broken_connection"),
        (says(b"gibberish\r\n\r\n"), "UnconfirmedError broken_connection", "TemporaryError broken_connection"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            "UnconfirmedError broken_connection",
            "TemporaryError broken_connection",
        ),
    ],
    ids=["reset", "hung up", "gibberish", "half a body"],
)
async def test_no_whole_answer_is_doubt_for_who_writes(speaks: Speak, on_a_write: str, on_a_read: str) -> None:
    async with a_server_that(speaks) as url:
        assert await outcome(url) == on_a_write
        assert await outcome(url, writing=False) == on_a_read


async def test_a_silent_server_is_left_after_the_time_allowed() -> None:
    async with a_server_that(keeps_silent) as url:
        assert await outcome(url, within=0.05) == "UnconfirmedError timeout"


async def test_a_refused_connection_was_never_sent() -> None:
    assert await outcome("http://127.0.0.1:1") == "TemporaryError no_connection"


async def test_an_answer_is_read_up_to_the_limit() -> None:
    async with a_server_that(says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour")) as url:
        answer = await outcome(url, limit=4)
        assert isinstance(answer, Answer)
        assert answer.body == b"four"
        assert await outcome(url, limit=3) == "UnconfirmedError answer_too_large"


async def test_a_compressed_answer_is_counted_unpacked() -> None:
    body = gzip.compress(b"x" * 2_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with a_server_that(says(head + body)) as url:
        answer = await outcome(url, limit=2_000)
        assert isinstance(answer, Answer)
        assert answer.body == b"x" * 2_000
        assert await outcome(url, limit=1_999) == "UnconfirmedError answer_too_large"


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/", "Set-Cookie": "a=b"})

    async with a_line("https://system.example/base/", httpx.MockTransport(answer)) as line:
        for _ in range(2):
            assert (await line.send("GET", line.address("/things"), writing=False)).status == 302
    assert [str(request.url) for request in asked] == ["https://system.example/base/things"] * 2
    assert "cookie" not in asked[1].headers


async def test_a_request_carries_what_it_is_given() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    async with a_line("https://system.example", httpx.MockTransport(answer)) as line:
        address = line.address("/things", [("name", "a&b"), ("name", "c")])
        await line.send("POST", address, writing=True, headers={"Idempotency-Key": "k1"}, content=b"{}")
    (request,) = asked
    assert request.url.raw_path == b"/things?name=a%26b&name=c"
    assert request.content == b"{}"
    assert {name: request.headers[name] for name in ("host", "authorization", "idempotency-key", "content-length")} == {
        "host": "system.example",
        "authorization": "Bearer word",
        "idempotency-key": "k1",
        "content-length": "2",
    }
