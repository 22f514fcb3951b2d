"""Writes the published JSON Schemas, and refuses one that would break a reader under the same version.

``python -m schemas.publish`` writes what changed, ``--check`` only says whether anything would.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.base import Model
from schemas.case import Case, CaseEvent
from schemas.channels import FEED_VERSION, FEEDS
from schemas.compatibility import Break, breaking_changes
from schemas.envelope import Envelope, schema_urn

FOLDER: Final = Path(__file__).parent / "published"

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Contract:
    """A model that others read, under a name and a major version.

    Raise ``version`` for a change that breaks a reader; the files of the earlier versions stay.
    """

    name: str
    version: int
    model: type[Model]

    def path(self, folder: Path, version: int | None = None) -> Path:
        """The file of a version, the current one unless another is named."""
        return folder / f"{self.name}.v{version or self.version}.json"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema, with the marks of personal fields; always the same for the same model."""
        body = self.model.model_json_schema(schema_generator=_ForReaders)
        return {"$schema": _DIALECT, "$id": schema_urn(self.name, self.version), **body}


CONTRACTS: Final = (
    Contract("case-event", 1, CaseEvent),
    Contract("case", 1, Case),
    *(Contract(feed.name, FEED_VERSION, feed.message) for feed in FEEDS),
    Contract("envelope", 1, Envelope),
)
"""Everything that is published."""


class State(StrEnum):
    """How a contract stands to its published file."""

    UNPUBLISHED = "not published yet"
    CHANGED = "the file is not in step with the model"
    BREAKING = "a reader would break; mend the model or raise the contract's version"
    FORGOTTEN = "an earlier version was published and its file is gone"


@dataclass(frozen=True, slots=True)
class Finding:
    """A contract that is not in step with its file, and what the change would break."""

    contract: Contract
    state: State
    broken: tuple[Break, ...] = ()

    def __str__(self) -> str:
        heading = f"{self.contract.name}.v{self.contract.version}: {self.state.value}"
        return "\n".join([heading, *(f"  {one}" for one in self.broken)])


def findings(folder: Path = FOLDER, contracts: Sequence[Contract] = CONTRACTS) -> tuple[Finding, ...]:
    """What differs between the models and the published files."""
    return tuple(finding for contract in contracts for finding in _findings_about(contract, folder))


def publish(folder: Path = FOLDER, contracts: Sequence[Contract] = CONTRACTS) -> tuple[Finding, ...]:
    """Write what is new or changed, never what would break a reader; what remains to be mended is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for finding in findings(folder, contracts):
        if finding.state in {State.UNPUBLISHED, State.CHANGED}:
            finding.contract.path(folder).write_text(_text(finding.contract.schema()), encoding="utf-8")
    return findings(folder, contracts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish, or with ``--check`` only look; 0 if the files are in step."""
    parser = argparse.ArgumentParser(prog="python -m schemas.publish", description="Publishes the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not in step")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the schemas are published")
    options = parser.parse_args(arguments)
    remaining = findings(options.folder) if options.check else publish(options.folder)
    for finding in remaining:
        sys.stderr.write(f"{finding}\n")
    return 1 if remaining else 0


def _findings_about(contract: Contract, folder: Path) -> Iterator[Finding]:
    if not all(contract.path(folder, earlier).exists() for earlier in range(1, contract.version)):
        yield Finding(contract, State.FORGOTTEN)
    path, schema = contract.path(folder), contract.schema()
    if not path.exists():
        yield Finding(contract, State.UNPUBLISHED)
        return
    published = path.read_text(encoding="utf-8")
    if published != _text(schema):
        broken = breaking_changes(json.loads(published), schema)
        yield Finding(contract, State.BREAKING if broken else State.CHANGED, broken)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _ForReaders(GenerateJsonSchema):
    """Our own models refuse an unknown field; a reader must not, or no field could ever be added."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        published = super().model_schema(schema)
        if published.get("additionalProperties") is False:
            del published["additionalProperties"]
        return published

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        """Never: a title made from a field's name says nothing that the name does not."""
        return False


if __name__ == "__main__":
    raise SystemExit(main())
