"""The checks written by hand and the schemas of the contract agree on what a case, a patch, a note may say."""

import copy
import json
import string
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mocks.crm_cmt.bodies import json_from
from mocks.crm_cmt.fields import case_check, check_attachment, check_note, patched
from tests.contract.published import Contract

CASE_TYPES = ("road-surface", "to-be-classified")
WORDS = [
    "fr",
    "nl",
    "received",
    "2026-03-02T07:15:00Z",
    "2026-03-02T07:15:00+02:00",
    "https://x.example/a",
    "21004",
    "a b",
]


@cache
def contract() -> Contract:
    return Contract.named("crm-cmt")


@cache
def whole_case() -> dict[str, Any]:
    case: dict[str, Any] = contract().example("CaseIntake")
    # additions are judged one by one, so they have no say in whether the case is right
    return {name: value for name, value in case.items() if name not in ("notes", "attachments")}


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places_in(item, (*path, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from places_in(item, (*path, position))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    if not path:
        return new
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = new
    return changed


def without(value: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(value)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return changed


texts = st.text(string.ascii_letters + string.digits + " _-:./@é€", max_size=45) | st.sampled_from(WORDS)
scalars = (
    st.none() | st.booleans() | st.integers(-(10**7), 10**7) | texts | st.floats(-1e7, 1e7).filter(lambda n: n % 1)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def near(draw: st.DrawFn, example: dict[str, Any]) -> Any:
    """The example with one or two places changed, emptied, enlarged or taken away."""
    value: Any = example
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(list(places_in(value))))
        at_place = value
        for step in path:
            at_place = at_place[step]
        change = draw(st.sampled_from(["put", "without", "add"]))
        if change == "add" and isinstance(at_place, dict):
            value = put(value, (*path, draw(texts)), draw(values))
        elif change == "add" and isinstance(at_place, list):
            value = put(value, path, [*at_place, *draw(st.lists(values, max_size=2))])
        elif change == "without" and path:
            value = without(value, path)
        else:
            value = put(value, path, draw(values))
        if not isinstance(value, dict):
            break
    return value


def is_valid(name: str, value: Any) -> bool:
    return bool(contract().validator(contract().schema(name)).is_valid(value))


@settings(max_examples=400, deadline=None)
@given(st.deferred(lambda: near(whole_case())))
def test_a_case_is_right_by_hand_exactly_if_it_is_right_by_the_contract(case: Any) -> None:
    # the contract leaves the list of case types to the CRM's administrators
    if isinstance(case, dict) and isinstance(case.get("caseType"), str):
        case = {**case, "caseType": "road-surface"}

    assert (case_check(CASE_TYPES)(case) is None) == is_valid("CaseIntake", case)


@settings(max_examples=150, deadline=None)
@given(st.deferred(lambda: near(contract().example("Note"))))
def test_a_note_is_right_by_hand_exactly_if_it_is_right_by_the_contract(note: Any) -> None:
    assert (check_note(note) is None) == is_valid("Note", note)


@settings(max_examples=150, deadline=None)
@given(st.deferred(lambda: near(contract().example("Attachment"))))
def test_an_attachment_is_right_by_hand_exactly_if_it_is_right_by_the_contract(attachment: Any) -> None:
    assert (check_attachment(attachment) is None) == is_valid("Attachment", attachment)


@settings(max_examples=100, deadline=None)
@given(st.deferred(lambda: near(whole_case())), st.deferred(lambda: near(whole_case())))
def test_a_patch_says_the_same_twice_and_never_touches_what_it_was_put_on(case: Any, patch: Any) -> None:
    if not isinstance(case, dict) or not isinstance(patch, dict):
        return
    before = copy.deepcopy(case)

    once = patched(case, patch)

    assert case == before
    assert patched(once, patch) == once


@given(values)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert json_from(json.dumps(value).encode()) == value
