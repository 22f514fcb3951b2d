"""Fix My Street as its stand-in tells it: written from the same facts by other hands."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors.fixmystreet.source import FixMyStreet, open_source
from connectors.kit.signature import signature_of
from mocks.fixmystreet.app import stand_in
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.settings import Settings
from mocks.fixmystreet.shape import shape_with
from mocks.fixmystreet.webhooks import payload_of
from mocks.fixmystreet.world import World
from schemas.case import CaseEvent
from tests.contract.keeper import Keeper
from tests.contract.source_contract import GenuinePush, SourceContract, Subject, fingerprint, stored
from tests.unit.fixmystreet.world import some_settings

OURS = ("1000", "1020", "1120", "1130")
DAY = date(2026, 3, 10)
GATEWAY = {
    "access": "gateway",
    "base_url": "http://stand-in/gateway/api/fixmystreet/1.0.0",
    "token_url": "http://stand-in/gateway/api/token",
    "consumer_key": "relais",
    "consumer_secret": "consumer-secret",
}
SITE = {"access": "site", "base_url": "http://stand-in/site/api"}
SHAPES: list[dict[str, Any]] = [
    {},
    {"updated_name_in_list": "updateDate", "updated_name_in_detail": "updatedDate"},
    {"english_names": False, "dates": "naive", "precision": "seconds"},
    {"nested_category": "leaf", "dates": "utc"},
    {"nested_category": "absent"},
    {"no_coordinates_every": 2},
    {"no_coordinates_every": 2, "no_coordinates_as": "null object"},
    {"no_coordinates_every": 2, "no_coordinates_as": "absent"},
    {"unknown_category_every": 2, "unknown_status_every": 3, "unknown_field": True},
    {"order": "unordered", "max_size": 7},
    {"order": "updated", "refused_is_listed": True, "refused_status": "REFUSED"},
]


@asynccontextmanager
async def a_source(world: World, **access: Any) -> AsyncIterator[FixMyStreet]:
    app = stand_in(world.settings, world=world)
    settings = some_settings(since=date(2026, 2, 1), municipalities=OURS, page_size=20, **access)
    now = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    async with open_source(settings, lambda: httpx.ASGITransport(app), lambda: now) as source:
        yield source


def a_world(**shape: Any) -> World:
    world = World(Settings(day=DAY, backlog=120))
    world.shape = shape_with(world.shape, shape)
    return world


def ours(world: World) -> list[Report]:
    return [report for report in world.reports.values() if report.postal_code in OURS]


def body_of(report: Report, world: World) -> bytes:
    return json.dumps(payload_of(report, world, "transfer"), ensure_ascii=False).encode()


async def seen_by_sweep(source: FixMyStreet, world: World) -> dict[str, CaseEvent]:
    keeper = Keeper()
    for poll in source.polls:
        await keeper.run(poll)
    events = {}
    for page in keeper.pages:
        for seen in page.observations:
            event = stored(source, "incidents", f"incident:{seen.external_id}:1", seen.case_key, seen.body)
            events[seen.external_id] = source.translate(event, fingerprint)
    return events


class TestFixMyStreetStandIn(SourceContract):
    """Through the gateway, over the stand-in's invented world."""

    @pytest_asyncio.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        world = a_world()

        def nobody(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        async with (
            a_source(world, **GATEWAY) as source,
            open_source(some_settings(), lambda: httpx.MockTransport(nobody)) as out_of_reach,
        ):
            reports = ours(world)[:5]
            bodies = [body_of(report, world) for report in reports]
            yield Subject(
                source=source,
                out_of_reach=out_of_reach,
                pushes=[
                    GenuinePush("webhook", {"x-fms-signature": signature_of(body, "signature-key", "sha1")}, body)
                    for body in bodies
                ],
                secrets=[report.creator.email for report in reports if report.creator.email],
            )


@pytest.mark.parametrize("access", [GATEWAY, SITE], ids=["gateway", "site"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: " ".join(map(str, shape.values())) or "usual")
async def test_every_listed_report_of_ours_is_seen_as_it_is(shape: dict[str, Any], access: dict[str, Any]) -> None:
    world = a_world(**shape)
    async with a_source(world, **access) as source:
        events = await seen_by_sweep(source, world)
    listed = {str(report.id): report for report in ours(world) if world.visibility(report) == "listed"}
    assert set(events) == set(listed)
    assert len(listed) > 20
    for number, report in listed.items():
        facts = events[number].facts
        assert events[number].tenant == "21004"
        assert facts.place is not None
        assert facts.place.address is not None
        assert facts.place.address.street is not None
        assert facts.place.address.street.fr == report.address.street.fr
        assert facts.dates is not None
        assert facts.dates.reported_at is not None
        assert abs((facts.dates.reported_at - report.created_at).total_seconds()) < 1
        codes = {remark.code for remark in facts.remarks or ()}
        assert ("status_unknown" in codes) == (facts.status is None)
        if not shape.get("unknown_category_every"):
            assert [step.id for step in facts.category or ()] == [
                str(step.id) for step in world.tree.path(report.category_id)
            ]
        else:
            assert facts.category


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: " ".join(map(str, shape.values())) or "usual")
async def test_a_direct_look_agrees_with_the_list_in_every_shape(shape: dict[str, Any]) -> None:
    world = a_world(**shape)
    async with a_source(world, **SITE) as source:
        keeper = Keeper()
        _, sweep = source.polls
        await keeper.run(sweep)
        look = await sweep.look_again(list(keeper.contents))
    assert {seen.external_id: seen.content for seen in look.present} == keeper.contents


async def test_both_doors_tell_the_same_of_one_report() -> None:
    world = a_world()
    async with a_source(world, **GATEWAY) as source:
        polled = await seen_by_sweep(source, world)
        webhook = source.webhooks[0]
        for number, event in polled.items():
            report = world.reports[int(number)]
            body = body_of(report, world)
            arrival = webhook.arrival(json.loads(body), body)
            assert arrival.case_key == event.key
            pushed = source.translate(stored(source, "webhook", arrival.event_id, event.key, body), fingerprint)
            assert pushed.tenant == event.tenant
            assert pushed.facts.place is not None
            assert event.facts.place is not None
            assert pushed.facts.place.point == event.facts.place.point
            assert [step.id for step in pushed.facts.category or ()] == [step.id for step in event.facts.category or ()]
            said = [comment.text for comment in report.comments if comment.security != "confidential"]
            description = pushed.facts.description.first() if pushed.facts.description else None
            told = ([description] if description else []) + [note.text for note in pushed.notes]
            assert sorted(told) == sorted(said)
