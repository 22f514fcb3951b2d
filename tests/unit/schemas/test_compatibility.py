"""Which change to a schema breaks whom."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.compatibility import BOTH, OTHERS, STORED, Reading, breaking_changes
from schemas.publish import CONTRACTS, Contract

NOBODY: frozenset[Reading] = frozenset()
TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NULL: dict[str, Any] = {"type": "null"}


def a_schema(field: Any = None, *, required: Sequence[str] = (), **further: Any) -> dict[str, Any]:
    """An object with one field."""
    fields = {} if field is None else {"field": field}
    return {"type": "object", "properties": fields, "required": list(required), **further}


def either(*alternatives: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"anyOf": list(alternatives), **beside}


def named(target: dict[str, Any]) -> dict[str, Any]:
    """A schema whose field refers to a definition."""
    return {**a_schema({"$ref": "#/$defs/Thing"}), "$defs": {"Thing": target}}


def ring(inner: dict[str, Any]) -> dict[str, Any]:
    """A schema that holds itself."""
    thing = {"type": "object", "properties": {"inner": inner, "next": either({"$ref": "#/$defs/Thing"}, NULL)}}
    return named(thing)


def of_values(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def growing(*values: str) -> dict[str, Any]:
    return {"type": "string", "x-extensible-enum": list(values)}


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], frozenset[Reading]]] = {
    # fields
    "an optional field is added": (a_schema(), a_schema(TEXT), NOBODY),
    "a required field is added": (a_schema(), a_schema(TEXT, required=["field"]), STORED),
    "a field is removed": (a_schema(TEXT), a_schema(), BOTH),
    "a required field is removed": (a_schema(TEXT, required=["field"]), a_schema(), BOTH),
    "a field becomes required": (a_schema(TEXT), a_schema(TEXT, required=["field"]), STORED),
    "a field becomes optional": (a_schema(TEXT, required=["field"]), a_schema(TEXT), OTHERS),
    "a field is renamed": (a_schema(TEXT), {"type": "object", "properties": {"fields": TEXT}}, BOTH),
    # further fields
    "further fields are ruled out": (a_schema(TEXT), a_schema(TEXT, additionalProperties=False), STORED),
    "further fields are let in": (a_schema(TEXT, additionalProperties=False), a_schema(TEXT), OTHERS),
    "further fields are bound": (a_schema(), a_schema(additionalProperties=TEXT), STORED),
    "further fields are narrowed": (
        a_schema(additionalProperties=either(TEXT, WHOLE)),
        a_schema(additionalProperties=TEXT),
        STORED,
    ),
    "an optional field is added where others were ruled out": (
        a_schema(additionalProperties=False),
        a_schema(TEXT, additionalProperties=False),
        OTHERS,
    ),
    "a field is named that was a further field of another type": (
        a_schema(additionalProperties=TEXT),
        a_schema(WHOLE, additionalProperties=TEXT),
        BOTH,
    ),
    "other names of fields": (
        a_schema(propertyNames={"pattern": "^a"}),
        a_schema(propertyNames={"pattern": "^b"}),
        BOTH,
    ),
    # types
    "another type": (a_schema(TEXT), a_schema(WHOLE), BOTH),
    "a type is added": (a_schema(TEXT), a_schema({"type": ["string", "integer"]}), OTHERS),
    "a type is taken away": (a_schema({"type": ["string", "integer"]}), a_schema(TEXT), STORED),
    "an integer becomes any number": (a_schema(WHOLE), a_schema({"type": "number"}), OTHERS),
    "a number becomes an integer": (a_schema({"type": "number"}), a_schema(WHOLE), STORED),
    "anything becomes a text": (a_schema({}), a_schema(TEXT), STORED),
    "a text becomes anything": (a_schema(TEXT), a_schema(True), OTHERS),
    "null is allowed": (a_schema(TEXT), a_schema(either(TEXT, NULL)), OTHERS),
    "null is allowed and assumed": (a_schema(TEXT), a_schema(either(TEXT, NULL, default=None)), OTHERS),
    "null is no longer allowed": (a_schema(either(TEXT, NULL)), a_schema(TEXT), STORED),
    "the alternatives change places": (a_schema(either(TEXT, NULL)), a_schema(either(NULL, TEXT)), NOBODY),
    "a bound within an alternative": (
        a_schema(either({"type": "string", "maxLength": 5}, NULL)),
        a_schema(either({"type": "string", "maxLength": 4}, NULL)),
        STORED,
    ),
    "the alternatives are told apart by a mark": (
        a_schema({"oneOf": [TEXT, NULL]}),
        a_schema(either(TEXT, NULL)),
        NOBODY,
    ),
    # values
    "a value is added": (a_schema(of_values("a")), a_schema(of_values("a", "b")), OTHERS),
    "a value is taken away": (a_schema(of_values("a", "b")), a_schema(of_values("a")), STORED),
    "the values change places": (a_schema(of_values("a", "b")), a_schema(of_values("b", "a")), NOBODY),
    "any text becomes fixed values": (a_schema(TEXT), a_schema(of_values("a")), STORED),
    "fixed values become any text": (a_schema(of_values("a")), a_schema(TEXT), OTHERS),
    "one fixed value becomes another": (a_schema({"const": 1}), a_schema({"const": 2}), BOTH),
    "one fixed value becomes one of two": (
        a_schema({"const": "a", "type": "string"}),
        a_schema(of_values("a", "b")),
        OTHERS,
    ),
    "a growing vocabulary grows": (a_schema(growing("a")), a_schema(growing("a", "b")), NOBODY),
    "a growing vocabulary forgets a word": (a_schema(growing("a", "b")), a_schema(growing("a")), STORED),
    "a growing vocabulary closes": (a_schema(growing("a", "b")), a_schema(of_values("a", "b")), STORED),
    "a vocabulary starts to grow": (a_schema(of_values("a")), a_schema(growing("a")), OTHERS),
    # bounds
    "a length is shortened": (a_schema({**TEXT, "maxLength": 5}), a_schema({**TEXT, "maxLength": 4}), STORED),
    "a length is let out": (a_schema({**TEXT, "maxLength": 5}), a_schema({**TEXT, "maxLength": 6}), OTHERS),
    "a least length rises": (a_schema({**TEXT, "minLength": 1}), a_schema({**TEXT, "minLength": 2}), STORED),
    "a length is bound": (a_schema(TEXT), a_schema({**TEXT, "maxLength": 6}), STORED),
    "a length is unbound": (a_schema({**TEXT, "minLength": 1}), a_schema(TEXT), OTHERS),
    "the least rises": (a_schema({**WHOLE, "minimum": 0}), a_schema({**WHOLE, "minimum": 1}), STORED),
    "the least falls": (a_schema({**WHOLE, "minimum": 0}), a_schema({**WHOLE, "minimum": -1}), OTHERS),
    "the most falls": (
        a_schema({**WHOLE, "exclusiveMaximum": 9}),
        a_schema({**WHOLE, "exclusiveMaximum": 8}),
        STORED,
    ),
    "fewer items": (
        a_schema({"type": "array", "items": TEXT, "maxItems": 3}),
        a_schema({"type": "array", "items": TEXT, "maxItems": 2}),
        STORED,
    ),
    "other items": (
        a_schema({"type": "array", "items": TEXT}),
        a_schema({"type": "array", "items": WHOLE}),
        BOTH,
    ),
    "one more place in a list": (
        a_schema({"type": "array", "prefixItems": [TEXT]}),
        a_schema({"type": "array", "prefixItems": [TEXT, TEXT]}),
        BOTH,
    ),
    "a pattern changes": (a_schema({**TEXT, "pattern": "a"}), a_schema({**TEXT, "pattern": "b"}), BOTH),
    "a pattern is added": (a_schema(TEXT), a_schema({**TEXT, "pattern": "a"}), STORED),
    "a pattern is dropped": (a_schema({**TEXT, "pattern": "a"}), a_schema(TEXT), OTHERS),
    "a format changes": (a_schema({**TEXT, "format": "date"}), a_schema({**TEXT, "format": "date-time"}), BOTH),
    "a keyword that is not known here": (
        a_schema({**WHOLE, "multipleOf": 2}),
        a_schema({**WHOLE, "multipleOf": 3}),
        BOTH,
    ),
    # what is assumed and what is said about a field
    "another default": (a_schema({**WHOLE, "default": 1}), a_schema({**WHOLE, "default": 2}), STORED),
    "a personal field loses its mark": (a_schema({**TEXT, "x-personal": True}), a_schema(TEXT), OTHERS),
    "a field is found to be personal": (a_schema(TEXT), a_schema({**TEXT, "x-personal": True}), NOBODY),
    "a personal field may be null": (
        a_schema({**TEXT, "x-personal": True}),
        a_schema(either(TEXT, NULL, **{"x-personal": True})),
        OTHERS,
    ),
    "other words of explanation": (
        a_schema({**TEXT, "title": "A", "description": "a"}),
        a_schema({**TEXT, "title": "B", "examples": ["b"]}),
        NOBODY,
    ),
    # definitions
    "a definition changes": (named({**TEXT, "maxLength": 5}), named({**TEXT, "maxLength": 4}), STORED),
    "a definition is written out": (named(TEXT), a_schema(TEXT), NOBODY),
    "a definition that holds itself stays": (ring(TEXT), ring(TEXT), NOBODY),
    "a definition that holds itself changes": (ring(TEXT), ring(WHOLE), BOTH),
    "a definition is used from a place that is not understood": (
        {"if": {"$ref": "#/$defs/Thing"}, "$defs": {"Thing": TEXT}},
        {"if": {"$ref": "#/$defs/Thing"}, "$defs": {"Thing": WHOLE}},
        BOTH,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_breaks_whom_it_must(change: str) -> None:
    old, new, breaks = CHANGES[change]

    found = breaking_changes(old, new)

    assert frozenset().union(*(one.breaks for one in found)) == breaks, [str(one) for one in found]


# A field that comes or goes, a word that is forgotten, a mark and a default weigh differently in the two directions.
REVERSIBLE = [name for name in CHANGES if not any(word in name for word in ("field", "vocabulary", "default"))]


@pytest.mark.parametrize("change", REVERSIBLE)
def test_what_breaks_those_who_stored_breaks_the_others_on_the_way_back(change: str) -> None:
    old, new, breaks = CHANGES[change]
    mirrored = {Reading.STORED: Reading.OTHERS, Reading.OTHERS: Reading.STORED}

    back = frozenset().union(*(one.breaks for one in breaking_changes(new, old)))

    assert back == {mirrored[reading] for reading in breaks}


def test_a_break_says_where_it_is() -> None:
    old = named({"type": "object", "properties": {"inner": {"type": "array", "items": of_values("a", "b")}}})
    new = named({"type": "object", "properties": {"inner": {"type": "array", "items": of_values("a")}}})

    assert [str(one) for one in breaking_changes(old, new)] == [
        "/field/inner/-: the value 'b' is no longer allowed (breaks stored)"
    ]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_schema_does_not_break_its_own_readers(contract: Contract) -> None:
    assert breaking_changes(contract.schema(), contract.schema()) == ()


FIELDS = st.recursive(
    st.sampled_from([TEXT, WHOLE, NULL, {}, of_values("a", "b"), growing("a"), {**TEXT, "maxLength": 3}]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda alternatives: either(*alternatives)),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.dictionaries(st.sampled_from("abc"), inner).map(lambda fields: {"type": "object", "properties": fields}),
    ),
    max_leaves=6,
)


@given(schema=FIELDS)
def test_what_did_not_change_breaks_nobody(schema: dict[str, Any]) -> None:
    assert breaking_changes(schema, schema) == ()
    assert breaking_changes(named(schema), named(schema)) == ()
