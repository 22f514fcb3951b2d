"""The feeds: what became of each event, told to whoever subscribes; at least once, and with nothing personal."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pydantic import TypeAdapter, ValidationError

from relais.ledger.announcing import Announcement
from relais.ledger.database import LedgerAwayError
from relais.ledger.ledger import Ledger
from relais.ledger.ports import How
from relais.ledger.tables import DELIVERED, OUTCOME_DUE, PARKED, READY_DUE
from relais.runtime.broker import BrokerAwayError
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, LedgerAway, LedgerBack
from schemas.channels import CaseDelivered, CaseParked, CaseReady, FeedMessage, Link, announcement, feed_of

_BATCH: Final = 256
_AT_ONCE: Final = 32
_IDLE_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 10.0

_CARRIED: Final = frozenset({How.SENT, How.FOUND})
_LINK: Final = TypeAdapter[str](Link)


class FeedBroker(Protocol):
    """What the feeds need of a broker."""

    @property
    def up(self) -> bool:
        """Whether it is worth trying."""

    async def publish_feed(self, subject: str, body: bytes, *, message_id: str) -> None:
        """Return once the message is kept; the same ``message_id`` soon after is kept once. Raises BrokerAwayError."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message ready to go, and the event that it speaks of."""

    seq: int
    subject: str
    body: bytes
    message_id: str


class FeedPublisher:
    """Publishes what the ledger says is due, and marks it when the broker holds it.

    A crash between the two publishes again under the same id, and so do two publishers over one ledger: the broker
    keeps one of what comes twice within ten minutes, a reader tells later ones by their id. ``wake`` may be set by
    anybody to be told sooner than the second it looks in. ``installation`` is the CloudEvents ``source`` of every
    message.
    """

    def __init__(self, *, ledger: Ledger, broker: FeedBroker, emit: Emit, installation: str = "/relais") -> None:
        self._ledger = ledger
        self._broker = broker
        self._emit = emit
        self._installation = installation
        self._away = False
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop`` is set. Raises nothing: a broker or a ledger that is away is waited for."""
        stopper = asyncio.create_task(self._watch(stop))
        wait = _IDLE_SECONDS
        loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                self.wake.clear()
                began = loop.time()
                try:
                    wait = _IDLE_SECONDS
                    if self._broker.up:
                        full = await self.publish_due()
                        self._ledger_found()
                        # Half of the time at most: delivery runs on the same loop, and the feeds can wait.
                        wait = max(loop.time() - began, 0.02) if full else _IDLE_SECONDS
                except BrokerAwayError:
                    wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
                except LedgerAwayError as error:
                    wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
                    self._ledger_lost(error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self.wake.wait()
        finally:
            stopper.cancel()

    async def publish_due(self) -> bool:
        """Publish one batch of what is due and mark it; whether more may be waiting.

        Raises BrokerAwayError after marking what did get through, and LedgerAwayError.
        """
        due = await self._ledger.feeds.due(_BATCH)
        if not due:
            return False
        published: list[Announcement] = []
        for first in range(0, len(due), _AT_ONCE):
            # A few at a time, so that delivery gets its turns; sent in accepted order over one connection.
            some = due[first : first + _AT_ONCE]
            letters = [letter for one in some for letter in self._letters(one)]
            held = await asyncio.gather(*(self._send(letter) for letter in letters))
            missed = {letter.seq for letter, kept in zip(letters, held, strict=True) if not kept}
            published += [one for one in some if one.seq not in missed]
            if missed:
                break
        if published:
            await self._ledger.feeds.published(published)
        if len(published) < len(due):
            raise BrokerAwayError(f"{len(due) - len(published)} announcements were not taken")
        return len(due) == _BATCH

    async def _send(self, letter: _Letter) -> bool:
        try:
            await self._broker.publish_feed(letter.subject, letter.body, message_id=letter.message_id)
        except BrokerAwayError:
            return False
        return True

    def _letters(self, one: Announcement) -> list[_Letter]:
        letters = []
        try:
            for message in messages_of(one):
                feed = feed_of(message)
                kind = feed.name.removeprefix("case-")
                # The moment tells a second parking from the first, and this ledger from one that was here before it.
                event_id = f"{one.seq}:{kind}:{int(message.occurred_at.timestamp() * 1000)}"
                envelope = announcement(message, event_id=event_id, source=self._installation)
                letters.append(_Letter(one.seq, feed.address, envelope.model_dump_json().encode(), event_id))
        except ValueError as error:
            # What cannot be said is passed over, or it would stand before everything else for ever.
            self._emit(HandlerFailed(where=f"feeds {one.seq}", kind=type(error).__name__))
        return letters

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake.set()

    def _ledger_lost(self, error: LedgerAwayError) -> None:
        if not self._away:
            self._away = True
            self._emit(LedgerAway(part="feeds", reason=str(error)))

    def _ledger_found(self) -> None:
        if self._away:
            self._away = False
            self._emit(LedgerBack(part="feeds"))


def messages_of(one: Announcement) -> Sequence[FeedMessage]:
    """What the feeds say of an announcement, in the order in which it happened.

    Every accepted event of a case is announced as ready, however fast it was delivered. A delivery is announced where
    the CRM took something in: an event that said nothing new, was superseded or was skipped has no outcome to tell.
    Raises ValueError where the ledger holds what no feed message may say.
    """
    known = _known(one)
    messages: list[FeedMessage] = []
    if one.bits & READY_DUE:
        received_at = _moment(one.received_at)
        if one.case_id is None:
            messages.append(CaseParked(**known, reason=one.code or "unreadable", occurred_at=received_at))
        else:
            messages.append(CaseReady(**{**known, "version": one.version}, occurred_at=received_at))
    if one.bits & OUTCOME_DUE:
        done_at = _moment(one.done_at if one.done_at is not None else one.received_at)
        if one.state == DELIVERED and one.how in _CARRIED:
            messages.append(CaseDelivered(**known, occurred_at=done_at))
        elif one.state == PARKED:
            messages.append(CaseParked(**known, reason=one.code or "unspecified", occurred_at=done_at))
    return messages


def _known(one: Announcement) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(one.summary) if one.summary else {}
    return {
        "key": one.key,
        "source": one.source,
        "tenant": summary.get("tenant"),
        "case_type": summary.get("case_type"),
        "status": summary.get("status"),
        "version": summary.get("version", one.version),
        "link": _link(one.link),
    }


def _link(link: str | None) -> str | None:
    """The case's page in the CRM, unless the CRM gave something that a feed may not carry."""
    if link is None:
        return None
    try:
        return _LINK.validate_python(link)
    except ValidationError:
        return None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
