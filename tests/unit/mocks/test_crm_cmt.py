"""The stand-in for CRM-CMT does what its contract says; every answer in here is held against the contract too."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from mocks.crm_cmt.api import operation_of
from mocks.crm_cmt.app import StandIn, callers_for, stand_in
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.journal import Journal
from mocks.faults import Fault, Kind
from tests.contract.published import Contract

BASE = "/api/v1"
MERGE_PATCH = "application/merge-patch+json"


@cache
def contract() -> Contract:
    return Contract.named("crm-cmt")


def a_case(reference: str = "fixmystreet-1", **fields: Any) -> dict[str, Any]:
    smallest: dict[str, Any] = contract().example("SmallestCaseIntake")
    return {**smallest, "reference": reference, **fields}


def a_note(key: str = "n1", **fields: Any) -> dict[str, Any]:
    return {"key": key, "text": "Toujours là.", **fields}


def a_photo(key: str = "p1", **fields: Any) -> dict[str, Any]:
    return {"key": key, "url": "https://example.org/1.jpg", **fields}


@dataclass
class Crm:
    stand_in: StandIn
    client: httpx.AsyncClient

    async def create(self, body: Any, key: str = "k1", **headers: str) -> httpx.Response:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json", **headers}
        return await self.client.post(f"{BASE}/cases", content=json.dumps(body), headers=headers)

    async def created(self, body: Any, key: str = "k1") -> dict[str, Any]:
        answer = await self.create(body, key)
        assert answer.status_code == 201, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    async def update(
        self, receipt: dict[str, Any], patch: Any, key: str = "k2", etag: str | None = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key, "If-Match": etag or receipt["etag"], "Content-Type": MERGE_PATCH}
        return await self.client.patch(f"{BASE}/cases/{receipt['id']}", content=json.dumps(patch), headers=headers)

    async def batch(self, *items: Any) -> httpx.Response:
        return await self.client.post(f"{BASE}/cases/batch", json={"items": list(items)})

    async def whole(self, receipt: dict[str, Any]) -> dict[str, Any]:
        case: dict[str, Any] = (await self.client.get(f"{BASE}/cases/{receipt['id']}")).json()
        return case

    async def oracle(self) -> dict[str, Any]:
        everything: dict[str, Any] = (await self.client.get("/_oracle")).json()
        return everything


async def hold_against_the_contract(response: httpx.Response) -> None:
    scope = {"path": response.request.url.path, "method": response.request.method}
    operation = operation_of(scope)
    if operation in (None, "unknown"):
        return
    await response.aread()
    assert operation is not None
    headers = {name.lower(): value for name, value in response.headers.items()}
    assert contract().faults_of_answer(operation, response.status_code, headers, response.json()) == []


def crm_over(intake: Intake) -> Crm:
    app = stand_in(intake, callers_for("secret", "look-only"), "https://crm.example")
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://stand-in",
        headers={"Authorization": "Bearer secret"},
        event_hooks={"response": [hold_against_the_contract]},
    )
    return Crm(app, client)


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    opened = crm_over(Intake())
    async with opened.client:
        yield opened


def slug(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).removeprefix("urn:crm-cmt:problem:")


def invalid(answer: httpx.Response) -> set[tuple[str, str]]:
    assert (answer.status_code, slug(answer)) == (422, "invalid-field"), answer.text
    return {(param["name"], param["code"]) for param in answer.json()["invalidParams"]}


class TestAccess:
    async def test_it_knows_every_case_type_that_the_rules_give(self, crm: Crm) -> None:
        vocabulary = Path(__file__).parents[3] / "routing" / "rules" / "vocabulary.yaml"
        given = set(yaml.safe_load(vocabulary.read_text(encoding="utf-8"))["case_types"])

        answer = await crm.client.get(f"{BASE}/whoami")

        assert given <= set(answer.json()["caseTypes"])

    async def test_a_token_is_told_who_it_is_and_what_it_may(self, crm: Crm) -> None:
        answer = await crm.client.get(f"{BASE}/whoami")

        assert answer.status_code == 200
        assert answer.json()["rights"] == ["cases.read", "cases.write"]
        assert answer.json()["limits"] == {"batch": 100, "references": 100, "bytes": 4194304}

    @pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer ", "Basic secret", "secret"])
    async def test_without_a_valid_token_nothing_is_said(self, crm: Crm, header: str) -> None:
        answer = await crm.client.get(f"{BASE}/cases?reference=a", headers={"Authorization": header})

        assert (answer.status_code, slug(answer)) == (401, "unauthorized")

    async def test_a_token_that_may_only_look_cannot_write(self, crm: Crm) -> None:
        crm.client.headers["Authorization"] = "Bearer look-only"

        answer = await crm.create(a_case())

        assert (answer.status_code, slug(answer)) == (403, "forbidden")
        assert (await crm.client.get(f"{BASE}/cases?reference=a")).status_code == 200

    async def test_a_request_id_comes_back_and_is_kept_with_the_write(self, crm: Crm) -> None:
        answer = await crm.create(a_case(), **{"X-Request-Id": "r-7"})

        assert answer.headers["x-request-id"] == "r-7"
        assert (await crm.oracle())["history"][0]["requestId"] == "r-7"

    async def test_an_unknown_address_and_an_unknown_method_are_problems(self, crm: Crm) -> None:
        assert slug(await crm.client.get(f"{BASE}/nothing")) == "not-found"
        assert slug(await crm.client.delete(f"{BASE}/whoami")) == "method-not-allowed"


class TestCreate:
    async def test_the_example_of_the_contract_is_taken_whole(self, crm: Crm) -> None:
        body = contract().example("CaseIntake")

        receipt = await crm.created(body)
        case = await crm.whole(receipt)

        assert {name: case[name] for name in body} == body
        assert receipt["link"] == f"https://crm.example/cases/{receipt['id']}"
        assert [outcome["outcome"] for outcome in receipt["notes"] + receipt["attachments"]] == ["stored", "stored"]

    async def test_the_same_create_again_gives_the_first_answer_and_writes_nothing(self, crm: Crm) -> None:
        first = await crm.create(a_case())
        again = await crm.create(a_case())

        assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])
        assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
        assert len((await crm.oracle())["history"]) == 1

    async def test_a_repetition_may_spell_its_body_another_way(self, crm: Crm) -> None:
        await crm.created(a_case())
        body = json.dumps(dict(reversed(a_case().items())), indent=3)

        headers = {"Idempotency-Key": "k1", "Content-Type": "application/json; charset=utf-8"}
        answer = await crm.client.post(f"{BASE}/cases", content=body, headers=headers)

        assert answer.headers["idempotent-replayed"] == "true"

    async def test_a_key_used_for_another_body_is_refused(self, crm: Crm) -> None:
        await crm.created(a_case())

        answer = await crm.create(a_case(reference="fixmystreet-2"))

        assert (answer.status_code, slug(answer)) == (422, "idempotency-key-reused")

    async def test_a_key_used_for_a_create_cannot_be_used_for_an_update(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())

        answer = await crm.update(receipt, {"version": 2}, key="k1")

        assert slug(answer) == "idempotency-key-reused"

    async def test_a_refused_create_does_not_use_its_key_up(self, crm: Crm) -> None:
        assert (await crm.create(a_case(caseType="unheard_of"))).status_code == 422

        assert (await crm.create(a_case())).status_code == 201

    async def test_a_reference_that_is_taken_says_by_what(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())

        answer = await crm.create(a_case(), key="k2")
        problem = answer.json()

        assert (answer.status_code, slug(answer)) == (409, "case-exists")
        assert (problem["id"], problem["etag"], problem["version"]) == (receipt["id"], receipt["etag"], 1)
        assert problem["lastChange"] == "k1"
        assert len((await crm.oracle())["cases"]) == 1

    @pytest.mark.parametrize("key", ["", "x" * 201, "with space", "tab\tbed"])
    async def test_a_write_without_a_proper_key_is_refused(self, crm: Crm, key: str) -> None:
        answer = await crm.create(a_case(), key=key)

        assert (answer.status_code, slug(answer)) == (400, "idempotency-key-required")

    @pytest.mark.parametrize(
        "name", ["reference", "version", "tenant", "source", "kind", "caseType", "status", "title"]
    )
    async def test_what_is_required_is_missed_by_name(self, crm: Crm, name: str) -> None:
        body = a_case()
        del body[name]

        assert invalid(await crm.create(body)) == {(name, "required")}

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"reference": "a b"}, ("reference", "format")),
            ({"reference": "x" * 41}, ("reference", "too_long")),
            ({"reference": "abc\n"}, ("reference", "format")),
            ({"version": 0}, ("version", "out_of_range")),
            ({"version": True}, ("version", "type")),
            ({"version": "1"}, ("version", "type")),
            ({"tenant": "2100"}, ("tenant", "format")),
            ({"tenant": "２１００４"}, ("tenant", "format")),
            ({"source": {"system": "fixmystreet"}}, ("source.id", "required")),
            ({"caseType": "unheard_of"}, ("caseType", "unknown_value")),
            ({"status": "CREATED"}, ("status", "unknown_value")),
            ({"title": {}}, ("title", "required")),
            ({"title": {"en": "Hole"}}, ("title", "required")),
            ({"title": {"fr": ""}}, ("title.fr", "too_short")),
            ({"title": {"fr": "a\0b"}}, ("title.fr", "nul")),
            ({"title": {"fr": "a\ud800b"}}, ("title.fr", "format")),
            ({"title": {"fr": "x", "es": "x"}}, ("title.es", "unknown_field")),
            ({"description": None}, ("description", "type")),
            ({"people": [{"role": "reporter"}, {"name": "x"}]}, ("people.1.role", "required")),
            ({"people": [{"role": "reporter"}] * 51}, ("people", "too_many")),
            ({"category": {"path": []}}, ("category.path", "too_few")),
            ({"dates": {"reportedAt": "2026-03-02T07:15:00+01:00"}}, ("dates.reportedAt", "format")),
            ({"dates": {"reportedAt": "2026-02-30T07:15:00Z"}}, ("dates.reportedAt", "format")),
            ({"deadline": "2026-03-02"}, ("deadline", "format")),
            (
                {"place": {"point": {"wgs84": {"longitude": 181, "latitude": 0}}}},
                ("place.point.wgs84.longitude", "out_of_range"),
            ),
            ({"place": {"point": {"lambert72": {"x": 1.0}}}}, ("place.point.lambert72.y", "required")),
            ({"links": [{"rel": "source", "href": "ftp://x"}]}, ("links.0.href", "format")),
            ({"language": "es"}, ("language", "unknown_value")),
            ({"priority": "asap"}, ("priority", "unknown_value")),
            ({"extra": {"deep": [{"text": "\0"}]}}, ("extra.deep.0.text", "nul")),
            ({"test": 1}, ("test", "type")),
            ({"notes": {}}, ("notes", "type")),
            ({"colour": "red"}, ("colour", "unknown_field")),
        ],
    )
    async def test_what_is_wrong_with_a_field_is_said(
        self, crm: Crm, fields: dict[str, Any], fault: tuple[str, str]
    ) -> None:
        assert invalid(await crm.create(a_case(**fields))) == {fault}

    async def test_what_is_not_known_may_be_null_where_the_contract_says_so(self, crm: Crm) -> None:
        receipt = await crm.created(a_case(tenant=None, language=None))

        assert (await crm.whole(receipt))["tenant"] is None

    async def test_a_number_beyond_all_numbers_is_refused(self, crm: Crm) -> None:
        body = json.dumps(a_case(extra={"n": 1})).replace('"n": 1', '"n": 1e999')

        answer = await crm.client.post(
            f"{BASE}/cases", content=body, headers={"Idempotency-Key": "k", "Content-Type": "application/json"}
        )

        assert invalid(answer) == {("extra.n", "out_of_range")}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff",
            b"\xef\xbb\xbf{}",
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"version": 1, "version": 2}',
            b'{"extra": {"a": 1, "a": 2}}',
            b"[" * 65 + b"]" * 65,
            b"[" * 100_000,
            b"1" * 5000,
        ],
    )
    async def test_what_is_not_json_is_refused(self, crm: Crm, body: bytes) -> None:
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        answer = await crm.client.post(f"{BASE}/cases", content=body, headers=headers)

        assert (answer.status_code, slug(answer)) == (400, "invalid-json")

    @pytest.mark.parametrize("body", [[], 1, "x", None, [1] * 100])
    async def test_json_that_is_no_object_is_refused(self, crm: Crm, body: object) -> None:
        assert invalid(await crm.create(body)) == {("", "type")}

    async def test_a_body_of_another_media_type_is_refused(self, crm: Crm) -> None:
        answer = await crm.create(a_case(), **{"Content-Type": MERGE_PATCH})

        assert (answer.status_code, slug(answer)) == (415, "unsupported-media-type")

    @pytest.mark.parametrize("chunked", [True, False])
    async def test_a_body_over_the_limit_is_refused_however_it_comes(self, crm: Crm, chunked: bool) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b" " * 2**20

        content = chunks() if chunked else b" " * (4 * 2**20 + 1)
        answer = await crm.client.post(f"{BASE}/cases", content=content)

        assert (answer.status_code, slug(answer)) == (413, "too-large")


class TestAdditions:
    async def test_a_refused_note_does_not_refuse_the_case(self, crm: Crm) -> None:
        notes = [a_note("good"), {"key": "bad"}, {"text": "no key"}, "no note", a_note("good", text="second")]

        receipt = await crm.created(a_case(notes=notes, attachments=[a_photo(url="nowhere")]))
        case = await crm.whole(receipt)

        outcomes = [(outcome["key"], outcome["outcome"]) for outcome in receipt["notes"]]
        assert outcomes == [
            ("good", "stored"),
            ("bad", "refused"),
            (None, "refused"),
            (None, "refused"),
            ("good", "exists"),
        ]
        assert receipt["attachments"][0]["problem"]["invalidParams"][0]["name"] == "url"
        assert case["notes"] == [a_note("good")]

    @pytest.mark.parametrize(("where", "addition"), [("notes", a_note()), ("attachments", a_photo())])
    async def test_an_addition_is_stored_once(self, crm: Crm, where: str, addition: dict[str, Any]) -> None:
        receipt = await crm.created(a_case())
        address = f"{BASE}/cases/{receipt['id']}/{where}"

        first = await crm.client.post(address, json=addition)
        again = await crm.client.post(address, json={**addition, "language": "nl"})
        case = await crm.whole(receipt)

        assert (first.status_code, first.json()["outcome"]) == (201, "stored")
        assert (again.status_code, again.json()["outcome"]) == (200, "exists")
        assert case[where] == [addition]
        assert (case["etag"], case["version"]) == (receipt["etag"], 1)

    async def test_a_bad_addition_and_an_unknown_case_are_refused(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())

        bad = await crm.client.post(f"{BASE}/cases/{receipt['id']}/notes", json={"key": "n"})
        nowhere = await crm.client.post(f"{BASE}/cases/none/notes", json=a_note())

        assert invalid(bad) == {("text", "required")}
        assert (nowhere.status_code, slug(nowhere)) == (404, "case-not-found")


class TestUpdate:
    async def test_a_patch_merges_removes_replaces_and_adds(self, crm: Crm) -> None:
        receipt = await crm.created(contract().example("CaseIntake"))
        patch = contract().example("CasePatch") | {"tags": ["a", "b"], "tenant": None, "notes": [a_note("new")]}

        answer = await crm.update(receipt, patch)
        case = await crm.whole(receipt)

        assert answer.status_code == 200
        assert (case["status"], case["version"], case["lastChange"]) == ("planned", 2, "k2")
        assert case["dates"]["reportedAt"] == "2026-03-02T07:15:00Z"
        assert case["dates"]["plannedAt"] == "2026-03-09T08:00:00Z"
        assert "department" not in case
        assert (case["tags"], case["tenant"]) == (["a", "b"], None)
        assert [note["key"] for note in case["notes"]] == ["fixmystreet-comment-9001", "new"]
        assert answer.headers["etag"] == case["etag"] != receipt["etag"]

    async def test_the_history_says_what_changed(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())
        await crm.update(receipt, {"version": 5, "status": "accepted", "notes": [a_note()]})

        created, changed = (await crm.oracle())["history"]

        assert (created["operation"], created["idempotencyKey"], created["version"]) == ("create", "k1", 1)
        assert (changed["operation"], changed["idempotencyKey"], changed["version"]) == ("update", "k2", 5)
        assert changed["changed"] == {
            "version": {"from": 1, "to": 5},
            "status": {"from": "received", "to": "accepted"},
        }
        assert changed["notes"] == ["n1"]

    async def test_without_if_match_nothing_is_changed(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())
        headers = {"Idempotency-Key": "k2", "Content-Type": MERGE_PATCH}

        answer = await crm.client.patch(f"{BASE}/cases/{receipt['id']}", content='{"version": 2}', headers=headers)

        assert (answer.status_code, slug(answer)) == (428, "precondition-required")

    @pytest.mark.parametrize("etag", ['"other"', "*", 'W/"1-1"', '"1-1", "1-2"'])
    async def test_an_etag_that_is_not_the_one_is_refused(self, crm: Crm, etag: str) -> None:
        receipt = await crm.created(a_case())

        answer = await crm.update(receipt, {"version": 2}, etag=etag)

        assert (answer.status_code, slug(answer)) == (412, "etag-mismatch")
        assert (answer.json()["etag"], answer.json()["version"]) == (receipt["etag"], 1)

    @pytest.mark.parametrize("version", [1, 2])
    async def test_an_update_cannot_overtake_a_newer_one(self, crm: Crm, version: int) -> None:
        receipt = await crm.created(a_case(version=2))

        answer = await crm.update(receipt, {"version": version, "status": "closed"})

        assert (answer.status_code, slug(answer)) == (409, "stale-version")
        assert (answer.json()["version"], answer.json()["lastChange"]) == (2, "k1")
        assert (await crm.whole(receipt))["status"] == "received"

    async def test_the_same_update_again_is_answered_though_the_etag_has_moved(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())
        first = await crm.update(receipt, {"version": 2, "status": "accepted"})
        await crm.update(first.json(), {"version": 3, "status": "planned"}, key="k3")

        again = await crm.update(receipt, {"version": 2, "status": "accepted"}, etag='"whatever"')

        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert (await crm.whole(receipt))["status"] == "planned"

    async def test_the_same_key_on_another_case_is_refused(self, crm: Crm) -> None:
        one = await crm.created(a_case("one"), "c1")
        two = await crm.created(a_case("two"), "c2")
        await crm.update(one, {"version": 2})

        assert slug(await crm.update(two, {"version": 2})) == "idempotency-key-reused"

    @pytest.mark.parametrize(
        ("patch", "fault"),
        [
            ({}, ("version", "required")),
            ({"version": 2, "reference": "other"}, ("reference", "immutable")),
            ({"version": 2, "title": None}, ("title", "required")),
            ({"version": 2, "title": {"nl": None}}, ("title", "required")),
            ({"version": 2, "title": "x"}, ("title", "type")),
            ({"version": 2, "colour": None}, ("colour", "unknown_field")),
            ({"version": 2, "colour": 1}, ("colour", "unknown_field")),
            ({"version": 2, "notes": None}, ("notes", "type")),
            ({"version": 2, "caseType": "unheard_of"}, ("caseType", "unknown_value")),
            (
                {"version": 2, "place": {"point": {"wgs84": {"latitude": 50}}}},
                ("place.point.wgs84.longitude", "required"),
            ),
            ([], ("", "type")),
        ],
    )
    async def test_a_patch_that_makes_no_valid_case_changes_nothing(
        self, crm: Crm, patch: Any, fault: tuple[str, str]
    ) -> None:
        receipt = await crm.created(a_case())
        before = await crm.whole(receipt)

        assert invalid(await crm.update(receipt, patch)) == {fault}
        assert await crm.whole(receipt) == before

    async def test_an_unknown_case_is_not_found(self, crm: Crm) -> None:
        answer = await crm.update({"id": "none", "etag": '"1-1"'}, {"version": 2})

        assert (answer.status_code, slug(answer)) == (404, "case-not-found")
        assert slug(await crm.client.get(f"{BASE}/cases/none")) == "case-not-found"

    async def test_an_agents_edit_moves_the_etag_and_not_the_version(self, crm: Crm) -> None:
        receipt = await crm.created(a_case())

        edited = (
            await crm.client.post(
                "/_control/edit", json={"reference": "fixmystreet-1", "patch": {"status": "in_progress"}}
            )
        ).json()

        assert (edited["status"], edited["version"], edited["lastChange"]) == ("in_progress", 1, "k1")
        assert slug(await crm.update(receipt, {"version": 2})) == "etag-mismatch"
        assert (await crm.update(receipt, {"version": 2}, etag=edited["etag"])).status_code == 200


class TestFind:
    async def test_only_what_is_known_is_listed_once(self, crm: Crm) -> None:
        receipt = await crm.created(a_case("known", notes=[a_note()], attachments=[a_photo()]))

        answer = await crm.client.get(f"{BASE}/cases", params={"reference": ["unknown", "known", "known"]})
        (state,) = answer.json()["items"]

        assert (state["id"], state["etag"], state["lastChange"]) == (receipt["id"], receipt["etag"], "k1")
        assert (state["noteKeys"], state["attachmentKeys"]) == (["n1"], ["p1"])

    @pytest.mark.parametrize(
        "query",
        ["", "reference=", "reference=a%20b", "reference=a&page=2", "&".join(f"reference={n}" for n in range(101))],
    )
    async def test_a_query_that_cannot_be_meant_is_refused(self, crm: Crm, query: str) -> None:
        answer = await crm.client.get(f"{BASE}/cases?{query}")

        assert (answer.status_code, slug(answer)) == (400, "invalid-query")

    async def test_a_hundred_references_may_be_asked(self, crm: Crm) -> None:
        answer = await crm.client.get(f"{BASE}/cases", params={"reference": [str(n) for n in range(100)]})

        assert answer.json() == {"items": []}


def creating(reference: str, key: str | None = None, **fields: Any) -> dict[str, Any]:
    case = a_case(reference, **fields)
    return {"operation": "create", "idempotencyKey": key or f"{reference}.1", "case": case}


def updating(receipt: dict[str, Any], key: str = "u1", **fields: Any) -> dict[str, Any]:
    case = {"reference": receipt["reference"], **fields}
    return {"operation": "update", "idempotencyKey": key, "id": receipt["id"], "ifMatch": receipt["etag"], "case": case}


class TestBatch:
    async def test_each_item_has_the_outcome_that_it_would_have_alone(self, crm: Crm) -> None:
        known = await crm.created(a_case("known"))
        stale = await crm.created(a_case("stale", version=9), "k2")
        moved = {**await crm.created(a_case("moved"), "k3"), "etag": '"other"'}
        await crm.created(a_case("taken"), "k4")
        without = updating(known)
        del without["ifMatch"]

        answer = await crm.batch(
            creating("new", notes=[a_note(), {"key": "bad"}]),
            updating(known, version=2, status="accepted"),
            updating(stale, "u2", version=9),
            updating(moved, "u3", version=2),
            creating("taken", "other-key"),
            creating("wrong", caseType="unheard_of"),
            {**creating("keyless"), "idempotencyKey": ""},
            updating({"reference": "x", "id": "none", "etag": '"1-1"'}, "u4", version=2),
        )
        outcomes = answer.json()["outcomes"]

        assert answer.status_code == 200
        assert [outcome["status"] for outcome in outcomes] == [201, 200, 409, 412, 409, 422, 400, 404]
        assert [outcome["index"] for outcome in outcomes] == list(range(8))
        assert outcomes[0]["reference"] == "new"
        assert [note["outcome"] for note in outcomes[0]["notes"]] == ["stored", "refused"]
        assert outcomes[2]["problem"]["lastChange"] == "k2"
        assert outcomes[4]["problem"]["type"].endswith("case-exists")
        assert len((await crm.oracle())["cases"]) == 5

    async def test_items_that_cannot_be_read_fail_alone(self, crm: Crm) -> None:
        known = await crm.created(a_case("known"))
        without_if_match = updating(known, version=2)
        del without_if_match["ifMatch"]
        without_reference = updating(known, version=2)
        del without_reference["case"]["reference"]

        answer = await crm.batch(
            7,
            {},
            {**creating("a"), "operation": "delete"},
            {**creating("b"), "id": "x"},
            {"operation": "create", "idempotencyKey": "k"},
            {**creating("c"), "case": "x"},
            without_if_match,
            without_reference,
            creating("fine"),
        )

        assert [outcome["status"] for outcome in answer.json()["outcomes"]] == [
            422,
            422,
            422,
            422,
            422,
            422,
            428,
            422,
            201,
        ]

    async def test_a_change_tried_alone_and_then_in_a_batch_is_written_once(self, crm: Crm) -> None:
        alone = await crm.created(a_case("one"), "one.1")

        (outcome,) = (await crm.batch(creating("one"))).json()["outcomes"]

        assert (outcome["status"], outcome["replayed"], outcome["id"]) == (201, True, alone["id"])
        assert len((await crm.oracle())["history"]) == 1

    async def test_the_same_case_twice_refuses_the_whole_batch(self, crm: Crm) -> None:
        answer = await crm.batch(creating("a"), creating("b"), creating("a", "other"))

        assert (answer.status_code, slug(answer)) == (400, "same-case-twice")
        assert (await crm.oracle())["cases"] == []

    async def test_a_hundred_items_are_taken_and_one_more_is_not(self, crm: Crm) -> None:
        full = await crm.batch(*[creating(f"r{n}") for n in range(100)])
        over = await crm.batch(*[creating(f"s{n}") for n in range(101)])

        assert {outcome["status"] for outcome in full.json()["outcomes"]} == {201}
        assert (over.status_code, slug(over)) == (413, "batch-too-large")
        assert len((await crm.oracle())["cases"]) == 100

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ([], ("", "type")),
            ({}, ("items", "required")),
            ({"items": {}}, ("items", "type")),
            ({"items": []}, ("items", "too_few")),
            ({"items": [1], "atomic": True}, ("atomic", "unknown_field")),
        ],
    )
    async def test_what_is_no_batch_is_refused(self, crm: Crm, body: Any, fault: tuple[str, str]) -> None:
        assert invalid(await crm.client.post(f"{BASE}/cases/batch", json=body)) == {fault}

    async def test_a_fault_can_hit_single_items(self, crm: Crm) -> None:
        busy = Fault(Kind.BUSY, operation="batchItem", count=1, retry_after=4)
        broken = Fault(Kind.SERVER_ERROR, operation="batchItem", count=1, effect=True)
        crm.stand_in.faults.add(busy, broken)

        outcomes = (await crm.batch(creating("a"), creating("b"), creating("c"))).json()["outcomes"]

        assert [outcome["status"] for outcome in outcomes] == [429, 500, 201]
        assert outcomes[0]["retryAfter"] == 4
        assert [case["reference"] for case in (await crm.oracle())["cases"]] == ["b", "c"]


class TestFaults:
    @pytest.mark.parametrize("kind", [Kind.BUSY, Kind.UNAVAILABLE, Kind.SERVER_ERROR, Kind.WRONG_TOKEN])
    async def test_an_error_on_request_is_the_contracts_own(self, crm: Crm, kind: Kind) -> None:
        crm.stand_in.faults.add(Fault(kind))

        answer = await crm.create(a_case())

        assert slug(answer) in {"too-many-requests", "unavailable", "internal-error", "unauthorized"}

    async def test_a_lost_answer_leaves_the_case_to_be_found(self, crm: Crm) -> None:
        crm.stand_in.faults.add(Fault(Kind.LOST_ANSWER, operation="createCase", count=1))

        with pytest.raises(ConnectionResetError):
            await crm.create(a_case())
        found = (await crm.client.get(f"{BASE}/cases?reference=fixmystreet-1")).json()["items"]
        again = await crm.create(a_case())

        assert [state["lastChange"] for state in found] == ["k1"]
        assert again.headers["idempotent-replayed"] == "true"


class TestWhatWasCounted:
    async def test_every_request_is_counted_by_operation_and_outcome(self, crm: Crm) -> None:
        await crm.create(a_case())
        await crm.create(a_case())
        await crm.create(a_case(), key="other")
        await crm.batch(creating("fixmystreet-1"), creating("new"))

        everything = await crm.oracle()

        assert everything["requests"] == {
            "createCase": {"201": 1, "case-exists": 1, "replayed": 1},
            "writeBatch": {"200": 1},
            "writeBatch.create": {"201": 1, "case-exists": 1},
        }
        assert everything["repeated"]["case-exists"] == 2
        assert everything["repeated"]["replayed"] == 1

    async def test_reset_forgets_everything(self, crm: Crm) -> None:
        await crm.created(a_case())

        assert (await crm.client.post("/_control/reset")).status_code == 200
        everything = await crm.oracle()

        assert (everything["cases"], everything["history"], everything["requests"]) == ([], [], {})
        assert "idempotent-replayed" not in (await crm.create(a_case())).headers


class TestPages:
    async def test_the_list_filters_and_hides_test_cases(self, crm: Crm) -> None:
        await crm.created(a_case("one", caseType="road-surface", language="fr", title={"fr": "Trou"}), "1")
        await crm.created(a_case("two", language="nl", status="closed", title={"nl": "Put"}), "2")
        await crm.created(a_case("three", test=True, title={"nl": "Proef"}), "3")

        async def titles(query: str) -> set[str]:
            page = (await crm.client.get(f"/?{query}")).text
            return {title for title in ("Trou", "Put", "Proef") if f">{title}<" in page}

        assert await titles("") == {"Trou", "Put"}
        assert await titles("tests=1") == {"Trou", "Put", "Proef"}
        assert await titles("case_type=road-surface") == {"Trou"}
        assert await titles("language=nl") == {"Put"}
        assert await titles("language=none&tests=1") == {"Proef"}
        assert await titles("status=closed") == {"Put"}

    async def test_a_case_page_shows_its_history(self, crm: Crm) -> None:
        receipt = await crm.created(contract().example("CaseIntake"))
        await crm.update(receipt, {"version": 2, "status": "accepted"})

        page = (await crm.client.get(f"/cases/{receipt['id']}")).text

        for shown in (
            "Nid de poule",
            "Put in de weg",
            "Hoogstraat",
            "Toujours là ce matin.",
            "received → accepted",
            "k2",
        ):
            assert shown in page

    async def test_what_was_sent_is_shown_and_never_run(self, crm: Crm) -> None:
        script = "<script>alert(1)</script>"
        notes = [a_note(text=script, author=script)]
        receipt = await crm.created(
            a_case(title={"fr": script}, tags=[script], source={"system": "x", "id": script}, notes=notes)
        )

        for address in ("/", f"/cases/{receipt['id']}", f"/?status={script}"):
            answer = await crm.client.get(address)
            assert "<script" not in answer.text
            assert "default-src 'none'" in answer.headers["content-security-policy"]

    async def test_an_unknown_case_has_no_page(self, crm: Crm) -> None:
        assert (await crm.client.get("/cases/none")).status_code == 404


class TestJournal:
    async def a_life(self, crm: Crm) -> None:
        receipt = await crm.created(a_case(notes=[a_note()]), "k1")
        await crm.update(receipt, {"version": 2, "status": "accepted", "tenant": None})
        await crm.client.post(f"{BASE}/cases/{receipt['id']}/attachments", json=a_photo())
        await crm.client.post("/_control/edit", json={"reference": "fixmystreet-1", "patch": {"status": "planned"}})
        await crm.create(a_case(), key="refused")
        await crm.batch(creating("second"))

    async def test_what_was_written_is_there_after_a_restart(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        before = crm_over(Intake(journal=Journal(path)))
        await self.a_life(before)

        after = crm_over(Intake(journal=Journal(path)))
        first, second = await before.oracle(), await after.oracle()
        again = await after.create(a_case(notes=[a_note()]))

        assert (second["cases"], second["history"]) == (first["cases"], first["history"])
        assert again.headers["idempotent-replayed"] == "true"

    async def test_a_line_cut_short_is_dropped_and_writing_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        await crm_over(Intake(journal=Journal(path))).created(a_case("one"))
        with path.open("ab") as file:
            file.write(b'{"do":"create","key":')

        second = crm_over(Intake(journal=Journal(path)))
        await second.created(a_case("two"), "k2")
        third = await crm_over(Intake(journal=Journal(path))).oracle()

        assert [case["reference"] for case in third["cases"]] == ["one", "two"]

    async def test_reset_empties_the_journal(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        crm = crm_over(Intake(journal=Journal(path)))
        await crm.created(a_case())
        await crm.client.post("/_control/reset")
        await crm.created(a_case("later"), "k2")

        assert [record.reference for record in Intake(journal=Journal(path)).cases] == ["later"]
