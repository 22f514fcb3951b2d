"""The webhook sender: what goes out, how it is signed, and that it is never sent twice by itself."""

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from tests.unit.mocks.fixmystreet_bench import TARGET, TARGET_JSON, Bench, City, a_stand_in


async def a_report(bench: Bench, **fields: Any) -> int:
    made = await bench.control("incidents", postal_code="1000", **fields)
    return int(made["id"])


async def test_the_payload_has_exactly_the_documented_keys() -> None:
    async with a_stand_in() as bench:
        report = await a_report(bench, category=3026, comments=["Trou"], created_at="2026-03-10T08:00:00+01:00")
        await bench.control("webhook", incident=report, **TARGET_JSON)
        sent = json.loads(bench.city.received[0].content)

    assert sent["meta"] == {
        "now": sent["data"]["report"]["modifiedAt"],
        "resource": "report",
        "hook": "transfer",
        "action": "request",
    }
    told = sent["data"]["report"]
    assert told.keys() == {
        "id",
        "createdAt",
        "modifiedAt",
        "category",
        "pdfUrl",
        "address",
        "point",
        "creator",
        "comments",
        "severalOccurences",
    }
    assert told["createdAt"] == "2026-03-10T08:00:00"
    assert told["category"]["ids"] == [1001, 2060, 3026, ""]
    assert told["category"]["nl"] == "Wegdek / Gat in de weg : Gat in de weg"
    assert told["address"].keys() == {"street", "number", "postalCode", "municipality"}
    assert told["address"]["municipality"] == {"fr": "Bruxelles", "nl": "Brussel"}
    assert told["creator"].keys() == {"type", "firstName", "lastName", "phone", "email", "language"}
    assert told["comments"][-1].keys() == {"createdAt", "name", "text"}


async def test_the_signature_is_the_sha1_of_the_very_bytes() -> None:
    async with a_stand_in() as bench:
        await bench.control("webhook", incident=await a_report(bench), **TARGET_JSON)
        request = bench.city.received[0]

    digest = hmac.new(b"key of the signature", request.content, hashlib.sha1).digest()
    assert request.headers["x-fms-signature"] == base64.b64encode(digest).decode()
    assert request.headers["authorization"] == "Token token of the city"
    assert request.headers["content-type"] == "application/json; charset=utf-8"


async def test_without_keys_neither_header_is_sent() -> None:
    async with a_stand_in() as bench:
        await bench.control("webhook", incident=await a_report(bench), webhook_url=TARGET.url)
        headers = bench.city.received[0].headers

    assert "x-fms-signature" not in headers
    assert "authorization" not in headers


def refuse_to_connect(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def never_answer(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too late", request=request)


@pytest.mark.parametrize(
    "answer",
    [201, 202, 204, 302, 400, 401, 429, 500, 503, refuse_to_connect, never_answer],
)
async def test_anything_but_200_gives_the_report_back_and_is_not_sent_again(answer: Any) -> None:
    city = City(answer if callable(answer) else lambda _: httpx.Response(answer))
    async with a_stand_in(city=city) as bench:
        report = await a_report(bench)
        sent = await bench.control("webhook", incident=report, change=True, **TARGET_JSON)
        truth = (await bench.oracle())["incidents"][0]

    assert len(bench.city.received) == len(sent) == 1
    assert sent[0]["ok"] is False
    assert [version["what"] for version in truth["versions"]][-2:] == ["transfer", "give back"]
    assert truth["final"]["department"] != 9100
    assert truth["expected"]["events_accepted"] == []


async def test_exactly_200_keeps_the_report_with_the_city() -> None:
    async with a_stand_in() as bench:
        report = await a_report(bench)
        await bench.control("webhook", incident=report, change=True, **TARGET_JSON)
        truth = (await bench.oracle())["incidents"][0]

    assert truth["final"]["department"] == 9100
    assert truth["expected"]["in_crm"] == "yes"
    assert len(truth["expected"]["events_accepted"]) == 1


async def test_a_refused_assignment_leaves_no_trace_on_the_report() -> None:
    async with a_stand_in(city=City(lambda _: httpx.Response(500))) as bench:
        report = await a_report(bench)
        await bench.control("incidents", id=report, changes=[{"kind": "accept"}])
        before = len(bench.world.reports[report].versions)
        await bench.control("webhook", incident=report, hook="assignment", change=True, **TARGET_JSON)

    assert json.loads(bench.city.received[0].content)["meta"]["hook"] == "assignment"
    assert bench.world.reports[report].contractor is None
    assert len(bench.world.reports[report].versions) == before


async def test_an_accepted_assignment_carries_the_date_that_the_report_then_has() -> None:
    async with a_stand_in() as bench:
        report = await a_report(bench)
        await bench.control("incidents", id=report, changes=[{"kind": "accept"}])
        await bench.control("webhook", incident=report, hook="assignment", change=True, **TARGET_JSON)
        truth = (await bench.oracle())["incidents"][0]

    assert truth["final"]["contractor"] == 9100
    sent = json.loads(bench.city.received[0].content)["data"]["report"]["modifiedAt"]
    assert truth["modified_at"].startswith(sent[:10])
    assert truth["versions"][-1]["what"] == "assign"
    assert truth["versions"][-1]["updatedDate"].startswith(sent[:19])


async def test_a_second_request_is_a_later_event_with_the_old_comments_and_the_new_one() -> None:
    async with a_stand_in() as bench:
        report = await a_report(bench, comments=["Premier"])
        await bench.control("webhook", incident=report, change=True, **TARGET_JSON)
        changes = [{"kind": "close"}, {"kind": "reopen"}, {"kind": "comment", "text": "Second"}]
        secret = {"kind": "comment", "text": "Entre nous", "security": "confidential"}
        await bench.control("incidents", id=report, changes=[*changes, secret])
        await bench.control("webhook", incident=report, change=True, **TARGET_JSON)
        first, second = [json.loads(request.content)["data"]["report"] for request in bench.city.received]
        expected = (await bench.oracle())["incidents"][0]["expected"]

    assert second["modifiedAt"] > first["modifiedAt"]
    assert second["comments"][: len(first["comments"])] == first["comments"]
    assert [comment["text"] for comment in second["comments"][len(first["comments"]) :]] == ["Second"]
    assert expected["comments"] == second["comments"]
    assert len(expected["events_accepted"]) == 2


async def test_a_request_can_be_altered_by_hand_under_the_same_identity() -> None:
    async with a_stand_in() as bench:
        report = await a_report(bench)
        await bench.control("webhook", incident=report, **TARGET_JSON)
        await bench.control("webhook", incident=report, overrides={"severalOccurences": "perhaps"}, **TARGET_JSON)

    first, second = bench.world.webhooks
    assert first["event"] == second["event"]
    assert first["body"] != second["body"]


async def test_the_pdf_link_opens_with_its_token_only() -> None:
    async with a_stand_in() as bench:
        await bench.control("webhook", incident=await a_report(bench), **TARGET_JSON)
        link = json.loads(bench.city.received[0].content)["data"]["report"]["pdfUrl"]["nl"]
        opened = await bench.client.get(link)
        refused = await bench.client.get(link.split("?")[0], params={"auth": "guess"})

    assert opened.content.startswith(b"%PDF")
    assert refused.status_code == 403
