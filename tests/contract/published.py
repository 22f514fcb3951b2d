"""The contracts under docs/contracts, read so that a test can hold a message against them."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

CONTRACTS = sorted((Path(__file__).parents[2] / "docs" / "contracts").glob("*.openapi.yaml"))
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_CONTRACT_ADDRESS = "urn:contract"


class Contract:
    """One OpenAPI document."""

    def __init__(self, path: Path) -> None:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert isinstance(document, dict)
        self.document: dict[str, Any] = document

    @classmethod
    def named(cls, name: str) -> "Contract":
        """The contract of a system, by the first part of its file name."""
        (path,) = (path for path in CONTRACTS if path.name == f"{name}.openapi.yaml")
        return cls(path)

    @cached_property
    def operations(self) -> dict[str, dict[str, Any]]:
        """The operations by their ids."""
        return {
            operation["operationId"]: operation
            for path in self.document["paths"].values()
            for method, operation in path.items()
            if method in METHODS
        }

    def schema(self, name: str) -> dict[str, Any]:
        """A schema of the components."""
        return {"$ref": f"#/components/schemas/{name}"}

    def example(self, name: str) -> Any:
        """The value of an example of the components."""
        return self.document["components"]["examples"][name]["value"]

    def resolved(self, node: Any) -> Any:
        """What a node refers to, if it refers."""
        while isinstance(node, dict) and str(node.get("$ref", "")).startswith("#/"):
            reference = node["$ref"]
            node = self.document
            for step in reference[2:].split("/"):
                node = node[step]
        return node

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """A validator of one schema of this contract, formats included."""
        registry: Registry[Any] = Registry().with_resource(
            _CONTRACT_ADDRESS, DRAFT202012.create_resource(self.document)
        )
        checker = Draft202012Validator.FORMAT_CHECKER
        return Draft202012Validator(_absolute(schema), registry=registry, format_checker=checker)

    def faults_of_answer(self, operation_id: str, status: int, headers: dict[str, str], body: Any) -> list[str]:
        """What the contract has against an answer of an operation; header names in lower case."""
        responses = self.operations[operation_id]["responses"]
        if str(status) not in responses:
            return [f"{operation_id} does not answer {status}"]
        response = self.resolved(responses[str(status)])
        media_type = headers.get("content-type", "").partition(";")[0]
        content = response["content"].get(media_type)
        if content is None:
            return [f"{operation_id} {status} is not of type {media_type!r}"]
        faults = [error.message for error in self.validator(content["schema"]).iter_errors(body)]
        optional = {"idempotent-replayed"}
        for name, header in response.get("headers", {}).items():
            value: Any = headers.get(name.lower())
            if value is None:
                faults += [] if name.lower() in optional else [f"{operation_id} {status} lacks {name}"]
                continue
            schema = self.resolved(header)["schema"]
            value = int(value) if schema.get("type") == "integer" and value.isdecimal() else value
            faults += [f"{name}: {error.message}" for error in self.validator(schema).iter_errors(value)]
        return faults

    def examples(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """Every example with the place where it was found and the schema that stands beside it."""
        yield from self._examples_in(self.document, "")

    def references(self) -> set[str]:
        """Everything that is referred to."""
        return set(_references_in(self.document))

    def _examples_in(self, node: Any, where: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
        if isinstance(node, dict):
            schema = node.get("schema")
            if isinstance(schema, dict):
                if "example" in node:
                    yield f"{where}.example", schema, node["example"]
                for name, example in node.get("examples", {}).items():
                    yield f"{where}.examples.{name}", schema, self.resolved(example)["value"]
            for name, value in node.items():
                yield from self._examples_in(value, f"{where}.{name}")
        elif isinstance(node, list):
            for position, value in enumerate(node):
                yield from self._examples_in(value, f"{where}.{position}")


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: f"{_CONTRACT_ADDRESS}{value}" if name == "$ref" and isinstance(value, str) else _absolute(value)
            for name, value in node.items()
        }
    return [_absolute(item) for item in node] if isinstance(node, list) else node


def _references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references_in(value)
