"""Whether a case stands at the end as its report does: status, category, place, case type, language. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from math import dist
from typing import Any, Final

from relais.demonstration.case_types import expected_case_types
from relais.demonstration.findings import Finding, Kind
from relais.demonstration.held import HeldCase
from relais.demonstration.ordering import REMOVED
from relais.demonstration.told import Look, Report

CITY_NIS_CODE: Final = "21004"

MEANT_FOR_PEOPLE: Final = frozenset({"people", "notes", "description"})
"""Where personal data and free text belong."""

NEAR_METRES: Final = 0.01

_E_MAIL: Final = re.compile(r"[^\s@\"]+@[^\s@\"]+\.\w")


def standing_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    """What is wrong with a case as it stands."""
    yield from _look_faults(report, case)
    yield from _place_faults(report, case)
    yield from _routing_faults(report, case)
    yield from _language_faults(report, case)
    yield from _privacy_faults(report, case)


def _look_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    shown = case.last
    if not shown.polled:
        # Known from what was pushed alone: nobody ever said more than the last request did.
        if report.followed:
            yield Finding(Kind.LOST, report.id, "stands in the lists, and the CRM knows only what was pushed")
        elif report.accepted_pushes:
            said = [*report.accepted_pushes[-1:], *(push for push in report.pushes if not push.accepted)]
            if not any(_differences(shown.look, push.look, only_pushed=True) == [] for push in said):
                yield _not_as_told(report, _differences(shown.look, said[0].look, only_pushed=True))
    elif not report.last.shown:
        if shown.look.status != REMOVED:
            yield Finding(Kind.LOST, report.id, f"can no longer be seen, and the CRM says {shown.look.status}")
    elif differences := _differences(shown.look, report.last.look, only_pushed=False):
        yield _not_as_told(report, differences)


def _differences(held: Look, told: Look, *, only_pushed: bool) -> list[str]:
    unpushed = {"duplicates", "department"} if only_pushed else set()
    return [
        f"{field.name} {getattr(held, field.name)!r} instead of {getattr(told, field.name)!r}"
        for field in fields(Look)
        if field.name not in unpushed and getattr(held, field.name) != getattr(told, field.name)
    ]


def _not_as_told(report: Report, differences: list[str]) -> Finding:
    return Finding(Kind.LOST, report.id, f"stands otherwise at the end: {', '.join(differences)}")


def _place_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    place = case.members.get("place") or {}
    postal_code = (place.get("address") or {}).get("postalCode")
    if postal_code != report.postal_code:
        yield Finding(Kind.LOST, report.id, f"is at postal code {postal_code} instead of {report.postal_code}")
    held = (place.get("point") or {}).get("lambert72")
    told = report.point
    if (held is None) != (told is None) or (held and told and dist((held["x"], held["y"]), told) > NEAR_METRES):
        yield Finding(Kind.LOST, report.id, "is at another point")


def _routing_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    path = report.category_paths().get(case.last.look.category, ())
    case_type = case.members["caseType"]
    if case_type not in expected_case_types(path):
        yield Finding(Kind.ASTRAY, report.id, f"is a case of type {case_type}, in category {'/'.join(path)}")
    if case.members["tenant"] != CITY_NIS_CODE:
        yield Finding(Kind.ASTRAY, report.id, f"is a case of municipality {case.members['tenant']}")
    if case.members.get("test"):
        yield Finding(Kind.ASTRAY, report.id, "is marked as a test")


def _language_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    """Only what is pushed says which language its reporter speaks."""
    held = case.members.get("language")
    possible: set[str | None] = {report.language} if report.accepted_pushes else {None}
    if report.pushes:
        possible |= {report.language}
    if held not in possible:
        kind = Kind.LOST if held is None else Kind.ASTRAY
        yield Finding(kind, report.id, f"is to be answered in {held or 'no language'}, not in {report.language}")


def _privacy_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    private = {text for push in report.pushes for text in push.private_texts()}
    for name, value in case.members.items():
        if name in MEANT_FOR_PEOPLE:
            continue
        told = _all_text(value)
        if any(text in told for text in private) or _E_MAIL.search(told):
            yield Finding(Kind.ASTRAY, report.id, f"personal data or free text stands in {name}")


def _all_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
