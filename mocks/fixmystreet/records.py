"""What Fix My Street keeps about one report: its fields, its comments and every version it went through."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal

from mocks.fixmystreet.places import Department, Street


class Status(IntEnum):
    """The codes of the first generation, which drive the webhooks; the public API shows three words for them."""

    CREATED = 1
    IN_PROGRESS = 2
    PROCESSED = 3
    MANAGER_ASSIGNED = 4
    APPLICANT_RESPONSIBLE = 5
    CONTRACTOR_ASSIGNED = 6
    SOLVED = 7
    DELETED = 8
    REFUSED = 9
    TEMPORARY = 11


IN_PROGRESS = frozenset(
    {
        Status.IN_PROGRESS,
        Status.MANAGER_ASSIGNED,
        Status.APPLICANT_RESPONSIBLE,
        Status.CONTRACTOR_ASSIGNED,
        Status.SOLVED,
    }
)
OPEN = IN_PROGRESS | {Status.CREATED}

Security = Literal["public", "private", "confidential"]
CommentType = Literal["DOCUMENTATION", "CLOSED", "REFUSED", "MARK_AS_DONE", "REOPEN_REQUEST"]


@dataclass(frozen=True)
class Creator:
    """Who reported; a citizen's whole name stands in `last_name`, as in the source."""

    type: Literal["citizen", "pro"]
    first_name: str
    last_name: str
    phone: str
    email: str
    language: Literal["fr", "nl", "en"]


@dataclass(frozen=True)
class Comment:
    """One text on a report; public and private ones go out to third parties, confidential ones never."""

    created_at: datetime
    name: str
    text: str
    security: Security = "public"
    type: CommentType = "DOCUMENTATION"


@dataclass(frozen=True)
class Address:
    """A street with a house number, which may be empty."""

    street: Street
    number: str


@dataclass(frozen=True)
class Version:
    """What a report was after one change; `sequence` orders the versions of all reports."""

    number: int
    sequence: int
    at: datetime
    what: str
    content: dict[str, Any]


@dataclass
class Report:
    """A report as it stands; every alteration goes through `World.record`, which adds a version."""

    id: int
    created_at: datetime
    modified_at: datetime
    status: Status
    category_id: int
    address: Address
    point: tuple[float, float] | None
    creator: Creator
    department: Department
    private: bool = False
    several_occurrences: bool = False
    third_party_responsibility: bool = False
    private_property: bool = False
    duplicates: int = 0
    contractor: Department | None = None
    contractor_reference: str | None = None
    previous_departments: list[Department] = field(default_factory=list)
    merged_with: int | None = None
    accepted_at: datetime | None = None
    fixed_at: datetime | None = None
    closed_at: datetime | None = None
    comments: list[Comment] = field(default_factory=list)
    photographs: int = 0
    source: str = "web"
    versions: list[Version] = field(default_factory=list)

    @property
    def postal_code(self) -> str:
        """The key to the municipality."""
        return self.address.street.postal_code

    @property
    def public_status(self) -> str:
        """One of the three words of the current API; that refused shows as CLOSED is an inference."""
        if self.status in IN_PROGRESS:
            return "PROCESSING"
        return "CREATED" if self.status in {Status.CREATED, Status.TEMPORARY} else "CLOSED"
