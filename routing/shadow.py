"""Which rules can never be reached, because an earlier one matches whatever they match."""

from dataclasses import dataclass

from routing.labels import normalised
from routing.rule import CategoryCondition, Rule, RuleSet, When
from schemas.case import Kind, Status

# A case always has a kind and a status: a condition that names them all is no condition.
_COMPLETE = {"kinds": frozenset(Kind), "statuses": frozenset(Status)}


@dataclass(frozen=True, slots=True)
class Shadow:
    """A rule that is never reached and the first rule that stands before it, by their positions."""

    unreachable: int
    behind: int


def shadows(rules: RuleSet) -> list[Shadow]:
    """Every rule that a single earlier rule shadows wholly, for paths as the known tree has them.

    A rule that only several earlier rules together make unreachable is not found; one that is found is never reached.
    """
    found: list[Shadow] = []
    for position, rule in enumerate(rules.rules):
        for earlier, candidate in enumerate(rules.rules[:position]):
            if _covers(candidate, rule, rules):
                found.append(Shadow(unreachable=position, behind=earlier))
                break
    return found


def _covers(wide: Rule, narrow: Rule, rules: RuleSet) -> bool:
    if not _category_covers(wide.when.category, narrow.when.category, rules):
        return False
    for name in When.model_fields:
        if name == "category":
            continue
        allowed = getattr(wide.when, name)
        if allowed is None or frozenset(allowed) == _COMPLETE.get(name):
            continue
        asked = getattr(narrow.when, name)
        if asked is None or not set(asked) <= set(allowed):
            return False
    return True


def _category_covers(wide: CategoryCondition | None, narrow: CategoryCondition | None, rules: RuleSet) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    ids = set(wide.ids or ())
    inherits = all(not ids.isdisjoint((each, *rules.ancestors_of(each))) for each in narrow.ids or ())
    return inherits and label_keys(narrow) <= label_keys(wide)


def label_keys(condition: CategoryCondition) -> frozenset[tuple[str, str]]:
    """The labels of a condition as they are compared, each with its language."""
    labels = condition.labels or {}
    return frozenset((language.value, normalised(label)) for language, texts in labels.items() for label in texts)
