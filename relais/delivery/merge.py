"""Doors are partial views of one case: here they become one. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relais.delivery.state import DoorView
from schemas.case import CaseFacts

_PART_BY_PART: Final = ("dates", "place")
"""Fields whose parts may each come from another door: one knows when it was reported, another when it was closed."""


def merged_facts(views: Mapping[str, DoorView], precedence: Mapping[str, Sequence[str]]) -> CaseFacts:
    """What all doors together say.

    For each field the first door in its order of precedence that says something wins; a door that is not named comes
    last. ``dates`` and ``place`` are merged part by part, ``extra`` name by name; remarks of all doors are kept.
    """
    if len(views) == 1:
        return next(iter(views.values())).facts
    orders = {field: _order(doors, views) for field, doors in precedence.items()}
    in_general = orders.get("*") or _order((), views)
    values: dict[str, Any] = {}
    for field in CaseFacts.model_fields:
        said = [value for facts in orders.get(field, in_general) if (value := getattr(facts, field)) is not None]
        if not said:
            continue
        if field in _PART_BY_PART:
            values[field] = _first_of_each_part(said)
        elif field == "extra":
            values[field] = {name: value for extra in reversed(said) for name, value in extra.items()}
        elif field == "remarks":
            values[field] = tuple(dict.fromkeys(remark for remarks in said for remark in remarks))
        else:
            values[field] = said[0]
    return CaseFacts(**values)


def differing_fields(before: CaseFacts | None, after: CaseFacts) -> frozenset[str]:
    """The names of the fields in which two states of a case differ; every filled one where there was none before."""
    if before is None:
        return frozenset(name for name in CaseFacts.model_fields if getattr(after, name) is not None)
    known = vars(before)
    return frozenset(name for name, value in vars(after).items() if value != known[name])


def _order(first: Sequence[str], views: Mapping[str, DoorView]) -> list[CaseFacts]:
    named = [door for door in first if door in views]
    return [views[door].facts for door in (*named, *sorted(views.keys() - named))]


def _first_of_each_part(said: Sequence[Any]) -> Any:
    if len(said) == 1:
        return said[0]
    parts = {
        part: value
        for model in reversed(said)
        for part in type(model).model_fields
        if (value := getattr(model, part)) is not None
    }
    return type(said[0])(**parts)
