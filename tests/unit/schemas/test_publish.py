"""The published schemas: in step with the models, and never breaking a reader unnoticed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field, create_model

from schemas import publish
from schemas.base import Model
from schemas.publish import CONTRACTS, FOLDER, Contract, State, findings
from tests.builders import a_case, a_report


def a_contract(*, version: int = 1, **fields: Any) -> Contract:
    return Contract("thing", version, create_model("Thing", __base__=Model, **fields))


BEFORE = a_contract(name=(str, ...))
GROWN = a_contract(name=(str, ...), nickname=(str | None, None))
BROKEN = a_contract(name=(Annotated[str, Field(max_length=5)], ...))


def states(folder: Path, *contracts: Contract) -> list[State]:
    return [finding.state for finding in findings(folder, contracts)]


def test_the_published_schemas_are_in_step_with_the_models() -> None:
    assert [str(finding) for finding in findings()] == []


def test_nothing_else_lies_among_the_published_schemas() -> None:
    expected = {
        contract.path(FOLDER, version).name for contract in CONTRACTS for version in range(1, contract.version + 1)
    }
    assert {path.name for path in FOLDER.iterdir()} == expected


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_published_schema_is_a_schema_and_carries_its_name(contract: Contract) -> None:
    schema = json.loads(contract.path(FOLDER).read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:relais:schema:{contract.name}:{contract.version}"
    assert list(_closed(schema)) == []


def _closed(schema: Any) -> Iterator[Any]:
    """The objects that rule out further fields: no field could ever be added to one."""
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from _closed(inner)


def test_the_marks_of_personal_fields_are_published() -> None:
    schema = json.loads((FOLDER / "case-event.v1.json").read_text(encoding="utf-8"))

    person = schema["$defs"]["Person"]["properties"]
    marked = {name for name, field in person.items() if field.get("x-personal")}
    assert marked == {"name", "first_name", "last_name", "email", "phone"}
    assert schema["$defs"]["Note"]["properties"]["text"]["x-personal"]
    assert schema["$defs"]["CaseFacts"]["properties"]["description"]["x-personal"]


@pytest.mark.parametrize(
    ("name", "message"), [("case-event", a_report()), ("case", a_case())], ids=["case-event", "case"]
)
def test_the_schema_refuses_what_is_not_the_message(name: str, message: Model) -> None:
    schema = json.loads((FOLDER / f"{name}.v1.json").read_text(encoding="utf-8"))
    written = json.loads(message.model_dump_json())
    validator = Draft202012Validator(schema)

    assert validator.is_valid(written)
    assert not validator.is_valid({**written, "key": "no source"})
    assert not validator.is_valid({key: value for key, value in written.items() if key != "facts"})


def test_publishing_twice_writes_the_same(tmp_path: Path) -> None:
    assert publish.publish(tmp_path) == ()
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert publish.publish(tmp_path) == ()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_a_change_that_breaks_nobody_is_found_and_then_published(tmp_path: Path) -> None:
    publish.publish(tmp_path, [BEFORE])
    assert states(tmp_path, GROWN) == [State.CHANGED]

    assert publish.publish(tmp_path, [GROWN]) == ()

    assert states(tmp_path, GROWN) == []


def test_a_breaking_change_is_not_published_under_the_same_version(tmp_path: Path) -> None:
    publish.publish(tmp_path, [BEFORE])
    published = BEFORE.path(tmp_path).read_bytes()

    (finding,) = publish.publish(tmp_path, [BROKEN])

    assert finding.state is State.BREAKING
    assert "/name: maxLength was None, is 5 (breaks stored)" in str(finding)
    assert BEFORE.path(tmp_path).read_bytes() == published


def test_a_breaking_change_is_published_under_a_new_version_beside_the_old_one(tmp_path: Path) -> None:
    publish.publish(tmp_path, [BEFORE])
    published = BEFORE.path(tmp_path).read_bytes()
    raised = Contract("thing", 2, BROKEN.model)

    assert publish.publish(tmp_path, [raised]) == ()

    assert (tmp_path / "thing.v1.json").read_bytes() == published
    assert json.loads((tmp_path / "thing.v2.json").read_text())["$id"] == "urn:relais:schema:thing:2"


def test_the_file_of_an_earlier_version_may_not_be_forgotten(tmp_path: Path) -> None:
    raised = Contract("thing", 2, BROKEN.model)
    publish.publish(tmp_path, [raised])

    assert states(tmp_path, raised) == [State.FORGOTTEN]


def test_the_check_fails_and_writes_nothing_where_a_file_is_missing_or_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main(["--check", "--folder", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []

    assert publish.main(["--folder", str(tmp_path)]) == 0
    assert publish.main(["--check", "--folder", str(tmp_path)]) == 0

    edited = tmp_path / "case.v1.json"
    edited.write_text(edited.read_text().replace('"NisCode', '"Nis') + "\n")
    assert publish.main(["--check", "--folder", str(tmp_path)]) == 1
    assert "case.v1: the file is not in step" in capsys.readouterr().err
