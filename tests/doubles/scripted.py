"""A source whose events are JSON of our own making, and a CRM that does what a script says."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.kit.errors import ConnectorError, RejectedError, TemporaryError, UnconfirmedError
from connectors.kit.ports import (
    Arrival,
    Capabilities,
    CaseChange,
    Delivered,
    Fingerprint,
    Health,
    Outcome,
    Refusal,
    Remote,
    StoredEvent,
    Webhook,
)
from schemas.attachment import Note
from schemas.case import CaseEvent, CaseFacts, Kind, Status
from schemas.text import Localised


def a_body(
    said: str = "a",
    *,
    notes: Sequence[str] = (),
    at: str | None = None,
    status: str | None = None,
    milestone: bool = False,
) -> bytes:
    """What the scripted source understands: a text, notes by key, a moment, a status."""
    document = {"said": said, "notes": list(notes), "at": at, "status": status, "milestone": milestone}
    return json.dumps(document).encode()


def an_event(number: int, case: str, body: bytes, *, door: str = "webhook") -> Arrival:
    """An arrival of the scripted source."""
    return Arrival("scripted", door, f"{door}:{number}", f"scripted:{case}", body)


class ScriptedSource:
    """Translates ``a_body``; refuses the text ``unreadable`` and fails by a fault of its own at ``bug``."""

    name = "scripted"
    precedence: Mapping[str, Sequence[str]] = {"*": ("poll", "webhook")}
    webhooks: Sequence[Webhook] = ()
    polls = ()
    learnt = ""
    broken_door: str | None = None
    """The door whose events a fault of the connector's own keeps from being translated."""

    def translate(self, event: StoredEvent, fingerprint: Fingerprint) -> CaseEvent:
        del fingerprint
        document: dict[str, Any] = json.loads(event.body)
        if document["said"] == "unreadable":
            raise RejectedError("nothing in it can be read", code="unreadable")
        if document["said"] == "bug" or event.door == self.broken_door:
            raise ZeroDivisionError
        at = datetime.fromisoformat(document["at"]) if document["at"] else None
        return CaseEvent(
            key=event.case_key,
            source="scripted",
            door=event.door,
            event_id=event.event_id,
            tenant="21004",
            kind=Kind.REPORT,
            observed_at=at,
            facts=CaseFacts(
                title=Localised(fr=document["said"]),
                source_status=document["said"],
                status=Status(document["status"]) if document["status"] else None,
            ),
            notes=tuple(Note(key=key, text=f"text of {key}") for key in document["notes"]),
            milestone=document["milestone"],
            test=event.test,
        )

    def learn(self, catalogue: str) -> None:
        self.learnt = catalogue

    async def check(self) -> Health:
        return Health(ok=True, detail="scripted")


Trouble = Callable[[CaseChange], ConnectorError | None]
"""What happens to a change before the CRM sees it; None lets it through."""


class ScriptedCrm:
    """A CRM in memory that keeps what it was given and in which order.

    ``before`` may refuse a change before anything is written, ``after`` may lose the answer after it was.
    ``refuse_notes`` are keys that it will never take.
    """

    name = "crm"

    def __init__(
        self,
        *,
        batch_size: int = 20,
        settles_after: timedelta = timedelta(0),
        before: Trouble = lambda _change: None,
        after: Trouble = lambda _change: None,
        refuse_notes: frozenset[str] = frozenset(),
        request_timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        self.capabilities = Capabilities(
            batch_size=batch_size,
            find_size=50,
            concurrency=4,
            settles_after=settles_after,
            request_timeout=request_timeout,
        )
        self.before = before
        self.after = after
        self.refuse_notes = refuse_notes
        self.find_trouble: ConnectorError | None = None
        self.history: dict[str, list[str]] = defaultdict(list)
        self.notes: dict[str, list[str]] = defaultdict(list)
        self.versions: dict[str, int] = {}
        self.creates: Counter[str] = Counter()
        self.sends: Counter[str] = Counter()
        self.finds: Counter[str] = Counter()
        self.tests: set[str] = set()
        self.at_once: Counter[str] = Counter()

    async def find(self, references: Sequence[str]) -> Mapping[str, Remote]:
        self.finds.update(references)
        await asyncio.sleep(0)
        if self.find_trouble is not None:
            raise self.find_trouble
        return {reference: self._remote(reference) for reference in references if reference in self.versions}

    async def deliver(self, changes: Sequence[CaseChange]) -> Sequence[Outcome]:
        references = [change.case.reference for change in changes]
        assert len(set(references)) == len(references), "two changes of one case in one batch"
        for reference in references:
            self.at_once[reference] += 1
            assert self.at_once[reference] == 1, "two changes of one case at once"
        self.sends.update(references)
        await asyncio.sleep(0.001)
        self.at_once.subtract(references)
        return [self._apply(change) for change in changes]

    async def check(self) -> Health:
        return Health(ok=True, detail="scripted")

    def _apply(self, change: CaseChange) -> Outcome:
        trouble = self.before(change)
        if trouble is not None:
            return trouble
        reference = change.case.reference
        if change.remote is None:
            if reference in self.versions:
                return UnconfirmedError("there is one already", code="case_exists")
            self.creates[reference] += 1
        elif change.remote.etag != str(self.versions.get(reference)):
            return UnconfirmedError("another etag", code="etag_mismatch")
        if change.changed or change.remote is None:
            assert change.version > self.versions.get(reference, 0), "a version that does not rise"
            self.versions[reference] = change.version
            self.history[reference].append(change.case.facts.source_status or "")
        refused = [note for note in change.notes if note.key in self.refuse_notes]
        self.notes[reference] += [note.key for note in change.notes if note.key not in self.refuse_notes]
        if change.case.test:
            self.tests.add(reference)
        lost = self.after(change)
        if lost is not None:
            return lost
        return Delivered(
            self._remote(reference),
            refused=tuple(Refusal(note.key, RejectedError("no such note", code="note_refused")) for note in refused),
        )

    def _remote(self, reference: str) -> Remote:
        version = self.versions[reference]
        return Remote(
            remote_id=f"id-{reference}", etag=str(version), version=version, notes=frozenset(self.notes[reference])
        )

    def __getitem__(self, reference: str) -> list[str]:
        return self.history[reference]


def once(error: ConnectorError) -> Trouble:
    """A trouble that happens the first time only."""
    left = [error]
    return lambda _change: left.pop() if left else None


def busy() -> ConnectorError:
    """Nothing was written, come again."""
    return TemporaryError("busy", code="busy")


def lost() -> ConnectorError:
    """Sent, and no answer."""
    return UnconfirmedError("no answer", code="timeout")
