"""Who gets a case: the first rule that matches decides, and can say why it was that one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from routing.facts import RoutingFacts
from routing.labels import normalised
from routing.rule import CategoryCondition, Rule, RuleSet, When
from routing.shadow import label_keys
from routing.vocabulary import Vocabulary
from routing.within import written
from schemas.decision import Decision
from schemas.text import Language

# The name of each condition that compares one fact, the fact, and its name for a human. The category is apart.
_PLAIN_CONDITIONS = (
    ("municipalities", "municipality", "the municipality"),
    ("postal_codes", "postal_code", "the postal code"),
    ("road_managers", "road_manager", "the road manager"),
    ("statuses", "status", "the status"),
    ("kinds", "kind", "the kind"),
    ("languages", "language", "the language"),
)


class NoRulesError(LookupError):
    """There are no rules for a source, so nothing can be decided for its cases."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was tried; ``mismatch`` is the first condition that did not hold, ``None`` for the one that won."""

    rule: str
    mismatch: str | None


@dataclass(frozen=True)
class Choice:
    """A decision, and how it came about: ``position`` counts the winning rule from 0."""

    decision: Decision
    facts: RoutingFacts
    indexed: "IndexedRules"
    position: int

    @cached_property
    def why(self) -> tuple[Tried, ...]:
        """Every rule up to the one that won, in order; worked out only when somebody asks."""
        tried = self.indexed.rule_set.rules[: self.position + 1]
        return tuple(Tried(rule.name, self.indexed.mismatch(rule, self.facts)) for rule in tried)


class IndexedRules:
    """The rules of one source, found by category rather than one by one."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.version = rule_set.version()
        self._decisions = tuple(_decision(rule, rule_set, self.version) for rule in rule_set.rules)
        self._ancestors = {child: rule_set.ancestors_of(child) for child in rule_set.parents}
        self._anywhere: list[int] = []
        self._by_id: dict[str, list[int]] = {}
        self._by_label: dict[str, dict[str, list[int]]] = {}
        self._checks: list[tuple[tuple[str, frozenset[str]], ...]] = []
        for position, rule in enumerate(rule_set.rules):
            self._checks.append(_checks(rule.when))
            condition = rule.when.category
            if condition is None:
                self._anywhere.append(position)
                continue
            for category_id in condition.ids or ():
                self._by_id.setdefault(category_id, []).append(position)
            for language, label in label_keys(condition):
                self._by_label.setdefault(language, {}).setdefault(label, []).append(position)

    def choose(self, facts: RoutingFacts) -> Choice:
        """The choice for a case of this source."""
        for position in sorted(self._candidates(facts)):
            for fact, allowed in self._checks[position]:
                if getattr(facts, fact) not in allowed:
                    break
            else:
                return Choice(self._decisions[position], facts, self, position)
        raise NoRulesError(f"no rule of {self.rule_set.source} catches everything")

    def _candidates(self, facts: RoutingFacts) -> list[int]:
        """The positions of the rules whose condition on the category holds, in any order; one may be there twice."""
        candidates = list(self._anywhere)
        for category_id in self._path_ids(facts):
            candidates += self._by_id.get(category_id, ())
        for language, by_label in self._by_label.items():
            for step in facts.category:
                if text := getattr(step.label, language):
                    candidates += by_label.get(normalised(text), ())
        return candidates

    def mismatch(self, rule: Rule, facts: RoutingFacts) -> str | None:
        """The first condition of a rule that does not hold for a case, in words, or ``None`` if all do."""
        condition = rule.when.category
        if condition is not None and not self._category_holds(condition, facts):
            return f"the category {self._path_in_words(facts)} is not {_category_in_words(condition)}"
        for name, fact, words in _PLAIN_CONDITIONS:
            allowed = getattr(rule.when, name)
            value = getattr(facts, fact)
            if allowed is not None and value not in allowed:
                return f"{words} is {'not known' if value is None else value}, not {' or '.join(allowed)}"
        return None

    def _category_holds(self, condition: CategoryCondition, facts: RoutingFacts) -> bool:
        by_id = not set(condition.ids or ()).isdisjoint(self._path_ids(facts))
        return by_id or not label_keys(condition).isdisjoint(_path_labels(facts))

    def _path_ids(self, facts: RoutingFacts) -> tuple[str, ...]:
        """The ids from the root to the leaf; parents that the source left out come from the known tree."""
        path = tuple(step.id for step in facts.category)
        return self._ancestors.get(path[0], ())[::-1] + path if path else ()

    def _path_in_words(self, facts: RoutingFacts) -> str:
        return " › ".join(self._path_ids(facts)) or "(not known)"


class Rules:
    """The rules of every source, ready to choose with. Immutable; make a new one to change anything."""

    def __init__(self, rule_sets: Iterable[RuleSet], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.by_source: Mapping[str, IndexedRules] = MappingProxyType(
            {rule_set.source: IndexedRules(rule_set) for rule_set in rule_sets}
        )

    @property
    def versions(self) -> dict[str, str]:
        """The version of the rules of each source."""
        return {source: indexed.version for source, indexed in self.by_source.items()}


def choose(rules: Rules, facts: RoutingFacts) -> Choice:
    """Decide who gets a case. The same rules and the same facts always give the same choice.

    Raises NoRulesError if the source has no rules, which is a fault of the installation and not of the case.
    """
    try:
        indexed = rules.by_source[facts.source]
    except KeyError:
        raise NoRulesError(f"there are no rules for the source {facts.source}") from None
    return indexed.choose(facts)


def explain(choice: Choice) -> list[str]:
    """The choice in lines for a human: every rule tried, why it did not match, and what was decided."""
    decision = choice.decision
    lines = [f"rules of {choice.facts.source}, version {decision.rules_version}"]
    lines += [f"  - {tried.rule}: {tried.mismatch}" for tried in choice.why if tried.mismatch]
    lines.append(f"  = {decision.rule}: matches")
    allowed = f", within {written(decision.within)}" if decision.within else ""
    tags = f", tags {' '.join(decision.tags)}" if decision.tags else ""
    language = f", answer in {decision.language.value}" if decision.language else ""
    lines.append(
        f"{decision.case_type} for {decision.department} by {decision.destination}, "
        f"priority {decision.priority.value}{allowed}{tags}{language}"
    )
    return lines


def _decision(rule: Rule, rule_set: RuleSet, version: str) -> Decision:
    then = rule.then
    return Decision(
        case_type=then.case_type,
        department=then.department,
        priority=then.priority,
        within=then.within,
        destination=then.destination or rule_set.destination,
        tags=then.tags,
        language=then.language,
        rule=rule.name,
        rules_version=version,
    )


def _checks(when: When) -> tuple[tuple[str, frozenset[str]], ...]:
    given = ((fact, getattr(when, name)) for name, fact, _ in _PLAIN_CONDITIONS)
    return tuple((fact, frozenset(allowed)) for fact, allowed in given if allowed is not None)


def _path_labels(facts: RoutingFacts) -> list[tuple[str, str]]:
    labels: list[tuple[str, str]] = []
    for step in facts.category:
        for language in Language:
            text: str | None = getattr(step.label, language.value)
            if text:
                labels.append((language.value, normalised(text)))
    return labels


def _category_in_words(condition: CategoryCondition) -> str:
    texts = [f"'{label}'" for labels in (condition.labels or {}).values() for label in labels]
    return f"{' or '.join([*(condition.ids or ()), *texts])}, nor under it"
