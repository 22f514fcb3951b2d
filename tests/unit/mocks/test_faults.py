"""Faults on request: what a real client sees over a real socket, and whether the work was done."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from mocks.faults import (
    CONTROL_PATH,
    FAULTS_EXTENSION,
    ConnectionDroppedError,
    Fault,
    Faults,
    FaultsMiddleware,
    Kind,
    Receive,
    Scope,
    Send,
    UnknownFaultError,
)
from mocks.serving import served


@dataclass
class Counter:
    """An app that counts the bodies it was given and answers each with 201."""

    bodies: list[bytes] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


def operation_of(scope: Scope) -> str | None:
    return None if scope["path"].startswith("/_") else "count"


@dataclass
class Bench:
    app: Counter
    client: httpx.AsyncClient

    async def arm(self, **rule: Any) -> None:
        answer = await self.client.post(CONTROL_PATH, json=[rule])
        assert answer.status_code == 200, answer.text

    async def post(self) -> httpx.Response:
        return await self.client.post("/work", content=b"x" * 2000)


@asynccontextmanager
async def a_bench() -> AsyncIterator[Bench]:
    app = Counter()
    async with (
        served(FaultsMiddleware(app, operation_of)) as address,
        httpx.AsyncClient(base_url=address, timeout=5) as client,
    ):
        yield Bench(app, client)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with a_bench() as opened:
        yield opened


async def test_a_stand_in_leaves_the_log_of_its_process_as_it_is() -> None:
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    before = [(logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
    async with a_bench():
        during = [(logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
    assert during == before


async def test_without_rules_nothing_goes_wrong(bench: Bench) -> None:
    assert (await bench.post()).text == "done"


@pytest.mark.parametrize(("kind", "status"), [("busy", 429), ("unavailable", 503)])
async def test_a_polite_refusal_says_when_to_come_back_and_does_nothing(bench: Bench, kind: str, status: int) -> None:
    await bench.arm(kind=kind, retry_after=3)

    answer = await bench.post()

    assert (answer.status_code, answer.headers["retry-after"]) == (status, "3")
    assert answer.headers["content-type"] == "application/problem+json"
    assert bench.app.bodies == []


async def test_a_wrong_token_is_wrong_for_everybody(bench: Bench) -> None:
    await bench.arm(kind="wrong_token")

    answer = await bench.post()

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert bench.app.bodies == []


@pytest.mark.parametrize("effect", [True, False])
async def test_a_server_error_leaves_open_whether_the_work_was_done(bench: Bench, effect: bool) -> None:
    await bench.arm(kind="server_error", effect=effect)

    answer = await bench.post()

    assert answer.status_code == 500
    assert len(bench.app.bodies) == int(effect)


async def test_a_lost_answer_does_the_work_and_ends_the_connection(bench: Bench) -> None:
    await bench.arm(kind="lost_answer", count=1)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await bench.post()

    assert bench.app.bodies == [b"x" * 2000]
    assert (await bench.post()).status_code == 201


async def test_a_reset_ends_the_connection_before_the_work(bench: Bench) -> None:
    await bench.arm(kind="reset", count=1)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
        await bench.post()

    assert bench.app.bodies == []


async def test_a_reset_ends_only_the_connection_it_met(bench: Bench) -> None:
    await bench.arm(kind="reset", route="GET *")

    answers = await asyncio.gather(bench.post(), bench.client.get("/work"), bench.post(), return_exceptions=True)

    assert [isinstance(answer, httpx.TransportError) for answer in answers] == [False, True, False]


@pytest.mark.parametrize("effect", [True, False])
async def test_silence_lasts_until_the_caller_gives_up(bench: Bench, effect: bool) -> None:
    await bench.arm(kind="silent", seconds=60, effect=effect)

    with pytest.raises(httpx.ReadTimeout):
        await bench.client.post("/work", content=b"x", timeout=0.2)

    assert len(bench.app.bodies) == int(effect)


async def test_silence_ends_with_a_dropped_connection(bench: Bench) -> None:
    await bench.arm(kind="silent", seconds=0.05)

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await bench.post()


async def test_a_slow_answer_is_a_true_one(bench: Bench) -> None:
    await bench.arm(kind="slow", seconds=0.05)

    before = asyncio.get_running_loop().time()
    answer = await bench.post()

    assert answer.text == "done"
    assert asyncio.get_running_loop().time() - before >= 0.05


async def test_gibberish_is_a_success_that_says_nothing(bench: Bench) -> None:
    await bench.arm(kind="gibberish")

    answers = [await bench.post() for _ in range(12)]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) > 1
    assert "done" not in {answer.text for answer in answers}
    assert bench.app.bodies == []


async def test_rules_meet_only_what_they_name(bench: Bench) -> None:
    await bench.arm(kind="busy", route="PUT /work")
    await bench.arm(kind="busy", operation="other*")

    assert (await bench.post()).status_code == 201
    assert (await bench.client.put("/work")).status_code == 429


async def test_the_controls_themselves_are_never_harmed(bench: Bench) -> None:
    await bench.arm(kind="reset")

    assert (await bench.client.get("/_oracle")).status_code == 201
    assert (await bench.client.delete(CONTROL_PATH)).json() == []
    assert (await bench.post()).status_code == 201


async def test_the_report_counts_what_was_seen_and_hit(bench: Bench) -> None:
    await bench.arm(kind="busy", after=1, count=2)

    statuses = [(await bench.post()).status_code for _ in range(5)]
    (rule,) = (await bench.client.get(CONTROL_PATH)).json()

    assert statuses == [201, 429, 429, 201, 201]
    assert (rule["seen"], rule["hit"]) == (5, 2)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "fire"},
        {"kind": "busy", "shaer": 1},
        {"kind": "busy", "share": 2},
        {"kind": "busy", "share": True},
        {"kind": "busy", "count": -1},
        {"kind": "busy", "count": 1.5},
        {"kind": "slow", "seconds": "1"},
        {"kind": "busy", "route": 1},
        {"kind": "busy", "seed": None},
        {"kind": "silent", "effect": 1},
        "busy",
        {},
    ],
)
async def test_a_rule_that_cannot_be_followed_is_refused_and_changes_nothing(bench: Bench, rule: object) -> None:
    answer = await bench.client.post(CONTROL_PATH, json=[{"kind": "busy"}, rule])

    assert answer.status_code == 400
    assert (await bench.client.get(CONTROL_PATH)).json() == []


async def test_a_rule_that_is_not_json_is_refused(bench: Bench) -> None:
    assert (await bench.client.post(CONTROL_PATH, content=b"{")).status_code == 400
    assert (await bench.client.put(CONTROL_PATH)).status_code == 405


async def test_where_there_is_no_connection_the_drop_is_an_exception() -> None:
    faults = Faults()
    faults.add(Fault(Kind.RESET))
    transport = httpx.ASGITransport(FaultsMiddleware(Counter(), operation_of, faults))
    async with httpx.AsyncClient(transport=transport, base_url="http://stand-in") as client:
        with pytest.raises(ConnectionDroppedError):
            await client.get("/work")


def hits(seed: int, share: float = 0.3) -> list[bool]:
    faults = Faults()
    faults.add(Fault(Kind.BUSY, share=share, seed=seed))
    return [faults.meeting("GET /", "x") is not None for _ in range(200)]


def test_the_same_seed_hits_the_same_requests_and_another_seed_others() -> None:
    assert hits(1) == hits(1)
    assert hits(1) != hits(2)


def test_a_share_is_about_that_part_of_the_requests() -> None:
    assert 40 <= sum(hits(3)) <= 80
    assert (sum(hits(3, 0.0)), sum(hits(3, 1.0))) == (0, 200)


def test_an_item_is_hit_only_by_a_rule_that_names_items() -> None:
    faults = Faults()
    faults.add(
        Fault(Kind.BUSY), Fault(Kind.RESET, operation="batchItem"), Fault(Kind.UNAVAILABLE, operation="batchItem")
    )

    met = faults.meeting_item("batchItem")

    assert met is not None
    assert met.kind is Kind.UNAVAILABLE


async def test_an_app_is_given_the_faults_it_runs_under(bench: Bench) -> None:
    await bench.arm(kind="busy", operation="batchItem")

    await bench.post()

    assert isinstance(bench.app.scopes[0]["extensions"][FAULTS_EXTENSION], Faults)


def test_an_unknown_fault_says_which_there_are() -> None:
    with pytest.raises(UnknownFaultError, match="lost_answer"):
        Fault.from_json({"kind": "fire"})
