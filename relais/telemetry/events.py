"""What can happen, by name. Fields are ids, counts, codes and durations, never a body, a name or a source's text."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened; its class is its name."""

    level: ClassVar[Level] = "info"


@dataclass(frozen=True, slots=True)
class EventsAccepted(Happening):
    """A group of arrivals was committed."""

    level: ClassVar[Level] = "debug"
    source: str
    door: str
    new: int
    same: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class EventConflicted(Happening):
    """An event came again under the same id with other content; it is kept and not delivered."""

    level: ClassVar[Level] = "warning"
    source: str
    door: str
    event_id: str


@dataclass(frozen=True, slots=True)
class ArrivalUnreadable(Happening):
    """An event came in that names no case; it is parked alone."""

    level: ClassVar[Level] = "warning"
    source: str
    door: str
    reason: str


@dataclass(frozen=True, slots=True)
class PushRefused(Happening):
    """A push was answered with something else than 200."""

    level: ClassVar[Level] = "warning"
    source: str
    door: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class DeliveryCompleted(Happening):
    """An event is delivered: sent, found there already, nothing new, or superseded."""

    level: ClassVar[Level] = "debug"
    sink: str
    how: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DeliveryPostponed(Happening):
    """A delivery failed for now; the case waits."""

    level: ClassVar[Level] = "warning"
    sink: str
    reference: str
    seq: int
    outcome: Literal["waiting", "in_doubt"]
    code: str
    attempt: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class DeliveryParked(Happening):
    """An event waits for a human."""

    level: ClassVar[Level] = "error"
    source: str
    reference: str
    seq: int
    code: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class SinkPaused(Happening):
    """Nothing more is sent to a sink until a human resumes it."""

    level: ClassVar[Level] = "error"
    sink: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeaseLost(Happening):
    """A lane was stopped because somebody else may hold its case now."""

    level: ClassVar[Level] = "warning"
    reference: str


@dataclass(frozen=True, slots=True)
class LeasesExpired(Happening):
    """Cases whose worker went away were freed; their events are in doubt."""

    level: ClassVar[Level] = "warning"
    cases: int


@dataclass(frozen=True, slots=True)
class RequestsMade(Happening):
    """A call to a sink ended. ``cases`` is how many changes or questions it carried."""

    level: ClassVar[Level] = "debug"
    sink: str
    verb: Literal["find", "deliver"]
    cases: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LedgerAway(Happening):
    """The ledger cannot be used; everything waits for it."""

    level: ClassVar[Level] = "error"
    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerBack(Happening):
    """The ledger can be used again."""

    part: str


@dataclass(frozen=True, slots=True)
class BrokerAway(Happening):
    """The broker cannot be used; the sweeper delivers without it."""

    level: ClassVar[Level] = "warning"
    reason: str


@dataclass(frozen=True, slots=True)
class BrokerBack(Happening):
    """The broker can be used again."""


@dataclass(frozen=True, slots=True)
class EmbeddedBrokerDied(Happening):
    """The embedded broker ended by itself, or its store was taken away; it is started again, for the nth time."""

    level: ClassVar[Level] = "error"
    reason: str
    restarts: int


@dataclass(frozen=True, slots=True)
class PollCompleted(Happening):
    """A poll ran to its end."""

    source: str
    poll: str
    observed: int
    changed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PollFailed(Happening):
    """A poll broke off; it goes on from its cursor next time."""

    level: ClassVar[Level] = "warning"
    source: str
    poll: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SweepDoubted(Happening):
    """So much was missing after a complete sweep that it was not believed: nothing was counted as missed."""

    level: ClassVar[Level] = "error"
    source: str
    poll: str
    known: int
    missing: int


@dataclass(frozen=True, slots=True)
class ThingsGone(Happening):
    """Things that two complete sweeps did not find are gone."""

    source: str
    count: int


@dataclass(frozen=True, slots=True)
class RoleStarted(Happening):
    """A role of the program runs."""

    role: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RoleStopped(Happening):
    """A role of the program has ended cleanly."""

    role: str


@dataclass(frozen=True, slots=True)
class HandlerFailed(Happening):
    """A fault of ours, caught at the edge of a handler."""

    level: ClassVar[Level] = "error"
    where: str
    kind: str
