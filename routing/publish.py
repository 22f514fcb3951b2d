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
    return {"$schema": SCHEMA_DIALECT, **model.model_json_schema(), "title": title}


if __name__ == "__main__":
    main()
