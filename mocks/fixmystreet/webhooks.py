"""Requests to the city: the two outbound events of the third-party webhook, sent once each."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import display_name, path_ids
from mocks.fixmystreet.places import MUNICIPALITIES
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.settings import WebhookTarget
from mocks.fixmystreet.world import World

Hook = Literal["transfer", "assignment"]
LANGUAGES = ("fr", "nl")
PDF_KEY = b"pdf-link-key"
KEPT_ANSWER_CHARACTERS = 400


def signature_of(body: bytes, key: str) -> str:
    """The `X-FMS-Signature` value: HMAC-SHA1 of the raw body, in base64."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha1).digest()).decode()


def pdf_token(report: Report) -> str:
    """The `auth` parameter of a report's PDF link."""
    text = f"{report.id} {times.generation_1_text(report.created_at)}"
    return base64.b64encode(hmac.new(PDF_KEY, text.encode(), hashlib.sha1).digest()).decode()


def payload_of(report: Report, world: World, hook: Hook) -> dict[str, Any]:
    """What one request says, key by key as the source writes it; confidential comments stay inside."""
    path = world.tree.path(report.category_id)
    street = report.address.street
    _, municipality_fr, municipality_nl, _ = MUNICIPALITIES[street.postal_code]
    modified = times.generation_1_text(report.modified_at)
    auth = quote(pdf_token(report), safe="")
    point = report.point
    return {
        "meta": {"now": modified, "resource": "report", "hook": hook, "action": "request"},
        "data": {
            "report": {
                "id": report.id,
                "createdAt": times.generation_1_text(report.created_at),
                "modifiedAt": modified,
                "category": {
                    **{language: display_name(path, language) for language in LANGUAGES},
                    "ids": path_ids(path),
                },
                "pdfUrl": {
                    language: f"{world.settings.public_url}/{language}/token/report/{report.id}/pdf/?auth={auth}"
                    for language in LANGUAGES
                },
                "address": {
                    "street": {"fr": street.fr, "nl": street.nl},
                    "number": report.address.number,
                    "postalCode": street.postal_code,
                    "municipality": {"fr": municipality_fr, "nl": municipality_nl},
                },
                "point": {"x": point[0] if point else None, "y": point[1] if point else None},
                "creator": {
                    "type": report.creator.type,
                    "firstName": report.creator.first_name,
                    "lastName": report.creator.last_name,
                    "phone": report.creator.phone,
                    "email": report.creator.email,
                    "language": report.creator.language,
                },
                "comments": [
                    {
                        "createdAt": times.generation_1_text(comment.created_at),
                        "name": comment.name,
                        "text": comment.text,
                    }
                    for comment in report.comments
                    if comment.security != "confidential"
                ],
                "severalOccurences": report.several_occurrences,
            }
        },
    }


def identity_of(payload: Mapping[str, Any]) -> str:
    """`hook.action:report:modifiedAt`, which is all that tells two requests apart."""
    meta, report = payload["meta"], payload["data"]["report"]
    return f"{meta['hook']}.{meta['action']}:{report['id']}:{report['modifiedAt']}"


class WebhookSender:
    """Sends and remembers; never tries twice, because the source does not."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self._world = world
        self._client = client

    async def send(self, payload: Mapping[str, Any], target: WebhookTarget) -> dict[str, Any]:
        """One request for one change; the entry in the record says what went out and what came back."""
        return await self._post(json.dumps(payload, ensure_ascii=False).encode(), payload, target, None)

    async def repeat(self, entry: Mapping[str, Any], target: WebhookTarget) -> dict[str, Any]:
        """The very same bytes once more, as when an operator presses the button twice."""
        body = entry["body"].encode()
        return await self._post(body, json.loads(body), target, entry["number"])

    async def _post(
        self, body: bytes, payload: Mapping[str, Any], target: WebhookTarget, repeat_of: int | None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if target.signature_key:
            headers["X-FMS-Signature"] = signature_of(body, target.signature_key)
        if target.token:
            headers["Authorization"] = f"Token {target.token}"
        entry: dict[str, Any] = {
            "number": len(self._world.webhooks) + 1,
            "report": payload["data"]["report"]["id"],
            "event": identity_of(payload),
            "repeat_of": repeat_of,
            "url": target.url,
            "body": body.decode(),
            "signature": headers.get("X-FMS-Signature"),
            "sent_at": times.now().isoformat(),
            "answer_status": None,
            "answer": None,
            "error": None,
            "milliseconds": None,
            "ok": False,
        }
        self._world.webhooks.append(entry)
        started = time.perf_counter()
        try:
            answer = await self._client.post(
                target.url, content=body, headers=headers, timeout=self._world.settings.webhook_timeout_seconds
            )
            entry["answer_status"] = answer.status_code
            entry["answer"] = answer.text[:KEPT_ANSWER_CHARACTERS]
            entry["ok"] = answer.status_code == 200
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            entry["error"] = f"{type(error).__name__}: {error}"
        entry["milliseconds"] = round((time.perf_counter() - started) * 1000, 1)
        return entry


def is_web_address(url: str) -> bool:
    """Whether a webhook can be sent there at all."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
