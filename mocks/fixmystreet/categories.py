"""The category tree: read from categories.json, changeable while it is served."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

LEVELS = 4


@dataclass(frozen=True)
class Category:
    """One node; a leaf is what a report may carry (the `assignable` of the API)."""

    id: int
    parent: int | None
    level: int
    fr: str
    nl: str
    en: str
    origin: str
    public: bool = True
    active: bool = True
    listed: bool = True
    mandatory_comment: bool = False
    organisation: int | None = None


@cache
def known_categories() -> tuple[Category, ...]:
    """The nodes of categories.json, parents before children."""
    return tuple(Category(**row) for row in json.loads(Path(__file__).with_name("categories.json").read_text("utf-8")))


class CategoryTree:
    """The tree as it stands now; `listed=False` nodes occur in reports but not in `/categories`."""

    def __init__(self) -> None:
        self._nodes = {category.id: category for category in known_categories()}
        self.revision = 0

    def __getitem__(self, category_id: int) -> Category:
        return self._nodes[category_id]

    def __contains__(self, category_id: object) -> bool:
        return category_id in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, category_id: int, changes: Mapping[str, Any]) -> Category:
        """Add or alter one node; TypeError for an unknown field, ValueError for a parent that cannot be one."""
        known = self._nodes.get(category_id)
        parent = changes.get("parent", known.parent if known else None)
        if parent is not None and (parent not in self._nodes or category_id in {node.id for node in self.path(parent)}):
            raise ValueError(f"{parent!r} cannot be the parent of {category_id}")
        level = 1 if parent is None else self._nodes[parent].level + 1
        if level > LEVELS:
            raise ValueError(f"a tree has at most {LEVELS} levels")
        changed = {**changes, "id": category_id, "parent": parent, "level": level}
        node = replace(known, **changed) if known else Category(**{"origin": "by hand", **changed})
        self._nodes[category_id] = node
        self.revision += 1
        return node

    def path(self, category_id: int) -> list[Category]:
        """From the root to the node itself."""
        node: Category | None = self._nodes[category_id]
        path: list[Category] = []
        while node is not None:
            path.append(node)
            node = self._nodes[node.parent] if node.parent is not None else None
        return path[::-1]

    def children(self, parent: int | None) -> list[Category]:
        """Direct children in file order; of None, the roots."""
        return [node for node in self._nodes.values() if node.parent == parent]

    def leaves(self) -> Iterator[Category]:
        """Every node that a report may carry, whether or not citizens may choose it."""
        parents = {node.parent for node in self._nodes.values()}
        return (node for node in self._nodes.values() if node.id not in parents)

    def is_leaf(self, category_id: int) -> bool:
        """Whether a report may carry this node."""
        return category_id in self._nodes and not any(node.parent == category_id for node in self._nodes.values())

    def wire(self, *, with_english: bool) -> list[dict[str, Any]]:
        """The roots with their `subCategories`, as both doors serve them."""
        by_parent: dict[int | None, list[Category]] = {}
        for node in self._nodes.values():
            if node.listed:
                by_parent.setdefault(node.parent, []).append(node)

        def written(node: Category) -> dict[str, Any]:
            below = by_parent.get(node.id, [])
            names = {"nameFr": node.fr, "nameNl": node.nl} | ({"nameEn": node.en} if with_english else {})
            return {
                "id": node.id,
                **names,
                "assignable": not below,
                "active": node.active,
                "public": node.public,
                "mandatoryComment": node.mandatory_comment,
                "subCategories": [written(child) for child in below],
            }

        return [written(root) for root in by_parent.get(None, [])]


def display_name(path: list[Category], language: str) -> str:
    """`L1 / L2 : L3 (L4)`, the wording of the webhook."""
    names = [getattr(node, language) for node in path]
    text = " / ".join(names[:2])
    if len(names) > 2:
        text += f" : {names[2]}"
    if len(names) > 3:
        text += f" ({names[3]})"
    return text


def path_ids(path: list[Category]) -> list[int | str]:
    """Four ids from L1 to L4, an empty string where there is no such level."""
    ids: list[int | str] = [node.id for node in path]
    return ids + [""] * (LEVELS - len(ids))
