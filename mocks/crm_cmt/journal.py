"""An append-only file of applied writes, so that a stand-in that was killed comes back as it was."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One JSON object a line. What was appended survives the end of the process, though not a power cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every entry in order. A last line that was cut short belongs to a write that was never answered: it goes."""
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield json.loads(line)
        os.truncate(self._path, whole)

    def append(self, entry: dict[str, Any]) -> None:
        """Hand the entry to the operating system before returning."""
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def clear(self) -> None:
        """Forget every entry."""
        self._file.truncate(0)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
