"""The canonical case: what a source says of it, and what the CRM is given."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, field_validator

from schemas.attachment import Attachment, Note
from schemas.base import GrowingVocabulary, Identifier, Instant, Json, Model, Personal
from schemas.decision import Decision
from schemas.person import Person
from schemas.place import NisCode, Place
from schemas.text import Language, Localised

CASE_KEY_PATTERN: Final = r"^[a-z][a-z0-9_]*:[^\s\x00-\x1f\x7f-\x9f]{1,150}$"
REFERENCE_PATTERN: Final = r"^[A-Za-z0-9_-]{1,40}$"

CaseKey = Annotated[str, Field(pattern=CASE_KEY_PATTERN)]
"""A case by the name its source gives it: ``source:external id``."""

Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN)]
"""A case by the name we give the CRM; unique there."""


class Kind(GrowingVocabulary):
    """What sort of thing a case is."""

    REPORT = "report"
    PERMIT_FILE = "permit_file"
    WORKSITE = "worksite"


class Status(StrEnum):
    """Where a case stands, in few words that every source shares; the source's own word stands beside it."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    PLANNED = "planned"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REFUSED = "refused"
    REMOVED = "removed"


class Category(Model):
    """One step of a category path."""

    id: Identifier
    label: Localised = Localised()


class Dates(Model):
    """What happened when, as the source says; UTC inside."""

    reported_at: Instant | None = None
    changed_at: Instant | None = None
    accepted_at: Instant | None = None
    planned_at: Instant | None = None
    resolved_at: Instant | None = None
    closed_at: Instant | None = None
    gone_at: Instant | None = None


class Link(Model):
    """An address where a person or a system finds more; it may carry an access token and is treated as personal."""

    relation: Identifier
    href: Personal[str]
    title: Localised | None = None


class Remark(Model):
    """Something about the quality of what a source said: a stable code, and the field it is about. Never a value."""

    code: Identifier
    field: str | None = None
    detail: str | None = None


class CaseFacts(Model):
    """What is known of a case. ``None`` means *not said*, never *empty*: it clears nothing that another door said.

    ``extra`` is what the source said beyond this vocabulary; nobody knows what a new field of theirs will hold, so it
    is treated as personal.
    """

    category: tuple[Category, ...] | None = None
    status: Status | None = None
    source_status: str | None = None
    title: Localised | None = None
    description: Personal[Localised | None] = None
    language: Language | None = None
    place: Place | None = None
    people: Personal[tuple[Person, ...] | None] = None
    dates: Dates | None = None
    source_deadline: Instant | None = None
    links: tuple[Link, ...] | None = None
    extra: Personal[dict[str, Json] | None] = None
    remarks: tuple[Remark, ...] | None = None

    @field_validator("category")
    @classmethod
    def _a_path_has_steps(cls, path: tuple[Category, ...] | None) -> tuple[Category, ...] | None:
        return path or None


class CaseEvent(Model):
    """One thing that happened, as one door of one source tells it.

    ``observed_at`` orders what one door says (the source's own modification time); an earlier one never overwrites
    a later one. ``milestone`` marks an event that says something which a later one of the same door does not repeat.
    ``also_known_as`` are further names of the same case.
    """

    key: CaseKey
    source: Identifier
    door: Identifier
    event_id: Identifier
    tenant: NisCode | None = None
    kind: Kind
    observed_at: Instant | None = None
    facts: CaseFacts
    notes: tuple[Note, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    milestone: bool = False
    also_known_as: tuple[CaseKey, ...] = ()
    test: bool = False

    @property
    def additive(self) -> bool:
        """Whether something would be lost if a later event of the same door stood in for this one."""
        return bool(self.notes or self.attachments or self.milestone)


class Case(Model):
    """A case as the CRM is to hold it: the doors' views merged, and the decision of the routing rules."""

    key: CaseKey
    reference: Reference
    source: Identifier
    tenant: NisCode | None
    kind: Kind
    facts: CaseFacts
    decision: Decision
    test: bool = False

    @property
    def status(self) -> Status:
        """The canonical status; a case whose source says none that we know counts as received."""
        return self.facts.status or Status.RECEIVED

    @property
    def deadline(self) -> datetime | None:
        """Until when: what the source says, else the time allowed counted from the report.

        None where neither is known, or where it would lie beyond the calendar.
        """
        if self.facts.source_deadline is not None:
            return self.facts.source_deadline
        reported_at = self.facts.dates.reported_at if self.facts.dates else None
        if reported_at is None or self.decision.within is None:
            return None
        try:
            return reported_at + self.decision.within
        except OverflowError:
            return None
