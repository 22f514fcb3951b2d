"""Unreachable rules: found when one earlier rule covers them, never cried without reason."""

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.choose import IndexedRules
from routing.facts import RoutingFacts
from routing.shadow import shadows
from schemas.case import Category, Kind, Status
from schemas.place import RoadManager
from tests.unit.routing.builders import a_category, a_rule, a_rule_set, some_facts

TREE = {"11": "1", "12": "1", "111": "11"}
PATHS: list[tuple[Category, ...]] = [
    (),
    *((a_category(each),) for each in ("1", "2", "11", "12", "111")),
    (a_category("1"), a_category("11"), a_category("111")),
    (a_category("9", fr="Voirie"),),
    (a_category("9", fr="Éclairage"),),
]
UNIVERSE: list[RoutingFacts] = [
    some_facts(*path, postal_code=postal_code, road_manager=road_manager, kind=kind, status=status)
    for path, postal_code, road_manager, kind, status in product(
        PATHS, [None, "1000", "1020"], [None, *RoadManager], Kind, [Status.RECEIVED, Status.CLOSED]
    )
]

CATEGORY = st.fixed_dictionaries(
    {"ids": st.lists(st.sampled_from(["1", "2", "11", "12", "111"]), min_size=1, max_size=2, unique=True)},
    optional={"labels": st.sampled_from([{"fr": ["voirie"]}, {"fr": ["VOIRIE", "éclairage"]}])},
) | st.sampled_from([{"labels": {"fr": ["Voirie"]}}, {"labels": {"fr": ["Eclairage"]}}])
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "category": CATEGORY,
        "postal_codes": st.lists(st.sampled_from(["1000", "1020"]), min_size=1, unique=True),
        "road_managers": st.lists(st.sampled_from(list(RoadManager)), min_size=1, unique=True),
        "kinds": st.lists(st.sampled_from(list(Kind)), min_size=1, unique=True),
        "statuses": st.just(["closed"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(whens=st.lists(WHEN, min_size=1, max_size=4))
def test_a_rule_is_called_unreachable_exactly_when_one_earlier_rule_takes_all_it_matches(
    whens: list[dict[str, Any]],
) -> None:
    """Brute force over every case that a small world can have."""
    rules = a_rule_set(*(a_rule(f"rule-{n}", **when) for n, when in enumerate(whens)), parents=TREE)
    indexed = IndexedRules(rules)
    matched = [
        {number for number, facts in enumerate(UNIVERSE) if indexed.mismatch(rule, facts) is None}
        for rule in rules.rules
    ]

    covered = {
        later: next(earlier for earlier in range(later) if matched[later] <= matched[earlier])
        for later in range(len(matched))
        if any(matched[later] <= matched[earlier] for earlier in range(later))
    }

    assert {shadow.unreachable: shadow.behind for shadow in shadows(rules)} == covered


def test_a_leaf_behind_its_root_is_unreachable() -> None:
    rules = a_rule_set(a_rule("root", category={"ids": ["1"]}), a_rule("leaf", category={"ids": ["111"]}), parents=TREE)

    assert [(shadow.unreachable, shadow.behind) for shadow in shadows(rules)] == [(1, 0)]


def test_a_leaf_before_its_root_is_reached() -> None:
    rules = a_rule_set(a_rule("leaf", category={"ids": ["111"]}), a_rule("root", category={"ids": ["1"]}), parents=TREE)

    assert shadows(rules) == []
