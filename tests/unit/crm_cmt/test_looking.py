"""What is found, and whether the intake is fit for us."""

from typing import Any

import httpx
import pytest

from connectors.kit.errors import ConnectorError, MisconfiguredError, TemporaryError
from connectors.kit.ports import Remote
from schemas.case import Status
from tests.contract.published import Contract
from tests.unit.crm_cmt.world import CASES, CRM, a_problem, a_sink

CONTRACT = Contract.named("crm-cmt")
WHO_AM_I = f"{CRM}/api/v1/whoami"


async def test_cases_are_found_by_their_references() -> None:
    async with a_sink() as (sink, router):
        route = router.get(url__startswith=CASES).respond(json=CONTRACT.example("CaseStates"))
        found = await sink.find(["fixmystreet-123456", "fixmystreet-123457"])
    query = route.calls.last.request.url.params
    assert query.multi_items() == [("reference", "fixmystreet-123456"), ("reference", "fixmystreet-123457")]
    assert found == {
        "fixmystreet-123456": Remote(
            remote_id="CMT-2026-0000042",
            etag='"42-1"',
            version=1,
            notes=frozenset({"fixmystreet-comment-9001"}),
            attachments=frozenset({"fixmystreet-photo-77"}),
            link="https://crm.example/cases/CMT-2026-0000042",
        )
    }


async def test_a_case_that_was_not_asked_for_is_not_found() -> None:
    async with a_sink() as (sink, router):
        router.get(url__startswith=CASES).respond(json=CONTRACT.example("CaseStates"))
        assert await sink.find(["fixmystreet-1"]) == {}


async def test_nothing_to_look_for_asks_nobody() -> None:
    async with a_sink() as (sink, router):
        assert await sink.find([]) == {}
    assert router.calls.call_count == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, content=b"<html>"), TemporaryError),
        (httpx.Response(200, json={"items": [{"id": "CMT-1"}]}), TemporaryError),
        (httpx.Response(500), TemporaryError),
        (httpx.Response(503), TemporaryError),
        (httpx.ReadTimeout("no"), TemporaryError),
        (httpx.ReadError("no"), TemporaryError),
        (httpx.Response(401), MisconfiguredError),
        (httpx.Response(403, json=a_problem("forbidden", 403)), MisconfiguredError),
        (httpx.Response(404), MisconfiguredError),
    ],
)
async def test_a_look_up_that_fails_fails_as_a_whole_and_leaves_no_doubt(
    answer: httpx.Response | Exception, error: type[ConnectorError]
) -> None:
    async with a_sink() as (sink, router):
        router.get(url__startswith=CASES).mock(side_effect=[answer])
        with pytest.raises(ConnectorError) as raised:
            await sink.find(["fixmystreet-1"])
    assert type(raised.value) is error


async def test_the_references_of_one_look_up_fit_a_usual_request_line() -> None:
    async with a_sink() as (sink, router):
        route = router.get(url__startswith=CASES).respond(json={"items": []})
        await sink.find([f"{number:040}" for number in range(sink.capabilities.find_size)])
    assert len(route.calls.last.request.url.raw_path) < 8000


def an_intake(**changed: Any) -> dict[str, Any]:
    """Who we are to an intake that is fit for us."""
    example: dict[str, Any] = CONTRACT.example("WhoAmI")
    return example | changed


@pytest.mark.parametrize(
    ("answer", "ok", "detail"),
    [
        (an_intake(), True, "may read and write, 5 case types are known"),
        (an_intake(statuses=[*Status, "reopened"]), True, "may read and write, 5 case types are known"),
        (an_intake(rights=["cases.read"]), False, "the token lacks the right cases.write"),
        (an_intake(rights=[]), False, "the token lacks the right cases.read and cases.write"),
        (
            an_intake(statuses=["received", "accepted", "in_progress", "resolved", "closed", "refused"]),
            False,
            "the CRM does not take the status planned, removed",
        ),
        (
            an_intake(limits={"batch": 20, "references": 10, "bytes": 1_000_000}),
            False,
            "batches of 50 are too large, the CRM takes 20; look-ups of 100 are too large, the CRM takes 10",
        ),
        ({}, False, "the CRM's answer is not what its contract says (unreadable_answer)"),
    ],
)
async def test_a_check_says_in_one_line_whether_the_intake_is_fit_for_us(
    answer: dict[str, Any], ok: bool, detail: str
) -> None:
    async with a_sink() as (sink, router):
        router.get(WHO_AM_I).respond(json=answer)
        health = await sink.check()
    assert (health.ok, health.detail) == (ok, detail)


@pytest.mark.parametrize("answer", [httpx.Response(401), httpx.ConnectError("no"), httpx.ReadTimeout("no")])
async def test_a_check_that_gets_no_answer_says_why(answer: httpx.Response | Exception) -> None:
    async with a_sink() as (sink, router):
        router.get(WHO_AM_I).mock(side_effect=[answer])
        health = await sink.check()
    assert not health.ok
    assert health.detail
    assert "\n" not in health.detail
    assert "word-of-access" not in health.detail
