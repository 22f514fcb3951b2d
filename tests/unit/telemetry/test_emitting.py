"""What happened becomes one line of JSON and a count, and telling it never harms whoever tells it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from relais.telemetry.emitting import Emitter, silence_libraries
from relais.telemetry.events import EventsAccepted, LeaseLost, PushRefused, RoleStarted
from relais.telemetry.metrics import Metrics

REFUSED = PushRefused(source="fixmystreet", door="webhook", status=401, reason="not-authenticated")


class ClosedStream(io.StringIO):
    """Whoever read the log has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_an_event_is_one_line_of_json() -> None:
    stream = io.StringIO()
    Emitter(Metrics(), stream=stream)(REFUSED)
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert datetime.fromisoformat(told.pop("at")).tzinfo is not None
    assert told == {
        "level": "warning",
        "event": "push_refused",
        "source": "fixmystreet",
        "door": "webhook",
        "status": 401,
        "reason": "not-authenticated",
    }


def test_a_line_break_in_a_value_does_not_make_a_second_line() -> None:
    stream = io.StringIO()
    Emitter(Metrics(), stream=stream)(RoleStarted(role="x", detail='a\n{"event": "forged"}\r\u2028b'))
    assert len(stream.getvalue().splitlines(keepends=True)) == 1


@pytest.mark.parametrize(("level", "told"), [("debug", 3), ("info", 2), ("warning", 2), ("error", 0)])
def test_what_is_below_the_level_is_counted_and_not_told(level: str, told: int) -> None:
    stream, metrics = io.StringIO(), Metrics()
    emit = Emitter(metrics, level=level, stream=stream)
    emit(EventsAccepted(source="s", door="d", new=2, same=1, conflicts=0))
    emit(REFUSED)
    emit(LeaseLost(reference="r"))
    assert len(stream.getvalue().splitlines()) == told
    counted = metrics.registry.get_sample_value
    assert counted("relais_events_accepted_total", {"source": "s", "door": "d", "fate": "new"}) == 2
    assert counted("relais_pushes_refused_total", {"source": "fixmystreet", "door": "webhook", "status": "401"}) == 1


def test_a_log_that_nobody_reads_any_more_harms_nobody() -> None:
    Emitter(Metrics(), stream=ClosedStream())(REFUSED)


def every_logger() -> list[logging.Logger]:
    root = logging.getLogger()
    return [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]


@contextmanager
def nobody_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, levels = root.handlers[:], {logger: logger.level for logger in every_logger()}
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = before
        for logger in every_logger():
            logger.setLevel(levels.get(logger, logging.NOTSET))


def test_a_library_says_that_something_is_wrong_and_not_what_it_was_doing(capsys: pytest.CaptureFixture[str]) -> None:
    """Their messages and tracebacks repeat addresses, parameters and bodies."""
    with nobody_logging():
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        silence_libraries()
        fault = ValueError("Camille Vermeulen")
        logging.getLogger("uvicorn.error").error("while answering %s", "Camille Vermeulen", exc_info=fault)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["library"], told["kind"]) == ("error", "uvicorn.error", "ValueError")
    assert "Vermeulen" not in line
