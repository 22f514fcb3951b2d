"""What only shows when rules, vocabulary and examples are looked at together."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from routing.choose import Rules
from routing.document import Document
from routing.example import ExampleSet
from routing.fault import Fault
from routing.rule import TO_BE_CLASSIFIED, RuleSet
from routing.shadow import shadows
from routing.validation import closest
from routing.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class PlacedRules:
    """Rules with the document that they stand in; ``positions`` are those of the rules that could be read."""

    document: Document
    rule_set: RuleSet
    positions: tuple[int, ...]

    def line_of(self, index: int) -> int:
        """The line of a rule's name."""
        return self.document.line_of("rules", self.positions[index], "name")

    def fault(self, index: int, code: str, problem: str, remedy: str) -> Fault:
        """A fault of one rule, on the line of its name."""
        return Fault(self.document.file, self.line_of(index), code, problem, remedy)


@dataclass(frozen=True, slots=True)
class PlacedVocabulary:
    """A vocabulary with its document; ``None`` if it could not be read."""

    document: Document
    vocabulary: Vocabulary | None


@dataclass(frozen=True, slots=True)
class PlacedExamples:
    """Examples with the document that they stand in."""

    document: Document
    examples: ExampleSet


def faults_among_files(
    rules: Sequence[PlacedRules], vocabularies: Sequence[PlacedVocabulary], *, unread: bool
) -> Iterator[Fault]:
    """What is wrong between the files: no vocabulary or two, and two files of rules for one source.

    ``unread`` says that some file could not be read at all: the vocabulary may be in that one.
    """
    if rules and not vocabularies and not unread:
        problem = "there is no vocabulary with these rules"
        remedy = "Add a vocabulary.yaml with case_types, departments and destinations"
        yield Fault(rules[0].document.file, 1, "no-vocabulary", problem, remedy)
    for placed in vocabularies[1:]:
        problem = f"there is a vocabulary already in {vocabularies[0].document.file}"
        yield Fault(placed.document.file, 1, "two-vocabularies", problem, "Put both into one file")
    first: dict[str, Document] = {}
    for each in rules:
        document, source = each.document, each.rule_set.source
        if first.setdefault(source, document) is not document:
            problem = f"the rules of {source} are already in {first[source].file}"
            remedy = "Keep the rules of a source in one file, because their order decides"
            yield Fault(document.file, document.line_of("source"), "two-files", problem, remedy)


def faults_among_rules(placed: PlacedRules) -> Iterator[Fault]:
    """What is wrong between the rules of one source: names given twice, rules never reached, no last rule."""
    rules = placed.rule_set.rules
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if first.setdefault(rule.name, index) != index:
            problem = f"a rule named {rule.name} is already there on line {placed.line_of(first[rule.name])}"
            yield placed.fault(index, "duplicate-name", problem, "Give each rule a name of its own")
    for shadow in shadows(placed.rule_set):
        behind = rules[shadow.behind].name
        problem = f"{rules[shadow.unreachable].name} is never reached: {behind} matches whatever it matches"
        remedy = f"Put it before {behind} (line {placed.line_of(shadow.behind)}), or remove one of the two"
        yield placed.fault(shadow.unreachable, "unreachable", problem, remedy)
    if placed.positions[-1] != len(placed.document.data["rules"]) - 1:
        return  # the last rule could not be read, which is a fault already
    if rules[-1].when.conditions or TO_BE_CLASSIFIED not in rules[-1].then.tags:
        problem = f"the last rule, {rules[-1].name}, does not catch everything as {TO_BE_CLASSIFIED}"
        remedy = f"End with a rule that has no 'when' and has the tag {TO_BE_CLASSIFIED}"
        yield placed.fault(len(rules) - 1, "no-last-rule", problem, remedy)


def faults_among_words(placed: PlacedRules, vocabulary: PlacedVocabulary) -> Iterator[Fault]:
    """Case types, departments and destinations that the vocabulary does not have."""
    if vocabulary.vocabulary is None:
        return
    document = placed.document
    used = [("destination", placed.rule_set.destination, document.line_of("destination"))]
    for position, rule in zip(placed.positions, placed.rule_set.rules, strict=True):
        for name in ("case_type", "department", "destination"):
            word = getattr(rule.then, name)
            if word is not None:
                used.append((name, word, document.line_of("rules", position, "then", name)))
    for name, word, line in used:
        known = getattr(vocabulary.vocabulary, f"{name}s")
        if word not in known:
            problem = f"the {name.replace('_', ' ')} {word} is not in {vocabulary.document.file}"
            yield Fault(document.file, line, f"unknown-{name.replace('_', '-')}", problem, closest(word, known))


def faults_of_examples(placed: PlacedExamples, rules: Rules | None) -> Iterator[Fault]:
    """Examples that are decided otherwise than they say, or that cannot be tried."""
    document, source = placed.document, placed.examples.source
    if rules is None or source not in rules.by_source:
        problem = f"there are no rules for {source} to try these examples on"
        remedy = "Name the rules together with their examples, and check the source"
        yield Fault(document.file, document.line_of("source"), "no-rules", problem, remedy)
        return
    times = Counter(example.name for example in placed.examples.examples)
    for position, example in enumerate(placed.examples.examples):
        line = document.line_of("examples", position, "name")
        if times[example.name] > 1:
            problem = f"more than one example is named '{example.name}'"
            yield Fault(document.file, line, "duplicate-name", problem, "Say what each one shows")
        for difference in example.differences(rules, source):
            problem = f"example '{example.name}': {difference}"
            remedy = "Correct the rule, or the example if the rule is right"
            yield Fault(document.file, line, "example-fails", problem, remedy)


def faults_of_unshown_rules(placed: PlacedRules, examples: Iterable[PlacedExamples]) -> Iterator[Fault]:
    """Rules that no example shows."""
    source = placed.rule_set.source
    ours = (example for each in examples if each.examples.source == source for example in each.examples.examples)
    shown = {example.expected.rule for example in ours}
    for index, rule in enumerate(placed.rule_set.rules):
        if rule.name not in shown:
            problem = f"no example shows the rule {rule.name}"
            yield placed.fault(index, "no-example", problem, "Add an example that this rule decides")
