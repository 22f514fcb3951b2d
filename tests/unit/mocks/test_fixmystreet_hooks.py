"""The hook receiver: its table of states and effects, the order of its checks, its missing idempotency."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mocks.fixmystreet.places import CITY_COORDINATION, CITY_CRM
from mocks.fixmystreet.records import Report, Status
from mocks.fixmystreet.settings import Settings
from tests.unit.mocks.fixmystreet_bench import Bench, a_stand_in

CREATED, ASSIGNED, SOLVED, PROCESSED = Status.CREATED, Status.MANAGER_ASSIGNED, Status.SOLVED, Status.PROCESSED
FORBIDDEN = {"detail": "Access or action forbidden."}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with a_stand_in() as opened:
        yield opened


async def a_report(bench: Bench, status: Status, *, relation: str = "transfer") -> Report:
    made = await bench.control("incidents", postal_code="1000", comments=[])
    report = bench.world.reports[made["id"]]
    report.status = status
    report.department = CITY_CRM if relation == "transfer" else CITY_COORDINATION
    report.previous_departments = [CITY_COORDINATION]
    report.contractor = CITY_CRM if relation == "assignment" else None
    return report


async def call(bench: Bench, name: str, report: object, data: object = None, token: str = "hook-token") -> Any:
    hook, action = name.split(".")
    given = {"referenceId": "CMT-1", "comment": "Vu"} if data is None else data
    payload = {"meta": {"resource": "report", "hook": hook, "action": action, "id": report}, "data": given}
    return await bench.client.post("/api/v1/hooks", json=payload, headers={"Authorization": f"Token {token}"})


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("transfer.accept", CREATED, ASSIGNED),
        ("transfer.accept", ASSIGNED, ASSIGNED),
        ("transfer.accept", SOLVED, SOLVED),
        ("transfer.accept", PROCESSED, None),
        ("transfer.reject", CREATED, ASSIGNED),
        ("transfer.reject", ASSIGNED, ASSIGNED),
        ("transfer.reject", Status.REFUSED, None),
        ("transfer.close", ASSIGNED, PROCESSED),
        ("transfer.close", SOLVED, PROCESSED),
        ("transfer.close", CREATED, None),
        ("transfer.close", PROCESSED, None),
        ("assignment.register", Status.CONTRACTOR_ASSIGNED, Status.CONTRACTOR_ASSIGNED),
        ("assignment.accept", Status.CONTRACTOR_ASSIGNED, Status.CONTRACTOR_ASSIGNED),
        ("assignment.update", Status.CONTRACTOR_ASSIGNED, Status.CONTRACTOR_ASSIGNED),
        ("assignment.update", CREATED, None),
        ("assignment.reject", Status.CONTRACTOR_ASSIGNED, ASSIGNED),
        ("assignment.reject", PROCESSED, None),
        ("assignment.close", Status.CONTRACTOR_ASSIGNED, SOLVED),
        ("assignment.close", CREATED, None),
    ],
)
async def test_an_action_has_its_effect_from_its_states_only(
    bench: Bench, name: str, before: Status, after: Status | None
) -> None:
    report = await a_report(bench, before, relation=name.split(".")[0])
    comments = len(report.comments)

    answer = await call(bench, name, report.id)

    if after is None:
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
        assert (report.status, len(report.comments)) == (before, comments)
    else:
        assert (answer.status_code, answer.json()) == (200, {"detail": "Request successfully processed."})
        assert (report.status, len(report.comments)) == (after, comments + 1)
        assert report.comments[-1].text.endswith("\nRéférence externe: CMT-1\nVu")
        assert report.comments[-1].security == "private"


async def test_accept_keeps_the_reference_and_reject_takes_the_report_away(bench: Bench) -> None:
    accepted, rejected = [await a_report(bench, CREATED) for _ in range(2)]

    await call(bench, "transfer.accept", accepted.id)
    await call(bench, "transfer.reject", rejected.id)

    assert accepted.contractor_reference == "CMT-1"
    assert accepted.accepted_at is not None
    assert rejected.contractor_reference is None
    assert rejected.department == CITY_COORDINATION
    assert (await call(bench, "transfer.reject", rejected.id)).status_code == 403


async def test_closing_an_assignment_marks_as_done_and_does_not_close(bench: Bench) -> None:
    report = await a_report(bench, Status.CONTRACTOR_ASSIGNED, relation="assignment")

    await call(bench, "assignment.close", report.id)

    assert report.comments[-1].type == "MARK_AS_DONE"
    assert (report.public_status, report.closed_at) == ("PROCESSING", None)


async def test_a_repeat_adds_another_comment(bench: Bench) -> None:
    report = await a_report(bench, CREATED)
    before = len(report.comments)

    for _ in range(2):
        assert (await call(bench, "transfer.accept", report.id)).status_code == 200

    assert len(report.comments) == before + 2


@pytest.mark.parametrize("name", ["transfer.accept", "assignment.update"])
async def test_somebody_elses_report_is_a_403(bench: Bench, name: str) -> None:
    other = "assignment" if name.startswith("transfer") else "transfer"
    report = await a_report(bench, ASSIGNED, relation=other)

    assert (await call(bench, name, report.id)).status_code == 403


async def test_state_and_owner_are_checked_before_the_fields(bench: Bench) -> None:
    closed, open_one = await a_report(bench, PROCESSED), await a_report(bench, ASSIGNED)

    assert (await call(bench, "transfer.close", closed.id, {})).status_code == 403
    refused = await call(bench, "transfer.close", open_one.id, {})

    assert refused.status_code == 400
    assert refused.json() == {"detail": "Request is malformed.", "errors": "'data.referenceId' is required."}


def a_meta(**fields: object) -> dict[str, object]:
    return {"resource": "report", "hook": "transfer", "action": "accept", "id": 1} | fields


@pytest.mark.parametrize(
    ("payload", "errors"),
    [
        ([], "Payload must contain 'meta' and 'data'."),
        ({"meta": {}}, "Payload must contain 'meta' and 'data'."),
        ({"meta": {"hook": "transfer"}, "data": {}}, "'meta' must contain 'resource', 'hook' and 'action'."),
        ({"meta": a_meta(action="update"), "data": {}}, "Unknown inbound webhook for 'report.transfer.update'."),
        ({"meta": a_meta(resource="x"), "data": {}}, "Unknown inbound webhook for 'x.transfer.accept'."),
    ],
)
async def test_a_malformed_call_is_told_why(bench: Bench, payload: object, errors: str) -> None:
    answer = await bench.client.post("/api/v1/hooks", json=payload, headers={"Authorization": "Token hook-token"})

    assert (answer.status_code, answer.json()) == (400, {"detail": "Request is malformed.", "errors": errors})


@pytest.mark.parametrize("report", [None, 999_999_999, "not a number"])
async def test_an_unknown_report_is_a_500_without_an_envelope(bench: Bench, report: object) -> None:
    answer = await call(bench, "transfer.accept", report)

    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_reference_over_twenty_characters_is_a_500_and_changes_nothing(bench: Bench) -> None:
    report = await a_report(bench, CREATED)

    refused = await call(bench, "transfer.accept", report.id, {"referenceId": "C" * 21})
    kept = (report.status, report.contractor_reference)
    taken = await call(bench, "transfer.accept", report.id, {"referenceId": "C" * 20})

    assert (refused.status_code, refused.json()) == (500, {"detail": "Internal server error."})
    assert kept == (CREATED, None)
    assert taken.status_code == 200


async def test_the_token_comes_before_everything(bench: Bench) -> None:
    wrong = await call(bench, "transfer.accept", None, token="guess")
    missing = await bench.client.post("/api/v1/hooks", content=b"{")
    unreadable = await bench.client.post("/api/v1/hooks", content=b"{", headers={"Authorization": "Token hook-token"})

    assert (wrong.status_code, wrong.json()["detail"]) == (401, "Invalid token.")
    assert missing.status_code == 401
    assert unreadable.status_code == 400


async def test_every_call_is_on_record(bench: Bench) -> None:
    report = await a_report(bench, CREATED)
    await call(bench, "transfer.accept", report.id)
    await call(bench, "transfer.accept", 5)

    hooks = (await bench.oracle())["hooks"]

    assert [hook["answer_status"] for hook in hooks] == [200, 500]
    assert json.loads(hooks[0]["body"])["meta"]["id"] == report.id


async def test_only_transfer_accept_is_delayed() -> None:
    async with a_stand_in(Settings(backlog=0, accept_delay_seconds=600)) as bench:
        report = await a_report(bench, ASSIGNED)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await call(bench, "transfer.accept", report.id)
        assert (await call(bench, "transfer.close", report.id)).status_code == 200
