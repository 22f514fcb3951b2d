"""The door that is pushed to: who may come in, and under which name."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from connectors.fixmystreet.naming import arrival_of
from connectors.fixmystreet.webhook import ReportWebhook
from connectors.kit.ports import UnauthenticatedError
from schemas.base import Identifier
from tests.unit.fixmystreet.world import some_settings

BODY = b'{"meta": {}}'


def signature(body: bytes, key: str = "signature-key") -> str:
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha1).digest()).decode()


@pytest.mark.parametrize(
    ("token", "headers", "genuine"),
    [
        (None, {"x-fms-signature": signature(BODY)}, True),
        (None, {"x-fms-signature": signature(BODY), "authorization": "Token whatever"}, True),
        (None, {"x-fms-signature": signature(BODY + b" ")}, False),
        (None, {"x-fms-signature": signature(BODY, "other")}, False),
        (None, {}, False),
        ("agreed", {"x-fms-signature": signature(BODY), "authorization": "Token agreed"}, True),
        ("agreed", {"x-fms-signature": signature(BODY), "authorization": "Bearer agreed"}, False),
        ("agreed", {"x-fms-signature": signature(BODY), "authorization": "Token agree"}, False),
        ("agreed", {"x-fms-signature": signature(BODY)}, False),
        ("agreed", {"authorization": "Token agreed"}, False),
    ],
)
def test_only_a_signed_push_with_the_agreed_token_is_genuine(
    token: str | None, headers: dict[str, str], genuine: bool
) -> None:
    webhook = ReportWebhook(some_settings(webhook_token=token))
    if genuine:
        webhook.authenticate(headers, BODY)
    else:
        with pytest.raises(UnauthenticatedError):
            webhook.authenticate(headers, BODY)


def a_push(**report: Any) -> dict[str, Any]:
    meta = {"now": "2026-05-04T10:11:12", "resource": "report", "hook": "transfer", "action": "request"}
    return {"meta": meta, "data": {"report": {"id": 123456, "modifiedAt": "2026-05-04T10:11:12"} | report}}


def name_of(document: Any) -> str:
    return arrival_of(document, json.dumps(document).encode()).event_id


def test_a_push_is_named_by_what_happened() -> None:
    arrival = arrival_of(a_push(), BODY)
    assert arrival.event_id == "transfer.request:123456:2026-05-04T10:11:12"
    assert arrival.case_key == "fixmystreet:123456"
    assert arrival.body == BODY
    assert arrival.trouble is None


def test_a_request_after_a_reopening_has_a_name_of_its_own() -> None:
    assert name_of(a_push()) != name_of(a_push(modifiedAt="2026-05-05T10:11:12"))


def test_the_same_push_has_the_same_name_however_it_is_written() -> None:
    assert name_of(a_push(id="0123456")) == name_of(a_push(comments=[])) == name_of(a_push())


def test_without_a_time_in_the_report_the_time_of_the_push_names_it() -> None:
    assert name_of(a_push(modifiedAt=None)) == "transfer.request:123456:2026-05-04T10:11:12"


def test_without_any_time_the_body_names_it() -> None:
    documents = [
        a_push(modifiedAt="soon", note=note) | {"meta": {"hook": "transfer", "action": "request"}} for note in "ab"
    ]
    assert len({name_of(document) for document in documents}) == 2
    assert all(name_of(document).startswith("transfer.request:123456:") for document in documents)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        {"meta": None, "data": None},
        a_push(id=None),
        a_push(id="12 34"),
        a_push(id=-1),
        a_push(id=True),
        a_push(id=10**13),
        a_push(id=1.5),
        a_push() | {"meta": {}},
        a_push() | {"meta": {"hook": "a b", "action": "request"}},
        a_push() | {"meta": {"hook": "x" * 31, "action": "request"}},
        {"meta": a_push()["meta"], "data": {"report": []}},
    ],
)
def test_what_names_no_report_has_no_case_and_says_its_trouble(document: Any) -> None:
    arrival = arrival_of(document, b"body")
    assert arrival.case_key is None
    assert arrival.trouble
    assert arrival.event_id.startswith("unreadable:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON, JSON, JSON, JSON)
def test_naming_never_fails_and_every_name_is_a_name(number: Any, hook: Any, action: Any, when: Any, more: Any) -> None:
    for document in (
        more,
        {"meta": {"hook": hook, "action": action, "now": more}, "data": {"report": {"id": number, "modifiedAt": when}}},
        {"meta": {"hook": "transfer", "action": "request"}, "data": {"report": {"id": 1, "modifiedAt": when}}},
        {"meta": more, "data": more},
    ):
        arrival = arrival_of(document, b"body")
        TypeAdapter(Identifier).validate_python(arrival.event_id)
        assert (arrival.case_key is None) == (arrival.trouble is not None)
