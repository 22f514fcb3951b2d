"""Faults on request, the same for every stand-in: what goes wrong, where, how often, repeatably."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

CONTROL_PATH: Final = "/_control/faults"
DROP_EXTENSION: Final = "mocks.drop"
"""Where `mocks.serving` leaves, in a scope's extensions, the function that drops the connection."""
FAULTS_EXTENSION: Final = "mocks.faults"
"""Where an app finds the `Faults` it runs under, to ask about the items of a batch."""


class Kind(StrEnum):
    """What can go wrong."""

    BUSY = "busy"
    """429 with Retry-After, nothing done."""
    UNAVAILABLE = "unavailable"
    """503 with Retry-After, nothing done."""
    SERVER_ERROR = "server_error"
    """500; the work is done first if ``effect`` is true."""
    SLOW = "slow"
    """An honest answer, ``seconds`` late."""
    SILENT = "silent"
    """No answer for ``seconds``, then the connection is dropped; the work is done first if ``effect`` is true."""
    LOST_ANSWER = "lost_answer"
    """The work is done, then the connection is dropped without a byte."""
    RESET = "reset"
    """The connection is dropped before anything is done."""
    GIBBERISH = "gibberish"
    """200 with something that is not the answer; the work is done first if ``effect`` is true."""
    WRONG_TOKEN = "wrong_token"  # noqa: S105 a kind of fault, not a secret
    """401 for everybody, nothing done."""


ITEM_KINDS: Final = {Kind.BUSY: 429, Kind.UNAVAILABLE: 503, Kind.SERVER_ERROR: 500}
"""The kinds that one item of a batch can meet alone, and the status it then has."""

GIBBERISH: Final = (
    (b"text/html; charset=utf-8", b"<!doctype html><title>Maintenance</title><h1>Onderhoud / Entretien</h1>"),
    (b"application/json", b'{"id": "CMT-2026-00'),
    (b"application/json", b""),
    (b"application/json", b"[null, 42]"),
    (b"application/octet-stream", bytes(range(256))),
)
"""Answers that a tired proxy might give under status 200."""


class ConnectionDroppedError(ConnectionResetError):
    """Raised instead of dropping the connection where there is none, as when a test calls the app in process."""


class UnknownFaultError(ValueError):
    """A fault was asked for that nobody knows how to make."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule: whom it meets, how often, and what happens then.

    ``route`` and ``operation`` are globs that must both fit: ``route`` on ``METHOD /path``, ``operation`` on the
    stand-in's own name of it. Of the requests that fit, the first ``after`` are spared, then each is hit with
    probability ``share`` until ``count`` were hit.
    ``retry_after`` and ``seconds`` are seconds.
    """

    kind: Kind
    route: str = "*"
    operation: str = "*"
    share: float = 1.0
    count: int | None = None
    after: int = 0
    seed: int = 0
    seconds: float = 60.0
    retry_after: int = 1
    effect: bool = False

    @classmethod
    def from_json(cls, data: object) -> "Fault":
        """The rule that a JSON object describes; raises `UnknownFaultError` with a sentence a person can act on."""
        if not isinstance(data, dict):
            raise UnknownFaultError("a fault is a JSON object")
        unknown = sorted(set(data) - {member.name for member in fields(cls)})
        if unknown:
            raise UnknownFaultError(f"unknown members: {', '.join(unknown)}")
        if data.get("kind") not in set(Kind):
            raise UnknownFaultError(f"kind is one of {', '.join(Kind)}")
        wrong = [name for name, value in data.items() if not _fits(name, value)]
        if wrong:
            raise UnknownFaultError(f"no such value for {', '.join(wrong)}")
        return cls(**{**data, "kind": Kind(data["kind"])})


def _fits(name: str, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    match name:
        case "route" | "operation":
            return isinstance(value, str)
        case "share":
            return number and 0 <= value <= 1  # type: ignore[operator]
        case "seconds":
            return number and value >= 0  # type: ignore[operator]
        case "count":
            return value is None or (whole and value >= 0)  # type: ignore[operator]
        case "after" | "retry_after":
            return whole and value >= 0  # type: ignore[operator]
        case "seed":
            return whole
        case "effect":
            return isinstance(value, bool)
    return True


@dataclass(slots=True)
class _Armed:
    fault: Fault
    dice: random.Random
    seen: int = 0
    hit: int = 0

    def fires(self) -> bool:
        self.seen += 1
        if self.seen <= self.fault.after or (self.fault.count is not None and self.hit >= self.fault.count):
            return False
        if self.dice.random() >= self.fault.share:
            return False
        self.hit += 1
        return True


@dataclass(slots=True)
class Faults:
    """The rules in force. The first that fits and fires wins; the same requests in the same order fare the same."""

    _armed: list[_Armed] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._armed)

    def add(self, *faults: Fault) -> None:
        """Put rules in force behind those that are."""
        self._armed.extend(_Armed(fault, random.Random(fault.seed)) for fault in faults)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._armed.clear()

    def report(self) -> list[dict[str, Any]]:
        """Each rule with how many requests fitted it (``seen``) and how many it hit (``hit``)."""
        return [{**asdict(armed.fault), "seen": armed.seen, "hit": armed.hit} for armed in self._armed]

    def meeting(self, route: str, operation: str) -> _Armed | None:
        """The rule that hits this request, counted as seen by each rule asked; none if it is spared."""
        for armed in self._armed:
            fault = armed.fault
            if fnmatchcase(route, fault.route) and fnmatchcase(operation, fault.operation) and armed.fires():
                return armed
        return None

    def meeting_item(self, operation: str) -> Fault | None:
        """The rule that hits one item of a batch: it must name ``operation`` exactly and be of `ITEM_KINDS`."""
        for armed in self._armed:
            if armed.fault.operation == operation and armed.fault.kind in ITEM_KINDS and armed.fires():
                return armed.fault
        return None


def plain_problem(status: int) -> bytes:
    """A problem that says no more than its status."""
    return json.dumps({"type": "about:blank", "status": status}).encode()


@dataclass(frozen=True, slots=True)
class FaultsMiddleware:
    """An app with faults around it, ruled at `CONTROL_PATH`: POST a list of rules to add, GET to read, DELETE to clear.

    ``operation_of`` names the operation of a request for the rules; where it says None the request is never harmed.
    ``problem`` writes the body of an error answer (`application/problem+json`) in the stand-in's own manner.
    """

    app: App
    operation_of: Callable[[Scope], str | None]
    faults: Faults = field(default_factory=Faults)
    problem: Callable[[int], bytes] = plain_problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app would, unless a rule hits."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == CONTROL_PATH:
            await self._control(scope, receive, send)
            return
        if self.faults:
            operation = self.operation_of(scope)
            if operation is not None:
                scope.setdefault("extensions", {})[FAULTS_EXTENSION] = self.faults
                armed = self.faults.meeting(f"{scope['method']} {scope['path']}", operation)
                if armed is not None:
                    await self._harm(armed, scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _harm(self, armed: _Armed, scope: Scope, receive: Receive, send: Send) -> None:
        fault = armed.fault
        match fault.kind:
            case Kind.BUSY:
                await self._refuse(429, [(b"retry-after", b"%d" % fault.retry_after)], scope, receive, send)
            case Kind.UNAVAILABLE:
                await self._refuse(503, [(b"retry-after", b"%d" % fault.retry_after)], scope, receive, send)
            case Kind.WRONG_TOKEN:
                await self._refuse(401, [(b"www-authenticate", b"Bearer")], scope, receive, send)
            case Kind.SERVER_ERROR:
                await self._refuse(500, [], scope, receive, send, effect=fault.effect)
            case Kind.SLOW:
                await asyncio.sleep(fault.seconds)
                await self.app(scope, receive, send)
            case Kind.SILENT:
                await self._take(scope, receive, effect=fault.effect)
                await _wait_for_the_other_side(receive, fault.seconds)
                await _drop(scope, receive)
            case Kind.LOST_ANSWER:
                await self._take(scope, receive, effect=True)
                await _drop(scope, receive)
            case Kind.RESET:
                await _drop(scope, receive)
            case Kind.GIBBERISH:
                await self._take(scope, receive, effect=fault.effect)
                content_type, body = armed.dice.choice(GIBBERISH)
                await _answer(200, [(b"content-type", content_type)], body, send)

    async def _take(self, scope: Scope, receive: Receive, *, effect: bool) -> None:
        """Take the whole request in; with ``effect`` the app does its work, and its answer is kept from the wire."""

        async def nowhere(_: Message) -> None:
            return None

        if effect:
            await self.app(scope, receive, nowhere)
        else:
            await _body(receive)

    async def _refuse(
        self, status: int, headers: Headers, scope: Scope, receive: Receive, send: Send, *, effect: bool = False
    ) -> None:
        await self._take(scope, receive, effect=effect)
        headers = [(b"content-type", b"application/problem+json"), *headers]
        await _answer(status, headers, self.problem(status), send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        status = 200
        answer: object
        match scope["method"]:
            case "POST":
                try:
                    rules = json.loads(body)
                    self.faults.add(
                        *[Fault.from_json(rule) for rule in (rules if isinstance(rules, list) else [rules])]
                    )
                except ValueError as error:
                    status, answer = 400, {"type": "about:blank", "status": 400, "detail": str(error)}
                else:
                    answer = self.faults.report()
            case "DELETE":
                self.faults.clear()
                answer = []
            case "GET" | "HEAD":
                answer = self.faults.report()
            case _:
                status, answer = 405, {"type": "about:blank", "status": 405}
        await _answer(status, [(b"content-type", b"application/json")], json.dumps(answer).encode(), send)


async def _body(receive: Receive) -> bytes:
    """The request's body; one left unread would break the next request on its connection."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _answer(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, send: Send) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _wait_for_the_other_side(receive: Receive, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _disconnected(receive)
    except TimeoutError:
        return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drop(scope: Scope, receive: Receive) -> None:
    """Cut the connection so that the other side sees it end before an answer; raises where there is no connection."""
    drop = scope.get("extensions", {}).get(DROP_EXTENSION)
    if drop is None:
        raise ConnectionDroppedError("the stand-in dropped the connection")
    drop()
    await _disconnected(receive)
