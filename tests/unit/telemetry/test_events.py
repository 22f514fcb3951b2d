"""Every named event is told by somebody, and none of them can carry what somebody outside has written."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final, Literal, get_args, get_origin, get_type_hints

import pytest

import relais
from relais.telemetry import events
from relais.telemetry.events import Happening

EVENTS: Final = {
    name: kind
    for name, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, Happening) and kind is not Happening
}

WORDS_OF_OURS: Final = {"source", "door", "sink", "poll", "role", "part", "where", "code", "kind", "how"}
"""Names and codes out of closed sets of our own code."""

IDS: Final = {"event_id", "reference"}
"""Names of things: an event's is made by a connector from numbers, times and short words, a case's is our own."""

FREE_TEXT: Final = {"reason", "detail"}
"""Sentences; where each comes from is said below."""

WHERE_REASONS_COME_FROM: Final = {
    ("relais/delivery/worker.py", "failure.reason"): "a connector's error, which never holds a body or a value",
    ("relais/delivery/worker.py", "str(error)"): "LedgerAwayError, which says the kind of fault alone",
    ("relais/runtime/broker.py", "reason"): "a class's name, or the broker's word for it",
    ("relais/runtime/bus.py", "str(error)"): "LedgerAwayError",
    ("relais/runtime/embedded_nats.py", "trouble"): "a sentence of ours",
    ("relais/runtime/feeds.py", "str(error)"): "LedgerAwayError",
    ("relais/runtime/intake.py", "str(away)"): "LedgerAwayError",
    ("relais/runtime/polling.py", "failure.reason"): "a connector's error",
    ("relais/runtime/polling.py", "str(error)"): "LedgerAwayError",
    ("relais/runtime/program.py", "str(error)"): "LedgerAwayError or LedgerRevisionError",
    ("relais/runtime/sweeping.py", "str(error)"): "LedgerAwayError",
    ("relais/runtime/telling.py", "reason"): "what a connector says of an arrival that names no case",
    ("relais/runtime/webhooks.py", "refusal.slug"): "a word of ours",
}


def tellings() -> Iterator[tuple[str, ast.Call, str]]:
    """Each place in the program that makes an event: the file, the call, the event's name."""
    root = Path(relais.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EVENTS:
                yield str(path.relative_to(root.parent)), node, node.func.id


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_told_by_somebody(name: str) -> None:
    assert any(told == name for _, _, told in tellings())


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_no_field_of_an_event_can_carry_somebodys_text(name: str) -> None:
    for field, kind in get_type_hints(EVENTS[name]).items():
        if field == "level" or kind in (int, float, bool) or get_origin(kind) is Literal:
            continue
        assert kind is str, f"{field} is a {kind}: events carry plain values"
        assert field in WORDS_OF_OURS | IDS | FREE_TEXT, f"{field} would carry free text"


def test_every_reason_comes_from_a_place_that_somebody_has_judged() -> None:
    told = {
        (file, ast.unparse(keyword.value))
        for file, call, _ in tellings()
        for keyword in call.keywords
        if keyword.arg in FREE_TEXT
    }
    assert told == set(WHERE_REASONS_COME_FROM)


def test_events_are_told_by_name_so_that_no_value_slips_into_another_field() -> None:
    assert [(file, name) for file, call, name in tellings() if call.args] == []


def test_every_level_is_one() -> None:
    levels = get_args(events.Level)
    assert all(kind.level in levels for kind in EVENTS.values())
    assert all("level" not in {field.name for field in fields(kind)} for kind in EVENTS.values())
