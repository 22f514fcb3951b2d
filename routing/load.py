"""From files to rules: everything that is wrong in them is found at once, before any of it is used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from routing.check import (
    PlacedExamples,
    PlacedRules,
    PlacedVocabulary,
    faults_among_files,
    faults_among_rules,
    faults_among_words,
    faults_of_examples,
    faults_of_unshown_rules,
)
from routing.choose import Rules
from routing.document import Document, document_of
from routing.example import ExampleSet
from routing.fault import Fault, InvalidRulesError
from routing.rule import Rule, RuleSet, Then
from routing.validation import validated
from routing.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's name as it is shown, and its content."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Found:
    """What the files hold, and what is wrong with it so far."""

    vocabularies: list[PlacedVocabulary] = field(default_factory=list)
    rules: list[PlacedRules] = field(default_factory=list)
    examples: list[PlacedExamples] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def load(paths: Iterable[Path]) -> Rules:
    """The rules in some files and folders: one vocabulary and at least one file of rules. Examples are not run.

    A folder stands for the YAML files in it. Raises InvalidRulesError with every fault.
    """
    return _rules_of(_found_in_paths(paths))


def load_bundled() -> Rules:
    """The rules that come with the program."""
    return _rules_of(_found_in(bundled_files()))


def lint(paths: Iterable[Path]) -> list[Fault]:
    """Every fault in some files and folders, by file and line.

    Where there are examples among them they are run, and each rule has to have one.
    """
    return _lint(_found_in_paths(paths))


def lint_bundled() -> list[Fault]:
    """Every fault in the rules and examples that come with the program."""
    return _lint(_found_in(bundled_files()))


def bundled_files() -> list[SourceFile]:
    """The files of rules and of examples that come with the program."""
    package = resources.files("routing")
    return [
        SourceFile(f"routing/{folder}/{file.name}", file.read_bytes())
        for folder in ("rules", "cases")
        for file in sorted(package.joinpath(folder).iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    ]


def _found_in_paths(paths: Iterable[Path]) -> _Found:
    files: list[SourceFile] = []
    faults: list[Fault] = []
    for path in paths:
        for file in sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]:
            try:
                files.append(SourceFile(str(file), file.read_bytes()))
            except OSError as error:
                problem = f"the file cannot be read: {error.strerror or error}"
                faults.append(Fault(str(file), 1, "unreadable", problem, "Check the path and its permissions"))
    found = _found_in(files)
    found.faults.extend(faults)
    return found


def _found_in(files: Sequence[SourceFile]) -> _Found:
    found = _Found()
    unread = False
    for file in files:
        document = document_of(file.name, file.content)
        if isinstance(document, list):
            found.faults.extend(document)
            unread = True
        else:
            _sort_in(document, found)
    found.faults.extend(faults_among_files(found.rules, found.vocabularies, unread=unread))
    for placed in found.rules:
        found.faults.extend(faults_among_rules(placed))
        for vocabulary in found.vocabularies[:1]:
            found.faults.extend(faults_among_words(placed, vocabulary))
    return found


def _sort_in(document: Document, found: _Found) -> None:
    keys = document.data.keys()
    if "examples" in keys:
        examples = validated(ExampleSet, document.data, document)
        if isinstance(examples, list):
            found.faults.extend(examples)
        else:
            found.examples.append(PlacedExamples(document, examples))
    elif "rules" in keys:
        _read_rules(document, found)
    elif keys & Vocabulary.model_fields.keys():
        vocabulary = validated(Vocabulary, document.data, document)
        if isinstance(vocabulary, list):
            found.faults.extend(vocabulary)
        readable = None if isinstance(vocabulary, list) else vocabulary
        found.vocabularies.append(PlacedVocabulary(document, readable))
    else:
        problem = "the file holds neither rules, nor examples, nor a vocabulary"
        remedy = "Give it 'source' and 'rules', 'source' and 'examples', or 'case_types', 'departments', 'destinations'"
        found.faults.append(Fault(document.file, 1, "unknown-file", problem, remedy))


def _read_rules(document: Document, found: _Found) -> None:
    """Read rule by rule, so that a fault in one does not hide those of the others."""
    written: Any = document.data["rules"]
    readable: list[Rule] = []
    positions: list[int] = []
    for position, each in enumerate(written if isinstance(written, list) else ()):
        rule = validated(Rule, each, document, "rules", position)
        if isinstance(rule, list):
            found.faults.extend(rule)
        else:
            readable.append(rule)
            positions.append(position)
    if isinstance(written, list) and written:
        # Where no rule can be read, one that stands in for them lets the rest of the file be looked at.
        written = readable or [Rule(name="unread", then=Then(case_type="unread", department="unread"))]
    rule_set = validated(RuleSet, {**document.data, "rules": written}, document)
    if isinstance(rule_set, list):
        found.faults.extend(rule_set)
    elif readable:
        found.rules.append(PlacedRules(document, rule_set, tuple(positions)))


def _rules_of(found: _Found) -> Rules:
    vocabulary = found.vocabularies[0].vocabulary if found.vocabularies else None
    if not found.rules and not found.faults:
        problem = "there are no rules in what was named"
        raise InvalidRulesError([Fault("rules", 1, "no-rules", problem, "Name a folder that holds some")])
    if found.faults or vocabulary is None:
        raise InvalidRulesError(found.faults)
    return Rules((placed.rule_set for placed in found.rules), vocabulary)


def _lint(found: _Found) -> list[Fault]:
    faults = list(found.faults)
    if not faults:
        rules = _rules_of(found) if found.rules else None
        for examples in found.examples:
            faults.extend(faults_of_examples(examples, rules))
        if found.examples:
            for placed in found.rules:
                faults.extend(faults_of_unshown_rules(placed, found.examples))
    return sorted(faults)
