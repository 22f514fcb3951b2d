"""What the intake keeps: cases, what was added to them, each write in order, and which keys are used up."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, when (RFC 3339, UTC), under which public address of the CRM, and the caller's name for the request."""

    caller: str
    at: str
    public_url: str
    request_id: str | None = None


@dataclass(slots=True)
class CaseRecord:
    """One case. ``fields`` is as the contract's intake without additions; ``revision`` counts changes of the fields."""

    number: int
    id: str
    link: str
    fields: dict[str, Any]
    last_change: str
    created_at: str
    updated_at: str
    revision: int = 1
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    attachments: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The sender's name for it."""
        reference: str = self.fields["reference"]
        return reference

    @property
    def version(self) -> int:
        """The sender's count of its changes."""
        version: int = self.fields["version"]
        return version

    @property
    def etag(self) -> str:
        """The state of its fields as an entity tag."""
        return f'"{self.number}-{self.revision}"'

    def state(self) -> dict[str, Any]:
        """The contract's CaseState."""
        return {
            "id": self.id,
            "reference": self.reference,
            "version": self.version,
            "lastChange": self.last_change,
            "etag": self.etag,
            "status": self.fields["status"],
            "link": self.link,
            "noteKeys": list(self.notes),
            "attachmentKeys": list(self.attachments),
            "updatedAt": self.updated_at,
        }

    def whole(self) -> dict[str, Any]:
        """The contract's Case."""
        return {
            "id": self.id,
            **self.fields,
            "notes": list(self.notes.values()),
            "attachments": list(self.attachments.values()),
            "lastChange": self.last_change,
            "etag": self.etag,
            "link": self.link,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }


@dataclass(frozen=True, slots=True)
class Write:
    """One applied write, as the history keeps it. ``changed`` holds before and after for each field changed."""

    sequence: int
    operation: str
    id: str
    reference: str
    version: int
    status: str
    change: str | None
    caller: str
    received_at: str
    request_id: str | None
    changed: dict[str, tuple[Any, Any]]
    notes: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The write as JSON-like data; ``idempotencyKey`` is null for what needs none."""
        return {
            "sequence": self.sequence,
            "operation": self.operation,
            "id": self.id,
            "reference": self.reference,
            "version": self.version,
            "status": self.status,
            "idempotencyKey": self.change,
            "caller": self.caller,
            "receivedAt": self.received_at,
            "requestId": self.request_id,
            "changed": {name: {"from": before, "to": after} for name, (before, after) in self.changed.items()},
            "notes": list(self.notes),
            "attachments": list(self.attachments),
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an applied write; ``replayed`` when it was applied by an earlier request."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class UsedKey:
    """What an idempotency key was used for, to tell a repetition from a misuse."""

    operation: str
    case_id: str | None
    body: dict[str, Any]
    receipt: Receipt
