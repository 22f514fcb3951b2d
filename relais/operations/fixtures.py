"""Event fixtures: recorded or invented events in files, to be played again.

A fixture is a JSON object: ``source``, ``door``, ``body`` (the object that came in, or its raw text) and, where known,
``received_at``. A file holds one, a list of them, or one a line (``.jsonl``, ``.ndjson``).
"""

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from connectors.kit.strict_json import MalformedJsonError, parse
from schemas.base import Identifier, Instant, Model

LARGEST_DOCUMENT: Final = 64 * 1024 * 1024
"""The largest JSON file in bytes; what is larger is given line by line."""

LARGEST_LINE: Final = 16 * 1024 * 1024
"""The longest line in bytes."""

_LINES: Final = (".jsonl", ".ndjson")
_SUFFIXES: Final = (".json", *_LINES)
_GIVEN: Final = "given.json"


@dataclass(frozen=True, slots=True)
class Fixture:
    """An event to play. ``where`` names its file and, where there are several in it, its line or place."""

    where: str
    source: str
    door: str
    body: bytes
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something that cannot be played, and why; the words repeat nothing that may be personal."""

    where: str
    fault: str


class _Written(Model):
    """A fixture as it is written."""

    source: Identifier | None = None
    door: Identifier
    received_at: Instant | None = None
    body: dict[str, Any] | str


def files_under(paths: Sequence[Path]) -> tuple[list[Path], list[Misfit]]:
    """The files that some paths stand for, in the order of the paths; a folder's recursively, by name.

    In a folder with a ``given.json`` only that is a fixture: what lies beside it is what it is expected to become.
    """
    files: list[Path] = []
    misfits: list[Misfit] = []
    for path in paths:
        if path.is_dir():
            found = list(_files_in(path))
            files += found
            if not found:
                misfits.append(Misfit(str(path), "no fixtures in this folder"))
        elif path.exists():
            files.append(path)
        else:
            misfits.append(Misfit(str(path), "no such file or folder"))
    return files, misfits


def read_fixtures(file: Path, sources: Collection[str]) -> Iterator[tuple[int, Fixture | Misfit]]:
    """The fixtures of a file, in their order, each with how many bytes of the file are read by then.

    What cannot be read is told in its place, and the rest goes on. A fixture without a ``source`` is of the nearest
    folder above that is named like one of ``sources``.
    """
    above = next((part for part in reversed(file.absolute().parent.parts) if part in sources), None)
    try:
        yield from _from_lines(file, above) if file.suffix in _LINES else _from_document(file, above)
    except OSError as error:
        yield 0, Misfit(str(file), f"cannot be read: {error.strerror or type(error).__name__}")


def _files_in(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        fixtures = [_GIVEN] if _GIVEN in names else sorted(name for name in names if name.endswith(_SUFFIXES))
        for name in fixtures:
            yield Path(place, name)


def _from_lines(file: Path, above: str | None) -> Iterator[tuple[int, Fixture | Misfit]]:
    with file.open("rb") as lines:
        number = read = 0
        while line := lines.readline(LARGEST_LINE + 1):
            number += 1
            read += len(line)
            where = f"{file}:{number}"
            if len(line) > LARGEST_LINE:
                yield read, Misfit(where, f"the line is longer than {LARGEST_LINE} bytes; the rest is left out")
                return
            if line.strip():
                yield from ((read, one) for one in _from_text(where, line, above))


def _from_document(file: Path, above: str | None) -> Iterator[tuple[int, Fixture | Misfit]]:
    size = file.stat().st_size
    if size > LARGEST_DOCUMENT:
        yield size, Misfit(str(file), f"larger than {LARGEST_DOCUMENT} bytes: give it line by line, as .jsonl")
        return
    found = list(_from_text(str(file), file.read_bytes(), above))
    yield from ((size * position // len(found), one) for position, one in enumerate(found, start=1))


def _from_text(where: str, text: bytes, above: str | None) -> list[Fixture | Misfit]:
    try:
        document = parse(text.strip())
    except MalformedJsonError as error:
        return [Misfit(where, error.reason)]
    if not isinstance(document, list):
        return [_fixture(where, document, above)]
    if not document:
        return [Misfit(where, "an empty list")]
    return [_fixture(f"{where}[{position}]", one, above) for position, one in enumerate(document, start=1)]


def _fixture(where: str, document: Any, above: str | None) -> Fixture | Misfit:
    try:
        written = _Written.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(step) for step in fault["loc"][:1])
        return Misfit(where, f"not a fixture: {field + ': ' if field else ''}{fault['msg']}")
    source = written.source or above
    if source is None:
        return Misfit(where, "no source, and no folder above is named like one")
    body = written.body if isinstance(written.body, str) else json.dumps(written.body, ensure_ascii=False)
    return Fixture(where, source, written.door, body.encode(), written.received_at)
