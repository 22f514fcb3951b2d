"""The played day: repeatable, complete, in order, and the oracle's word on what must come of it."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import CategoryTree
from mocks.fixmystreet.day import DayPlan, script_of
from mocks.fixmystreet.places import CITY_POSTAL_CODES
from tests.unit.mocks.fixmystreet_bench import TARGET_JSON, Bench, City, a_stand_in

DAY = date(2026, 3, 10)


async def play(bench: Bench, **body: Any) -> dict[str, Any]:
    """Play a day as fast as it goes; a small one unless told otherwise."""
    usual = {"seed": 5, "reports": 60, "changes": 180, "seconds": 0, "again_after_seconds": 0, "day": "2026-03-10"}
    await bench.control("play", **{**usual, **TARGET_JSON, **body})
    while True:
        progress: dict[str, Any] = (await bench.client.get("/_control/play")).json()
        if progress["done"]:
            assert progress["error"] is None
            return progress
        await asyncio.sleep(0)


async def test_a_day_has_as_many_reports_and_changes_as_asked() -> None:
    async with a_stand_in() as bench:
        progress = await play(bench)
        webhooks = (await bench.oracle())["webhooks"]

    assert (progress["reports"], progress["changes"], progress["skipped"]) == (60, 180, 0)
    assert progress["webhooks_sent"] == progress["webhooks_ok"] == len(bench.city.received) == len(webhooks)
    assert progress["webhooks_sent"] > 0


async def test_the_same_seed_plays_the_same_day_and_another_seed_another() -> None:
    days = []
    for seed in (5, 5, 6):
        async with a_stand_in() as bench:
            await play(bench, seed=seed, repeat_share=0.2)
            incidents = (await bench.oracle())["incidents"]
        for version in itertools.chain.from_iterable(incident["versions"] for incident in incidents):
            del version["sequence"]
        for incident in incidents:
            del incident["webhooks"]
        bodies = sorted(request.content for request in bench.city.received)
        days.append((incidents, bodies))

    assert days[0] == days[1]
    assert days[0] != days[2]


def test_a_script_is_in_order_within_the_day_and_busier_by_day_than_by_night() -> None:
    steps = script_of(DayPlan(DAY, seed=2), CategoryTree(), range(1, 421))

    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert {times.local_day(step.at) for step in steps} == {DAY}
    created = Counter(step.at.astimezone(times.BRUSSELS).hour for step in steps if step.made)
    assert sum(created.values()) == 420
    assert sum(created[hour] for hour in range(5)) < 0.1 * 420 < sum(created[hour] for hour in range(7, 10))


def test_a_script_has_every_kind_of_change_and_mostly_cleanliness_in_the_city() -> None:
    tree = CategoryTree()
    steps = script_of(DayPlan(DAY, seed=2), tree, range(1, 421))
    made = [step.made for step in steps if step.made]

    assert {step.kind for step in steps} >= {"accept", "resolve", "close", "refuse", "reopen", "transfer", "assign"}
    assert {step.kind for step in steps} >= {
        "recategorise",
        "correct address",
        "duplicate",
        "comment",
        "merge",
        "delete",
        "hide",
    }
    cleanliness = sum(tree.path(report.category_id)[0].id == 1002 for report in made) / len(made)
    elsewhere = sum(report.postal_code not in CITY_POSTAL_CODES for report in made) / len(made)
    assert 0.45 < cleanliness < 0.61
    assert 0.15 < elsewhere < 0.25
    assert any(not tree[report.category_id].listed for report in made)
    assert len({report.created_at for report in made}) < len(made)


def alternately_failing() -> Any:
    turns: Iterator[int] = itertools.cycle((200, 503, 200))
    return lambda _: httpx.Response(next(turns))


async def test_no_webhook_is_sent_twice_but_by_a_person_with_a_new_date() -> None:
    async with a_stand_in(city=City(alternately_failing())) as bench:
        progress = await play(bench)
        webhooks = (await bench.oracle())["webhooks"]

    assert progress["given_back"] > 0
    assert progress["transferred_again"] > 0
    assert len({entry["event"] for entry in webhooks}) == len(webhooks)


async def test_an_operator_who_repeats_sends_the_very_same_bytes() -> None:
    async with a_stand_in() as bench:
        progress = await play(bench, repeat_share=1.0)
        webhooks = (await bench.oracle())["webhooks"]

    by_number = {entry["number"]: entry for entry in webhooks}
    repeats = [entry for entry in webhooks if entry["repeat_of"]]
    assert len(repeats) == progress["repeated"] == len(webhooks) / 2
    for entry in repeats:
        first = by_number[entry["repeat_of"]]
        assert (entry["body"], entry["signature"]) == (first["body"], first["signature"])


async def test_requests_for_one_report_go_out_in_the_order_of_their_dates() -> None:
    async with a_stand_in(city=City(alternately_failing())) as bench:
        await play(bench)

    sent: dict[int, list[str]] = {}
    for request in bench.city.received:
        report = json.loads(request.content)["data"]["report"]
        sent.setdefault(report["id"], []).append(report["modifiedAt"])
    assert any(len(dates) > 1 for dates in sent.values())
    assert all(dates == sorted(dates) for dates in sent.values())


async def test_a_city_that_never_answers_200_is_tried_a_few_times_by_hand_and_no_more() -> None:
    async with a_stand_in(city=City(lambda _: httpx.Response(500))) as bench:
        progress = await play(bench, again_share=1.0, reports=20, changes=0)
        incidents = (await bench.oracle())["incidents"]

    assert progress["webhooks_ok"] == 0
    assert {len(incident["webhooks"]) for incident in incidents} == {0, 4}
    assert all(incident["final"]["department"] != 9100 for incident in incidents)


async def test_the_oracle_ends_where_its_versions_end_and_agrees_with_the_public_door() -> None:
    async with a_stand_in() as bench:
        await play(bench)
        truth = await bench.oracle()
        listed = (await bench.site("incidents", size=1000))["_embedded"]["response"]

    shown = {incident["id"]: incident for incident in listed}
    for incident in truth["incidents"]:
        assert [version["at"] for version in incident["versions"]] == sorted(
            {version["at"] for version in incident["versions"]}
        )
        assert incident["versions"][-1]["content"] | {"comments": 0} == incident["final"] | {"comments": 0}
        assert (incident["id"] in shown) is (incident["final"]["visibility"] == "listed")
        if incident["id"] in shown:
            assert shown[incident["id"]]["status"] == incident["final"]["public_status"]
            assert shown[incident["id"]]["category"]["id"] == incident["final"]["category"]


async def test_the_oracle_says_what_must_may_and_must_not_be_in_the_crm() -> None:
    async with a_stand_in() as bench:
        made = {
            name: (await bench.control("incidents", postal_code=code, created_at=f"2026-03-{day:02}T09:00:00+01:00"))[
                "id"
            ]
            for name, code, day in (
                ("listed", "1000", 10),
                ("elsewhere", "1050", 10),
                ("too old", "1000", 9),
                ("deleted", "1000", 10),
                ("pushed and deleted", "1000", 10),
            )
        }
        await bench.control("webhook", incident=made["pushed and deleted"], change=True, **TARGET_JSON)
        for name in ("deleted", "pushed and deleted"):
            await bench.control("incidents", id=made[name], changes=[{"kind": "delete"}])
        truth = await bench.oracle(since="2026-03-10", municipalities="1000,1020")

    expected = {incident["id"]: incident["expected"]["in_crm"] for incident in truth["incidents"]}
    assert {name: expected[report] for name, report in made.items()} == {
        "listed": "yes",
        "elsewhere": "no",
        "too old": "no",
        "deleted": "may",
        "pushed and deleted": "yes",
    }


async def test_only_one_day_is_played_at_a_time_and_a_reset_starts_over() -> None:
    async with a_stand_in() as bench:
        await bench.control("play", reports=5, changes=5, seconds=3600)
        second = await bench.client.post("/_control/play", json={})
        answer = await bench.control("reset", backlog=7)
        truth = await bench.oracle()

    assert second.status_code == 409
    assert answer == {"incidents": 7}
    assert len(truth["incidents"]) == 7


@pytest.mark.parametrize("body", [{"day": "10/03"}, {"tempo": 3}, {"webhook_url": "city"}])
async def test_a_play_that_cannot_be_read_is_a_400(body: dict[str, str]) -> None:
    async with a_stand_in() as bench:
        assert (await bench.client.post("/_control/play", json=body)).status_code == 400
