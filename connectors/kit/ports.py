"""The ports between the engine and a system: what a source offers, what a sink offers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from connectors.kit.errors import ConnectorError
from schemas.attachment import Attachment, Note
from schemas.case import Case, CaseEvent

Fingerprint = Callable[[str], str]
"""A keyed digest, 32 hexadecimal digits: the same text gives the same digest in one installation and no other."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a look at a system found: one line for a human, never a secret."""

    ok: bool
    detail: str


# --- sources ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came in, named but not yet understood.

    ``event_id`` is unique within the source for ever. ``case_key`` is ``None`` where nothing in it names a case: such
    an event has no lane and is parked with ``trouble`` as its reason. ``body`` is kept as received.
    """

    source: str
    door: str
    event_id: str
    case_key: str | None
    body: bytes
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the ledger gives it back to its source for translation; ``test`` marks a replay as a test."""

    source: str
    door: str
    event_id: str
    case_key: str
    body: bytes
    received_at: datetime
    test: bool = False


class UnauthenticatedError(Exception):
    """A push whose signature or token is wrong: answered 401, nothing stored."""


class Webhook(Protocol):
    """A door that a system pushes to."""

    @property
    def door(self) -> str:
        """The door's name; also the last segment of its path, ``/webhooks/{source}/{door}``."""

    @property
    def body_limit(self) -> int:
        """The largest body accepted, in bytes after decoding of the transfer."""

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return if the push is genuine; header names are lower case. Compares in constant time.

        Raises UnauthenticatedError otherwise.
        """

    def arrival(self, document: Any, body: bytes) -> Arrival:
        """Name the event in a body that is sound JSON; never raises for what it contains, ``trouble`` says it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing seen by polling. ``content`` is what counts as its state: equal content is *nothing happened*.

    ``settled`` says that its source may drop it from listings without meaning anything by it.
    """

    external_id: str
    case_key: str
    body: bytes
    content: str
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a poll, committed together with the cursor that covers it.

    ``sweep`` is the number of the complete sweep that this page belongs to, and ``sweep_complete`` is true on the last
    page of one. ``catalogue`` is a whole catalogue when one was fetched.
    """

    observations: Sequence[Observation]
    cursor: Mapping[str, Any]
    sweep: int | None = None
    sweep_complete: bool = False
    catalogue: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger did with a page: how many observations said something that was not known yet."""

    changed: int


Keep = Callable[[Page], Awaitable[Kept]]
"""Commits a page and the cursor's move in one transaction; raises when the poller's lease or cursor is lost."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What a direct look at things that a sweep missed found: those still there, and the ids of those that are not."""

    present: Sequence[Observation]
    absent: Sequence[str]


class Poll(Protocol):
    """A door that we read on a rhythm of our own."""

    @property
    def name(self) -> str:
        """Names the cursor; unique within the source."""

    @property
    def door(self) -> str:
        """The door that its observations come through; several polls may share one."""

    @property
    def every(self) -> timedelta:
        """How long from the start of one run to the start of the next."""

    async def run(self, cursor: Mapping[str, Any] | None, keep: Keep) -> None:
        """Read what there is, handing over page after page; start where ``cursor`` (``None`` at first) says.

        Raises ConnectorError; what was kept stays kept.
        """

    async def look_again(self, external_ids: Sequence[str]) -> SecondLook:
        """Look directly at things that a complete sweep did not list."""

    def gone(self, external_id: str, last_body: bytes | None) -> Observation:
        """The observation that says: this can no longer be found."""

    def recorded(self, document: Any) -> Observation | None:
        """What a document that came through this door before says, as ``run`` would hand it over; for replays.

        ``None`` where it names nothing.
        """


class Source(Protocol):
    """A system that things come from."""

    @property
    def name(self) -> str:
        """The connector's name; the first half of every case key."""

    @property
    def precedence(self) -> Mapping[str, Sequence[str]]:
        """Which doors own a field of ``CaseFacts``, first one first; ``"*"`` for every field not named.

        The first door that says something wins.
        """

    @property
    def webhooks(self) -> Sequence[Webhook]:
        """The doors that are pushed to."""

    @property
    def polls(self) -> Sequence[Poll]:
        """The doors that are read."""

    def translate(self, event: StoredEvent, fingerprint: Fingerprint) -> CaseEvent:
        """What a stored event says, in our vocabulary. Pure: no network, no clock.

        Raises RejectedError where the body cannot be read at all; an unknown value is a remark, never an error.
        """

    def learn(self, catalogue: str) -> None:
        """Take in the newest catalogue that any process of this installation has read (``Page.catalogue``).

        Translation may use it from then on. One that cannot be read changes nothing and raises nothing.
        """

    async def check(self) -> Health:
        """Whether the system can be reached with our settings."""


# --- sinks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a sink can do; the engine chooses by it.

    ``settles_after`` is how long a write may stay invisible to *find*. ``concurrency`` caps the requests in flight.
    ``request_timeout`` is the longest a request may take in all; it must stay below the lease.
    """

    batch_size: int = 1
    find_size: int = 1
    settles_after: timedelta = timedelta(0)
    concurrency: int = 16
    request_timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Remote:
    """A case as the CRM knows it: its id there, the ETag of its last state, and our version that it last took in.

    ``notes`` and ``attachments`` are the keys of those that it holds.
    """

    remote_id: str
    etag: str | None = None
    version: int | None = None
    notes: frozenset[str] = frozenset()
    attachments: frozenset[str] = frozenset()
    link: str | None = None


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One event's worth of change for one case.

    ``remote`` is ``None`` for a create. ``changed`` names the fields of the facts (and ``decision``, ``tenant``,
    ``test``) that differ from what was last delivered; empty where only notes or attachments are new. ``version``
    rises with each change of a case. ``change_key`` is the idempotency key: the same for every try of the same change.
    """

    case: Case
    version: int
    change_key: str
    remote: Remote | None
    changed: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A note or attachment that the CRM will not take; the case's change itself was taken."""

    key: str
    error: ConnectorError


@dataclass(frozen=True, slots=True)
class Delivered:
    """The change is in the CRM, all of it but what ``refused`` names."""

    remote: Remote
    refused: tuple[Refusal, ...] = field(default=())


Outcome = Delivered | ConnectorError
"""What became of one change. A failure is a value here, so that one case never speaks for another."""


class Sink(Protocol):
    """A system that cases go to."""

    @property
    def name(self) -> str:
        """The connector's name; routing rules name it as destination."""

    @property
    def capabilities(self) -> Capabilities:
        """What this sink can do."""

    async def find(self, references: Sequence[str]) -> Mapping[str, Remote]:
        """The cases that exist under these references; one that is absent from the answer was not found.

        At most ``capabilities.find_size`` references. Raises ConnectorError for the whole question.
        """

    async def deliver(self, changes: Sequence[CaseChange]) -> Sequence[Outcome]:
        """Apply changes of different cases; one outcome each, in order. Never raises ConnectorError.

        At most ``capabilities.batch_size`` changes. A change whose outcome is missing counts as unconfirmed.
        """

    async def check(self) -> Health:
        """Whether the system can be reached and accepts our rights."""
