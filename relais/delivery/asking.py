"""One request to a sink, and one answer for each case in it, whatever happens on the way."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.kit.errors import ConnectorError, TemporaryError, UnconfirmedError
from connectors.kit.ports import CaseChange, Delivered, Remote, Sink
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, RequestsMade


@dataclass(frozen=True, slots=True)
class Found:
    """What find said of one case; ``remote`` is None where it is not there."""

    remote: Remote | None


Answer = Delivered | Found | ConnectorError
"""What a lane gets back from a request."""


async def send(sink: Sink, changes: Sequence[CaseChange], emit: Emit) -> list[Answer]:
    """Deliver changes of different cases; one answer each, in order.

    No answer in time, a missing outcome and a fault in the connector all mean that it may have arrived.
    """
    started = time.monotonic()
    answers: list[Answer] = []
    try:
        async with asyncio.timeout(sink.capabilities.request_timeout.total_seconds()):
            answers = list(await sink.deliver(changes))
    except TimeoutError:
        answers = [UnconfirmedError("no answer in time", code="timeout") for _ in changes]
    except Exception as error:  # noqa: BLE001  # a fault in a connector: whether anything arrived is not known
        emit(HandlerFailed(where=f"sink {sink.name}", kind=type(error).__name__))
    emit(RequestsMade(sink=sink.name, verb="deliver", cases=len(changes), seconds=time.monotonic() - started))
    missing = len(changes) - len(answers)
    return answers[: len(changes)] + [UnconfirmedError("no outcome", code="no_outcome") for _ in range(missing)]


async def find(sink: Sink, references: Sequence[str], emit: Emit) -> list[Answer]:
    """Look for cases; one answer each, in order. A question that failed may be asked again: nothing was changed."""
    started = time.monotonic()
    answers: list[Answer]
    try:
        async with asyncio.timeout(sink.capabilities.request_timeout.total_seconds()):
            found = await sink.find(references)
        answers = [Found(found.get(reference)) for reference in references]
    except TimeoutError:
        answers = [TemporaryError("no answer in time", code="timeout") for _ in references]
    except ConnectorError as error:
        answers = [error for _ in references]
    except Exception as error:  # noqa: BLE001  # a fault in a connector: ask again later
        emit(HandlerFailed(where=f"sink {sink.name}", kind=type(error).__name__))
        answers = [TemporaryError("the question failed", code="find_failed") for _ in references]
    emit(RequestsMade(sink=sink.name, verb="find", cases=len(references), seconds=time.monotonic() - started))
    return answers
