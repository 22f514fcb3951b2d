"""What is pushed to us: check, accept, answer. Nothing is understood here."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.kit.ports import Source, UnauthenticatedError, Webhook
from connectors.kit.strict_json import MalformedJsonError, parse
from relais.ledger.database import LedgerAwayError
from relais.runtime.intake import Intake, IntakeFullError, IntakeRefusedError
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, PushRefused

_BODY_SECONDS: Final = 10.0
_RETRY_AFTER_SECONDS: Final = "5"
_BUFFERED_BYTES: Final = 64 * 1024 * 1024
"""How much may be held of bodies that are still on their way, over all senders."""


def problem(status: int, slug: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as problem+json (RFC 9457); ``detail`` repeats nothing of what came in."""
    content = {
        "type": f"urn:relais:problem:{slug}",
        "title": slug.replace("-", " "),
        "status": status,
        "detail": detail,
    }
    return JSONResponse(content, status, headers=dict(headers or {}), media_type="application/problem+json")


class _Refusal(Exception):  # noqa: N818  # it carries an answer, it is not a fault
    def __init__(self, status: int, slug: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(slug)
        self.status, self.slug, self.response = status, slug, problem(status, slug, detail, headers)


class WebhookRoutes:
    """One route for each door that a source is pushed through.

    ``intake`` gives the intake, or None while the ledger cannot be used.
    """

    def __init__(self, sources: Mapping[str, Source], intake: Callable[[], Intake | None], emit: Emit) -> None:
        self._intake = intake
        self._emit = emit
        self._buffered = 0
        self.routes = [
            Route(f"/webhooks/{name}/{webhook.door}", _Door(self, name, webhook), methods=["POST"])
            for name, source in sources.items()
            for webhook in source.webhooks
        ]

    async def answer(self, source: str, webhook: Webhook, request: Request) -> Response:
        """The answer to one push; every fault has its own."""
        try:
            return await self._take(webhook, request)
        except _Refusal as refusal:
            self._emit(PushRefused(source=source, door=webhook.door, status=refusal.status, reason=refusal.slug))
            return refusal.response
        except Exception as error:  # noqa: BLE001  # the edge of a handler: the sender gets a clear answer
            self._emit(HandlerFailed(where=f"webhook {source}", kind=type(error).__name__))
            return problem(500, "internal-error", "the event was not accepted")

    async def _take(self, webhook: Webhook, request: Request) -> Response:
        body = await self._body(request, webhook.body_limit)
        try:
            webhook.authenticate(dict(request.headers), body)
        except UnauthenticatedError:
            raise _Refusal(401, "not-authenticated", "the signature or the token is wrong or missing") from None
        try:
            document = parse(body)
        except MalformedJsonError as error:
            raise _Refusal(400, "malformed-json", str(error)) from None
        intake = self._intake()
        if intake is None:
            raise _away()
        try:
            receipt = await intake.accept(webhook.arrival(document, body))
        except LedgerAwayError:
            raise _away() from None
        except IntakeFullError:
            raise _Refusal(
                503, "busy", "too much is waiting, come again", {"Retry-After": _RETRY_AFTER_SECONDS}
            ) from None
        except IntakeRefusedError:
            raise _Refusal(500, "not-storable", "the event cannot be stored") from None
        return JSONResponse({"detail": "accepted", "event": receipt.fate})

    async def _body(self, request: Request, limit: int) -> bytes:
        """The body, counted as it streams in: a declared length may lie or be absent."""
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise _Refusal(413, "body-too-large", f"at most {limit} bytes are accepted")
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in request.stream():
                    size += len(piece)
                    self._buffered += len(piece)
                    pieces.append(piece)
                    if size > limit:
                        raise _Refusal(413, "body-too-large", f"at most {limit} bytes are accepted")
                    if self._buffered > _BUFFERED_BYTES:
                        raise _Refusal(503, "busy", "too much is on its way", {"Retry-After": _RETRY_AFTER_SECONDS})
        except TimeoutError:
            raise _Refusal(408, "body-too-slow", "the body did not come in time") from None
        except ClientDisconnect:
            raise _Refusal(400, "disconnected", "the sender went away") from None
        finally:
            self._buffered -= size
        return b"".join(pieces)


class _Door:
    """One door as a plain ASGI application: the hot path goes through no wrapper that it does not need."""

    def __init__(self, routes: WebhookRoutes, source: str, webhook: Webhook) -> None:
        self._routes, self._source, self._webhook = routes, source, webhook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._routes.answer(self._source, self._webhook, Request(scope, receive))
        await response(scope, receive, send)


def _away() -> _Refusal:
    return _Refusal(503, "ledger-away", "nothing was stored, come again", {"Retry-After": _RETRY_AFTER_SECONDS})
