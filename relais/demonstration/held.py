"""What CRM-CMT holds, read from its stand-in's own account of it, with each case as it was after each write. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from relais.demonstration.case_types import as_told
from relais.demonstration.told import Comment, Look

_WRITES: Final = ("create", "update")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A case after one write. ``polled`` when it shows that the lists were read, and not only what was pushed."""

    look: Look
    polled: bool


@dataclass(frozen=True, slots=True)
class HeldCase:
    """A case, whole as the contract gives it in ``members``, with its past in order."""

    id: str
    source_id: str
    members: Mapping[str, Any]
    snapshots: tuple[Snapshot, ...]
    versions: tuple[int, ...]
    changes: tuple[str, ...]
    notes: tuple[Comment, ...]
    descriptions: tuple[str, ...]

    @property
    def last(self) -> Snapshot:
        """How it stands at the end."""
        return self.snapshots[-1]


def cases_from(account: Mapping[str, Any]) -> list[HeldCase]:
    """Every case of the stand-in's account, oldest first."""
    history: dict[str, list[Mapping[str, Any]]] = {}
    for write in sorted(account["history"], key=lambda write: write["sequence"]):
        history.setdefault(write["id"], []).append(write)
    return [_case_from(case, history.get(case["id"], ())) for case in account["cases"]]


def _case_from(case: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> HeldCase:
    writes = [write for write in history if write["operation"] in _WRITES]
    description = case.get("description") or {}
    return HeldCase(
        id=case["id"],
        source_id=f"{case['source']['id']}" if case["source"]["system"] == "fixmystreet" else "",
        members=case,
        snapshots=_snapshots_of(case, history),
        versions=tuple(write["version"] for write in writes),
        changes=tuple(write["idempotencyKey"] for write in writes),
        notes=tuple(_note_from(note) for note in case["notes"]),
        descriptions=tuple(text for text in description.values() if text),
    )


def _snapshots_of(case: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> tuple[Snapshot, ...]:
    """The case as it stands, taken back write by write: the history says of each field what stood there before."""
    fields = dict(case)
    snapshots = [_snapshot_from(fields)]
    for write in reversed(history):
        for name, change in write["changed"].items():
            fields[name] = change["from"]
        if write["operation"] != "create":
            snapshots.append(_snapshot_from(fields))
    return tuple(reversed(snapshots))


def _snapshot_from(fields: Mapping[str, Any]) -> Snapshot:
    path = (fields.get("category") or {}).get("path") or [{"id": ""}]
    address = (fields.get("place") or {}).get("address") or {}
    extra = fields.get("extra") or {}
    department = (extra.get("responsibleDepartment") or {}).get("id")
    look = Look(
        status=fields["status"],
        category=as_told(path[-1]["id"]),
        street=(address.get("street") or {}).get("fr") or "",
        number=address.get("number") or "",
        duplicates=extra.get("duplicates"),
        department=None if department is None else str(department),
    )
    return Snapshot(look, polled=(fields["source"].get("status") or None) is not None)


def _note_from(note: Mapping[str, Any]) -> Comment:
    written_at = note.get("writtenAt")
    moment = datetime.fromisoformat(written_at).astimezone(UTC) if written_at else datetime.min.replace(tzinfo=UTC)
    return Comment(moment, note.get("author") or "", note["text"])
