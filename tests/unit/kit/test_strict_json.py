"""What the door takes for JSON, and what it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.strict_json import MAX_DEPTH, MalformedJsonError, mended, parse

REFUSED = {
    "nothing": b"",
    "text": b"hello",
    "latin 1": b'{"name": "\xe9"}',
    "utf 16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "trailing garbage": b'{"a": 1} x',
    "two documents": b'{"a": 1}{"a": 1}',
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "comment": b'{"a": 1 /* one */}',
    "duplicate key": b'{"a": 1, "a": 1}',
    "duplicate key below": b'[{"a": {"b": 1, "b": 2}}]',
    "duplicate key by escape": b'{"a": 1, "\\u0061": 2}',
    "escaped NUL": b'{"a": "x\\u0000y"}',
    "escaped NUL in a key": b'{"x\\u0000y": 1}',
    "raw NUL in a text": b'{"a": "x\x00y"}',
    "raw NUL between": b'{"a": 1}\x00',
    "raw control character": b'{"a": "x\x01y"}',
    "high surrogate alone": b'{"a": "\\ud83d"}',
    "low surrogate alone": b'{"a": ["\\uDE00"]}',
    "surrogates in the wrong order": b'{"a": "\\ude00\\ud83d"}',
    "surrogate as raw bytes": b'{"a": "\xed\xa0\xbd"}',
    "surrogate in a key": b'{"\\ud83d": 1}',
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "negative infinity": b"[-Infinity]",
    "infinity by overflow": b"[1e999]",
    "5,000 digits": b"[" + b"9" * 5_000 + b"]",
    "101 digits": b"[" + b"9" * 101 + b"]",
    "101 digits behind the point": b"[0." + b"9" * 101 + b"]",
    "33 lists": b"[" * 33 + b"]" * 33,
    "33 objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "100,000 lists": b"[" * 100_000,
    "100,000 closed lists": b"[" * 100_000 + b"]" * 100_000,
}

ACCEPTED = {
    "an object": (b'{"a": 1}', {"a": 1}),
    "white space around": (b' \n{"a": 1}\t', {"a": 1}),
    "a backslash before the word": (b'{"a": "\\\\u0000 \\\\ud83d"}', {"a": "\\u0000 \\ud83d"}),
    "a surrogate pair": (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    "an accent, escaped": (b'{"a": "\\u00e9"}', {"a": "é"}),
    "32 lists": (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    "many brackets in a text": (json.dumps({"a": "[{" * 100}).encode(), {"a": "[{" * 100}),
    "many shallow lists": (json.dumps([[]] * 100).encode(), [[]] * 100),
    "100 digits": (b"[" + b"9" * 100 + b"]", [int("9" * 100)]),
    "a key again in another object": (b'[{"a": 1}, {"a": 1}]', [{"a": 1}, {"a": 1}]),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_ambiguous_or_unstorable_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        parse(body)


@pytest.mark.parametrize(("body", "document"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_only_looks_dangerous_is_read(body: bytes, document: object) -> None:
    assert parse(body) == document


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_the_reason_repeats_nothing_from_the_body(body: bytes) -> None:
    with pytest.raises(MalformedJsonError) as refused:
        parse(body.replace(b'"x', b'"Marie-Vandenbroucke'))
    assert "Vandenbroucke" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__cause__ is None


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**90), 10**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS, st.booleans())
def test_sound_json_comes_back_as_it_was(document: object, ensure_ascii: bool) -> None:
    assert parse(json.dumps(document, ensure_ascii=ensure_ascii).encode()) == document


MENDED = {
    "escaped NUL": (b'{"a": "x\\u0000y"}', {"a": "x\ufffdy"}),
    "raw NUL in a text": (b'{"a": "x\x00y"}', {"a": "x\ufffdy"}),
    "raw line break in a text": (b'{"a": "x\ny"}', {"a": "x\ny"}),
    "half a surrogate pair": (b'["\\ud83d", "\\ud83d\\ude00"]', ["\ufffd", "\U0001f600"]),
    "NUL in a key": (b'{"x\\u0000y": 1}', {"x\ufffdy": 1}),
    "latin 1": (b'{"a": "\xe9"}', {"a": "\ufffd"}),
    "duplicate key": (b'{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
    "no numbers": (b"[NaN, Infinity, -Infinity, 1e999, 1]", [None, None, None, None, 1]),
    "numbers too long": (b"[" + b"9" * 101 + b", 0." + b"9" * 101 + b", 2]", [None, None, 2]),
    "nested too deep": (
        b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b', "b": 1}]',
        [{"a": json.loads("[" * 30 + "null" + "]" * 30), "b": 1}],
    ),
    "too deep twice": (
        b"[" * 32 + b'{"a": "}{"}, 1, [[2], 3]' + b"]" * 32,
        json.loads("[" * 32 + "null, 1, null" + "]" * 32),
    ),
    "as deep as may be": (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    "brackets in a text": (json.dumps({"a": '\\"[{' * 100}).encode(), {"a": '\\"[{' * 100}),
}

BEYOND_MENDING = {
    "nothing": b"",
    "text": b"<html>hello</html>",
    "binary": bytes(range(256)),
    "cut off": b'{"a": [1, 2',
    "cut off in a text": b'{"a": "hello',
    "cut off in the depth": b"[" * 100_000,
    "quotes without end": b'"\\' * 100_000,
    "closed more often than opened": b"]" * 100_000 + b"[" * 100_000,
    "two documents": b'{"a": 1}{"a": 1}',
}


@pytest.mark.parametrize(("body", "document"), MENDED.values(), ids=MENDED.keys())
def test_a_fault_is_mended_where_it_is(body: bytes, document: object) -> None:
    assert mended(body) == document


@pytest.mark.parametrize("body", BEYOND_MENDING.values(), ids=BEYOND_MENDING.keys())
def test_what_is_no_json_at_all_is_not_mended(body: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        mended(body)


def as_written(document: Any) -> str:
    """JSON text of what ``json.dumps`` cannot write: a tuple of pairs is an object that may say a key twice."""
    if isinstance(document, tuple):
        return "{" + ",".join(f"{json.dumps(key)}:{as_written(value)}" for key, value in document) + "}"
    if isinstance(document, list):
        return "[" + ",".join(map(as_written, document)) + "]"
    return json.dumps(document)


ANY_TEXT = st.text(st.characters() | st.sampled_from("\x00\ud83d\ude00ab"), max_size=5)
FAULTY = st.recursive(
    st.none() | st.integers() | st.just(10**200) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(ANY_TEXT, inner), max_size=4).map(tuple),
    max_leaves=20,
)


@given(DOCUMENTS, FAULTY, st.sampled_from([0, 1, MAX_DEPTH - 1, MAX_DEPTH, 2_000]))
def test_what_was_mended_is_sound_and_its_neighbour_untouched(neighbour: object, faulty: object, depth: int) -> None:
    text = f'{{"neighbour": {json.dumps(neighbour)}, "faulty": {"[" * depth}{as_written(faulty)}{"]" * depth}}}'
    document = mended(text.encode())
    assert parse(json.dumps(document, ensure_ascii=False).encode()) == document
    assert document["neighbour"] == neighbour


@given(DOCUMENTS)
def test_what_is_sound_needs_no_mending(document: object) -> None:
    body = json.dumps(document).encode()
    assert mended(body) == parse(body)
