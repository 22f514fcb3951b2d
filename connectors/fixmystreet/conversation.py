"""Who made a report and what was said: the person, the description, the notes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.fixmystreet.moment import moment_from, remarked_moment_from
from connectors.fixmystreet.remarks import Remarks
from connectors.fixmystreet.wire import Comment, Creator, Report
from connectors.kit.ports import Fingerprint
from schemas.attachment import Note
from schemas.person import Person, PersonRole
from schemas.text import Language, Localised

SAID_WITH_THE_REPORT: Final = timedelta(minutes=15)
"""A report is saved first and its first comment just after it; what comes later is an answer, not a description."""

CAPACITIES: Final = ("citizen", "pro")
"""What a creator is said to act as; another word is not shown, because this field is not treated as personal."""

_LAST: Final = datetime.max.replace(tzinfo=UTC)


def language_of(creator: Creator | None, remarks: Remarks) -> Language | None:
    """The language that the creator speaks with Fix My Street."""
    word = creator.language.strip().lower() if creator and creator.language else ""
    if not word:
        return None
    try:
        return Language(word)
    except ValueError:
        remarks.add("language_unknown", "language")
        return None


def person_from(creator: Creator | None, language: Language | None) -> Person | None:
    """The reporter. A citizen gives one name for all, which Fix My Street keeps as the last name."""
    if creator is None:
        return None
    first, last = _text(creator.first_name), _text(creator.last_name)
    name = " ".join(part for part in (first, last) if part) or None
    whole_in_last = first is None and creator.type != "pro"
    email, phone = _text(creator.email), _text(creator.phone)
    if not (name or email or phone):
        return None
    return Person(
        role=PersonRole.REPORTER,
        capacity=creator.type if creator.type in CAPACITIES else None,
        name=name,
        first_name=first,
        last_name=None if whole_in_last else last,
        email=email,
        phone=phone,
        language=language,
    )


def description_and_notes(
    report: Report, language: Language | None, fingerprint: Fingerprint, remarks: Remarks
) -> tuple[Localised | None, tuple[Note, ...]]:
    """Each text once: what was said with the report describes it, every other comment is a note.

    A report that is requested again repeats all its comments and adds to them. So that the same comment stays what it
    was, the choice looks only at what never changes: the earliest comment describes, if it was written with the report.
    """
    comments = _in_order(report.comments or ())
    created = moment_from(report.created_at)
    first = comments[0] if comments and _was_said_with(comments[0], created) else None
    keyed = {_key(comment, fingerprint): comment for comment in comments}
    if first is not None:
        del keyed[next(iter(keyed))]
    notes = tuple(_note(key, comment, report.creator, language, remarks) for key, comment in keyed.items())
    return _description(first, language, remarks), notes


def _in_order(comments: Sequence[Comment | None]) -> list[Comment]:
    """By time of writing, those without one last, else as they came; without those that say nothing."""
    said = [comment for comment in comments if comment and _text(comment.text)]
    return sorted(said, key=lambda comment: moment_from(comment.created_at) or _LAST)


def _was_said_with(comment: Comment, created: datetime | None) -> bool:
    written = moment_from(comment.created_at)
    return written is None or created is None or written - created <= SAID_WITH_THE_REPORT


def _description(first: Comment | None, language: Language | None, remarks: Remarks) -> Localised | None:
    if first is None or first.text is None:
        return None
    if language is None:
        # A text needs a place in one language; French is what Fix My Street assumes of who never chose.
        remarks.add("description_language_unknown", "description")
        language = Language.FR
    return Localised(**{language.value: first.text.strip()})


def _note(key: str, comment: Comment, creator: Creator | None, language: Language | None, remarks: Remarks) -> Note:
    author = _text(comment.name)
    by_creator = creator is not None and author is not None and author in _names(creator)
    return Note(
        key=key,
        text=(comment.text or "").strip(),
        author=author,
        written_at=remarked_moment_from(comment.created_at, "notes.written_at", remarks),
        language=language if by_creator else None,
    )


def _names(creator: Creator) -> set[str]:
    first, last = _text(creator.first_name), _text(creator.last_name)
    return {name for name in (last, f"{first} {last}", f"{last} {first}") if name}


def _key(comment: Comment, fingerprint: Fingerprint) -> str:
    """A comment has no number; when, who and what name it."""
    return "comment-" + fingerprint(f"{comment.created_at}|{comment.name}|{comment.text}")


def _text(text: str | None) -> str | None:
    return text.strip() or None if text else None
