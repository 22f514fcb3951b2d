"""Request bodies: taken in up to a limit, read as JSON without the liberties that parsers take."""

import json
from typing import Any, Final, NoReturn

from starlette.requests import Request

from mocks.crm_cmt.problems import ProblemError
from mocks.crm_cmt.vocabulary import MAX_BYTES, MAX_DEPTH

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"


async def body_of(request: Request) -> bytes:
    """The body; raises `too-large` as soon as it is over the limit, whatever its header promised."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BYTES:
        raise ProblemError("too-large", f"At most {MAX_BYTES} bytes.")
    chunks: list[bytes] = []
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > MAX_BYTES:
            raise ProblemError("too-large", f"At most {MAX_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def expect_media_type(request: Request, media_type: str) -> None:
    """Raises `unsupported-media-type` unless the body is of ``media_type``, parameters aside."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise ProblemError("unsupported-media-type", f"{media_type} is needed.")


def json_from(raw: bytes) -> Any:
    """The JSON value (RFC 8259, UTF-8); raises `invalid-json` for anything else, also what parsers let pass."""
    try:
        value = _decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ProblemError("invalid-json", str(error) if isinstance(error, _StrictError) else None) from error
    # counting brackets is cheaper than walking, and settles it for all but long bodies
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise ProblemError("invalid-json", f"Nested deeper than {MAX_DEPTH}.")
    return value


class _StrictError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _StrictError("A member is named twice.")
    return value


def _no_constant(_: str) -> NoReturn:
    raise _StrictError("NaN and Infinity are not JSON.")


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


_decode: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant).decode
