"""Parked events: which there are and why, and trying them again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from relais.delivery.decide import PATIENCE_ENDED
from relais.ledger.ledger import Ledger
from relais.ledger.stories import ParkedEvent, Whereabouts
from relais.operations.stories import LARGEST_SEQUENCE, moment

RETRY: Final = "retry"
"""The name of a retry in the audit trail."""

_AT_ONCE: Final = 500


class Cause(StrEnum):
    """Where the fault lies that an event was parked for: it says who can help."""

    UNREAD = "we could not read it"
    REFUSED = "the CRM refused it"
    PATIENCE = "patience ended"


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked event. ``behind`` is how many events of its case wait for it; without a ``key`` it names no case."""

    seq: int
    source: str
    door: str
    event_id: str
    key: str | None
    reason: str
    behind: int
    parked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ParkedGroup:
    """Parked events that share cause and code. ``many`` counts them all, ``events`` shows the oldest."""

    cause: Cause
    code: str
    many: int
    events: tuple[Parked, ...]


class Answer(StrEnum):
    """What became of the wish to try one event again."""

    REOPENED = "reopened"
    WOULD_REOPEN = "would be reopened"
    NOT_PARKED = "not parked: it is still to be delivered"
    DELIVERED = "already delivered"
    SKIPPED = "skipped"
    UNKNOWN = "there is no such event"
    NO_CASE = "it names no case, so there is nowhere to deliver it: it cannot be retried yet"


@dataclass(frozen=True, slots=True)
class Retried:
    """The answer for one event; ``key`` is its case, where it has one."""

    seq: int
    answer: Answer
    key: str | None = None

    @property
    def ok(self) -> bool:
        """Whether what was asked for happened, or would."""
        return self.answer in (Answer.REOPENED, Answer.WOULD_REOPEN)


async def list_parked(ledger: Ledger, *, room: int = 500) -> list[ParkedGroup]:
    """The parked events by cause and code; of them all, the ``room`` oldest are in their groups one by one."""
    groups: dict[tuple[Cause, str], list[Parked]] = {}
    counts: dict[tuple[Cause, str], int] = {}
    for count in await ledger.stories.parked_counts():
        name = cause_of(count.code, understood=count.understood), count.code
        groups[name] = []
        counts[name] = counts.get(name, 0) + count.many
    for event in await ledger.stories.parked(room=room):
        name = cause_of(event.code, understood=event.understood), event.code
        groups.setdefault(name, []).append(_parked(event))  # it may have been parked since we counted
    order = list(Cause)
    return [
        ParkedGroup(cause, code, max(counts.get((cause, code), 0), len(events)), tuple(events))
        for (cause, code), events in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    ]


def cause_of(code: str, *, understood: bool) -> Cause:
    """Where the fault lies that an event was parked for."""
    if code == PATIENCE_ENDED:
        return Cause.PATIENCE
    return Cause.REFUSED if understood else Cause.UNREAD


async def parked_with_code(ledger: Ledger, code: str) -> list[int]:
    """The sequences of all events that are parked with a code."""
    return await ledger.stories.parked_as(code)


async def retry(ledger: Ledger, sequences: Sequence[int], *, actor: str, dry_run: bool = False) -> list[Retried]:
    """Try parked events again; an answer for each, in the order of the sequences.

    What they had brought into the CRM already is remembered and not sent again. Written into the audit trail before it
    is done, unless nothing can be: so two operators at once are both in it, and only one of them reopens.
    """
    wanted = list(dict.fromkeys(sequences))
    possible = [seq for seq in wanted if 0 < seq <= LARGEST_SEQUENCE]
    answers: dict[int, Retried] = {}
    for start in range(0, len(possible), _AT_ONCE):
        some = possible[start : start + _AT_ONCE]
        standing = {event.seq: event for event in await ledger.stories.whereabouts(some)}
        ready = [seq for seq in some if seq in standing and _answer(standing[seq]) is Answer.WOULD_REOPEN]
        reopened: set[int] = set()
        if ready and not dry_run:
            listed = ", ".join(map(str, ready[:20])) + (f" and {len(ready) - 20} more" if len(ready) > 20 else "")
            await ledger.audit.add(actor, RETRY, f"events {listed}", _codes(standing[seq] for seq in ready))
            reopened = set(await ledger.stories.retry(ready))
        for seq, event in standing.items():
            answer = _answer(event)
            if answer is Answer.WOULD_REOPEN and not dry_run:
                # whoever was faster has reopened it
                answer = Answer.REOPENED if seq in reopened else Answer.NOT_PARKED
            answers[seq] = Retried(seq, answer, event.key)
    return [answers.get(seq, Retried(seq, Answer.UNKNOWN)) for seq in wanted]


def _answer(event: Whereabouts) -> Answer:
    match event.state:
        case "delivered":
            return Answer.DELIVERED
        case "skipped":
            return Answer.SKIPPED
        case "parked":
            return Answer.WOULD_REOPEN if event.key is not None else Answer.NO_CASE
    return Answer.NOT_PARKED


def _codes(events: Iterable[Whereabouts]) -> str:
    return "parked as " + ", ".join(sorted({event.code or "unspecified" for event in events}))


def _parked(event: ParkedEvent) -> Parked:
    return Parked(
        seq=event.seq,
        source=event.source,
        door=event.door,
        event_id=event.event_id,
        key=event.key,
        reason=event.reason,
        behind=event.behind,
        parked_at=None if event.done_at is None else moment(event.done_at),
    )
