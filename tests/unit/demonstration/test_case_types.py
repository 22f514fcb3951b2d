"""The judge's own small list of case types: it was written beside the rules, and both agree on every known category."""

import json
from pathlib import Path
from typing import Any

import pytest

from relais.demonstration.case_types import expected_case_types
from routing.choose import choose
from routing.facts import facts_of
from routing.load import load_bundled
from schemas.case import CaseFacts, Category, Kind
from schemas.text import Localised

TREE: dict[int, dict[str, Any]] = {
    node["id"]: node
    for node in json.loads((Path(__file__).parents[3] / "mocks/fixmystreet/categories.json").read_text("utf-8"))
}
LEAVES = sorted(TREE.keys() - {node["parent"] for node in TREE.values()})
RULES = load_bundled()


def path_of(leaf: int) -> list[dict[str, Any]]:
    path, parent = [TREE[leaf]], TREE[leaf]["parent"]
    while parent is not None:
        path.insert(0, TREE[parent])
        parent = path[0]["parent"]
    return path


@pytest.mark.parametrize("leaf", LEAVES)
def test_the_list_and_the_rules_agree(leaf: int) -> None:
    path = path_of(leaf)
    facts = CaseFacts(
        category=tuple(Category(id=str(node["id"]), label=Localised(fr=node["fr"], nl=node["nl"])) for node in path)
    )
    decision = choose(RULES, facts_of("fixmystreet", Kind.REPORT, "21004", facts)).decision

    assert decision.case_type in expected_case_types([str(node["id"]) for node in path])


def test_what_nobody_knows_is_to_be_classified() -> None:
    assert expected_case_types(["8000", "8001"]) == {"to-be-classified"}
    assert expected_case_types([]) == {"to-be-classified"}
