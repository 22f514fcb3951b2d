"""The JSON Schemas with which editors complete and check the files of rules; run as a module, writes them."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from routing.example import ExampleSet
from routing.rule import RuleSet
from routing.vocabulary import Vocabulary
from schemas.base import GROWING_MARK

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rules_json_schema() -> dict[str, Any]:
    """The JSON Schema of a file of rules."""
    return _schema(RuleSet, "Routing rules of one source")


def published() -> Mapping[str, dict[str, Any]]:
    """Every published schema by its path within the package."""
    return {
        "rules/rules.schema.json": rules_json_schema(),
        "rules/vocabulary.schema.json": _schema(Vocabulary, "Words that routing rules decide in"),
        "cases/cases.schema.json": _schema(ExampleSet, "Example cases of one source's routing rules"),
    }


def text_of(schema: Mapping[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every schema beside the files that it describes."""
    with resources.as_file(resources.files("routing")) as package:
        for path, schema in published().items():
            Path(package, path).write_text(text_of(schema), encoding="utf-8")


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    return {"$schema": SCHEMA_DIALECT, **_as_in_a_file(model.model_json_schema()), "title": title}


def _as_in_a_file(schema: Any) -> Any:
    """The schema for files that people write: what may be left out is never null, and no vocabulary is open."""
    if isinstance(schema, list):
        return [_as_in_a_file(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        "enum" if key == GROWING_MARK else key: _as_in_a_file(value)
        for key, value in schema.items()
        if key != "default" or not (value is None or isinstance(value, dict))
    }
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return {**kept, "anyOf": choices} if choices else kept


if __name__ == "__main__":
    main()
