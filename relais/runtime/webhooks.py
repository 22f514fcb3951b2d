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

_RETRY_AFTER_SECONDS: Final = "5"
_LONGEST_LENGTH: Final = 18
_BUFFERED_BYTES: Final = 64 * 1024 * 1024


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

    ``intake`` gives the intake, or None while the ledger cannot be used. ``buffer_limit`` bytes may be held of bodies
    that are not answered yet, over all senders, and a body must be here within ``body_seconds``.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        intake: Callable[[], Intake | None],
        emit: Emit,
        *,
        buffer_limit: int = _BUFFERED_BYTES,
        body_seconds: float = 10.0,
    ) -> None:
        self._buffer_limit = buffer_limit
        self._body_seconds = body_seconds
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
        held = _Held()
        try:
            return await self._taken(webhook, request, held)
        finally:
            # a body is held until it is answered: what waits for its commit counts like what is still on its way
            self._buffered -= held.size

    async def _taken(self, webhook: Webhook, request: Request, held: "_Held") -> Response:
        body = await self._body(request, webhook.body_limit, held)
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
            raise _busy("too much is waiting, come again") from None
        except IntakeRefusedError:
            raise _Refusal(500, "not-storable", "the event cannot be stored") from None
        return JSONResponse({"detail": "accepted", "event": receipt.fate})

    async def _body(self, request: Request, limit: int, held: "_Held") -> bytes:
        """The body, counted as it streams in: a declared length may lie or be absent."""
        if _declares_more(request.headers.get("content-length", ""), limit):
            raise _too_large(limit)
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(self._body_seconds):
                async for piece in request.stream():
                    held.size += len(piece)
                    self._buffered += len(piece)
                    pieces.append(piece)
                    if held.size > limit:
                        raise _too_large(limit)
                    if self._buffered > self._buffer_limit:
                        raise _busy("too much is on its way")
        except TimeoutError:
            raise _Refusal(408, "body-too-slow", "the body did not come in time", {"Connection": "close"}) from None
        except ClientDisconnect:
            raise _Refusal(400, "disconnected", "the sender went away") from None
        return b"".join(pieces)


class _Held:
    """How much of one body is held."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class _Door:
    """One door as a plain ASGI application: the hot path goes through no wrapper that it does not need."""

    def __init__(self, routes: WebhookRoutes, source: str, webhook: Webhook) -> None:
        self._routes, self._source, self._webhook = routes, source, webhook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._routes.answer(self._source, self._webhook, Request(scope, receive))
        await response(scope, receive, send)


def _declares_more(length: str, limit: int) -> bool:
    """Whether a Content-Length says more than ``limit``; one that is no number says nothing."""
    return length.isascii() and length.isdecimal() and (len(length) > _LONGEST_LENGTH or int(length) > limit)


def _too_large(limit: int) -> _Refusal:
    return _Refusal(413, "body-too-large", f"at most {limit} bytes are accepted")


def _busy(detail: str) -> _Refusal:
    return _Refusal(503, "busy", detail, {"Retry-After": _RETRY_AFTER_SECONDS})


def _away() -> _Refusal:
    return _Refusal(503, "ledger-away", "nothing was stored, come again", {"Retry-After": _RETRY_AFTER_SECONDS})
