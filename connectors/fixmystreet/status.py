"""Their statuses, both generations, onto the canonical set."""

from typing import Final

from connectors.fixmystreet.remarks import Remarks
from schemas.case import Status

STATUSES: Final = {
    # Generation 2, as words.
    "CREATED": Status.RECEIVED,
    "PROCESSING": Status.IN_PROGRESS,
    "CLOSED": Status.CLOSED,
    # Generation 1, as numbers: created, in progress, processed, manager assigned, applicant responsible, contractor
    # assigned, solved, deleted, refused, temporary. Merged is not a status in either.
    "1": Status.RECEIVED,
    "2": Status.IN_PROGRESS,
    "3": Status.CLOSED,
    "4": Status.ACCEPTED,
    "5": Status.IN_PROGRESS,
    "6": Status.IN_PROGRESS,
    "7": Status.RESOLVED,
    "8": Status.REMOVED,
    "9": Status.REFUSED,
    "11": Status.RECEIVED,
}


def status_from(word: str | None, *, declared_resolved: bool, remarks: Remarks) -> Status | None:
    """The canonical status for theirs, ``None`` with a remark for one that is not known."""
    if not word:
        return None
    status = STATUSES.get(word.strip().upper())
    if status is None:
        remarks.add("status_unknown", "status")
    if status is Status.IN_PROGRESS and declared_resolved:
        return Status.RESOLVED
    return status
