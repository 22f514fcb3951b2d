"""Everything that can happen to a report after it was made, one function a change."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from mocks.fixmystreet.places import CITY_CRM, MUNICIPALITIES, Street, commune_department, known_streets
from mocks.fixmystreet.records import IN_PROGRESS, OPEN, Address, Comment, Report, Status
from mocks.fixmystreet.world import World

Details = Mapping[str, Any]
Change = Callable[[World, Report, datetime, Details], None]


class NotAllowedError(ValueError):
    """The report is not in a state from which this change exists."""


def _accept(_: World, report: Report, at: datetime, __: Details) -> None:
    report.status = Status.MANAGER_ASSIGNED
    report.accepted_at = at


def _resolve(_: World, report: Report, at: datetime, __: Details) -> None:
    report.status = Status.SOLVED
    report.fixed_at = at


def _close(_: World, report: Report, at: datetime, __: Details) -> None:
    report.status = Status.PROCESSED
    report.closed_at = at
    report.fixed_at = report.fixed_at or at


def _refuse(_: World, report: Report, at: datetime, details: Details) -> None:
    report.status = Status.REFUSED
    report.closed_at = at
    text = details.get("text", "Sans suite : hors de l'espace public.")
    report.comments.append(Comment(at, "Coordination", text, "private", "REFUSED"))


def _reopen(_: World, report: Report, at: datetime, __: Details) -> None:
    report.status = Status.MANAGER_ASSIGNED
    report.accepted_at = report.accepted_at or at
    report.closed_at = report.fixed_at = report.contractor = None


def _transfer(_: World, report: Report, __: datetime, ___: Details) -> None:
    if report.department != CITY_CRM:
        report.previous_departments.append(report.department)
    report.department = CITY_CRM
    report.contractor = None
    report.status = Status.MANAGER_ASSIGNED


def _give_back(_: World, report: Report, __: datetime, ___: Details) -> None:
    back = report.previous_departments.pop() if report.previous_departments else None
    report.department = back or commune_department(report.postal_code)


def _assign(_: World, report: Report, __: datetime, ___: Details) -> None:
    report.contractor = CITY_CRM
    report.status = Status.CONTRACTOR_ASSIGNED


def _recategorise(world: World, report: Report, _: datetime, details: Details) -> None:
    category_id = details["category"]
    if not world.tree.is_leaf(category_id):
        raise ValueError(f"{category_id!r} is not a leaf of the tree")
    report.category_id = category_id


def street_named(postal_code: str, fr: str) -> Street:
    """The known street, or one made by hand in a known postal code; ValueError otherwise."""
    in_code = [street for street in known_streets() if street.postal_code == postal_code]
    for street in in_code:
        if street.fr == fr:
            return street
    if postal_code not in MUNICIPALITIES:
        raise ValueError(f"no postal code {postal_code!r}")
    return replace(in_code[0], fr=fr, nl=fr, regional=False)


def _correct_address(_: World, report: Report, __: datetime, details: Details) -> None:
    street = street_named(report.postal_code, details.get("street", report.address.street.fr))
    report.address = Address(street, details.get("number", report.address.number))


def _duplicate(_: World, report: Report, __: datetime, ___: Details) -> None:
    report.duplicates += 1


def _comment(_: World, report: Report, at: datetime, details: Details) -> None:
    name, security = details.get("name", "Coordination"), details.get("security", "public")
    report.comments.append(Comment(at, name, details["text"], security))


def _merge(world: World, report: Report, at: datetime, details: Details) -> None:
    into = world.reports[details["into"]]
    if into.id == report.id or into.merged_with is not None or into.created_at > report.created_at:
        raise NotAllowedError("a report merges into an older one that is not merged itself")
    report.merged_with = into.id
    into.comments.extend(report.comments)
    report.comments = []
    into.private = into.private and report.private
    world.record(into, f"took in {report.id}", at)


def _delete(_: World, report: Report, __: datetime, ___: Details) -> None:
    report.status = Status.DELETED


def _hide(_: World, report: Report, __: datetime, ___: Details) -> None:
    report.private = True


def _show(_: World, report: Report, __: datetime, ___: Details) -> None:
    report.private = False


CHANGES: dict[str, Change] = {
    "accept": _accept,
    "resolve": _resolve,
    "close": _close,
    "refuse": _refuse,
    "reopen": _reopen,
    "transfer": _transfer,
    "give back": _give_back,
    "assign": _assign,
    "recategorise": _recategorise,
    "correct address": _correct_address,
    "duplicate": _duplicate,
    "comment": _comment,
    "merge": _merge,
    "delete": _delete,
    "hide": _hide,
    "show": _show,
}
ANY = frozenset(Status) - {Status.DELETED, Status.TEMPORARY}
ALLOWED_FROM: dict[str, frozenset[Status]] = {
    **dict.fromkeys(CHANGES, ANY),
    "accept": frozenset({Status.CREATED}),
    "resolve": IN_PROGRESS - {Status.SOLVED},
    "close": OPEN,
    "refuse": OPEN,
    "reopen": frozenset({Status.PROCESSED, Status.REFUSED}),
    "transfer": OPEN,
    "assign": IN_PROGRESS,
}


def allowed(report: Report, kind: str) -> bool:
    """Whether the change exists for the report as it stands; merged reports only ever take comments."""
    return report.status in ALLOWED_FROM[kind] and (report.merged_with is None or kind == "comment")


def apply(world: World, report: Report, kind: str, at: datetime, details: Details | None = None) -> None:
    """Change the report and add the version; NotAllowedError, KeyError or ValueError leave it as it was."""
    if not allowed(report, kind):
        raise NotAllowedError(f"{kind} is not possible from {report.status.name}")
    # A private comment is an attachment of its own: saving one leaves the report's date alone.
    CHANGES[kind](world, report, max(at, report.modified_at), details or {})
    world.record(report, kind, at, modifies=kind != "comment")
