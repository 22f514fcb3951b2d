"""The contracts under docs/contracts: well formed, and true to their own examples."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.published import CONTRACTS, Contract


@pytest.fixture(params=CONTRACTS, ids=lambda path: path.name)
def contract(request: pytest.FixtureRequest) -> Contract:
    return Contract(request.param)


def test_there_is_a_contract_to_look_at() -> None:
    assert "crm-cmt.openapi.yaml" in {path.name for path in CONTRACTS}


def test_a_contract_is_a_valid_openapi_document(contract: Contract) -> None:
    OpenAPIV31SpecValidator(contract.document).validate()


def test_every_example_satisfies_the_schema_beside_it(contract: Contract) -> None:
    failures = [
        f"{where}: {error.message}"
        for where, schema, value in contract.examples()
        for error in contract.validator(schema).iter_errors(value)
    ]
    assert failures == []


def test_every_json_body_comes_with_an_example(contract: Contract) -> None:
    bodies = [
        (name, status, media_type)
        for name, operation in contract.operations.items()
        for status, holder in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for media_type, content in contract.resolved(holder).get("content", {}).items()
        if not content.get("examples")
    ]
    assert bodies == []


def test_every_operation_and_schema_says_what_it_is(contract: Contract) -> None:
    silent = [
        name
        for name, operation in contract.operations.items()
        if not operation.get("summary") or not operation.get("description")
    ]
    silent += [
        name for name, schema in contract.document["components"]["schemas"].items() if not schema.get("description")
    ]
    assert silent == []


def test_nothing_in_the_components_is_left_unused(contract: Contract) -> None:
    unused = [
        f"{group}/{name}"
        for group, members in contract.document["components"].items()
        if group != "securitySchemes"
        for name in members
        if f"#/components/{group}/{name}" not in contract.references()
    ]
    assert unused == []
