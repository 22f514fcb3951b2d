"""The JSON Schemas with which editors help: up to date, and of one mind with the loader about the bundled files."""

import json
from importlib import resources
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from routing.load import bundled_files
from routing.publish import published, rules_json_schema, text_of

SCHEMA_COMMENT = "# yaml-language-server: $schema=./"


@pytest.mark.parametrize("path", published())
def test_the_published_schema_is_the_one_of_the_code(path: str) -> None:
    """`python -m routing.publish` writes them again."""
    assert resources.files("routing").joinpath(path).read_text(encoding="utf-8") == text_of(published()[path])


@pytest.mark.parametrize("path", published())
def test_a_published_schema_is_a_sound_schema(path: str) -> None:
    Draft202012Validator.check_schema(published()[path])


@pytest.mark.parametrize("file", bundled_files(), ids=lambda file: file.name)
def test_a_bundled_file_names_its_schema_and_satisfies_it(file: Any) -> None:
    text = file.content.decode()
    first_line = text.splitlines()[0]
    assert first_line.startswith(SCHEMA_COMMENT)
    folder = file.name.split("/")[1]
    schema = published()[f"{folder}/{first_line.removeprefix(SCHEMA_COMMENT)}"]

    as_an_editor_reads_it = json.loads(json.dumps(yaml.safe_load(text)))

    assert [error.message for error in Draft202012Validator(schema).iter_errors(as_an_editor_reads_it)] == []


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "a-rule", "then": {"case_type": "x", "department": "y", "colour": "red"}},
        {"name": "a-rule", "when": None, "then": {"case_type": "x", "department": "y"}},
        {"name": "a-rule", "when": {"kinds": ["rumour"]}, "then": {"case_type": "x", "department": "y"}},
        {"name": "a-rule", "when": {"category": {"ids": []}}, "then": {"case_type": "x", "department": "y"}},
        {"name": "a-rule", "then": {"case_type": "x", "department": "y", "within": "2 months"}},
        {"name": "A Rule", "then": {"case_type": "x", "department": "y"}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(rule: dict[str, Any]) -> None:
    document = {"source": "somewhere", "destination": "a_sink", "rules": [rule]}

    assert list(Draft202012Validator(rules_json_schema()).iter_errors(document))
