"""The endpoints as they are asked, through both ways in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.fixmystreet.source import FixMyStreet, open_source
from connectors.kit.errors import ConnectorError, MisconfiguredError, TemporaryError
from tests.unit.fixmystreet.world import NOW, an_incident, some_settings

GATEWAY = "https://gateway.example/api/fixmystreet/1.0.0"
TOKEN = "https://gateway.example/api/token"
GATEWAY_SETTINGS = {
    "access": "gateway",
    "base_url": GATEWAY,
    "token_url": TOKEN,
    "consumer_key": "key",
    "consumer_secret": "consumer-secret",
    "scope": "fixmystreet",
}


@asynccontextmanager
async def the_gateway(**changed: Any) -> AsyncIterator[tuple[FixMyStreet, respx.MockRouter]]:
    router = respx.MockRouter(assert_all_called=False)
    router.post(TOKEN).respond(json={"access_token": "abc", "expires_in": 3600})
    settings = some_settings(**(GATEWAY_SETTINGS | changed))
    async with open_source(settings, lambda: httpx.MockTransport(router.async_handler), lambda: NOW) as source:
        yield source, router


async def test_the_gateway_is_asked_with_a_token_for_hal() -> None:
    async with the_gateway() as (source, router):
        listing = router.get(f"{GATEWAY}/incidents").respond(
            json={"_embedded": {"response": [an_incident(1)]}, "page": {"totalPages": 7}}
        )
        health = await source.check()
        await source.check()
    request = listing.calls.last.request
    assert request.headers["authorization"] == "Bearer abc"
    assert request.headers["accept"] == "application/hal+json"
    assert dict(request.url.params) == {"page": "0", "size": "1", "municipality": "1000"}
    assert router.routes[0].call_count == 1
    assert router.routes[0].calls.last.request.content == b"grant_type=client_credentials&scope=fixmystreet"
    assert health.ok


async def test_the_site_is_asked_without_a_key() -> None:
    router = respx.MockRouter()
    listing = router.get("https://site.example/api/incidents").respond(json={"page": {"totalPages": 0}})
    async with open_source(some_settings(), lambda: httpx.MockTransport(router.async_handler)) as source:
        health = await source.check()
    assert "authorization" not in listing.calls.last.request.headers
    assert listing.calls.last.request.headers["accept"] == "application/json"
    assert health.ok


async def test_a_token_that_was_revoked_is_renewed_once() -> None:
    async with the_gateway() as (source, router):
        listing = router.get(f"{GATEWAY}/incidents").mock(
            side_effect=[httpx.Response(401), httpx.Response(200, json={"page": {}})]
        )
        assert (await source.check()).ok
    assert listing.call_count == 2
    assert router.routes[0].call_count == 2


async def test_days_are_asked_for_as_days() -> None:
    async with the_gateway() as (source, router):
        listing = router.get(f"{GATEWAY}/incidents").respond(json={"page": {}})
        await source._client.incidents(
            page=3, size=50, municipality="1020", start=date(2026, 5, 1), end=date(2026, 5, 8)
        )
    assert dict(listing.calls.last.request.url.params) == {
        "page": "3",
        "size": "50",
        "municipality": "1020",
        "startDate": "2026-05-01",
        "endDate": "2026-05-08",
    }


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401), MisconfiguredError),
        (httpx.Response(403), MisconfiguredError),
        (httpx.Response(302, headers={"location": "https://login.example"}), MisconfiguredError),
        (httpx.Response(429, headers={"retry-after": "30"}), TemporaryError),
        (httpx.Response(500), TemporaryError),
        (httpx.Response(200, text="<html>"), TemporaryError),
        (httpx.Response(200, json=[1]), TemporaryError),
        (httpx.Response(200, json={"message": "hello"}), TemporaryError),
        (httpx.Response(200, content=b'{"page": {}'), TemporaryError),
        (httpx.ReadTimeout("x"), TemporaryError),
        (httpx.ConnectError("x"), TemporaryError),
    ],
)
async def test_what_goes_wrong_says_what_to_do_next(
    response: httpx.Response | Exception, error: type[ConnectorError]
) -> None:
    async with the_gateway() as (source, router):
        router.get(f"{GATEWAY}/incidents").mock(side_effect=[response, response])
        with pytest.raises(error):
            await source._client.incidents(page=0, size=1, municipality="1000")


@pytest.mark.parametrize(
    "document",
    [
        {"_embedded": None, "page": {"totalPages": 1}},
        {"_embedded": [], "page": {"totalPages": 1}},
        {"_embedded": {"response": an_incident(1)}, "page": {"totalPages": 1}},
        {"_embedded": {"response": None}, "page": {"totalPages": 1}},
        {"_embedded": {"incidents": [an_incident(1)]}, "page": {"totalPages": 1}},
        {"page": None},
        {},
    ],
)
async def test_a_list_of_another_shape_is_not_an_empty_one(document: object) -> None:
    async with the_gateway() as (source, router):
        router.get(f"{GATEWAY}/incidents").respond(json=document)
        with pytest.raises(TemporaryError) as told:
            await source._client.incidents(page=0, size=1, municipality="1000")
    assert told.value.code == "unreadable_answer"


@pytest.mark.parametrize("document", [{"page": {}}, {"_embedded": {}, "page": {}}, {"_embedded": {"response": []}}])
async def test_a_list_of_nothing_is_an_empty_one(document: object) -> None:
    async with the_gateway() as (source, router):
        router.get(f"{GATEWAY}/incidents").respond(json=document)
        listing = await source._client.incidents(page=0, size=1, municipality="1000")
    assert listing.incidents == ()


async def test_something_else_among_incidents_counts_as_one_without_a_number() -> None:
    async with the_gateway() as (source, router):
        router.get(f"{GATEWAY}/incidents").respond(json={"_embedded": {"response": [None, "x", an_incident(1)]}})
        listing = await source._client.incidents(page=0, size=3, municipality="1000")
    assert listing.incidents == ({}, {}, an_incident(1))


async def test_an_answer_beyond_the_limit_is_not_read() -> None:
    async with the_gateway(answer_limit=65_536) as (source, router):
        router.get(f"{GATEWAY}/incidents").respond(json={"page": {}, "padding": "x" * 70_000})
        health = await source.check()
    assert not health.ok
    assert "answer_too_large" in health.detail


async def test_a_check_that_fails_says_why_in_one_line_and_no_secret() -> None:
    async with the_gateway() as (source, router):
        router.routes[0].mock(return_value=httpx.Response(401))
        health = await source.check()
    assert not health.ok
    assert "token" in health.detail
    assert "consumer-secret" not in health.detail
    assert "\n" not in health.detail


async def test_the_clock_is_aware_where_none_is_given() -> None:
    router = respx.MockRouter()
    router.get("https://site.example/api/incidents/1").respond(
        json={"response": an_incident(1, closedDate=datetime.now(UTC).isoformat())}
    )
    async with open_source(some_settings(), lambda: httpx.MockTransport(router.async_handler)) as source:
        look = await source.polls[0].look_again(["1"])
    assert look.present[0].settled is False
