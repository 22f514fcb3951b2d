"""One valid thing of each sort that routing tests need; a test states only what matters to it."""

from pathlib import Path
from typing import Any

import yaml

from routing.choose import IndexedRules, Rules
from routing.facts import RoutingFacts
from routing.rule import Rule, RuleSet
from routing.vocabulary import Vocabulary
from schemas.case import Category, Kind
from schemas.text import Localised

LAST: dict[str, Any] = {
    "name": "to-be-classified",
    "then": {"case_type": "other", "department": "dispatch", "tags": ["to-be-classified"]},
}


def a_rule(name: str = "a-rule", *, then: dict[str, Any] | None = None, **when: Any) -> dict[str, Any]:
    decided = {"case_type": "other", "department": "dispatch", **(then or {})}
    return {"name": name, "when": when, "then": decided} if when else {"name": name, "then": decided}


def a_rule_set(*rules: dict[str, Any], parents: dict[str, str] | None = None, source: str = "somewhere") -> RuleSet:
    written = tuple(Rule.model_validate(rule) for rule in (*rules, LAST))
    return RuleSet(source=source, destination="a_sink", parents=parents or {}, rules=written)


def a_vocabulary() -> Vocabulary:
    label = {"fr": "un nom", "nl": "een naam"}
    words = {"case_types": "other", "departments": "dispatch", "destinations": "a_sink"}
    return Vocabulary.model_validate({kind: {word: label} for kind, word in words.items()})


def rules_of(*rules: dict[str, Any], parents: dict[str, str] | None = None, source: str = "somewhere") -> Rules:
    return Rules([a_rule_set(*rules, parents=parents, source=source)], a_vocabulary())


def indexed(*rules: dict[str, Any], parents: dict[str, str] | None = None) -> IndexedRules:
    return IndexedRules(a_rule_set(*rules, parents=parents))


def some_facts(*path: str | Category, source: str = "somewhere", **facts: Any) -> RoutingFacts:
    steps = tuple(Category(id=step) if isinstance(step, str) else step for step in path)
    return RoutingFacts(**{"source": source, "kind": Kind.REPORT, "category": steps, **facts})


def a_category(category_id: str, **labels: str) -> Category:
    return Category(id=category_id, label=Localised(**labels))


VOCABULARY_TEXT = """\
case_types:
  other: {fr: Autre, nl: Andere}
departments:
  dispatch: {fr: Accueil, nl: Onthaal}
destinations:
  a_sink: {fr: Un puits, nl: Een put}
"""

RULES_TEXT = """\
source: somewhere
destination: a_sink
rules:
  - name: special
    when: {category: {ids: [12]}}
    then: {case_type: other, department: dispatch}
  - name: to-be-classified
    then: {case_type: other, department: dispatch, tags: [to-be-classified]}
parents:
  12: 1
"""

EXAMPLES_TEXT = """\
source: somewhere
examples:
  - name: a special one
    given: {kind: report, category: [1, 12]}
    expected: {rule: special, department: dispatch}
  - name: any other
    given: {kind: report}
    expected: {rule: to-be-classified}
"""


def a_folder(folder: Path, **texts: str | bytes) -> Path:
    """A folder with sound files, but for those that are given by name."""
    sound: dict[str, str | bytes] = {"vocabulary": VOCABULARY_TEXT, "rules": RULES_TEXT}
    for name, text in {**sound, **texts}.items():
        content = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.yaml").write_bytes(content)
    return folder


def known_leaves() -> list[tuple[Category, ...]]:
    """The path of each leaf of the Fix My Street tree of 2017, with the labels of its steps."""
    tree = yaml.safe_load(Path(__file__).with_name("known_leaves_2017.yaml").read_text(encoding="utf-8"))
    labels = {number: Localised(fr=texts[0], nl=texts[1]) for number, texts in tree["labels"].items()}
    return [tuple(Category(id=str(step), label=labels[step]) for step in path) for path in tree["leaves"]]
