"""What the ledger takes and gives: plain frozen values, no database words."""

from dataclasses import dataclass
from enum import StrEnum

from connectors.kit.ports import StoredEvent


class Fate(StrEnum):
    """What became of an arrival at the door."""

    NEW = "new"
    SAME = "same"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one arrival: its fate, and the sequence under which the event is known."""

    fate: Fate
    seq: int | None


class How(StrEnum):
    """In which way an event came to be delivered (or set aside)."""

    SENT = "sent"
    FOUND = "found"
    NOTHING_NEW = "nothing_new"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event of a claimed case that is still to be delivered.

    ``turn`` is its place in the lane and the version that the CRM is given: its sequence, unless it was tried again
    after later ones had been delivered.
    """

    seq: int
    turn: int
    event: StoredEvent
    in_doubt: bool


@dataclass(frozen=True, slots=True)
class ClaimedCase:
    """A case held under a lease: what the CRM is known to hold of it, and its open events in accepted order.

    ``state`` is what delivery kept with the case after the last success (JSON text), ``failing_since`` the moment of
    the first failure since then, in milliseconds.
    """

    case_id: int
    fence: int
    key: str
    reference: str
    sink: str | None
    remote_id: str | None
    etag: str | None
    link: str | None
    version: int
    state: str | None
    attempts: int
    failing_since: int | None
    events: tuple[OpenEvent, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Done:
    """An event that is finished: delivered (``how``), or parked (``code`` and ``reason``)."""

    seq: int
    how: How | None = None
    code: str | None = None
    reason: str | None = None
    blocks: bool = False
    rule: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a case after a success; written with the completion that made it so."""

    sink: str | None
    remote_id: str | None
    etag: str | None
    link: str | None
    version: int
    state: str


@dataclass(frozen=True, slots=True)
class Release:
    """How a lane is let go.

    ``wait_ms`` is how long until it may be claimed again, ``doubt`` the highest turn that may have arrived (0:
    none), ``failed`` counts a failed attempt, with ``error`` for the human.
    """

    wait_ms: int = 0
    doubt: int = 0
    failed: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What a worker did in a lane since its last report; ``release`` is None while it goes on."""

    case_id: int
    fence: int
    done: tuple[Done, ...]
    standing: Standing | None
    release: Release | None


@dataclass(frozen=True, slots=True)
class Tick:
    """What one transaction of a delivery worker brought: reports that held, and freshly claimed cases."""

    held: frozenset[int]
    claimed: tuple[ClaimedCase, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How the events stand, counted."""

    accepted: int
    delivered: int
    superseded: int
    waiting: int
    in_doubt: int
    parked: int
    conflicts: int
    cases: int
