"""The contracts under docs/contracts: well formed, and true to their own examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

CONTRACTS = sorted((Path(__file__).parents[2] / "docs" / "contracts").glob("*.openapi.yaml"))
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def document_at(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def resolved(document: dict[str, Any], node: Any) -> Any:
    while isinstance(node, dict) and str(node.get("$ref", "")).startswith("#/"):
        reference = node["$ref"]
        node = document
        for step in reference[2:].split("/"):
            node = node[step]
    return node


def validator_for(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource("urn:contract", DRAFT202012.create_resource(document))
    return Draft202012Validator(
        _absolute(schema), registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: f"urn:contract{value}" if name == "$ref" and isinstance(value, str) else _absolute(value)
            for name, value in node.items()
        }
    return [_absolute(item) for item in node] if isinstance(node, list) else node


def examples_in(document: dict[str, Any], node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example with the schema that stands beside it and the place where both were found."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if isinstance(schema, dict):
            if "example" in node:
                yield f"{where}.example", schema, node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{where}.examples.{name}", schema, resolved(document, example)["value"]
        for name, value in node.items():
            yield from examples_in(document, value, f"{where}.{name}")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from examples_in(document, value, f"{where}.{position}")


def operations_in(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in METHODS)


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from references_in(value)


@pytest.fixture(params=CONTRACTS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return document_at(request.param)


def test_there_is_a_contract_to_look_at() -> None:
    assert any(path.name == "crm-cmt.openapi.yaml" for path in CONTRACTS)


def test_a_contract_is_a_valid_openapi_document(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_example_satisfies_the_schema_beside_it(document: dict[str, Any]) -> None:
    failures = [
        f"{where}: {error.message}"
        for where, schema, value in examples_in(document, document)
        for error in validator_for(document, schema).iter_errors(value)
    ]
    assert failures == []


def test_every_json_body_comes_with_an_example(document: dict[str, Any]) -> None:
    bodies = [
        (operation["operationId"], status, media_type)
        for operation in operations_in(document)
        for status, holder in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for media_type, content in resolved(document, holder).get("content", {}).items()
        if not content.get("examples")
    ]
    assert bodies == []


def test_every_operation_and_schema_says_what_it_is(document: dict[str, Any]) -> None:
    silent = [
        operation["operationId"]
        for operation in operations_in(document)
        if not operation.get("summary") or not operation.get("description")
    ]
    silent += [name for name, schema in document["components"]["schemas"].items() if not schema.get("description")]
    assert silent == []


def test_nothing_in_the_components_is_left_unused(document: dict[str, Any]) -> None:
    referred_to = set(references_in(document))
    unused = [
        f"{group}/{name}"
        for group, members in document["components"].items()
        if group != "securitySchemes"
        for name in members
        if f"#/components/{group}/{name}" not in referred_to
    ]
    assert unused == []
