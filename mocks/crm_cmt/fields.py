"""What a case, a note and an attachment may say: the contract's schemas as checks, and merge patches on cases."""

from collections.abc import Collection
from typing import Any, Final

from mocks.crm_cmt.checks import (
    Check,
    boolean,
    free_object,
    items,
    members,
    moment,
    number,
    one_of,
    or_null,
    text,
    whole_number,
)
from mocks.crm_cmt.problems import Invalid
from mocks.crm_cmt.vocabulary import LANGUAGES, PRIORITIES, STATUSES, VISIBILITIES

MAX_ADDITIONS: Final = 200
ADDITIONS: Final = ("notes", "attachments")
REQUIRED: Final = ("reference", "version", "tenant", "source", "kind", "caseType", "status", "title")

KEY_PATTERN: Final = r"[!-~]{1,200}"

_word = text(64, r"[a-z0-9][a-z0-9_.-]*")
_short = text(300)
_long = text(20_000)
_nis = text(5, r"[0-9]{5}")
_address = text(2000, r"https?://[!-~]+")
_language = or_null(one_of(LANGUAGES))
_label = members(dict.fromkeys(LANGUAGES, _short))
_key = text(200, KEY_PATTERN)

_place = members(
    {
        "address": members(
            {
                "street": _label,
                "number": text(20),
                "postalCode": text(10),
                "municipality": _label,
                "niscode": _nis,
            }
        ),
        "point": members(
            {
                "wgs84": members(
                    {"longitude": number(-180, 180), "latitude": number(-90, 90)}, required=("longitude", "latitude")
                ),
                "lambert72": members(
                    {"x": number(-1_000_000, 1_000_000), "y": number(-1_000_000, 1_000_000)}, required=("x", "y")
                ),
                "origin": _word,
            }
        ),
        "roadManager": _word,
    }
)
_person = members(
    {
        "role": _word,
        "type": _short,
        "name": _short,
        "firstName": _short,
        "lastName": _short,
        "email": text(254),
        "phone": text(50),
        "language": _language,
    },
    required=("role",),
)
_dates = members(
    dict.fromkeys(("reportedAt", "changedAt", "acceptedAt", "plannedAt", "resolvedAt", "closedAt", "goneAt"), moment)
)

check_note = members(
    {
        "key": _key,
        "text": _long,
        "language": _language,
        "kind": _word,
        "author": _short,
        "writtenAt": moment,
        "visibility": one_of(VISIBILITIES),
    },
    required=("key", "text"),
)
check_attachment = members(
    {
        "key": _key,
        "url": _address,
        "title": _label,
        "mediaType": text(100, r"[a-z]+/[a-z0-9.+-]+"),
        "language": _language,
        "createdAt": moment,
        "visibility": one_of(VISIBILITIES),
    },
    required=("key", "url"),
)
ADDITION_CHECKS: Final[dict[str, Check]] = {"notes": check_note, "attachments": check_attachment}


def case_check(case_types: Collection[str]) -> Check:
    """The check of a whole case; its notes and attachments are counted only, because they are judged one by one."""
    additions = items(MAX_ADDITIONS, lambda _: None)
    return members(
        {
            "reference": text(40, r"[A-Za-z0-9_-]+"),
            "version": whole_number(1, 2**53 - 1),
            "tenant": or_null(_nis),
            "source": members(
                {"system": _word, "id": text(200), "status": text(200), "link": _address}, required=("system", "id")
            ),
            "kind": _word,
            "caseType": one_of(frozenset(case_types)),
            "category": members(
                {"path": items(10, members({"id": text(200), "label": _label}, required=("id",)), shortest=1)},
                required=("path",),
            ),
            "status": one_of(frozenset(STATUSES)),
            "title": members(dict.fromkeys(LANGUAGES, _short), one_required=("fr", "nl")),
            "description": members(dict.fromkeys(LANGUAGES, _long)),
            "language": _language,
            "place": _place,
            "people": items(50, _person),
            "dates": _dates,
            "deadline": moment,
            "department": _word,
            "priority": one_of(PRIORITIES),
            "tags": items(50, text(200)),
            "links": items(50, members({"rel": _word, "href": _address, "title": _label}, required=("rel", "href"))),
            "remarks": items(
                100, members({"code": _word, "detail": text(1000), "field": text(200)}, required=("code",))
            ),
            "extra": free_object,
            "test": boolean,
            "notes": additions,
            "attachments": additions,
        },
        required=REQUIRED,
    )


def patched(fields: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The fields after a merge patch (RFC 7396), its notes and attachments as the patch has them, for the check to see.

    A tenant that is taken away is kept as null, because a case always says whether its municipality is known.
    """
    merged = _merged(fields, patch)
    if "tenant" in patch and patch["tenant"] is None:
        merged["tenant"] = None
    for name in ADDITIONS:
        if name in patch:
            merged[name] = patch[name]
    return merged


def _merged(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif type(value) is dict:
            before = result.get(name)
            result[name] = _merged(before if type(before) is dict else {}, value)
        else:
            result[name] = value
    return result


def patch_faults(patch: dict[str, Any], reference: str, check: Check, merged: dict[str, Any]) -> list[Invalid] | None:
    """What is wrong with a patch of the case ``reference``: what ``check`` finds in the result, what no patch may."""
    faults = list(check(merged) or ())
    if "version" not in patch:
        faults.append(("version", "required", "Must be given."))
    if patch.get("reference", reference) != reference:
        faults.append(("reference", "immutable", "A case keeps its reference."))
    faults += [
        (name, "unknown_field", "The contract has no such member.")
        for name in patch
        if name not in KNOWN and patch[name] is None
    ]
    return faults or None


KNOWN: Final = frozenset(
    (
        *REQUIRED,
        *ADDITIONS,
        *("category", "description", "language", "place", "people", "dates", "deadline", "department", "priority"),
        *("tags", "links", "remarks", "extra", "test"),
    )
)
"""Every member of a case."""
