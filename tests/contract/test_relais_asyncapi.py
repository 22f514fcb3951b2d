"""The AsyncAPI document: whole, resolvable, and true to the channels that the code knows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from schemas.channels import CHANNELS, Channel, Direction
from schemas.publish import FOLDER

FILE = Path(__file__).parents[2] / "docs" / "contracts" / "relais.asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
ACTIONS = {
    Direction.SENT: {"send"},
    Direction.RECEIVED: {"receive"},
    Direction.INTERNAL: {"send", "receive"},
}


def references(node: Any) -> Iterator[str]:
    """Every ``$ref`` under a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for member in node.values():
            yield from references(member)
    elif isinstance(node, list):
        for member in node:
            yield from references(member)


def resolved(reference: str) -> Any:
    """What a reference points at. Raises KeyError or OSError where it points at nothing."""
    file, _, pointer = reference.partition("#")
    node = json.loads((FILE.parent / file).read_text("utf-8")) if file else DOCUMENT
    for step in pointer.removeprefix("/").split("/") if pointer else ():
        node = node[step]
    return node


def registry() -> Registry[Any]:
    """The published schemas under the paths by which the document names them."""
    resources = [
        (f"../../schemas/published/{path.name}", json.loads(path.read_text("utf-8"))) for path in FOLDER.glob("*.json")
    ]
    # a published schema names itself by its urn, so it is known without that name here
    return Registry().with_resources(
        (address, Resource.from_contents({**schema, "$id": address}, DRAFT202012)) for address, schema in resources
    )


@pytest.fixture(params=CHANNELS, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> Channel:
    chosen: Channel = request.param
    return chosen


def test_it_is_an_asyncapi_3_document() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert set(DOCUMENT) <= {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}


def test_every_reference_resolves() -> None:
    found = set(references(DOCUMENT))

    assert found
    assert all(resolved(reference) for reference in found)


def test_every_channel_is_there_and_no_other() -> None:
    assert set(DOCUMENT["channels"]) == {channel.name for channel in CHANNELS}


def test_a_channel_has_its_address_its_parameters_and_its_message(channel: Channel) -> None:
    said = DOCUMENT["channels"][channel.name]

    assert said["address"] == channel.address
    assert tuple(said.get("parameters", {})) == channel.parameters
    assert ("x-nats-stream" in said) is channel.stream
    (message,) = said["messages"].values()
    assert resolved(message["$ref"])["name"] == channel.message.__name__


def test_a_channel_is_operated_as_the_code_does(channel: Channel) -> None:
    operations = [
        operation
        for operation in DOCUMENT["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{channel.name}"
    ]

    assert {operation["action"] for operation in operations} == ACTIONS[channel.direction]
    for operation in operations:
        assert [reference["$ref"] for reference in operation["messages"]] == [
            f"#/channels/{channel.name}/messages/{channel.name}"
        ]


def test_a_message_has_a_payload_that_its_example_satisfies(channel: Channel) -> None:
    message = DOCUMENT["components"]["messages"][channel.name]
    payload = {**message["payload"], "components": DOCUMENT["components"]}

    Draft202012Validator.check_schema(payload)
    for example in message.get("examples", ()):
        Draft202012Validator(payload, registry=registry()).validate(example["payload"])
    assert bool(message.get("examples")) is (channel.enveloped and channel.direction is Direction.SENT)


def test_an_example_with_the_wrong_data_is_refused() -> None:
    message = DOCUMENT["components"]["messages"]["case-ready"]
    example = {**message["examples"][0]["payload"], "data": {"source": "fixmystreet"}}

    assert not Draft202012Validator(message["payload"], registry=registry()).is_valid(example)
