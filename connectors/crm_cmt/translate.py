"""A change of a case in the intake's words, and the intake's answers in ours. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.crm_cmt.fit import SHORT_TEXT, Fitting, beginning, known, moment, spelled
from connectors.crm_cmt.members import MEMBERS, PARTS, SHOWN_BY
from connectors.crm_cmt.problem import error_of_addition, error_of_item, unreadable
from connectors.crm_cmt.wire import (
    AdditionOutcome,
    BatchOutcomes,
    CaseReceipt,
    CaseState,
    ItemFailed,
    ItemWritten,
    WhoAmI,
)
from connectors.kit.errors import RejectedError, UnconfirmedError
from connectors.kit.ports import CaseChange, Delivered, Outcome, Refusal, Remote
from schemas.attachment import Attachment, Note
from schemas.case import Status

MOST_ADDITIONS: Final = 200
"""How many notes, and how many attachments, one write may bring along."""

_RIGHTS: Final = ("cases.read", "cases.write")
_MEDIA_TYPE: Final = re.compile(r"[a-z]{1,50}/[a-z0-9.+-]{1,49}")


# --- what we say -----------------------------------------------------------------------------------------------------


def case_intake_from(change: CaseChange) -> dict[str, Any]:
    """The whole case, for a create. What is not known is left out, but for the municipality, which must be said."""
    fitting = Fitting()
    case = change.case
    intake: dict[str, Any] = {"reference": case.reference, "version": change.version, "tenant": case.tenant}
    for name, member in MEMBERS.items():
        value = member(case, fitting)
        if value is not None and value != []:
            intake[name] = value
    if "extra" in intake:
        intake["extra"] = _without_nulls(intake["extra"])
    return intake | _additions_from(change)


def case_patch_from(change: CaseChange) -> dict[str, Any]:
    """What changed, for an update.

    A merge patch changes what it names. So that the CRM ends up with what is known now, a member that shows a changed
    field is said with all its parts, and what is not known (any more) is null.

    The reference is always repeated: a batch wants it, and a change must read the same however it is tried.
    """
    fitting = Fitting()
    case = change.case
    shown = {name for field in change.changed for name in SHOWN_BY[field]}
    # Remarks speak of every member, so all of them are looked at.
    looked_at = MEMBERS if "remarks" in shown else shown
    members = {name: member(case, fitting) for name, member in MEMBERS.items() if name in looked_at}
    patch: dict[str, Any] = {"reference": case.reference, "version": change.version}
    patch.update((name, _explicit(value, PARTS.get(name))) for name, value in members.items() if name in shown)
    return patch | _additions_from(change)


def batch_item_from(change: CaseChange) -> dict[str, Any]:
    """The change as one item of a batch. Raises UnconfirmedError where the state to change is not known."""
    if change.remote is None:
        return {"operation": "create", "idempotencyKey": change.change_key, "case": case_intake_from(change)}
    return {
        "operation": "update",
        "idempotencyKey": change.change_key,
        "id": change.remote.remote_id,
        "ifMatch": etag_of(change.remote),
        "case": case_patch_from(change),
    }


def etag_of(remote: Remote) -> str:
    """The state that a change is made for. Raises UnconfirmedError where nobody looked."""
    if remote.etag is None:
        raise UnconfirmedError("the state of the case in the CRM is not known", code="etag_unknown")
    return remote.etag


def note_from(note: Note) -> dict[str, Any]:
    """A note. Its key and its text are never bent to fit: where they do not, the CRM refuses the note alone."""
    described = known(
        author=beginning(note.author, SHORT_TEXT),
        writtenAt=moment(note.written_at),
        language=spelled(note.language),
    )
    return {"key": note.key, "text": note.text, "visibility": note.visibility.value} | (described or {})


def attachment_from(attachment: Attachment) -> dict[str, Any]:
    """An attachment. Its key and its address are never bent to fit: where they do not, the CRM refuses it alone."""
    media_type = (attachment.media_type or "").partition(";")[0].strip().lower()
    described = known(
        title=Fitting().texts(attachment.title, SHORT_TEXT, "title"),
        mediaType=media_type if _MEDIA_TYPE.fullmatch(media_type) else None,
        language=spelled(attachment.language),
    )
    return {"key": attachment.key, "url": attachment.url, "visibility": attachment.visibility.value} | (described or {})


def fits_a_batch(change: CaseChange) -> bool:
    """Whether the change is one write of a case that we have seen, and can be an item among others."""
    return steps_of(change)[0] is change and (change.remote is None or change.remote.etag is not None)


def steps_of(change: CaseChange) -> tuple[CaseChange | Remote, Sequence[Note], Sequence[Attachment]]:
    """A change as one write, and the notes and attachments that are to be added one by one afterwards.

    Where only additions are missing, the case as it stands is in the place of the write: no version is taken twice.
    """
    remote = change.remote
    if remote is not None and not change.changed and remote.version is not None and remote.version >= change.version:
        return remote, change.notes, change.attachments
    if len(change.notes) <= MOST_ADDITIONS and len(change.attachments) <= MOST_ADDITIONS:
        return change, (), ()
    first = replace(change, notes=change.notes[:MOST_ADDITIONS], attachments=change.attachments[:MOST_ADDITIONS])
    return first, change.notes[MOST_ADDITIONS:], change.attachments[MOST_ADDITIONS:]


# --- what they answer ------------------------------------------------------------------------------------------------


def delivered_from(receipt: CaseReceipt, change: CaseChange) -> Delivered:
    """What a receipt says of a change. Raises UnconfirmedError where it speaks of another one, or not of all of it."""
    remote = change.remote
    if receipt.reference != change.case.reference or receipt.version != change.version:
        raise unreadable(writing=True)
    if remote is not None and receipt.id != remote.remote_id:
        raise unreadable(writing=True)
    notes, refused_notes = _judged(change.notes, receipt.notes)
    attachments, refused_attachments = _judged(change.attachments, receipt.attachments)
    return Delivered(
        Remote(
            remote_id=receipt.id,
            etag=receipt.etag,
            version=receipt.version,
            notes=notes | (remote.notes if remote else frozenset()),
            attachments=attachments | (remote.attachments if remote else frozenset()),
            link=receipt.link,
        ),
        refused=(*refused_notes, *refused_attachments),
    )


def outcomes_from(answer: BatchOutcomes, changes: Sequence[CaseChange]) -> list[Outcome]:
    """What became of each change of a batch, in their order; unconfirmed where the answer does not say it, or twice."""
    said: dict[int, list[ItemWritten | ItemFailed]] = {}
    for outcome in answer.outcomes:
        if isinstance(outcome, (ItemWritten, ItemFailed)):
            said.setdefault(outcome.index, []).append(outcome)
    return [_outcome_from(said.get(position, ()), change) for position, change in enumerate(changes)]


def with_additions(
    delivered: Delivered,
    notes: Sequence[Note],
    judged_notes: Sequence[AdditionOutcome | RejectedError],
    attachments: Sequence[Attachment],
    judged_attachments: Sequence[AdditionOutcome | RejectedError],
) -> Delivered:
    """A delivery together with what became of the notes and attachments that were added after it."""
    held_notes, refused_notes = _judged(notes, judged_notes)
    held_attachments, refused_attachments = _judged(attachments, judged_attachments)
    remote = replace(
        delivered.remote,
        notes=delivered.remote.notes | held_notes,
        attachments=delivered.remote.attachments | held_attachments,
    )
    return Delivered(remote, refused=(*delivered.refused, *refused_notes, *refused_attachments))


def remote_from(state: CaseState) -> Remote:
    """A case that was found."""
    return Remote(
        remote_id=state.id,
        etag=state.etag,
        version=state.version,
        notes=frozenset(state.note_keys),
        attachments=frozenset(state.attachment_keys),
        link=state.link,
    )


def faults_of(caller: WhoAmI, *, batch_size: int, find_size: int) -> list[str]:
    """What of our needs the intake does not meet: rights, statuses, sizes."""
    faults = []
    if missing := [right for right in _RIGHTS if right not in caller.rights]:
        faults.append(f"the token lacks the right {' and '.join(missing)}")
    if unknown := [status.value for status in Status if status not in caller.statuses]:
        faults.append(f"the CRM does not take the status {', '.join(unknown)}")
    if caller.limits.batch < batch_size:
        faults.append(f"batches of {batch_size} are too large, the CRM takes {caller.limits.batch}")
    if caller.limits.references < find_size:
        faults.append(f"look-ups of {find_size} are too large, the CRM takes {caller.limits.references}")
    return faults


def _additions_from(change: CaseChange) -> dict[str, Any]:
    additions: dict[str, Any] = {}
    if change.notes:
        additions["notes"] = [note_from(note) for note in change.notes]
    if change.attachments:
        additions["attachments"] = [attachment_from(attachment) for attachment in change.attachments]
    return additions


def _outcome_from(said: Sequence[ItemWritten | ItemFailed], change: CaseChange) -> Outcome:
    match said:
        case [ItemWritten() as written]:
            try:
                return delivered_from(written, change)
            except UnconfirmedError as error:
                return error
        case [ItemFailed(reference=reference) as failed] if reference in (change.case.reference, None):
            return error_of_item(failed)
        case _:
            return unreadable(writing=True)


def _judged(
    sent: Sequence[Note | Attachment], judgements: Sequence[AdditionOutcome | RejectedError]
) -> tuple[frozenset[str], list[Refusal]]:
    """The keys of the additions that the CRM has now, and those it refuses; judgements are in the order of sending."""
    if len(judgements) != len(sent):
        raise unreadable(writing=True)
    held, refused = [], []
    for addition, judgement in zip(sent, judgements, strict=True):
        if isinstance(judgement, RejectedError):
            refused.append(Refusal(addition.key, judgement))
        elif judgement.key not in (addition.key, None):
            raise unreadable(writing=True)
        elif judgement.outcome == "refused":
            refused.append(Refusal(addition.key, error_of_addition(judgement)))
        else:
            held.append(addition.key)
    return frozenset(held), refused


def _explicit(value: Any, parts: Mapping[str, Any] | None) -> Any:
    """An object with every part said, null where it is not known."""
    if parts is None or value is None:
        return value
    return value | {name: _explicit(value.get(name), inner) for name, inner in parts.items()}


def _without_nulls(value: Any) -> Any:
    """What a merge with nulls would leave: a create must say what an update would have made of it."""
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
