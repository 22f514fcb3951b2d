"""The whole story of one case: what came, what became of it, where it lives, who decided what."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.kit.ports import Source
from relais.delivery.merge import merged_facts
from relais.delivery.state import CaseState
from relais.ledger.ledger import Ledger
from relais.ledger.stories import Chapter, Story
from routing.choose import NoRulesError, Rules, choose, explain
from routing.facts import facts_of
from schemas.base import without_personal

MOST_EVENTS: Final = 1000
"""How many events of a case are told at most; ``events_left_out`` says that there are more."""

LARGEST_SEQUENCE: Final = 2**63 - 1
"""The largest number that an event can have."""

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
    ``paused_sinks`` are those that it goes to, or may go to while the CRM does not have it, with the reasons. ``why``
    is there where rules were given: what they would decide now, and every rule tried.
    """

    key: str
    reference: str
    names: tuple[str, ...]
    sink: str | None
    paused_sinks: Mapping[str, str]
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
    why: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class EventAlone:
    """One event by its number; ``key`` is its case, None where it names none."""

    key: str | None
    event: EventTold


async def tell_case(
    ledger: Ledger,
    sources: Mapping[str, Source],
    name: str,
    *,
    personal: bool,
    actor: str,
    rules: Rules | None = None,
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
    contradicted, paused = await _contradicted(ledger, story), await _paused(ledger, story)
    state = CaseState.model_validate_json(story.state) if story.state else None
    events = []
    for chapter in story.chapters:
        body = await ledger.stories.body(chapter.seq) if personal else None
        events.append(_told(story, chapter, paused, contradicted[chapter.seq], body))
    return CaseTold(
        key=story.key,
        reference=story.reference,
        names=story.names,
        sink=story.sink,
        paused_sinks=paused,
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
        why=_why(state, sources, rules) if rules else None,
    )


async def tell_event(ledger: Ledger, seq: int, *, personal: bool, actor: str) -> EventAlone | None:
    """One event by its number, whether or not it names a case; None where there is none.

    ``personal`` includes its body, and is written into the audit trail first.
    """
    found = await ledger.stories.chapter(seq) if 0 < seq <= LARGEST_SEQUENCE else None
    if found is None:
        return None
    if personal:
        await ledger.audit.add(actor, SHOW_PERSONAL, f"event {seq}")
    key, chapter = found
    body = await ledger.stories.body(seq) if personal else None
    story = await ledger.stories.story(key) if key is not None else None
    if story is None:
        return EventAlone(key, _told(None, chapter, {}, 0, body))
    contradicted, paused = await _contradicted(ledger, story), await _paused(ledger, story)
    return EventAlone(key, _told(story, chapter, paused, contradicted[seq], body))


def moment(milliseconds: int) -> datetime:
    """A moment of the ledger's clock."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def _contradicted(ledger: Ledger, story: Story) -> Counter[int]:
    return Counter(other.seq for other in await ledger.stories.contradictions(story.case_id))


async def _paused(ledger: Ledger, story: Story) -> Mapping[str, str]:
    """The paused sinks that keep a case waiting: before its creation nobody has decided yet which sink it goes to."""
    paused = await ledger.sinks.paused()
    return {name: reason for name, reason in paused.items() if story.sink in (None, name)}


def _told(
    story: Story | None, chapter: Chapter, paused: Mapping[str, str], contradicted: int, body: bytes | None
) -> EventTold:
    tried = story and (chapter.state == "in doubt" or (chapter.state == "waiting" and story.attempts > 0))
    next_try = story.ready_at if story and tried and chapter.behind is None else None
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


def _explanation(story: Story | None, chapter: Chapter, paused: Mapping[str, str]) -> str:
    match chapter.state:
        case "delivered" | "skipped":
            return _HOW.get(chapter.how or chapter.state, chapter.how or chapter.state)
        case "parked":
            blocks = ", the case waits for it" if story and story.blocked_seq == chapter.seq else ""
            return f"{chapter.reason or chapter.code}{blocks}"
    doubt = "sent without an answer, we look before sending again; " if chapter.state == "in doubt" else ""
    if chapter.behind is not None:
        return f"{doubt}behind event {chapter.behind}, which is parked"
    if story is None:
        return "waiting"
    if story.sink is not None and story.sink in paused:
        return f"{doubt}{story.sink} is paused: {paused[story.sink]}"
    if story.owner is not None:
        return f"{doubt}being delivered"
    if paused:
        return f"{doubt}waiting, while " + ", ".join(f"sink {name} is paused: {why}" for name, why in paused.items())
    tried = f" after {story.attempts} failed tries: {story.last_error}" if story.attempts and story.last_error else ""
    return f"{doubt}to be delivered{tried}"


def _why(state: CaseState | None, sources: Mapping[str, Source], rules: Rules) -> tuple[str, ...]:
    if state is None:
        return ("nothing is known of it before its first delivery",)
    facts = merged_facts(state.views, _precedence(state, sources))
    try:
        choice = choose(rules, facts_of(state.source, state.kind, state.tenant, facts))
    except NoRulesError as error:
        return (str(error),)
    kept = state.decision
    if choice.decision == kept:
        return tuple(explain(choice))
    keeps = f"it keeps what {kept.rule} decided (rules {kept.rules_version}) until what that rests on changes"
    return (*explain(choice), keeps)


def _precedence(state: CaseState, sources: Mapping[str, Source]) -> Mapping[str, Sequence[str]]:
    source = sources.get(state.source)
    return source.precedence if source else {}


def _facts(state: CaseState, sources: Mapping[str, Source], *, personal: bool) -> Mapping[str, Any]:
    facts = merged_facts(state.views, _precedence(state, sources))
    # by way of JSON, because the merge builds its values without validating them again
    said = json.loads(facts.model_dump_json(exclude_none=True)) if personal else without_personal(facts)
    return {name: value for name, value in said.items() if value is not None}
