"""The tree of categories, and the path of a report in it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from connectors.fixmystreet.remarks import Remarks
from connectors.fixmystreet.wire import DisplayCategory, NestedCategory
from schemas.case import Category, Remark
from schemas.text import Localised

MOST_STEPS: Final = 8
LONGEST_ID: Final = 40
LONGEST_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Node:
    """A category in the tree; some stand under several parents."""

    parents: tuple[str, ...]
    label: Localised


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Categories by id. An id that is not in it is nothing unusual: the live tree grows and moves.

    Each is equal to itself only, so that what was read with it can be remembered under it.
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)

    def __contains__(self, category_id: str) -> bool:
        return category_id in self.nodes

    def label(self, category_id: str) -> Localised:
        """The label of a category, an empty one where it is not known."""
        node = self.nodes.get(category_id)
        return node.label if node else Localised()

    def path(self, category_id: str, above: str | None = None) -> tuple[str, ...] | None:
        """The ids from the root to a category; ``above`` chooses between several parents.

        ``None`` where the tree does not know one way only.
        """
        path = [category_id]
        while node := self.nodes.get(path[0]):
            parents = [parent for parent in node.parents if parent == above] or list(node.parents)
            if not parents:
                return tuple(path)
            if len(parents) > 1 or len(path) == MOST_STEPS:
                return None
            path.insert(0, parents[0])
        return None


def tree_of_2017() -> Tree:
    """The last tree whose ids were published (django-fixmystreet, April 2017): what we know before we have asked."""
    text = resources.files("connectors.fixmystreet").joinpath("categories_2017.json").read_text("utf-8")
    return Tree(
        {
            str(entry["id"]): Node(
                tuple(str(parent) for parent in entry["parents"]),
                Localised(fr=entry["fr"], nl=entry["nl"], en=entry["en"]),
            )
            for entry in json.loads(text)["categories"]
        }
    )


def tree_from(document: Any, known: Tree | None = None) -> Tree:
    """The tree in an answer of the categories endpoint, over an older one whose categories stay as tombstones.

    The gateway is said to answer ``{"response": ...}``, the site ``{"response": {"categories": [...]}}``.
    """
    answered = document.get("response") if isinstance(document, Mapping) else document
    if isinstance(answered, Mapping):
        answered = answered.get("categories", [answered])
    found: dict[str, Node] = {}
    for category_id, parent, label in _entries(answered, None):
        before = found[category_id].parents if category_id in found else ()
        found[category_id] = Node((*before, parent) if parent and parent not in before else before, label)
    return Tree({**(known.nodes if known else {}), **found})


def _entries(nodes: Any, parent: str | None) -> Iterator[tuple[str, str | None, Localised]]:
    for node in nodes if isinstance(nodes, list) else []:
        category_id = _id(node.get("id")) if isinstance(node, Mapping) else None
        if category_id is not None:
            labels = {language: _label(node.get(f"name{language.title()}")) for language in ("fr", "nl", "en")}
            yield category_id, parent, Localised(**labels)
            yield from _entries(node.get("subCategories"), category_id)


def path_of_display(category: DisplayCategory, tree: Tree, remarks: Remarks) -> tuple[Category, ...] | None:
    """The path that a webhook names by its ids, with the labels of its display texts.

    Labels come from the texts where they split into as many steps as there are ids, else from the tree; the whole text
    labels the leaf where neither knows better.
    """
    said = (category.ids or (), category.fr, category.nl)
    # Few categories are named over and over; what is too long to be one of them is not remembered.
    short = len(repr(said)) <= LONGEST_REMEMBERED
    path, found = (_remembered_display if short else _read_display)(tree, *said)
    remarks.add_all(found)
    return path


def _read_display(
    tree: Tree, said_ids: tuple[str | None, ...], fr: str | None, nl: str | None
) -> tuple[tuple[Category, ...] | None, tuple[Remark, ...]]:
    remarks = Remarks()
    given = [text for text in said_ids if text != ""]
    ids = [category_id for text in given if (category_id := _id(text))]
    if len(ids) != len(given) or not 3 <= len(ids) <= 4:
        remarks.add("category_path_incomplete", "category.ids")
    ids = ids[:MOST_STEPS]
    if not ids:
        return None, remarks.all() or ()
    texts = {"fr": fr, "nl": nl}
    steps = {language: _split(text, len(ids)) for language, text in texts.items() if text}
    if any(split is None for split in steps.values()):
        remarks.add("category_text_ambiguous", "category")
    path = []
    for level, category_id in enumerate(ids):
        said = {language: split[level] for language, split in steps.items() if split}
        if category_id == ids[-1] and category_id not in tree:
            said |= {language: text for language, text in texts.items() if text and steps[language] is None}
        path.append(Category(id=category_id, label=_over(tree.label(category_id), said)))
    if ids[-1] not in tree:
        remarks.add("category_unknown", "category")
    return tuple(path), remarks.all() or ()


_remembered_display: Final = lru_cache(maxsize=1024)(_read_display)


def path_of_nested(category: NestedCategory, tree: Tree, remarks: Remarks) -> tuple[Category, ...] | None:
    """The path of an incident's category, which may hold another one: its parent or its leaf, nobody says which.

    The tree decides where it knows, then the old ranges of ids (1000 for roots up to 4000 for the fourth level); where
    neither does, the outer one stands first and a remark says so.
    """
    named = _flattened(category)
    ids = _ordered(list(named), tree, remarks)
    if not ids:
        remarks.add("category_without_id", "category")
        return None
    if ids[-1] not in tree:
        remarks.add("category_unknown", "category")
    path = tree.path(ids[-1], above=ids[-2] if len(ids) > 1 else None)
    if path is None and ids[-1] in tree:
        remarks.add("category_path_incomplete", "category")
    if path is None or not set(ids) <= set(path):
        above = tree.path(ids[0]) or (ids[0],)
        path = (*above, *(category_id for category_id in ids if category_id not in above))
    return tuple(Category(id=step, label=_over(tree.label(step), named.get(step, {}))) for step in path)


def title_of(path: Sequence[Category] | None) -> Localised | None:
    """A report has no title; its category's name stands for one.

    A fourth level alone says too little (a colour, a size), so it stands behind the third as in their own texts.
    """
    if not path:
        return None
    leaf = path[-1].label
    if len(path) > 3:
        above = path[-2].label
        texts = {
            language: f"{step} ({text})"
            for language in ("fr", "nl", "en")
            if (text := getattr(leaf, language)) and (step := getattr(above, language))
        }
        leaf = _over(leaf, texts)
    return leaf if leaf.first() else None


def _flattened(category: NestedCategory | None) -> dict[str, dict[str, str]]:
    named: dict[str, dict[str, str]] = {}
    while category is not None and len(named) < MOST_STEPS:
        if category_id := _id(category.id):
            names = {"fr": category.name_fr, "nl": category.name_nl, "en": category.name_en}
            named[category_id] = {language: name for language, name in names.items() if name}
        category = category.category
    return named


def _ordered(ids: list[str], tree: Tree, remarks: Remarks) -> list[str]:
    """The ids of nested categories from the root down."""
    if len(ids) < 2:
        return ids
    ancestors = {category_id: set(_ancestors(category_id, tree)) for category_id in ids}
    depths = [sum(other in ancestors[category_id] for other in ids) for category_id in ids]
    if sorted(depths) == list(range(len(ids))):
        return [category_id for _, category_id in sorted(zip(depths, ids, strict=True))]
    levels = [_level(category_id) for category_id in ids]
    if None not in levels and len(set(levels)) == len(levels):
        return sorted(ids, key=lambda category_id: _level(category_id) or 0)
    remarks.add("category_order_unknown", "category")
    return ids


def _ancestors(category_id: str, tree: Tree) -> Iterator[str]:
    seen = {category_id}
    waiting = [category_id]
    while waiting:
        node = tree.nodes.get(waiting.pop())
        for parent in node.parents if node else ():
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
                yield parent


def _level(category_id: str) -> int | None:
    return int(category_id[0]) if len(category_id) == 4 and category_id[0] in "1234" else None


def _split(text: str, steps: int) -> list[str] | None:
    """``L1 / L2 : L3 (L4)`` in as many labels, ``None`` where a label holds a separator of its own."""
    roots, _, leaf = text.partition(" : ")
    labels = roots.split(" / ")
    leaves = leaf[:-1].split(" (") if steps == 4 and leaf.endswith(")") else [leaf]
    labels = [label.strip() for label in (*labels, *leaves)]
    clean = len(labels) == steps == len(leaves) + 2 and " : " not in leaf and all(labels)
    return labels if clean else None


def _over(label: Localised, said: Mapping[str, str]) -> Localised:
    differing = {language: text for language, text in said.items() if getattr(label, language) != text}
    return label.model_copy(update=differing) if differing else label


def _id(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value)
    return text if 0 < len(text) <= LONGEST_ID and text.isascii() and text.isalnum() else None


def _label(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
