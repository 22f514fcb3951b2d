"""Every subscriber names how its messages are acknowledged: the default drops what a handler failed on."""

import ast
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ROOMS = ("relais", "connectors", "routing", "schemas")
_POLICIES = {"MANUAL", "NACK_ON_ERROR"}


def calls_of(*names: str) -> list[tuple[str, ast.Call]]:
    """Every call of something with such a name in what the wheel ships, with its place."""
    return [
        (f"{path.relative_to(_ROOT)}:{node.lineno}", node)
        for room in _ROOMS
        for path in sorted((_ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _name_of(node.func) in names
    ]


def _name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _named_policy(call: ast.Call) -> str | None:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "ack_policy"]
    return given[0].attr if given and isinstance(given[0], ast.Attribute) else None


def test_every_subscriber_names_a_policy_that_drops_nothing() -> None:
    subscribers = calls_of("subscriber")
    assert len(subscribers) == 2
    assert {place: _named_policy(call) for place, call in subscribers if _named_policy(call) not in _POLICIES} == {}


def test_every_faststream_broker_names_a_policy_for_what_is_added_later() -> None:
    brokers = calls_of("NatsBroker", "RabbitBroker", "KafkaBroker", "RedisBroker")
    assert brokers
    assert {place for place, call in brokers if _named_policy(call) not in _POLICIES} == set()


def test_no_subscriber_is_declared_by_a_decorator_that_this_scan_would_miss() -> None:
    assert calls_of("StreamRouter", "NatsRouter", "NatsRoute") == []
