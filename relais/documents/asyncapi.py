"""Writes ``docs/contracts/relais.asyncapi.yaml``: the channels of the broker, from the vocabulary's list of them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relais.documents.writing import write_or_check, yaml_of
from relais.runtime.streams import FEEDS_STREAM, INBOUND_STREAM, StreamLimits
from schemas.channels import (
    CHANNELS,
    FEED_VERSION,
    FEEDS,
    INBOUND,
    WAKE,
    CaseParked,
    CaseReady,
    Channel,
    Direction,
    FeedMessage,
    WakeUp,
    announcement,
)
from schemas.envelope import CONTENT_TYPE, Envelope
from schemas.publish import CONTRACTS, FOLDER, Contract

PATH: Final = "docs/contracts/relais.asyncapi.yaml"

_PUBLISHED: Final = "../../schemas/published"
_HAPPENED_AT: Final = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)
_DESCRIPTION: Final = f"""\
What travels over the broker (NATS). The broker never holds the only copy of anything: the ledger does.

* **Feeds** (`cases.*`) are for others to subscribe to, kept in a stream for {StreamLimits().feeds_age.days} days. Every
  message is a CloudEvent in structured JSON, without any personal field or free text. Delivery is at least once: the
  same `source` and `id` is the same message. Order is not promised: `version` and `time` say what is newer.
  `cases.updated` is kept for the way back; nothing is sent on it yet.
* **The bus** (`events.inbound.{{source}}`) is a door. Who may publish there is decided by the broker's credentials, and
  is believed. A message stays in its stream until the ledger has it.
* **Wake-ups** (`lanes.wake`) are for Relais alone and may be lost.

A reader ignores what it does not know: a later minor version adds fields. A change that breaks a reader raises the
version at the end of `type` and of `dataschema`.
"""


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Relais: channels of the broker",
            "version": f"{FEED_VERSION}.0.0",
            "description": _DESCRIPTION,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            name: _operation(channel, action) for channel in CHANNELS for name, action in _operations_of(channel)
        },
        "components": {
            "messages": {channel.name: _message(channel) for channel in CHANNELS},
            "schemas": {"wake-up": _wake_up()},
        },
    }


def text() -> str:
    """The whole file."""
    return yaml_of(document(), made_by="python -m relais.documents.asyncapi")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or compare it."""
    return write_or_check("relais.documents.asyncapi", {PATH: text}, arguments)


def _channel(channel: Channel) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "description": channel.description,
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }
    if channel.parameters:
        described["parameters"] = {
            name: {"description": f"The name of a {name} that is configured.", "examples": ["fixmystreet"]}
            for name in channel.parameters
        }
    if channel.stream:
        described["x-nats-stream"] = FEEDS_STREAM if channel in FEEDS else INBOUND_STREAM
    return described


def _operations_of(channel: Channel) -> list[tuple[str, str]]:
    match channel.direction:
        case Direction.SENT:
            return [(f"send-{channel.name}", "send")]
        case Direction.RECEIVED:
            return [(f"receive-{channel.name}", "receive")]
        case Direction.INTERNAL:
            return [(f"send-{channel.name}", "send"), (f"receive-{channel.name}", "receive")]


def _operation(channel: Channel, action: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.description,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.name}"}],
    }


def _message(channel: Channel) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": channel.message.__name__,
        "title": channel.name.replace("-", " "),
        "summary": " ".join((channel.message.__doc__ or "").replace("``", "`").split()),
        "contentType": CONTENT_TYPE if channel.enveloped or channel is INBOUND else "application/json",
        "payload": _payload(channel),
    }
    if issubclass(channel.message, FeedMessage):
        described["examples"] = [{"name": channel.name, "payload": _example(channel.message)}]
    return described


def _payload(channel: Channel) -> dict[str, Any]:
    """The published schema of the message; within the envelope's where it travels as its data."""
    if channel.message is WakeUp:
        return {"$ref": "#/components/schemas/wake-up"}
    own = {"$ref": f"{_PUBLISHED}/{_file_of(channel)}"}
    if not channel.enveloped:
        return own
    envelope = {"$ref": f"{_PUBLISHED}/envelope.v1.json"}
    return {"allOf": [envelope, {"type": "object", "required": ["data"], "properties": {"data": own}}]}


def _file_of(channel: Channel) -> str:
    """The file of a message's published schema, which is in step with the model or fails its own check."""
    (contract,) = (one for one in CONTRACTS if one.model is channel.message)
    return contract.path(FOLDER).name


def _wake_up() -> dict[str, Any]:
    schema = Contract(WAKE.name, 1, WakeUp).schema()
    return {name: member for name, member in schema.items() if not name.startswith("$")}


def _example(message: type[FeedMessage]) -> dict[str, Any]:
    """A message as it goes out: made by the code that makes the real ones."""
    said: dict[str, Any] = {
        "key": "fixmystreet:1023456",
        "source": "fixmystreet",
        "tenant": "21004",
        "case_type": "public-cleanliness",
        "status": "in_progress",
        "version": 0 if message in (CaseReady, CaseParked) else 4711,
        "occurred_at": _HAPPENED_AT,
    }
    if message is CaseParked:
        said["reason"] = "invalid_field"
    example: dict[str, Any] = json.loads(announcement(message(**said), event_id="4711:example").model_dump_json())
    Envelope.model_validate(example)
    return example


if __name__ == "__main__":
    raise SystemExit(main())
