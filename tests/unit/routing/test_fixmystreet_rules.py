"""The rules of Fix My Street that come with the program."""

from itertools import pairwise

import pytest

from routing.choose import Rules, choose
from routing.load import bundled_files, lint_bundled, load_bundled
from routing.rule import TO_BE_CLASSIFIED
from schemas.case import Category
from schemas.place import RoadManager
from tests.unit.routing.builders import known_leaves, some_facts

LEAVES = known_leaves()


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_bundled()


def rule_for(rules: Rules, *path: Category, road_manager: RoadManager | None = None) -> str:
    facts = some_facts(*path, source="fixmystreet", road_manager=road_manager)
    return choose(rules, facts).decision.rule


def in_words(path: tuple[Category, ...]) -> str:
    return "-".join(step.id for step in path)


def test_every_example_holds_and_every_rule_has_one() -> None:
    """The lint runs the examples and misses those that are not there; it also needs some to run."""
    assert [file.name for file in bundled_files() if "/cases/" in file.name] == ["routing/cases/fixmystreet.yaml"]
    assert lint_bundled() == []


def test_the_tree_of_2017_has_64_leaves() -> None:
    assert len(LEAVES) == 64


@pytest.mark.parametrize("path", LEAVES, ids=in_words)
@pytest.mark.parametrize("road_manager", [None, *RoadManager])
def test_every_known_leaf_has_a_rule_of_its_own_or_of_its_parents(
    path: tuple[Category, ...], road_manager: RoadManager | None, rules: Rules
) -> None:
    assert rule_for(rules, *path, road_manager=road_manager) != TO_BE_CLASSIFIED


@pytest.mark.parametrize("path", LEAVES, ids=in_words)
def test_the_labels_of_a_known_leaf_do_not_lead_elsewhere_than_its_ids(
    path: tuple[Category, ...], rules: Rules
) -> None:
    """Labels such as Signalisation and Graffiti stand in several places of the tree."""
    for road_manager in (None, *RoadManager):
        by_id = rule_for(rules, *(Category(id=step.id) for step in path), road_manager=road_manager)
        assert rule_for(rules, *path, road_manager=road_manager) == by_id


@pytest.mark.parametrize("path", [path for path in LEAVES if not path[-1].id.startswith("400")], ids=in_words)
def test_a_known_leaf_alone_gets_what_it_gets_with_its_parents(path: tuple[Category, ...], rules: Rules) -> None:
    """But for the colours of bag, which hang under two parents."""
    assert rule_for(rules, path[-1]) == rule_for(rules, *path)


@pytest.mark.parametrize("path", LEAVES, ids=in_words)
def test_a_leaf_under_a_known_root_is_classified_even_when_every_id_is_new(
    path: tuple[Category, ...], rules: Rules
) -> None:
    renumbered = (Category(id=f"new-{step.id}", label=step.label) for step in path)

    assert rule_for(rules, *renumbered) != TO_BE_CLASSIFIED


def test_the_tree_in_the_rules_is_the_known_one(rules: Rules) -> None:
    """The colours of bag hang under two parents, so their common one stands for both."""
    pairs = {(below.id, above.id) for path in LEAVES for above, below in pairwise(path)}
    single = {child: parent for child, parent in pairs if not child.startswith("400")}

    assert rules.by_source["fixmystreet"].rule_set.parents == {**single, **{f"400{n}": "2000" for n in range(1, 7)}}


@pytest.mark.parametrize("category_id", ["9999", "1", "x"])
def test_an_unknown_category_is_left_to_the_dispatchers(category_id: str, rules: Rules) -> None:
    decision = choose(rules, some_facts(category_id, source="fixmystreet")).decision

    assert decision.rule == TO_BE_CLASSIFIED
    assert decision.tags == (TO_BE_CLASSIFIED,)
    assert decision.department == "dispatch"


def test_what_the_region_is_given_on_its_roads_is_marked(rules: Rules) -> None:
    for rule in rules.by_source["fixmystreet"].rule_set.rules:
        regional = rule.when.road_managers == (RoadManager.REGIONAL,)
        assert regional == ("regional-road" in rule.then.tags)
        assert not regional or rule.then.department == "regional-liaison"


def test_dangerous_things_are_urgent_and_due_within_a_day(rules: Rules) -> None:
    dangerous = [r.then for r in rules.by_source["fixmystreet"].rule_set.rules if "danger" in r.then.tags]

    assert dangerous
    assert all(then.priority == "urgent" and then.within and then.within.days == 0 for then in dangerous)
