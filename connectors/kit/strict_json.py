"""Reading JSON from hands we do not trust: what is ambiguous or would poison a database is refused, or mended."""

import json
import math
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
MAX_NUMBER_LENGTH: Final = 100


class MalformedJsonError(ValueError):
    """A body that we refuse to read as JSON. ``reason`` says why and never repeats anything from the body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(body: bytes) -> Any:
    """The one meaning of a JSON text (RFC 8259, UTF-8 without a byte order mark).

    Raises MalformedJsonError for what is not that, and for what JSON allows but readers disagree on or cannot keep:
    a key said twice, NUL and lone surrogates in a text, NaN and infinities (also by overflow), nesting deeper than 32,
    a number longer than 100 characters.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"not UTF-8 at byte {error.start}") from None
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise MalformedJsonError(f"nested deeper than {MAX_DEPTH}") from None
    # Counting in C is far cheaper than walking: most bodies cannot hold the fault and are never walked.
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(document)
    if "\\u" in text:
        _refuse_unstorable_text(document)
    return document


def mended(body: bytes) -> Any:
    """What ``parse`` would give if the faults that it refuses had not been made; ``parse`` reads what comes out of it.

    For a body that holds many things, one of which may not cost us the others. A character that cannot be kept becomes
    U+FFFD, a number that cannot be kept becomes null, and so does what is nested too deep (it is dropped unread); of a
    key said twice the last is taken. Raises MalformedJsonError for what is no JSON text however it is read.
    """
    text = _without_the_depth(body.decode("utf-8", errors="replace"))
    try:
        document = _LENIENT_DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"not JSON at character {error.pos}") from None
    return _storable(document)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJsonError("a key is said twice in one object")
    return members


def _whole(digits: str) -> int:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise MalformedJsonError(f"a number is longer than {MAX_NUMBER_LENGTH} characters")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise MalformedJsonError(f"a number is longer than {MAX_NUMBER_LENGTH} characters")
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJsonError("a number is too large")
    return number


def _constant(_name: str) -> NoReturn:
    raise MalformedJsonError("NaN and infinities are not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
)


def _children(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _refuse_depth(document: Any) -> None:
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value) if isinstance(child, (dict, list))]
    if level:
        raise MalformedJsonError(f"nested deeper than {MAX_DEPTH}")


def _refuse_unstorable_text(document: Any) -> None:
    """Only an escape can bring in NUL or half a surrogate pair: raw ones are refused by the decoders."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            _refuse_text(value)
        elif isinstance(value, dict):
            for key in value:
                _refuse_text(key)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _refuse_text(text: str) -> None:
    if "\x00" in text:
        raise MalformedJsonError("a text holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedJsonError("a text holds half a surrogate pair") from None


# --- mending ---------------------------------------------------------------------------------------------------------

_STRING_OR_BRACKET: Final = re.compile(r'"(?>[^"\\]+|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A text, ended or not, or a bracket outside of any; nothing is ever tried twice, so the time is linear."""

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def _without_the_depth(text: str) -> str:
    """The same with null for what is nested too deep: on the text, because the decoder would run out of stack on it."""
    kept = []
    depth = kept_to = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        match match[0]:
            case "[" | "{":
                depth += 1
                if depth == MAX_DEPTH + 1:
                    kept.append(text[kept_to : match.start()])
                    kept_to = len(text)
            case "]" | "}":
                depth -= 1
                if depth == MAX_DEPTH:
                    kept.append("null")
                    kept_to = match.end()
    return "".join([*kept, text[kept_to:]])


def _whole_or_none(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_NUMBER_LENGTH else None


def _fraction_or_none(digits: str) -> float | None:
    number = float(digits) if len(digits) <= MAX_NUMBER_LENGTH else math.inf
    return number if math.isfinite(number) else None


_LENIENT_DECODER: Final = json.JSONDecoder(
    parse_int=_whole_or_none, parse_float=_fraction_or_none, parse_constant=lambda _name: None, strict=False
)


def _storable(value: Any) -> Any:
    """Calls itself no deeper than the depth that was left."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_storable(child) for child in value]
    return value
