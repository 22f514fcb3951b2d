"""Whatever bytes come through the door of Fix My Street: a clear answer, and nothing stored without one."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.runtime.webhook_world import PATH, Street, a_push, a_street, encoded, headers_for

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PUSHES = st.builds(
    lambda number, when, hook, action, more: (
        a_push(number, **more) | {"meta": {"now": when, "hook": hook, "action": action}}
    ),
    st.sampled_from([1, 2, "3"]) | JSON,
    st.sampled_from(["2026-05-04T10:11:12", "2026-05-04 10:11:12+02:00"]) | JSON,
    st.sampled_from(["transfer", "assignment"]) | JSON,
    st.just("request") | JSON,
    st.dictionaries(st.sampled_from(["modifiedAt", "creator", "comments", "category", "point", "address"]), JSON),
)
HEADERS = st.dictionaries(
    st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9-]{0,20}\Z").filter(
        lambda name: name.lower() not in {"host", "connection", "content-length", "transfer-encoding", "expect"}
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255).filter(lambda c: c != "\x7f"), max_size=60),
    max_size=4,
)


@contextmanager
def standing_street() -> Iterator[tuple[asyncio.Runner, Street]]:
    """One door for all examples: what one of them leaves behind, the next one meets."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        stack = AsyncExitStack()
        street = runner.run(stack.enter_async_context(a_street(Path(folder))))
        try:
            yield runner, street
        finally:
            runner.run(stack.aclose())


def assert_nothing_without_an_answer(runner: asyncio.Runner, street: Street, answers: "Counter[Any]") -> None:
    """Every event that was called new is stored, every conflict kept, and no other."""
    rows = runner.run(
        street.world.sql("SELECT (SELECT count(*) FROM events) AS new, (SELECT count(*) FROM conflicts) AS conflict")
    )
    assert rows[0].new == answers["new"]
    assert rows[0].conflict <= answers["conflict"]


def test_any_signed_bytes_get_200_or_400() -> None:
    answers: Counter[Any] = Counter()
    with standing_street() as (runner, street):

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.binary(max_size=300) | JSON.map(encoded_or_bytes) | PUSHES.map(encoded_or_bytes))
        def push(body: bytes) -> None:
            answer = runner.run(street.push_bytes(body))
            assert answer.status_code in (200, 400), answer.text
            answers[answer.json().get("event")] += 1
            assert_nothing_without_an_answer(runner, street, answers)

        push()
    assert answers["new"]
    assert answers[None]


def encoded_or_bytes(document: object) -> bytes:
    """As JSON, or as something close to it where the document cannot be encoded."""
    try:
        return encoded(document)
    except UnicodeEncodeError:
        return repr(document).encode("utf-8", "surrogatepass")


def test_any_unsigned_request_is_refused_and_stores_nothing() -> None:
    with standing_street() as (runner, street):

        async def request(method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
            raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
            return await street.client.request(method, path, content=body, headers=raw)

        @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            st.sampled_from(["POST", "POST", "GET", "PUT", "OPTIONS", "BREW"]),
            st.sampled_from([PATH, PATH, f"{PATH}?a=%00", "/", "/webhooks/%2e%2e/webhook"]),
            HEADERS,
            st.binary(max_size=200),
        )
        def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
            answer = runner.run(request(method, path, headers, body))
            assert 400 <= answer.status_code < 500, answer.text
            assert runner.run(street.stored()) == 0

        ask()


def test_any_headers_beside_a_genuine_push_change_nothing() -> None:
    with standing_street() as (runner, street):
        body = encoded(a_push())

        async def push(headers: dict[str, str]) -> httpx.Response:
            genuine = headers_for(body)
            raw = [(name.encode(), value.encode()) for name, value in genuine.items()]
            beside = [
                (name.encode(), value.strip().encode("latin-1"))
                for name, value in headers.items()
                if name.lower() not in {one.lower() for one in genuine}
            ]
            return await street.client.post(PATH, content=body, headers=[*raw, *beside])

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(HEADERS)
        def ask(headers: dict[str, str]) -> None:
            assert runner.run(push(headers)).status_code == 200

        ask()
        assert runner.run(street.stored()) == 1
