"""One function for everything that happens: a JSON line to the log, a count or a duration to the metrics."""

import json
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from relais.telemetry.events import Happening
from relais.telemetry.metrics import Metrics

Emit = Callable[[Happening], None]
"""Tells that something happened; never raises, never waits."""

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LIBRARIES: Final = (
    "httpx",
    "httpcore",
    "aiohttp",
    "asyncio",
    "nats",
    "faststream",
    "uvicorn",
    "uvicorn.error",  # the levels of these two are set apart from their parent's by whoever configures uvicorn
    "uvicorn.access",
    "sqlalchemy",
    "alembic",
)
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_name(happening: type[Happening]) -> str:
    """``DeliveryParked`` as ``delivery_parked``."""
    return _WORDS.sub("_", happening.__name__).lower()


class Emitter:
    """Writes what happened to a stream, one JSON object a line, from ``level`` on, and counts it always."""

    def __init__(self, metrics: Metrics, *, level: str = "info", stream: TextIO | None = None) -> None:
        self._metrics = metrics
        self._least = _LEVELS[level]
        self._stream = stream or sys.stderr

    def __call__(self, happening: Happening) -> None:
        """Tell that something happened."""
        self._metrics.count(happening)
        if _LEVELS[happening.level] < self._least:
            return
        line: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": happening.level,
            "event": snake_name(type(happening)),
        }
        line |= {field.name: getattr(happening, field.name) for field in fields(happening)}
        try:
            print(json.dumps(line), file=self._stream, flush=True)
        except (OSError, ValueError):
            # nobody reads the log any more; the work goes on
            return


class _KindOnly(logging.Formatter):
    """Which library has trouble and of which kind; its message and its traceback may repeat bodies and addresses."""

    def format(self, record: logging.LogRecord) -> str:
        fault = record.exc_info[0] if record.exc_info else None
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": "library_troubled",
            "library": record.name,
            "kind": fault.__name__ if fault else None,
        }
        return json.dumps(line)


def silence_libraries(level: int = logging.WARNING) -> None:
    """Let libraries say only that something is wrong, without the bodies and addresses that they log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KindOnly())
    logging.basicConfig(level=level, handlers=[handler])
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(level)
