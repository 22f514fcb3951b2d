"""Whether everything that was said on a report is in its case once: comments, the reporter, documents. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from relais.demonstration.findings import Finding, Kind
from relais.demonstration.held import HeldCase
from relais.demonstration.told import Comment, Report


def conversation_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    """What is wrong with the notes, the description, the people and the documents of a case."""
    yield from _comment_faults(report, case)
    yield from _people_faults(report, case)
    yield from _document_faults(report, case)


def _comment_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    """Every comment that was told is a note, or else describes the report; none is both, and nothing else is either."""
    certain = {_name(comment): comment for comment in report.comments}
    possible = {_name(comment): comment for comment in report.comments_perhaps} | certain
    noted = Counter(_name(note) for note in case.notes)
    for name, times in noted.items():
        if name not in possible:
            yield Finding(Kind.ASTRAY, report.id, "holds a note that was not written on it")
        elif times > 1:
            yield Finding(Kind.DOUBLED, report.id, f"holds one note {times} times")
    unnoted = [comment for name, comment in certain.items() if name not in noted]
    perhaps = [comment for name, comment in possible.items() if name not in noted]
    for text in case.descriptions:
        told = next((comment for comment in (*unnoted, *perhaps) if comment.text == text), None)
        if told is not None:
            unnoted = [comment for comment in unnoted if comment != told]
        elif any(comment.text == text for comment in possible.values()):
            yield Finding(Kind.DOUBLED, report.id, "is described by what stands among its notes too")
        else:
            yield Finding(Kind.ASTRAY, report.id, "is described by what was not written on it")
    for comment in unnoted:
        yield Finding(Kind.LOST, report.id, f"lacks what was written on {comment.written_at:%Y-%m-%d %H:%M:%S}Z")


def _name(comment: Comment) -> tuple[str, str, str]:
    return (comment.written_at.isoformat(timespec="milliseconds"), comment.author, comment.text)


def _people_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    held = case.members.get("people") or []
    reporters = [_person_of(person) for person in held if person["role"] == "reporter"]
    told = [_told_person(push.person) for push in report.pushes]
    if any(person not in told for person in reporters) or len(reporters) < len(held):
        yield Finding(Kind.ASTRAY, report.id, "names somebody who did not report it")
    elif len(reporters) > 1:
        yield Finding(Kind.DOUBLED, report.id, "names its reporter more than once")
    elif report.accepted_pushes and not reporters:
        yield Finding(Kind.LOST, report.id, "does not name its reporter")


def _person_of(person: dict[str, Any]) -> tuple[str | None, ...]:
    return tuple(person.get(name) or None for name in ("name", "email", "phone"))


def _told_person(creator: Any) -> tuple[str | None, ...]:
    name = f"{creator.get('firstName', '')} {creator.get('lastName', '')}".strip()
    return (name or None, creator.get("email"), creator.get("phone"))


def _document_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    held = Counter(attachment["url"] for attachment in case.members["attachments"])
    told = {document for push in report.pushes for document in push.documents}
    due = {document for push in report.accepted_pushes for document in push.documents}
    if missing := due - held.keys():
        yield Finding(Kind.LOST, report.id, f"lacks {len(missing)} of its documents")
    if held.keys() - told:
        yield Finding(Kind.ASTRAY, report.id, "holds a document of something else")
    if any(times > 1 for times in held.values()):
        yield Finding(Kind.DOUBLED, report.id, "holds a document more than once")
