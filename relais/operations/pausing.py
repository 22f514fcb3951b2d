"""Paused sinks: which there are and why, and going on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relais.ledger.ledger import Ledger

RESUME: Final = "resume sink"
"""The name of a resumption in the audit trail."""


@dataclass(frozen=True, slots=True)
class PausedSink:
    """A sink that nothing is delivered to until a human says so."""

    name: str
    reason: str


class Resumed(StrEnum):
    """What became of the wish to go on."""

    RESUMED = "resumed"
    NOT_PAUSED = "not paused"


async def paused_sinks(ledger: Ledger) -> list[PausedSink]:
    """The paused sinks by name."""
    return [PausedSink(name, reason) for name, reason in (await ledger.sinks.paused()).items()]


async def resume(ledger: Ledger, name: str, *, actor: str) -> Resumed:
    """Deliver to a sink again, at once; written into the audit trail before, unless it was not paused."""
    reason = (await ledger.sinks.paused()).get(name)
    if reason is None:
        return Resumed.NOT_PAUSED
    await ledger.audit.add(actor, RESUME, name, f"was paused: {reason}")
    return Resumed.RESUMED if await ledger.sinks.resume(name) else Resumed.NOT_PAUSED
