"""The channels of the broker as data: which message travels where, and who sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from schemas.base import Code, Identifier, Instant, Model
from schemas.case import CaseKey, Status
from schemas.envelope import Envelope, schema_urn, wrap
from schemas.place import NisCode

WAKE_UP_CASES: Final = 100
"""How many case ids a wake-up names at most; a worker that is told of more looks for itself."""

FEED_VERSION: Final = 1
"""The major version of the feed messages; raised by a change that breaks a reader."""

Link = Annotated[
    str, Field(max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f-\x9f@/]+(/[^\s\x00-\x1f\x7f-\x9f]*)?$")
]
"""A page about a case for somebody with an account of their own; it holds neither a name nor a token."""

Version = Annotated[int, Field(ge=0)]
"""Our version of a case; 0 as long as nothing was delivered."""


class WakeUp(Model):
    """Something is ready: how many cases, and the ledger's ids of the first of them. Losing one costs time only."""

    count: Annotated[int, Field(ge=1)]
    cases: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=WAKE_UP_CASES)] = ()


class FeedMessage(Model):
    """What the feeds have in common. A stream is a place that erasure cannot reach: no personal field, no free text.

    A reader ignores what it does not know, as ours do. ``key``, ``case_type`` and ``status`` are ``None`` where an
    event was not understood as far as that.
    """

    # A later minor version adds fields: an older worker beside a newer one must still read its messages.
    model_config = ConfigDict(extra="ignore")

    key: CaseKey | None = None
    source: Identifier
    tenant: NisCode | None = None
    case_type: Identifier | None = None
    status: Status | None = None
    version: Version
    link: Link | None = None
    occurred_at: Instant


class KeyedFeedMessage(FeedMessage):
    """A feed message that is always about a case."""

    key: CaseKey


class CaseReady(KeyedFeedMessage):
    """Something new was accepted for a case and is on its way to the CRM."""


class CaseDelivered(KeyedFeedMessage):
    """The CRM holds this version of the case."""


class CaseUpdated(KeyedFeedMessage):
    """The CRM's people changed the case."""


class CaseParked(FeedMessage):
    """An event was set aside and waits for a human; the reason in words is in the ledger only."""

    reason: Code


class Direction(StrEnum):
    """Who puts messages into a channel, seen from Relais."""

    SENT = "sent"
    RECEIVED = "received"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the broker.

    ``address`` holds parameters in braces (``events.inbound.{source}``), as AsyncAPI writes them. ``stream`` says that
    the broker keeps its messages; a message of another channel may be lost. ``enveloped`` says that ``message`` travels
    as the data of an ``Envelope``.
    """

    name: str
    address: str
    direction: Direction
    stream: bool
    message: type[Model]
    enveloped: bool
    description: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the address's parameters."""
        return tuple(token[1:-1] for token in self.address.split(".") if token.startswith("{"))

    @property
    def pattern(self) -> str:
        """The address that matches the channel's every subject: a star for each parameter."""
        return ".".join("*" if token.startswith("{") else token for token in self.address.split("."))

    def subject(self, **parameters: str) -> str:
        """The address with its parameters filled in.

        Raises ValueError where one is missing, unknown, or not a single token.
        """
        if set(parameters) != set(self.parameters):
            raise ValueError(f"{self.address} takes {', '.join(self.parameters) or 'no parameters'}")
        if not all(value and value.replace("_", "").replace("-", "").isalnum() for value in parameters.values()):
            raise ValueError("a parameter may hold letters, digits, underscores and hyphens only")
        return self.address.format_map(parameters)


WAKE: Final = Channel(
    name="wake",
    address="lanes.wake",
    direction=Direction.INTERNAL,
    stream=False,
    message=WakeUp,
    enveloped=False,
    description="Tells delivery workers that cases are ready. May be lost: the sweeper finds what it named.",
)
READY: Final = Channel(
    name="case-ready",
    address="cases.ready",
    direction=Direction.SENT,
    stream=True,
    message=CaseReady,
    enveloped=True,
    description="A case has something new that is on its way to the CRM.",
)
DELIVERED: Final = Channel(
    name="case-delivered",
    address="cases.delivered",
    direction=Direction.SENT,
    stream=True,
    message=CaseDelivered,
    enveloped=True,
    description="A version of a case is in the CRM.",
)
UPDATED: Final = Channel(
    name="case-updated",
    address="cases.updated",
    direction=Direction.SENT,
    stream=True,
    message=CaseUpdated,
    enveloped=True,
    description="The CRM's people changed a case; the way back to its source starts here.",
)
PARKED: Final = Channel(
    name="case-parked",
    address="cases.parked",
    direction=Direction.SENT,
    stream=True,
    message=CaseParked,
    enveloped=True,
    description="An event was set aside, with the code of the reason, and waits for a human.",
)
INBOUND: Final = Channel(
    name="inbound",
    address="events.inbound.{source}",
    direction=Direction.RECEIVED,
    stream=True,
    message=Envelope,
    enveloped=False,
    description="The bus as a door: a CloudEvent whose data is what the source's webhook would have been sent.",
)

FEEDS: Final = (READY, DELIVERED, UPDATED, PARKED)
"""What others may subscribe to. The same message may come twice: an envelope's source and id name it."""

CHANNELS: Final = (WAKE, *FEEDS, INBOUND)
"""Every channel there is."""

_FEED_OF: Final[Mapping[type[Model], Channel]] = {feed.message: feed for feed in FEEDS}


def feed_of(message: FeedMessage) -> Channel:
    """The feed that a message belongs to."""
    return _FEED_OF[type(message)]


def announcement(message: FeedMessage, *, event_id: str, source: str = "/relais") -> Envelope:
    """A feed message in its envelope, with the type and schema of its feed.

    ``source`` names the installation; a message announced again carries the same ``event_id``.
    """
    feed = feed_of(message)
    return wrap(
        message,
        event_id=event_id,
        event_type=f"relais.{feed.name.replace('-', '.')}.v{FEED_VERSION}",
        source=source,
        subject=message.key,
        time=message.occurred_at,
        dataschema=schema_urn(feed.name, FEED_VERSION),
    )
