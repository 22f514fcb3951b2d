"""YAML as rules are written in it: text only, no surprises, and every value knows its line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from routing.fault import Fault

Step = str | int
_PLAIN_TAGS: Final = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", ""})


@dataclass(frozen=True, slots=True)
class Document:
    """A file as data in which every scalar is text, with the line on which each value stands."""

    file: str
    data: Mapping[str, Any]
    lines: Mapping[tuple[Step, ...], int]

    def line_of(self, *path: Step) -> int:
        """The line of the value at a path, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def document_of(file: str, content: bytes) -> Document | list[Fault]:
    """Read a file's content, or say everything that makes it unreadable."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return [Fault(file, line, "not-utf-8", "the file is not UTF-8", "Save it as UTF-8")]
    tabs = [
        Fault(file, number, "tab", "the line is indented with a tab", "Indent with spaces")
        for number, line in enumerate(text.splitlines(), start=1)
        if "\t" in line[: len(line) - len(line.lstrip())]
    ]
    if tabs:
        return tabs
    try:
        roots = list(yaml.compose_all(text, Loader=yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        remedy = "Look at this line and the one before it: a colon, a quote, a bracket or the indentation"
        return [Fault(file, mark.line + 1 if mark else 1, "not-yaml", f"the YAML cannot be read: {problem}", remedy)]
    except (yaml.YAMLError, RecursionError) as error:
        return [Fault(file, 1, "not-yaml", f"the YAML cannot be read: {type(error).__name__}", "Write plain YAML")]
    if not roots or _is_nothing(roots[0]):
        return [Fault(file, 1, "empty", "the file is empty", "Write what belongs in it, or remove the file")]
    if len(roots) > 1:
        line = roots[1].start_mark.line + 1
        return [Fault(file, line, "two-documents", "a second YAML document starts here", "Use one file for each")]
    reading = _Reading(file)
    data = reading.value_of(roots[0], ())
    if not reading.faults and not isinstance(data, dict):
        reading.note(roots[0], "not-a-mapping", "the file is not a mapping", "Start it with keys such as 'source:'")
    return reading.faults or Document(file, data, reading.lines)


def _is_nothing(root: Node) -> bool:
    return isinstance(root, ScalarNode) and not root.value.strip()


class _Reading:
    """One walk over a file's nodes."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[int] = set()
        self.faults: list[Fault] = []
        self.lines: dict[tuple[Step, ...], int] = {}

    def note(self, node: Node, code: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(self._file, node.start_mark.line + 1, code, problem, remedy))

    def value_of(self, node: Node, path: tuple[Step, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        # An alias gives the same node again; following one could be endless, or grow without measure.
        if id(node) in self._seen:
            self.note(node, "alias", "the value is used again by an alias", "Write it out where it is needed")
            return None
        self._seen.add(id(node))
        if node.tag and node.tag not in _PLAIN_TAGS:
            self.note(node, "tag", f"the value has the tag {node.tag}", "Remove the tag; every value is plain text")
        match node:
            case MappingNode():
                return self._mapping_of(node, path)
            case SequenceNode():
                return [self.value_of(item, (*path, position)) for position, item in enumerate(node.value)]
            case _:
                return node.value

    def _mapping_of(self, node: MappingNode, path: tuple[Step, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.note(key, "key", "a key is not plain text", "Write a word before the colon")
                continue
            if key.value in values:
                first = self.lines[(*path, key.value)]
                problem = f"the key '{key.value}' is already there on line {first}"
                self.note(key, "duplicate-key", problem, "Keep one of the two")
                continue
            self.lines[(*path, key.value)] = key.start_mark.line + 1
            values[key.value] = self.value_of(value, (*path, key.value))
        return values
