"""The JSON Schemas with which editors complete and check the files of rules; run as a module, writes them."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Write every schema beside the files that it describes; with ``--check`` only say which are out of step."""
    parser = argparse.ArgumentParser(prog="python -m routing.publish", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a file is out of step")
    check = parser.parse_args(arguments).check
    stale = 0
    with resources.as_file(resources.files("routing")) as package:
        for path, schema in published().items():
            file, text = Path(package, path), text_of(schema)
            if not check:
                file.write_text(text, encoding="utf-8")
            elif not file.exists() or file.read_text(encoding="utf-8") != text:
                sys.stderr.write(f"routing/{path}: out of step: python -m routing.publish writes it again\n")
                stale = 1
    return stale


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
    raise SystemExit(main())
