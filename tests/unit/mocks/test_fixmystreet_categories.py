"""The category tree: what both doors serve and how it can change under a reader."""

from typing import Any

from mocks.fixmystreet.categories import CategoryTree, display_name, path_ids
from tests.unit.mocks.fixmystreet_bench import a_stand_in


def flattened(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for node in nodes for found in (node, *flattened(node["subCategories"]))]


async def test_the_site_serves_at_least_120_nodes_in_three_languages() -> None:
    async with a_stand_in() as bench:
        nodes = flattened((await bench.site("categories"))["response"]["categories"])

    assert len(nodes) >= 120
    assert len({node["id"] for node in nodes}) == len(nodes)
    assert all(node["nameFr"] and node["nameNl"] and node["nameEn"] for node in nodes)
    assert all(node["assignable"] is not bool(node["subCategories"]) for node in nodes)
    assert {node["public"] for node in nodes} == {node["active"] for node in nodes} == {True, False}
    assert any(node["mandatoryComment"] for node in nodes)


def test_the_known_ids_of_2017_are_there_and_invented_ones_start_at_5000() -> None:
    tree = CategoryTree()

    assert [node.id for node in tree.path(3407)] == [1007, 2307, 3407]
    assert all(leaf.id >= 5000 for leaf in tree.leaves() if leaf.origin.startswith("invented"))


def test_a_path_is_written_as_the_webhook_writes_it() -> None:
    tree = CategoryTree()

    assert path_ids(tree.path(3026)) == [1001, 2060, 3026, ""]
    assert path_ids(tree.path(4010)) == [1002, 2002, 3032, 4010]
    assert display_name(tree.path(4010), "fr") == "Propreté publique / Dépôt clandestin : Encombrants (< 1 m³)"


async def test_a_node_can_be_added_renamed_moved_hidden_and_deactivated() -> None:
    async with a_stand_in() as bench:
        await bench.control("categories", id=5999, parent=2060, fr="Neuve", nl="Nieuw", en="New")
        await bench.control("categories", id=3407, parent=2306, fr="Range-vélos", active=False)
        await bench.control("categories", id=1008, listed=False)
        nodes = {node["id"]: node for node in flattened((await bench.site("categories"))["response"]["categories"])}

    assert 5999 in {node["id"] for node in nodes[2060]["subCategories"]}
    assert (nodes[3407]["nameFr"], nodes[3407]["active"]) == ("Range-vélos", False)
    assert 3407 in {node["id"] for node in nodes[2306]["subCategories"]}
    assert 1008 not in nodes
    assert 2020 not in nodes


async def test_a_node_cannot_become_its_own_ancestor() -> None:
    async with a_stand_in() as bench:
        for body in ({"id": 1007, "parent": 3407}, {"id": 1007, "parent": 1}, {"id": 3026, "level_of_fun": 3}):
            assert (await bench.client.post("/_control/categories", json=body)).status_code == 400
