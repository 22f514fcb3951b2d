"""The reading doors: shapes, filters, tokens, and the switches for what no source settles."""

import argparse
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mocks.fixmystreet import add_arguments, app_from
from mocks.fixmystreet.doors import AccessTokens
from mocks.fixmystreet.settings import Settings
from mocks.fixmystreet.world import World
from tests.unit.mocks.fixmystreet_bench import Bench, a_stand_in

GATEWAY = "/gateway/api/fixmystreet/1.0.0"


async def a_token(bench: Bench, key: str = "relais", secret: str = "consumer-secret", **form: str) -> Any:
    return await bench.client.post(
        "/gateway/api/token", auth=(key, secret), data={"grant_type": "client_credentials", "scope": "fms", **form}
    )


async def test_both_doors_give_the_same_incidents_but_for_their_links() -> None:
    async with a_stand_in(Settings(backlog=30)) as bench:
        token = (await a_token(bench)).json()["access_token"]
        gateway = await bench.client.get(f"{GATEWAY}/incidents", headers={"Authorization": f"Bearer {token}"})
        site = await bench.client.get("/site/api/incidents")

    assert gateway.headers["content-type"].startswith("application/hal+json")
    assert site.headers["content-type"].startswith("application/json")
    found = [gateway.json()["_embedded"]["response"], site.json()["_embedded"]["response"]]
    assert len(found[0]) == 12
    for incident in (*found[0], *found[1]):
        del incident["_links"]
    assert found[0] == found[1]


async def test_an_incident_has_every_documented_field() -> None:
    async with a_stand_in(Settings(backlog=3)) as bench:
        incident = (await bench.site("incidents"))["_embedded"]["response"][0]

    assert incident.keys() >= {"id", "status", "creationDate", "updatedDate", "closedDate", "duplicates", "visibility"}
    assert incident.keys() >= {"declaredResolved", "severalOccurrence", "thirdParty", "privateLocation"}
    address = incident["location"]["address"]
    assert address.keys() == {"streetNameFr", "streetNameNl", "streetNumber", "postalCode", "addressType"}
    assert incident["category"].keys() == {"id", "nameFr", "nameNl", "nameEn", "public", "category"}
    assert incident["responsibleDepartment"]["contact"].keys() == {"emailAddress", "phoneNumber"}
    assert incident["responsibleOrganisation"].keys() == {"id", "nameFr", "nameNl", "nameEn", "type"}


async def test_an_empty_page_has_no_embedded_member() -> None:
    async with a_stand_in(Settings(backlog=5)) as bench:
        beyond = await bench.site("incidents", page=9)
        nothing = await bench.site("incidents", startDate="2031-01-01")

    assert "_embedded" not in beyond
    assert beyond["page"]["number"] == 9
    assert "_embedded" not in nothing
    assert nothing["page"] == {"size": 12, "totalElements": 0, "totalPages": 0, "number": 0}


async def test_pages_cover_every_listed_incident_once_newest_first() -> None:
    async with a_stand_in(Settings(backlog=40)) as bench:
        whole = (await bench.site("incidents", size=100))["_embedded"]["response"]
        pages = [await bench.site("incidents", page=page, size=7) for page in range(-(-len(whole) // 7))]

    paged = [incident for page in pages for incident in page["_embedded"]["response"]]
    assert paged == whole
    assert [incident["creationDate"] for incident in whole] == sorted(
        (incident["creationDate"] for incident in whole), reverse=True
    )
    assert pages[0]["page"]["totalPages"] == len(pages)
    assert "next" in pages[0]["_links"]
    assert "next" not in pages[-1]["_links"]


async def test_filters_keep_what_they_name() -> None:
    async with a_stand_in() as bench:
        here = await bench.control(
            "incidents", postal_code="1000", category=3026, created_at="2026-03-10T00:00:00+01:00"
        )
        there = await bench.control(
            "incidents", postal_code="1050", category=3407, created_at="2026-03-09T23:59:59+01:00"
        )
        for incident in (here, there):
            await bench.control("incidents", id=incident["id"], changes=[{"kind": "show"}])

        async def ids(**query: str | int) -> list[int]:
            found = await bench.site("incidents", **query)
            return [incident["id"] for incident in found.get("_embedded", {}).get("response", [])]

        assert await ids(municipality="1000") == [here["id"]]
        assert await ids(category=3407) == [there["id"]]
        assert await ids(startDate="2026-03-10") == [here["id"]]
        assert await ids(endDate="2026-03-09") == [there["id"]]


@pytest.mark.parametrize("query", [{"page": "-1"}, {"size": "0"}, {"startDate": "10/03/2026"}, {"category": "bike"}])
async def test_a_parameter_that_cannot_be_read_is_a_400(query: dict[str, str]) -> None:
    async with a_stand_in() as bench:
        assert (await bench.client.get("/site/api/incidents", params=query)).status_code == 400


async def test_merged_is_left_out_of_lists_but_can_be_read_and_deleted_cannot() -> None:
    async with a_stand_in() as bench:
        older, merged, deleted = [(await bench.control("incidents", postal_code="1000"))["id"] for _ in range(3)]
        await bench.control("incidents", id=merged, changes=[{"kind": "merge", "into": older}])
        await bench.control("incidents", id=deleted, changes=[{"kind": "delete"}])

        listed = [incident["id"] for incident in (await bench.site("incidents"))["_embedded"]["response"]]
        detail = (await bench.site(f"incidents/{merged}"))["response"]
        gone = await bench.client.get(f"/site/api/incidents/{deleted}")

    assert listed == [older]
    assert detail["mergedWith"] == older
    assert gone.status_code == 404


async def test_the_map_holds_id_status_and_coordinates_only() -> None:
    async with a_stand_in(Settings(backlog=4)) as bench:
        pins = (await bench.site("incidents/map", startDate="2026-01-01"))["response"]

    assert pins
    assert all(pin.keys() == {"id", "status", "coordinates"} for pin in pins)


async def test_the_gateway_refuses_without_a_token_and_after_its_time() -> None:
    moments = [datetime(2026, 3, 10, 12, tzinfo=UTC)]
    world = World(Settings(access_token_seconds=60, standing_key="long-lived"))
    tokens = AccessTokens(world, lambda: moments[-1])
    async with a_stand_in() as bench:
        refused = await bench.client.get(f"{GATEWAY}/incidents")
    tokens._ends["given"] = moments[0] + timedelta(seconds=60)

    assert refused.status_code == 401
    assert tokens.fault_of("Bearer given") is None
    assert tokens.fault_of("Bearer long-lived") is None
    moments.append(moments[0] + timedelta(seconds=60))
    assert (tokens.fault_of("Bearer given") or {})["code"] == 900903
    assert (tokens.fault_of("Bearer given") or {})["code"] == 900901


async def test_the_token_endpoint_puts_the_token_first_and_refuses_others() -> None:
    async with a_stand_in(Settings(scope="fms", access_token_seconds=90)) as bench:
        given = await a_token(bench)
        wrong_secret = await a_token(bench, secret="guess")
        wrong_scope = await a_token(bench, scope="other")
        wrong_grant = await a_token(bench, grant_type="password")

    assert next(iter(given.json())) == "access_token"
    assert given.json()["expires_in"] == 90
    assert wrong_secret.status_code == 401
    assert wrong_secret.json()["error"] == "invalid_client"
    assert wrong_scope.json()["error"] == "invalid_scope"
    assert wrong_grant.json()["error"] == "unsupported_grant_type"


async def test_revoked_tokens_are_refused() -> None:
    async with a_stand_in() as bench:
        headers = {"Authorization": f"Bearer {(await a_token(bench)).json()['access_token']}"}
        before = await bench.client.get(f"{GATEWAY}/categories", headers=headers)
        await bench.client.delete("/_control/tokens")
        after = await bench.client.get(f"{GATEWAY}/categories", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_an_encoded_secret_that_is_no_base64_is_refused() -> None:
    async with a_stand_in() as bench:
        for credentials in ("Basic %%%", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Bearer x"):
            answer = await bench.client.post("/gateway/api/token", headers={"Authorization": credentials})
            assert answer.status_code == 401


def nested(listed: dict[str, Any], _: dict[str, Any]) -> tuple[int, int]:
    return listed["category"]["id"], listed["category"]["category"]["id"]


@pytest.mark.parametrize(
    ("switch", "looked_at", "expected"),
    [
        ({}, lambda listed, detail: ("updatedDate" in listed, "updateDate" in detail), (True, True)),
        ({"updated_name_in_list": "updateDate"}, lambda listed, _: "updatedDate" in listed, False),
        ({"updated_name_in_detail": "updatedDate"}, lambda _, detail: "updateDate" in detail, False),
        ({"english_names": False}, lambda listed, _: "nameEn" in listed["category"], False),
        ({"nested_category": "leaf"}, nested, (2060, 3026)),
        ({"nested_category": "parent"}, nested, (3026, 2060)),
        ({"nested_category": "absent"}, lambda listed, _: "category" in listed["category"], False),
        ({"dates": "offset"}, lambda listed, _: listed["creationDate"], "2026-03-10T08:00:00.000+01:00"),
        ({"dates": "utc"}, lambda listed, _: listed["creationDate"], "2026-03-10T07:00:00.000Z"),
        ({"dates": "naive", "precision": "seconds"}, lambda listed, _: listed["creationDate"], "2026-03-10T08:00:00"),
        ({"no_coordinates_every": 1}, lambda listed, _: listed["location"]["coordinates"], {"x": None, "y": None}),
        (
            {"no_coordinates_every": 1, "no_coordinates_as": "null object"},
            lambda listed, _: listed["location"]["coordinates"],
            None,
        ),
        (
            {"no_coordinates_every": 1, "no_coordinates_as": "absent"},
            lambda listed, _: "coordinates" in listed["location"],
            False,
        ),
        ({"unknown_category_every": 1}, lambda listed, _: listed["category"]["id"], 903026),
        (
            {"unknown_status_every": 1},
            lambda listed, detail: (listed["status"], detail["status"]),
            ("ON_HOLD", "ON_HOLD"),
        ),
        ({"unknown_field": True}, lambda listed, _: "weatherAtCreation" in listed, True),
    ],
)
async def test_every_unsettled_shape_can_be_switched(switch: dict[str, Any], looked_at: Any, expected: Any) -> None:
    async with a_stand_in() as bench:
        made = await bench.control(
            "incidents", postal_code="1000", category=3026, created_at="2026-03-10T08:00:00+01:00"
        )
        # listed once before the switch, so that a list remembered in the old shape would show
        await bench.site("incidents")
        await bench.control("shape", **switch)
        listed = (await bench.site("incidents"))["_embedded"]["response"][0]
        detail = (await bench.site(f"incidents/{made['id']}"))["response"]

    assert looked_at(listed, detail) == expected


async def test_a_switch_that_does_not_exist_or_a_wrong_value_is_refused() -> None:
    async with a_stand_in() as bench:
        for body in ({"colour": "red"}, {"dates": "epoch"}, {"max_size": True}, {"order": 3}):
            assert (await bench.client.post("/_control/shape", json=body)).status_code == 400


async def test_order_and_size_cap_follow_their_switches() -> None:
    async with a_stand_in(Settings(backlog=40)) as bench:
        created = [incident["id"] for incident in (await bench.site("incidents", size=40))["_embedded"]["response"]]
        await bench.control("incidents", id=created[-1], changes=[{"kind": "duplicate"}])
        await bench.control("shape", order="updated")
        updated = (await bench.site("incidents", size=40))["_embedded"]["response"]
        await bench.control("shape", order="unordered", max_size=5)
        capped = await bench.site("incidents", size=40)

    dates = [incident["updatedDate"] for incident in updated]
    assert dates == sorted(dates, reverse=True)
    assert updated[0]["id"] == created[-1]
    assert capped["page"]["size"] == 5
    assert [incident["id"] for incident in capped["_embedded"]["response"]] != created[:5]


async def test_private_reports_are_public_to_nobody_unless_the_gateway_is_switched() -> None:
    async with a_stand_in() as bench:
        hidden = (await bench.control("incidents", postal_code="1000", private=True))["id"]
        headers = {"Authorization": f"Bearer {(await a_token(bench)).json()['access_token']}"}
        before = await bench.client.get(f"{GATEWAY}/incidents/{hidden}", headers=headers)
        await bench.control("shape", gateway_carries_private=True)
        after = await bench.client.get(f"{GATEWAY}/incidents/{hidden}", headers=headers)
        site = await bench.client.get(f"/site/api/incidents/{hidden}")

    assert (before.status_code, after.status_code, site.status_code) == (404, 200, 404)


async def test_the_pages_show_the_reports_and_escape_what_people_wrote() -> None:
    async with a_stand_in() as bench:
        made = await bench.control("incidents", postal_code="1000", comments=["<script>alert(1)</script>"])
        overview = await bench.client.get("/", params={"municipality": "1000"})
        story = await bench.client.get(f"/incident/{made['id']}")
        other = await bench.client.get("/", params={"municipality": '"><b>1020'})

    assert f"/incident/{made['id']}" in overview.text
    assert "&lt;script&gt;" in story.text
    assert "<script>" not in story.text
    assert "<b>1020" not in other.text
    assert "http" not in overview.text.split("</style>")[0].replace("http-equiv", "")


async def test_a_fault_meets_the_door_it_names_and_never_the_oracle() -> None:
    async with a_stand_in(Settings(backlog=3)) as bench:
        await bench.client.post("/_control/faults", json=[{"kind": "unavailable", "operation": "site.*"}])
        statuses = [
            (await bench.client.get(path)).status_code
            for path in ("/site/api/incidents", "/site/api/categories", f"{GATEWAY}/incidents", "/_oracle", "/")
        ]

    assert statuses == [503, 503, 401, 200, 200]


def test_every_option_has_a_default_that_starts() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001)
    add_arguments(parser)

    assert callable(app_from(parser.parse_args([])))
