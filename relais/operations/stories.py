"""The whole story of one case: what came, what became of it, where it lives, who decided what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.kit.ports import Source
from relais.delivery.merge import merged_facts
from relais.delivery.state import CaseState
from relais.ledger.ledger import Ledger
from relais.ledger.stories import Chapter, Story
from schemas.base import without_personal

MOST_EVENTS: Final = 1000
"""How many events of a case are told at most; ``events_left_out`` says that there are more."""

SHOW_PERSONAL: Final = "show personal data"
"""The name of the look at personal data in the audit trail."""


@dataclass(frozen=True, slots=True)
class EventTold:
    """One event of a case.

    ``state`` is one of delivered, waiting, in doubt, parked, skipped; ``explanation`` says in words how it was
    delivered, what it waits for, or why it was parked. ``contradicted`` counts other contents that came under the same
    id. ``next_try_at`` is there after a failed try, ``body`` only where personal data was asked for and it is kept.
    """

    seq: int
    source: str
    door: str
    event_id: str
    received_at: datetime
    state: str
    explanation: str
    code: str | None
    reason: str | None
    rule: str | None
    done_at: datetime | None
    next_try_at: datetime | None
    behind: int | None
    contradicted: int
    body: str | None


@dataclass(frozen=True, slots=True)
class CaseTold:
    """A case as a human asks for it.

    ``facts`` are what all doors together say; each personal field that is filled reads ``***`` unless ``personal``.
    """

    key: str
    reference: str
    names: tuple[str, ...]
    sink: str | None
    sink_paused: str | None
    remote_id: str | None
    link: str | None
    version: int
    test: bool
    decision: Mapping[str, Any] | None
    facts: Mapping[str, Any] | None
    being_delivered: bool
    attempts: int
    last_error: str | None
    blocked_by: int | None
    personal: bool
    events: tuple[EventTold, ...]
    events_left_out: bool


async def tell_case(
    ledger: Ledger, sources: Mapping[str, Source], name: str, *, personal: bool, actor: str
) -> CaseTold | None:
    """The story of the case of that name (its key, its reference, any other name); None where there is none.

    ``personal`` includes the personal fields and the bodies; that look is written into the audit trail first, under
    the name of ``actor``.
    """
    story = await ledger.stories.story(name)
    if story is None:
        return None
    if personal:
        await ledger.audit.add(actor, SHOW_PERSONAL, story.key)
    contradicted: dict[int, int] = {}
    for other in await ledger.stories.contradictions(story.case_id):
        contradicted[other.seq] = contradicted.get(other.seq, 0) + 1
    paused = (await ledger.sinks.paused()).get(story.sink) if story.sink else None
    state = CaseState.model_validate_json(story.state) if story.state else None
    events = []
    for chapter in story.chapters:
        body = await ledger.stories.body(chapter.seq) if personal else None
        events.append(_told(story, chapter, paused, contradicted.get(chapter.seq, 0), body))
    return CaseTold(
        key=story.key,
        reference=story.reference,
        names=story.names,
        sink=story.sink,
        sink_paused=paused,
        remote_id=story.remote_id,
        link=story.link,
        version=story.version,
        test=bool(state and state.test),
        decision=state.decision.model_dump(mode="json", exclude_none=True) if state else None,
        facts=_facts(state, sources, personal=personal) if state else None,
        being_delivered=story.owner is not None,
        attempts=story.attempts,
        last_error=story.last_error,
        blocked_by=story.blocked_seq,
        personal=personal,
        events=tuple(events),
        events_left_out=len(story.chapters) >= MOST_EVENTS,
    )


def moment(milliseconds: int) -> datetime:
    """A moment of the ledger's clock."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _told(story: Story, chapter: Chapter, paused: str | None, contradicted: int, body: bytes | None) -> EventTold:
    tried = chapter.state == "in doubt" or (chapter.state == "waiting" and story.attempts > 0)
    next_try = story.ready_at if tried and chapter.behind is None else None
    return EventTold(
        seq=chapter.seq,
        source=chapter.source,
        door=chapter.door,
        event_id=chapter.event_id,
        received_at=moment(chapter.received_at),
        state=chapter.state,
        explanation=_explanation(story, chapter, paused),
        code=chapter.code,
        reason=chapter.reason,
        rule=chapter.rule,
        done_at=None if chapter.done_at is None else moment(chapter.done_at),
        next_try_at=None if next_try is None else moment(next_try),
        behind=chapter.behind,
        contradicted=contradicted,
        body=body.decode("utf-8", "replace") if body is not None else None,
    )


_HOW: Final = {
    "sent": "sent to the CRM",
    "found": "found in the CRM when we looked, so not sent again",
    "nothing_new": "nothing new: the CRM held all of it",
    "superseded": "superseded by a later one that says all of it",
    "skipped": "skipped",
}


def _explanation(story: Story, chapter: Chapter, paused: str | None) -> str:
    match chapter.state:
        case "delivered" | "skipped":
            return _HOW.get(chapter.how or chapter.state, chapter.how or chapter.state)
        case "parked":
            blocks = ", the case waits for it" if story.blocked_seq == chapter.seq else ""
            return f"{chapter.reason or chapter.code}{blocks}"
    doubt = "sent without an answer, we look before sending again; " if chapter.state == "in doubt" else ""
    if chapter.behind is not None:
        return f"{doubt}behind event {chapter.behind}, which is parked"
    if paused is not None:
        return f"{doubt}{story.sink} is paused: {paused}"
    if story.owner is not None:
        return f"{doubt}being delivered"
    tried = f" after {story.attempts} failed tries: {story.last_error}" if story.attempts and story.last_error else ""
    return f"{doubt}to be delivered{tried}"


def _facts(state: CaseState, sources: Mapping[str, Source], *, personal: bool) -> Mapping[str, Any]:
    source = sources.get(state.source)
    facts = merged_facts(state.views, source.precedence if source else {})
    # by way of JSON, because the merge builds its values without validating them again
    said = json.loads(facts.model_dump_json(exclude_none=True)) if personal else without_personal(facts)
    return {name: value for name, value in said.items() if value is not None}
