"""Reading files: all faults at once, each with its line, and nothing used before they are gone."""

from pathlib import Path

import pytest

from routing.fault import Fault, InvalidRulesError
from routing.load import lint, load
from tests.unit.routing.builders import EXAMPLES_TEXT, RULES_TEXT, VOCABULARY_TEXT, a_folder


def codes_and_lines(faults: list[Fault]) -> list[tuple[str, int]]:
    return [(fault.code, fault.line) for fault in faults]


def test_sound_files_have_no_fault_and_can_be_used(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, examples=EXAMPLES_TEXT)

    assert lint([folder]) == []
    assert [rule.name for rule in load([folder]).by_source["somewhere"].rule_set.rules] == [
        "special",
        "to-be-classified",
    ]


FAULTY_RULES: dict[str, tuple[str | bytes, list[tuple[str, int]]]] = {
    "empty": ("", [("empty", 1)]),
    "only comments": ("# nothing\n", [("empty", 1)]),
    "null": ("~\n", [("not-a-mapping", 1)]),
    "not UTF-8": (b"source: somewhere\nname: \xe9\n", [("not-utf-8", 2)]),
    "a control character": (RULES_TEXT.replace("special", "spe\0cial"), [("not-yaml", 1)]),
    "half written": (RULES_TEXT[: RULES_TEXT.index("12]")], [("not-yaml", 5)]),
    "tabs": (RULES_TEXT.replace("    when", "\twhen").replace("    then", "\tthen"), [("tab", n) for n in (5, 6, 8)]),
    "a list": ("- source: somewhere\n", [("not-a-mapping", 1)]),
    "two documents": (RULES_TEXT + "---\n" + RULES_TEXT, [("two-documents", 12)]),
    "an alias": (RULES_TEXT.replace("{ids: [12]}", "&x {ids: [12]}") + "more: *x\n", [("alias", 5)]),
    "a tag": (RULES_TEXT.replace("[12]", "[!!python/name:os.system 12]"), [("tag", 5)]),
    "a duplicate key": (RULES_TEXT.replace("rules:", "source: other\nrules:"), [("duplicate-key", 3)]),
    "a key that is a list": (RULES_TEXT + "[a, b]: c\n", [("key", 11)]),
    "neither this nor that": ("colour: red\n", [("unknown-file", 1)]),
    "no source": (RULES_TEXT.replace("source: somewhere\n", ""), [("missing", 1)]),
    "no destination": (RULES_TEXT.replace("destination: a_sink\n", ""), [("missing", 1)]),
    "no rules at all": ("source: a\ndestination: a_sink\nrules: []\n", [("no-value", 3)]),
    "rules that are not a list": ("source: a\ndestination: a_sink\nrules: later\n", [("not-a-list", 3)]),
    "a rule that is not a mapping": (RULES_TEXT.replace("rules:\n", "rules:\n  - later\n"), [("not-a-mapping", 4)]),
    "an unknown field of the file": (RULES_TEXT + "sources: 3\n", [("unknown-field", 11)]),
    "an unknown condition": (RULES_TEXT.replace("category: {", "categories: {"), [("unknown-field", 5)]),
    "an empty when": (RULES_TEXT.replace("when: {category: {ids: [12]}}", "when:"), [("not-a-mapping", 5)]),
    "no ids and no labels": (RULES_TEXT.replace("{ids: [12]}", "{}"), [("value", 5)]),
    "an empty list of ids": (RULES_TEXT.replace("[12]", "[]"), [("no-value", 5)]),
    "an id instead of a list": (RULES_TEXT.replace("[12]", "12"), [("not-a-list", 5)]),
    "an id twice": (RULES_TEXT.replace("[12]", "[12, 12]"), [("value", 5)]),
    "an unknown status": (RULES_TEXT.replace("category: {ids: [12]}", "statuses: [open]"), [("not-a-choice", 5)]),
    "a wrong postal code": (RULES_TEXT.replace("category: {ids: [12]}", "postal_codes: [100]"), [("pattern", 5)]),
    "a wrong name": (RULES_TEXT.replace("special", "Special One"), [("pattern", 4)]),
    "no then": (RULES_TEXT.replace("    then: {case_type: other, department: dispatch}\n", ""), [("missing", 4)]),
    "a wrong time": (RULES_TEXT.replace("dispatch}", "dispatch, within: 2 months}"), [("value", 6)]),
    "an unknown case type": (
        RULES_TEXT.replace("other, department: dispatch}", "othr, department: dispatch}"),
        [("unknown-case-type", 6)],
    ),
    "an unknown department": (RULES_TEXT.replace("dispatch}", "dispach}"), [("unknown-department", 6)]),
    "an unknown destination": (RULES_TEXT.replace("a_sink", "a_sinc"), [("unknown-destination", 2)]),
    "an unknown destination of a rule": (
        RULES_TEXT.replace("dispatch}", "dispatch, destination: x}"),
        [("unknown-destination", 6)],
    ),
    "a duplicate name": (RULES_TEXT.replace("special", "to-be-classified"), [("duplicate-name", 7)]),
    "an unreachable rule": (RULES_TEXT.replace("    when: {category: {ids: [12]}}\n", ""), [("unreachable", 6)]),
    "no last rule": (
        RULES_TEXT.replace(
            "    then: {case_type: other, department: dispatch, tags",
            "    when: {kinds: [report]}\n    then: {case_type: other, department: dispatch, tags",
        ),
        [("no-last-rule", 7)],
    ),
    "a last rule without its tag": (RULES_TEXT.replace(", tags: [to-be-classified]", ""), [("no-last-rule", 7)]),
    "a category that is its own ancestor": (RULES_TEXT + "  1: 12\n", [("value", 1)]),
}


@pytest.mark.parametrize("what", FAULTY_RULES)
def test_a_faulty_file_of_rules_is_refused_with_its_line(what: str, tmp_path: Path) -> None:
    text, expected = FAULTY_RULES[what]
    folder = a_folder(tmp_path, rules=text)

    faults = lint([folder])

    assert codes_and_lines(faults) == expected
    assert all(fault.file.endswith("rules.yaml") and fault.problem and fault.remedy for fault in faults)
    with pytest.raises(InvalidRulesError) as refused:
        load([folder])
    assert list(refused.value.faults) == faults


def test_all_faults_of_all_files_are_found_at_once(tmp_path: Path) -> None:
    rules = (
        RULES_TEXT.replace("ids: [12]", "id: [12]")
        .replace("rules:\n", "rules:\n  - name: first\n    then: {case_type: strange, department: dispatch}\n")
        .replace("parents:", "parent:")
    )
    vocabulary = VOCABULARY_TEXT.replace("{fr: Accueil, nl: Onthaal}", "{fr: Accueil}")

    faults = lint([a_folder(tmp_path, rules=rules, vocabulary=vocabulary)])

    assert [(Path(fault.file).name, fault.code, fault.line) for fault in faults] == [
        ("rules.yaml", "unknown-field", 7),
        ("rules.yaml", "unknown-field", 11),
        ("vocabulary.yaml", "missing", 4),
    ]


def test_a_fault_names_the_nearest_known_word(tmp_path: Path) -> None:
    rules = RULES_TEXT.replace("dispatch}", "dispach}")

    (fault,) = lint([a_folder(tmp_path, rules=rules)])

    assert str(fault) == (
        f"{tmp_path}/rules.yaml:6: the department dispach is not in {tmp_path}/vocabulary.yaml [unknown-department]. "
        "Did you mean 'dispatch'?"
    )


def test_rules_without_a_vocabulary_are_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "vocabulary.yaml").unlink()

    assert codes_and_lines(lint([folder])) == [("no-vocabulary", 1)]


def test_a_vocabulary_that_cannot_be_read_is_not_called_missing_too(tmp_path: Path) -> None:
    assert codes_and_lines(lint([a_folder(tmp_path, vocabulary="case_types: [")])) == [("not-yaml", 1)]


def test_two_vocabularies_are_refused(tmp_path: Path) -> None:
    assert codes_and_lines(lint([a_folder(tmp_path, words=VOCABULARY_TEXT)])) == [("two-vocabularies", 1)]


def test_the_rules_of_a_source_stand_in_one_file(tmp_path: Path) -> None:
    assert codes_and_lines(lint([a_folder(tmp_path, more=RULES_TEXT)])) == [("two-files", 1)]


def test_a_path_that_does_not_exist_is_a_fault(tmp_path: Path) -> None:
    assert codes_and_lines(lint([a_folder(tmp_path), tmp_path / "absent.yaml"])) == [("unreadable", 1)]


def test_nothing_at_all_is_not_a_set_of_rules(tmp_path: Path) -> None:
    with pytest.raises(InvalidRulesError, match="no rules"):
        load([tmp_path])


FAULTY_EXAMPLES: dict[str, tuple[str, list[tuple[str, int]]]] = {
    "another rule": (EXAMPLES_TEXT.replace("[1, 12]", "[1]"), [("example-fails", 3)]),
    "another result": (EXAMPLES_TEXT.replace("department: dispatch", "priority: high"), [("example-fails", 3)]),
    "a rule without an example": (EXAMPLES_TEXT[: EXAMPLES_TEXT.index("  - name: any other")], [("no-example", 7)]),
    "a name given twice": (
        EXAMPLES_TEXT.replace("any other", "a special one"),
        [("duplicate-name", 3), ("duplicate-name", 6)],
    ),
    "a source without rules": (
        EXAMPLES_TEXT.replace("somewhere", "elsewhere"),
        [("no-rules", 1), ("no-example", 4), ("no-example", 7)],
    ),
    "an unknown fact": (EXAMPLES_TEXT.replace("category:", "categories:"), [("unknown-field", 4)]),
}


@pytest.mark.parametrize("what", FAULTY_EXAMPLES)
def test_examples_that_do_not_hold_are_faults(what: str, tmp_path: Path) -> None:
    text, expected = FAULTY_EXAMPLES[what]

    assert codes_and_lines(lint([a_folder(tmp_path, examples=text)])) == expected
