"""Choosing: first match wins, leaves inherit, and every choice can say why."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.choose import NoRulesError, Tried, choose, explain
from routing.facts import RoutingFacts
from routing.rule import When
from schemas.case import Kind, Status
from schemas.decision import Decision, Priority
from schemas.place import RoadManager
from schemas.text import Language
from tests.unit.routing.builders import a_category, a_rule, indexed, rules_of, some_facts

CONDITIONS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "category": ({"ids": ["1"]}, {"category": (a_category("1"),)}, {"category": (a_category("2"),)}),
    "municipalities": (["21004"], {"municipality": "21004"}, {"municipality": "21001"}),
    "postal_codes": (["1000", "1020"], {"postal_code": "1020"}, {"postal_code": "1030"}),
    "road_managers": (["regional"], {"road_manager": RoadManager.REGIONAL}, {"road_manager": RoadManager.MUNICIPAL}),
    "statuses": (["closed"], {"status": Status.CLOSED}, {"status": Status.RECEIVED}),
    "kinds": (["worksite"], {"kind": Kind.WORKSITE}, {"kind": Kind.REPORT}),
    "languages": (["nl"], {"language": Language.NL}, {"language": Language.FR}),
}


def rule_for(facts: RoutingFacts, *rules: dict[str, Any], parents: dict[str, str] | None = None) -> str:
    return choose(rules_of(*rules, parents=parents), facts).decision.rule


@pytest.mark.parametrize("condition", When.model_fields)
def test_each_condition_lets_through_what_it_names_and_nothing_else(condition: str) -> None:
    wanted, matching, other = CONDITIONS[condition]
    rule = a_rule("conditional", **{condition: wanted})

    assert rule_for(some_facts(**matching), rule) == "conditional"
    assert rule_for(some_facts(**other), rule) == "to-be-classified"


@pytest.mark.parametrize("condition", ["category", "municipalities", "postal_codes", "road_managers", "languages"])
def test_what_is_not_known_matches_no_condition(condition: str) -> None:
    rule = a_rule("conditional", **{condition: CONDITIONS[condition][0]})

    assert rule_for(some_facts(), rule) == "to-be-classified"


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = a_rule("both", category={"ids": ["1"]}, postal_codes=["1000"])

    assert rule_for(some_facts("1", postal_code="1000"), rule) == "both"
    assert rule_for(some_facts("1", postal_code="1020"), rule) == "to-be-classified"
    assert rule_for(some_facts("2", postal_code="1000"), rule) == "to-be-classified"


def test_the_first_of_two_matching_rules_wins() -> None:
    by_place = a_rule("by-place", postal_codes=["1000"])
    by_category = a_rule("by-category", category={"ids": ["1"]})
    facts = some_facts("1", postal_code="1000")

    assert rule_for(facts, by_place, by_category) == "by-place"
    assert rule_for(facts, by_category, by_place) == "by-category"


def test_a_leaf_inherits_the_rule_of_its_parents() -> None:
    assert rule_for(some_facts("1", "11", "111"), a_rule("root", category={"ids": ["1"]})) == "root"


def test_a_parent_does_not_inherit_the_rule_of_its_leaf() -> None:
    assert rule_for(some_facts("1"), a_rule("leaf", category={"ids": ["11"]})) == "to-be-classified"


def test_a_leaf_that_comes_without_its_parents_inherits_from_the_known_tree() -> None:
    root = a_rule("root", category={"ids": ["1"]})

    assert rule_for(some_facts("111"), root, parents={"111": "11", "11": "1"}) == "root"


def test_the_path_that_a_source_gives_is_believed_over_the_known_tree() -> None:
    root = a_rule("root", category={"ids": ["1"]})

    assert rule_for(some_facts("2", "11"), root, parents={"11": "1"}) == "to-be-classified"


@pytest.mark.parametrize("label", ["Éclairage public", "eclairage  PUBLIC", "E\u0301clairage public "])
def test_labels_are_compared_without_case_accents_and_spacing(label: str) -> None:
    rule = a_rule("lighting", category={"labels": {"fr": ["Éclairage public"]}})

    assert rule_for(some_facts(a_category("77", fr=label), a_category("78", fr="Lampe")), rule) == "lighting"


def test_a_label_matches_in_its_own_language_only() -> None:
    rule = a_rule("dutch", category={"labels": {"nl": ["Groen"]}})

    assert rule_for(some_facts(a_category("7", fr="Groen")), rule) == "to-be-classified"
    assert rule_for(some_facts(a_category("7", nl="Groen")), rule) == "dutch"


def test_an_id_or_a_label_is_enough() -> None:
    rule = a_rule("either", category={"ids": ["1"], "labels": {"fr": ["Voirie"]}})

    assert rule_for(some_facts("1"), rule) == "either"
    assert rule_for(some_facts(a_category("9", fr="Voirie")), rule) == "either"


def test_the_decision_carries_everything_the_rule_says() -> None:
    then = {
        "case_type": "lighting",
        "department": "lights",
        "priority": "high",
        "within": "2 days",
        "destination": "another_sink",
        "tags": ["danger"],
        "language": "nl",
    }
    rules = rules_of(a_rule("full", then=then, category={"ids": ["1"]}))

    assert choose(rules, some_facts("1")).decision == Decision(
        case_type="lighting",
        department="lights",
        priority=Priority.HIGH,
        within=timedelta(days=2),
        destination="another_sink",
        tags=("danger",),
        language=Language.NL,
        rule="full",
        rules_version=rules.versions["somewhere"],
    )


def test_a_rule_that_names_no_destination_takes_the_one_of_the_file() -> None:
    assert choose(rules_of(), some_facts()).decision.destination == "a_sink"


def test_a_source_without_rules_is_an_error_of_the_installation() -> None:
    with pytest.raises(NoRulesError, match="elsewhere"):
        choose(rules_of(), some_facts(source="elsewhere"))


def test_why_names_every_rule_tried_and_the_first_condition_that_did_not_hold() -> None:
    rules = rules_of(
        a_rule("other-category", category={"ids": ["2"], "labels": {"fr": ["Voirie"]}}, postal_codes=["1020"]),
        a_rule("other-place", category={"ids": ["1"]}, postal_codes=["1020", "1120"]),
        a_rule("regional", road_managers=["regional"]),
        a_rule("the-one", category={"ids": ["1"]}),
        a_rule("never-tried", kinds=["report"]),
    )

    assert choose(rules, some_facts("1", "11", postal_code="1000")).why == (
        Tried("other-category", "the category 1 › 11 is not 2 or 'Voirie', nor under it"),
        Tried("other-place", "the postal code is 1000, not 1020 or 1120"),
        Tried("regional", "the road manager is not known, not regional"),
        Tried("the-one", None),
    )


def test_an_explanation_ends_with_the_rule_that_matched_and_what_it_decided() -> None:
    then = {"priority": "urgent", "within": "PT90M", "tags": ["danger"], "language": "fr"}
    rules = rules_of(a_rule("no", postal_codes=["1020"]), a_rule("yes", then=then, kinds=["report"]))

    assert explain(choose(rules, some_facts())) == [
        f"rules of somewhere, version {rules.versions['somewhere']}",
        "  - no: the postal code is not known, not 1020",
        "  = yes: matches",
        "other for dispatch by a_sink, priority urgent, within 90 minutes, tags danger, answer in fr",
    ]


def test_the_version_follows_what_the_rules_say_and_not_how_it_is_written() -> None:
    rule = a_rule("one", category={"ids": ["1"]})
    same = a_rule("one", then={"priority": "normal"}, category={"ids": [1]})

    assert indexed(rule).version == indexed(same).version
    assert indexed(rule).version != indexed(a_rule("one", category={"ids": ["2"]})).version
    assert indexed(rule).version != indexed(rule, parents={"2": "1"}).version


CATEGORY_IDS = st.sampled_from(["1", "2", "11", "12", "21", "111"])
CATEGORIES = st.fixed_dictionaries(
    {"id": CATEGORY_IDS}, optional={"fr": st.sampled_from(["Voirie", "VOIRIE", "Éclairage"]), "nl": st.just("Voirie")}
).map(lambda step: a_category(step.pop("id"), **step))
FACTS = st.builds(
    lambda path, postal_code, road_manager: some_facts(*path, postal_code=postal_code, road_manager=road_manager),
    st.lists(CATEGORIES, max_size=3),
    st.sampled_from([None, "1000", "1020"]),
    st.sampled_from([None, *RoadManager]),
)
WHEN: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "category": st.fixed_dictionaries({"ids": st.lists(CATEGORY_IDS, min_size=1, max_size=2, unique=True)})
        | st.just({"labels": {"fr": ["voirie"]}}),
        "postal_codes": st.lists(st.sampled_from(["1000", "1020"]), min_size=1, unique=True),
        "road_managers": st.lists(st.sampled_from(["regional", "municipal"]), min_size=1, unique=True),
    },
)
RULES = st.lists(WHEN, max_size=6).map(
    lambda whens: [a_rule(f"rule-{n}", then=None, **when) for n, when in enumerate(whens)]
)


@given(rules=RULES, facts=FACTS)
def test_the_index_chooses_the_first_rule_that_has_no_mismatch(
    rules: list[dict[str, Any]], facts: RoutingFacts
) -> None:
    tree = {"11": "1", "12": "1", "21": "2", "111": "11"}
    searched = indexed(*rules, parents=tree)

    choice = searched.choose(facts)

    matching = [rule.name for rule in searched.rule_set.rules if searched.mismatch(rule, facts) is None]
    assert choice.decision.rule == matching[0]
    assert [tried.mismatch is None for tried in choice.why] == [False] * choice.position + [True]


@given(rules=RULES, facts=FACTS)
def test_the_same_facts_always_get_the_same_answer(rules: list[dict[str, Any]], facts: RoutingFacts) -> None:
    once, again = choose(rules_of(*rules), facts), choose(rules_of(*rules), facts)

    assert (once.decision, once.why) == (again.decision, again.why)
