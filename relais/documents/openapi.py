"""Writes ``docs/contracts/relais-intake.openapi.yaml``: what Relais answers over HTTP, derived from its routes."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.kit.ports import Arrival
from relais.documents.refusals import REFUSALS, Refusal
from relais.documents.writing import write_or_check, yaml_of
from relais.ledger.ports import Fate
from relais.runtime.health import Health
from relais.runtime.webhooks import WebhookRoutes, problem
from relais.telemetry.metrics import Metrics

PATH: Final = "docs/contracts/relais-intake.openapi.yaml"
PROBLEM: Final = "application/problem+json"

_DESCRIPTION: Final = """\
What a process of Relais answers over HTTP. `/webhooks/…` is served by the role `intake`, the rest by every role.

**An answer 200 to a webhook means that the event is in the ledger, flushed to the disk.** After any other answer
nothing is known to be stored, and the sender should come again where the answer says so. Events are not understood at
the door: one that is genuine and sound JSON but cannot be read is accepted, and parked for a human.

Errors are `application/problem+json` (RFC 9457). `type` is `urn:relais:problem:` and one of the words below; `detail`
repeats nothing of what came in.
"""

_WEBHOOK: Final = """\
The body, and how its sender is proven, belong to the source: see `connectors/<source>/README.md`. In this order: the
size is counted as the body streams in, the signature or token is checked over the raw bytes, the JSON is parsed
strictly (a name said twice, NUL, NaN, nesting over 32 and numbers of thousands of digits are refused), the event is
named and committed, and then it is answered.
"""


_FATES: Final = {
    Fate.NEW: "It was not known and is in the ledger now.",
    Fate.SAME: "It was known with the same content; nothing more was stored.",
    Fate.CONFLICT: "Its id was known with other content; this one is kept for the operator and is not delivered.",
}


class _AnyDoor:
    """Stands for every webhook, so that the route's own path becomes the template."""

    door = "{door}"
    body_limit = 0

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:  # the port has them
        """Never called."""

    def arrival(self, document: Any, body: bytes) -> Arrival:  # noqa: ARG002  # the port has them
        """Never called."""
        raise AssertionError


class _AnySource:
    """Stands for every source that is pushed."""

    webhooks = (_AnyDoor(),)


def routes() -> list[Route]:
    """The routes of a process that plays every role, with the names of source and door left open."""
    webhooks = WebhookRoutes({"{source}": _AnySource()}, lambda: None, lambda _happening: None)  # type: ignore[dict-item]
    return [*webhooks.routes, *Health(Metrics(), broker_up=lambda: True).routes]


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    described = {
        "/webhooks/{source}/{door}": {"post": _webhook()},
        "/live": {"get": _live()},
        "/ready": {"get": _ready()},
        "/metrics": {"get": _metrics()},
    }
    paths = {route.path: described[route.path] for route in routes()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Relais: intake and health",
            "version": "1.0.0",
            "summary": "How events are pushed to Relais, and how it says how it is.",
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {"schemas": _schemas(), "headers": _headers()},
    }


def text() -> str:
    """The whole file."""
    return yaml_of(document(), made_by="python -m relais.documents.openapi")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or compare it."""
    return write_or_check("relais.documents.openapi", {PATH: text}, arguments)


def _webhook() -> dict[str, Any]:
    named = (
        ("source", "The name of a source that is configured.", "fixmystreet"),
        (
            "door",
            "The name of one of its webhooks.",
            "webhook",
        ),
    )
    return {
        "operationId": "pushEvent",
        "summary": "Push one event of a source",
        "description": _WEBHOOK,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": words,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, words, example in named
        ],
        "requestBody": {
            "required": True,
            "description": "One event as the source sends it.",
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "examples": {"any": {"summary": "Whatever the source says", "value": {"said": "by the source"}}},
                }
            },
        },
        "responses": {
            "200": {
                "description": "The event is in the ledger.",
                "content": _json(
                    "Accepted",
                    {
                        fate.value: (words, {"detail": "accepted", "event": fate.value})
                        for fate, words in _FATES.items()
                    },
                ),
            },
            **dict(_refused()),
        },
    }


def _refused() -> Iterator[tuple[str, dict[str, Any]]]:
    for status in sorted({refusal.status for refusal in REFUSALS}):
        same = [refusal for refusal in REFUSALS if refusal.status == status]
        answer: dict[str, Any] = {"description": "\n".join(f"`{one.slug}`: {one.when}" for one in same)}
        if same[0].come_again:
            answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        examples = {one.slug: {"summary": one.when, "value": _body_of(one)} for one in same}
        answer["content"] = {PROBLEM: {"schema": _schema("Problem"), "examples": examples}}
        yield str(status), answer


def _live() -> dict[str, Any]:
    return {
        "operationId": "isLive",
        "summary": "Whether the process lives",
        "description": "Answers for as long as the process can answer at all; restart it when it does not.",
        "responses": {
            "200": {
                "description": "It lives.",
                "content": _json("Live", {"live": ("It lives.", {"live": True})}),
            }
        },
    }


def _ready() -> dict[str, Any]:
    away = {"ready": False, "degraded": ["broker"], "reason": "the ledger is not open yet"}
    return {
        "operationId": "isReady",
        "summary": "Whether the process can do its work",
        "description": "Ready needs the ledger, at the revision that this program knows. A broker that is away or "
        "a paused sink only degrades: events are still accepted.",
        "responses": {
            "200": {
                "description": "It is ready.",
                "content": _json(
                    "Readiness",
                    {
                        "ready": ("Everything is there.", {"ready": True, "degraded": []}),
                        "degraded": ("Ready without the broker.", {"ready": True, "degraded": ["broker"]}),
                        "paused": (
                            "Ready with a paused sink.",
                            {"ready": True, "degraded": ["sink crm_cmt is paused"]},
                        ),
                    },
                ),
            },
            "503": {
                "description": "The ledger is away or not migrated, or the process is stopping.",
                "content": _json("Readiness", {"away": ("Not ready, and why.", away)}),
            },
        },
    }


def _metrics() -> dict[str, Any]:
    return {
        "operationId": "readMetrics",
        "summary": "What is counted and measured",
        "description": "In the text format of Prometheus; docs/metrics.md lists them.",
        "responses": {
            "200": {
                "description": "Every metric of this process.",
                "content": {
                    "text/plain": {
                        "schema": {"type": "string"},
                        "examples": {"one": {"value": "relais_ledger_up 1.0\n"}},
                    }
                },
            }
        },
    }


def _schemas() -> dict[str, Any]:
    return {
        "Accepted": {
            "description": "The event is durable. "
            + " ".join(f"`{fate.value}`: {words}" for fate, words in _FATES.items()),
            "type": "object",
            "required": ["detail", "event"],
            "properties": {"detail": {"const": "accepted"}, "event": {"enum": [fate.value for fate in _FATES]}},
        },
        "Problem": {
            "description": "Why an event was not accepted (RFC 9457).",
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {
                    "enum": [f"urn:relais:problem:{slug}" for slug in dict.fromkeys(one.slug for one in REFUSALS)],
                },
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "For a human; do not parse it."},
            },
        },
        "Live": {
            "description": "The process lives.",
            "type": "object",
            "required": ["live"],
            "properties": {"live": {"const": True}},
        },
        "Readiness": {
            "description": inspect.cleandoc(Health.__doc__ or ""),
            "type": "object",
            "required": ["ready", "degraded"],
            "properties": {
                "ready": {"type": "boolean"},
                "degraded": {
                    "description": "What is away or stopped while everything that comes in is still accepted.",
                    "type": "array",
                    "items": {"type": "string", "pattern": "^(broker|sink [a-z0-9_]+ is paused)$"},
                },
                "reason": {"type": "string", "description": "Why it is not ready; for a human."},
            },
        },
    }


def _headers() -> dict[str, Any]:
    return {
        "Retry-After": {
            "description": "In how many seconds to come again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
            "example": 5,
        }
    }


def _json(schema: str, examples: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    return {
        JSONResponse.media_type: {
            "schema": _schema(schema),
            "examples": {name: {"summary": words, "value": value} for name, (words, value) in examples.items()},
        }
    }


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _body_of(refusal: Refusal) -> dict[str, Any]:
    """The body that the code itself makes; what refuses a head has nothing to add to its title."""
    body: dict[str, Any] = json.loads(bytes(problem(refusal.status, refusal.slug, refusal.detail or "").body))
    return {name: value for name, value in body.items() if value != ""}


if __name__ == "__main__":
    raise SystemExit(main())
