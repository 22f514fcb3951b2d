"""Several cases in one request: one outcome each, in order, and nobody speaks for anybody else."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.crm_cmt.client import Client
from connectors.crm_cmt.sink import CrmCmt
from connectors.kit.errors import (
    ConnectorError,
    MisconfiguredError,
    RejectedError,
    TemporaryError,
    UnconfirmedError,
)
from connectors.kit.line import open_line
from connectors.kit.ports import CaseChange, Delivered, Outcome
from tests.builders import a_note
from tests.unit.crm_cmt.world import (
    BATCH,
    CASES,
    CRM,
    a_create,
    a_failed_item,
    a_problem,
    a_receipt,
    a_remote,
    a_sink,
    a_written_item,
    an_update,
    some_settings,
)

CHANGES = [a_create("1"), an_update("status", external_id="2"), a_create("3")]


async def outcomes_of(answer: Any, changes: Sequence[CaseChange] = CHANGES) -> Sequence[Outcome]:
    async with a_sink() as (sink, router):
        route = router.post(BATCH).respond(json=answer)
        outcomes = await sink.deliver(changes)
    assert route.call_count == router.calls.call_count == 1
    return outcomes


def words_for(outcomes: Sequence[Outcome]) -> list[str]:
    """Each outcome in a word: the case's reference, or the error's code."""
    return [one.code if isinstance(one, ConnectorError) else one.remote.remote_id for one in outcomes]


async def test_several_changes_are_one_request() -> None:
    async with a_sink() as (sink, router):
        route = router.post(BATCH).respond(json={"outcomes": []})
        await sink.deliver(CHANGES)
    items = json.loads(route.calls.last.request.content)["items"]
    assert [(item["operation"], item["idempotencyKey"], item.get("id"), item.get("ifMatch")) for item in items] == [
        ("create", "TEST-1:1", None, None),
        ("update", "TEST-2:2", "CMT-2026-0000042", '"42-1"'),
        ("create", "TEST-3:1", None, None),
    ]
    assert items[1]["case"] == {"reference": "TEST-2", "version": 2, "status": "received"}
    assert "idempotency-key" not in route.calls.last.request.headers


async def test_nothing_to_deliver_asks_nobody() -> None:
    async with a_sink() as (sink, router):
        assert await sink.deliver([]) == []
    assert router.calls.call_count == 0


async def test_outcomes_are_in_the_order_of_the_changes_whatever_order_they_come_in() -> None:
    answer = [a_written_item(index, change, id=f"CMT-{index}") for index, change in enumerate(CHANGES)]
    answer[1]["id"] = "CMT-2026-0000042"
    outcomes = await outcomes_of({"outcomes": answer[::-1]})
    assert words_for(outcomes) == ["CMT-0", "CMT-2026-0000042", "CMT-2"]


@pytest.mark.parametrize(
    ("problem", "more", "error", "code"),
    [
        (a_problem("invalid-field", 422), {}, RejectedError, "invalid_field"),
        (a_problem("case-exists", 409), {}, UnconfirmedError, "case_exists"),
        (a_problem("stale-version", 409), {}, UnconfirmedError, "stale_version"),
        (a_problem("etag-mismatch", 412), {}, UnconfirmedError, "etag_mismatch"),
        (a_problem("case-not-found", 404), {}, RejectedError, "case_not_found"),
        (a_problem("too-many-requests", 429), {"retryAfter": 7}, TemporaryError, "too_many_requests"),
        (a_problem("unavailable", 503), {"retryAfter": 7}, TemporaryError, "unavailable"),
        (a_problem("internal-error", 500), {}, UnconfirmedError, "internal_error"),
        (a_problem("forbidden", 403), {}, MisconfiguredError, "forbidden"),
    ],
)
async def test_one_bad_item_does_not_fail_the_others(
    problem: dict[str, Any], more: dict[str, Any], error: type[ConnectorError], code: str
) -> None:
    first, middle, last = await outcomes_of(
        {
            "outcomes": [
                a_written_item(0, CHANGES[0]),
                a_failed_item(1, CHANGES[1], problem, **more),
                a_written_item(2, CHANGES[2]),
            ]
        }
    )
    assert isinstance(first, Delivered)
    assert isinstance(last, Delivered)
    assert type(middle) is error
    assert middle.code == code
    if isinstance(middle, TemporaryError):
        assert middle.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    "spoilt",
    [
        [],
        [None],
        [{"index": 1}],
        [{"index": 1, "status": 201, "reference": "TEST-2"}],
        [a_written_item(1, CHANGES[1], etag=7)],
        [a_written_item(1, CHANGES[0])],
        [a_written_item(7, CHANGES[1])],
        [a_written_item(1, CHANGES[1]), a_written_item(1, CHANGES[1])],
        [a_failed_item(1, CHANGES[0], a_problem("invalid-field", 422))],
    ],
)
async def test_an_outcome_that_is_missing_or_unreadable_is_doubt_for_its_item_alone(spoilt: list[Any]) -> None:
    outcomes = await outcomes_of({"outcomes": [a_written_item(0, CHANGES[0]), *spoilt, a_written_item(2, CHANGES[2])]})
    assert [type(outcome) for outcome in outcomes] == [Delivered, UnconfirmedError, Delivered]


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (httpx.Response(200, content=b"<html>"), UnconfirmedError, "unreadable_answer"),
        (httpx.Response(200, json={"outcomes": None}), UnconfirmedError, "unreadable_answer"),
        (httpx.ReadTimeout("no"), UnconfirmedError, "timeout"),
        (httpx.Response(500), UnconfirmedError, "http_500"),
        (httpx.ConnectError("no"), TemporaryError, "no_connection"),
        (httpx.Response(429, headers={"Retry-After": "7"}), TemporaryError, "http_429"),
        (httpx.Response(503, headers={"Retry-After": "7"}), TemporaryError, "http_503"),
        (httpx.Response(401), MisconfiguredError, "http_401"),
        (httpx.Response(403), MisconfiguredError, "http_403"),
        (httpx.Response(404), MisconfiguredError, "http_404"),
    ],
)
async def test_what_happens_to_the_whole_batch_happens_to_each(
    answer: httpx.Response | Exception, error: type[ConnectorError], code: str
) -> None:
    async with a_sink() as (sink, router):
        route = router.post(BATCH).mock(side_effect=[answer])
        outcomes = await sink.deliver(CHANGES)
    assert route.call_count == 1
    assert [type(outcome) for outcome in outcomes] == [error] * 3
    assert words_for(outcomes) == [code] * 3
    if isinstance(answer, httpx.Response) and "retry-after" in answer.headers:
        waits = [outcome.retry_after for outcome in outcomes if isinstance(outcome, TemporaryError)]
        assert waits == [timedelta(seconds=7)] * 3


@pytest.mark.parametrize("refusal", [a_problem("too-large", 413), a_problem("invalid-json", 400)])
async def test_what_spoils_a_batch_is_found_and_stands_alone(refusal: dict[str, Any]) -> None:
    changes = [a_create(str(number)) for number in range(8)]
    culprit = changes[5].case.reference

    def answer(request: httpx.Request) -> httpx.Response:
        document = json.loads(request.content)
        if culprit.encode() in request.content:
            return httpx.Response(refusal["status"], json=refusal)
        if "items" not in document:
            return httpx.Response(201, json=a_receipt(changes[4]))
        references = [item["case"]["reference"] for item in document["items"]]
        sent = [change for change in changes if change.case.reference in references]
        return httpx.Response(
            200, json={"outcomes": [a_written_item(index, change) for index, change in enumerate(sent)]}
        )

    async with a_sink() as (sink, router):
        router.route(host="crm.example").mock(side_effect=answer)
        outcomes = await sink.deliver(changes)
    assert [isinstance(outcome, RejectedError) for outcome in outcomes] == [number == 5 for number in range(8)]
    assert router.calls.call_count == 7


async def test_halving_ends_with_the_patience_for_one_request() -> None:
    moments = iter([0.0, 0.0, 11.0, 11.0])
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(413)

    async with open_line(
        CRM, httpx.MockTransport(answer), headers={}, within=timedelta(seconds=10), limit=65_536
    ) as line:
        sink = CrmCmt(Client(line), some_settings(), lambda: next(moments))
        outcomes = await sink.deliver([a_create(str(number)) for number in range(4)])
    assert len(asked) == 1
    assert [type(outcome) for outcome in outcomes] == [TemporaryError] * 4


async def test_what_needs_more_than_one_write_goes_beside_the_batch() -> None:
    changes = [
        a_create("1"),
        an_update("status", external_id="2", remote=a_remote(etag=None)),
        an_update(external_id="3", remote=a_remote(version=2), notes=[a_note("n1")]),
        a_create("4"),
    ]
    async with a_sink() as (sink, router):
        batch = router.post(BATCH).respond(
            json={"outcomes": [a_written_item(0, changes[0]), a_written_item(1, changes[3])]}
        )
        note = router.post(f"{CASES}/CMT-2026-0000042/notes").respond(201, json={"key": "n1", "outcome": "stored"})
        outcomes = await sink.deliver(changes)
    assert (batch.call_count, note.call_count) == (1, 1)
    assert [type(outcome) for outcome in outcomes] == [Delivered, UnconfirmedError, Delivered, Delivered]


async def test_a_change_reads_the_same_alone_and_in_a_batch() -> None:
    update = an_update("status", "title", notes=[a_note()])
    async with a_sink() as (sink, router):
        alone = router.patch(url__startswith=CASES).respond(500)
        batch = router.post(BATCH).respond(500)
        await sink.deliver([update])
        await sink.deliver([update, a_create("1")])
    patch = json.loads(alone.calls.last.request.content)
    assert json.loads(batch.calls.last.request.content)["items"][0]["case"] == patch
