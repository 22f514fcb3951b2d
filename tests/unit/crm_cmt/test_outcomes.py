"""What each answer to a change means for the next move."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.kit.errors import (
    ConnectorError,
    MisconfiguredError,
    RejectedError,
    TemporaryError,
    UnconfirmedError,
)
from connectors.kit.ports import CaseChange, Delivered, Remote
from tests.builders import a_note, an_attachment
from tests.unit.crm_cmt.world import (
    CASES,
    a_create,
    a_problem,
    a_receipt,
    a_remote,
    a_sink,
    an_update,
    outcome_of,
)

LATER = {"Retry-After": "7"}
STATUS = an_update("status")

ERRORS: list[tuple[int, str | None, dict[str, str], type[ConnectorError], str]] = [
    # status, problem, headers, error, code
    (400, "invalid-json", {}, RejectedError, "invalid_json"),
    (400, "idempotency-key-required", {}, RejectedError, "idempotency_key_required"),
    (401, "unauthorized", {}, MisconfiguredError, "unauthorized"),
    (401, None, {}, MisconfiguredError, "http_401"),
    (403, "forbidden", {}, MisconfiguredError, "forbidden"),
    (404, "case-not-found", {}, RejectedError, "case_not_found"),
    (404, "not-found", {}, MisconfiguredError, "not_found"),
    (404, None, {}, MisconfiguredError, "http_404"),
    (405, "method-not-allowed", {}, MisconfiguredError, "method_not_allowed"),
    (409, "case-exists", {}, UnconfirmedError, "case_exists"),
    (409, "stale-version", {}, UnconfirmedError, "stale_version"),
    (409, None, {}, UnconfirmedError, "http_409"),
    (412, "etag-mismatch", {}, UnconfirmedError, "etag_mismatch"),
    (413, "too-large", {}, RejectedError, "too_large"),
    (415, "unsupported-media-type", {}, MisconfiguredError, "unsupported_media_type"),
    (422, "invalid-field", {}, RejectedError, "invalid_field"),
    (422, "idempotency-key-reused", {}, RejectedError, "idempotency_key_reused"),
    (422, "of-a-later-version", {}, RejectedError, "of_a_later_version"),
    (428, "precondition-required", {}, RejectedError, "precondition_required"),
    (429, "too-many-requests", LATER, TemporaryError, "too_many_requests"),
    (429, None, {}, TemporaryError, "http_429"),
    (500, "internal-error", {}, UnconfirmedError, "internal_error"),
    (502, None, LATER, UnconfirmedError, "http_502"),
    (503, "unavailable", LATER, TemporaryError, "unavailable"),
    (503, "unavailable", {}, TemporaryError, "unavailable"),
    (503, None, LATER, TemporaryError, "http_503"),
    (503, None, {}, UnconfirmedError, "http_503"),
    (301, None, {"Location": "https://elsewhere.example"}, MisconfiguredError, "http_301"),
]


@pytest.mark.parametrize("change", [a_create(), STATUS], ids=["create", "update"])
@pytest.mark.parametrize(("status", "problem", "headers", "error", "code"), ERRORS)
async def test_an_error_of_the_intake_says_what_to_do_next(
    change: CaseChange,
    status: int,
    problem: str | None,
    headers: dict[str, str],
    error: type[ConnectorError],
    code: str,
) -> None:
    body = a_problem(problem, status) if problem else None
    outcome = await outcome_of(change, httpx.Response(status, headers=headers, json=body))
    assert type(outcome) is error
    assert isinstance(outcome, ConnectorError)
    assert outcome.code == code
    if isinstance(outcome, TemporaryError):
        assert outcome.retry_after == (timedelta(seconds=7) if headers else None)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (httpx.ConnectError("no"), TemporaryError, "no_connection"),
        (httpx.ReadTimeout("no"), UnconfirmedError, "timeout"),
        (httpx.ReadError("no"), UnconfirmedError, "broken_connection"),
        (httpx.RemoteProtocolError("no"), UnconfirmedError, "broken_connection"),
        (TimeoutError(), UnconfirmedError, "timeout"),
    ],
)
async def test_no_answer_to_a_write_is_doubt_unless_nothing_was_sent(
    fault: Exception, error: type[ConnectorError], code: str
) -> None:
    outcome = await outcome_of(a_create(), fault)
    assert type(outcome) is error
    assert outcome.code == code


GIBBERISH: list[dict[str, Any]] = [
    {"content": b""},
    {"content": b"<html>"},
    {"content": b'{"id": "CMT-2026-00'},
    {"content": bytes(range(256))},
    {"json": [None, 42]},
    {"json": {}},
    {"json": a_receipt(STATUS, id="")},
    {"json": a_receipt(STATUS, id="CMT\u0000")},
    {"json": a_receipt(STATUS, id=42)},
    {"json": a_receipt(STATUS, etag="42")},
    {"json": a_receipt(STATUS, version="2")},
    {"json": a_receipt(STATUS, link="javascript:alert(1)")},
    {"json": a_receipt(STATUS, notes=None)},
    {"json": a_receipt(STATUS, reference="TEST-654321")},
    {"json": a_receipt(STATUS, version=3)},
    {"json": a_receipt(STATUS, id="CMT-2026-0000043")},
]


@pytest.mark.parametrize("answer", GIBBERISH)
async def test_a_success_that_is_no_receipt_of_this_change_is_doubt(answer: dict[str, Any]) -> None:
    outcome = await outcome_of(STATUS, httpx.Response(200, **answer))
    assert type(outcome) is UnconfirmedError
    assert outcome.code == "unreadable_answer"


async def test_an_answer_beyond_the_limit_is_doubt() -> None:
    answer = httpx.Response(200, json=a_receipt(STATUS, more="x" * 65_536))
    outcome = await outcome_of(STATUS, answer, response_limit_bytes=65_536)
    assert type(outcome) is UnconfirmedError
    assert outcome.code == "answer_too_large"


async def test_a_receipt_says_how_the_case_stands() -> None:
    create = a_create(notes=[a_note("n1")], attachments=[an_attachment("a1")])
    outcome = await outcome_of(create, httpx.Response(201, json=a_receipt(create, of_a_later_version=True)))
    assert outcome == Delivered(
        Remote(
            remote_id="CMT-2026-0000042",
            etag='"42-7"',
            version=1,
            notes=frozenset({"n1"}),
            attachments=frozenset({"a1"}),
            link="https://crm.example/cases/CMT-2026-0000042",
        )
    )


async def test_what_the_case_held_before_it_still_holds() -> None:
    update = an_update(remote=a_remote(notes=frozenset({"n1"}), attachments=frozenset({"a1"})), notes=[a_note("n2")])
    outcome = await outcome_of(update, httpx.Response(200, json=a_receipt(update)))
    assert isinstance(outcome, Delivered)
    assert outcome.remote.notes == {"n1", "n2"}
    assert outcome.remote.attachments == {"a1"}


async def test_a_refused_note_or_attachment_refuses_nothing_else() -> None:
    change = a_create(notes=[a_note("n1"), a_note("n2")], attachments=[an_attachment("a1")])
    too_long = a_problem("invalid-field", 422, invalidParams=[{"name": "text", "code": "too_long", "reason": "no"}])
    answer = a_receipt(
        change,
        notes=[{"key": "n1", "outcome": "exists"}, {"key": None, "outcome": "refused", "problem": too_long}],
        attachments=[{"key": "a1", "outcome": "refused"}],
    )
    outcome = await outcome_of(change, httpx.Response(201, json=answer))
    assert isinstance(outcome, Delivered)
    assert outcome.remote.notes == {"n1"}
    assert [(one.key, type(one.error), one.error.code, one.error.reason) for one in outcome.refused] == [
        ("n2", RejectedError, "invalid_field", "the CRM does not accept text (too_long)"),
        ("a1", RejectedError, "addition_refused", "the CRM refused it without saying why"),
    ]


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [{"key": "n2", "outcome": "stored"}],
        [{"key": "n1", "outcome": "lost"}],
        [{"key": "n1", "outcome": "stored"}, {"key": "n2", "outcome": "stored"}],
    ],
)
async def test_a_note_that_the_receipt_is_silent_about_is_doubt(notes: list[dict[str, Any]]) -> None:
    change = a_create(notes=[a_note("n1")])
    outcome = await outcome_of(change, httpx.Response(201, json=a_receipt(change, notes=notes)))
    assert type(outcome) is UnconfirmedError


async def test_a_rejection_names_the_fields_and_never_what_was_in_them() -> None:
    named = [
        {"name": "people.0.email", "code": "format", "reason": "jeanne@example.org is no address"},
        {"name": "extra.jeanne@example.org", "code": "type", "reason": "no"},
        {"name": "Rue Haute 12", "code": "Rue Haute 12", "reason": "no"},
        *({"name": f"tags.{position}", "code": "too_long", "reason": "no"} for position in range(9)),
    ]
    answer = httpx.Response(422, json=a_problem("invalid-field", 422, detail="jeanne", invalidParams=named))
    outcome = await outcome_of(a_create(), answer)
    assert isinstance(outcome, RejectedError)
    assert outcome.reason == (
        "the CRM does not accept people.0.email (format), extra (type), …, tags.0 (too_long), tags.1 (too_long), "
        "tags.2 (too_long), tags.3 (too_long), tags.4 (too_long) and 4 more"
    )


async def test_a_broken_intake_that_names_fields_is_doubt_all_the_same() -> None:
    named = [{"name": "title", "code": "required", "reason": "no"}]
    outcome = await outcome_of(
        a_create(), httpx.Response(500, json=a_problem("invalid-field", 500, invalidParams=named))
    )
    assert type(outcome) is UnconfirmedError


async def test_a_create_is_one_post_with_its_key() -> None:
    create = a_create()
    async with a_sink() as (sink, router):
        route = router.post(CASES).respond(201, json=a_receipt(create))
        await sink.deliver([create])
    request = route.calls.last.request
    assert route.call_count == 1
    assert request.headers["authorization"] == "Bearer word-of-access"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "TEST-123456:1"
    assert "if-match" not in request.headers


async def test_an_update_is_one_patch_of_the_state_that_was_seen() -> None:
    update = an_update("status", remote=a_remote(remote_id="CMT/2026 42"))
    async with a_sink() as (sink, router):
        route = router.patch(url__startswith=CASES).respond(json=a_receipt(update, id="CMT/2026 42"))
        await sink.deliver([update])
    request = route.calls.last.request
    assert request.url.raw_path == b"/api/v1/cases/CMT%2F2026%2042"
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.headers["idempotency-key"] == "TEST-123456:2"
    assert request.headers["if-match"] == '"42-1"'


async def test_notes_alone_are_a_patch_of_nothing_else() -> None:
    update = an_update(notes=[a_note("n1", written_at=None, author=None)])
    async with a_sink() as (sink, router):
        route = router.patch(url__startswith=CASES).respond(json=a_receipt(update))
        await sink.deliver([update])
    assert json.loads(route.calls.last.request.content) == {
        "reference": "TEST-123456",
        "version": 2,
        "notes": [{"key": "n1", "text": "La situation est dangereuse.", "language": "fr", "visibility": "internal"}],
    }


async def test_a_state_that_nobody_saw_is_looked_at_before_anything_is_sent() -> None:
    async with a_sink() as (sink, router):
        outcomes = await sink.deliver([an_update("status", remote=a_remote(etag=None))])
    assert router.calls.call_count == 0
    assert [(type(outcome), getattr(outcome, "code", "")) for outcome in outcomes] == [
        (UnconfirmedError, "etag_unknown")
    ]


async def test_notes_missing_from_a_version_that_arrived_are_added_one_by_one() -> None:
    change = an_update(
        remote=a_remote(version=2, notes=frozenset({"n1"})),
        notes=[a_note("n2"), a_note("n3")],
        attachments=[an_attachment("a1")],
    )
    refusal = a_problem("invalid-field", 422, invalidParams=[{"name": "text", "code": "too_long", "reason": "no"}])
    async with a_sink() as (sink, router):
        notes = router.post(f"{CASES}/CMT-2026-0000042/notes").mock(
            side_effect=[
                httpx.Response(201, json={"key": "n2", "outcome": "stored"}),
                httpx.Response(422, json=refusal),
            ]
        )
        attachments = router.post(f"{CASES}/CMT-2026-0000042/attachments").respond(
            json={"key": "a1", "outcome": "exists"}
        )
        (outcome,) = await sink.deliver([change])
    assert isinstance(outcome, Delivered)
    assert (notes.call_count, attachments.call_count) == (2, 1)
    assert outcome.remote == a_remote(version=2, notes=frozenset({"n1", "n2"}), attachments=frozenset({"a1"}))
    assert [(one.key, one.error.code) for one in outcome.refused] == [("n3", "invalid_field")]


async def test_more_notes_than_one_write_takes_follow_it() -> None:
    change = a_create(notes=[a_note(f"n{number}") for number in range(202)])
    first = [{"key": f"n{number}", "outcome": "stored"} for number in range(200)]
    async with a_sink() as (sink, router):
        create = router.post(CASES).respond(201, json=a_receipt(change, notes=first))
        notes = router.post(f"{CASES}/CMT-2026-0000042/notes").mock(
            side_effect=lambda request: httpx.Response(
                201, json={"key": json.loads(request.content)["key"], "outcome": "stored"}
            )
        )
        (outcome,) = await sink.deliver([change])
    assert (create.call_count, notes.call_count) == (1, 2)
    assert isinstance(outcome, Delivered)
    assert len(outcome.remote.notes) == 202


async def test_an_addition_whose_answer_is_lost_leaves_the_whole_change_in_doubt() -> None:
    change = an_update(remote=a_remote(version=2), notes=[a_note("n1")])
    outcome = await outcome_of(change, httpx.ReadError("no"))
    assert type(outcome) is UnconfirmedError
