"""The door of Fix My Street behind a real socket, over a real ledger."""

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final, cast

import httpx

from connectors.fixmystreet.source import FixMyStreet, open_source
from relais.ledger.accepting import Acceptance
from relais.ledger.database import LedgerAwayError, SqliteDatabase
from relais.runtime.health import Health
from relais.runtime.intake import Intake
from relais.runtime.serving import HttpServer
from relais.runtime.webhooks import WebhookRoutes
from relais.telemetry.emitting import Emitter
from relais.telemetry.metrics import Metrics
from tests.contract.ledger_world import World, a_world, prepared_world
from tests.unit.fixmystreet.world import Api, some_settings

KEY: Final = "signature-key"
TOKEN: Final = "agreed"
LIMIT: Final = 8_192
PATH: Final = "/webhooks/fixmystreet/webhook"


def a_push(number: object = 123456, *, modified_at: str = "2026-05-04T10:11:12", **report: Any) -> dict[str, Any]:
    """A request to take over a report; its creator is a person."""
    return {
        "meta": {"now": modified_at, "resource": "report", "hook": "transfer", "action": "request"},
        "data": {
            "report": {
                "id": number,
                "createdAt": "2026-05-04T10:09:41",
                "modifiedAt": modified_at,
                "category": {"fr": "a / b : c", "nl": "a / b : c", "ids": [1000, 2000, 3407, ""]},
                "creator": {"firstName": "Lucie", "lastName": "Vanhamme", "email": "lucie@mail.example"},
                "comments": [],
            }
            | report
        },
    }


def encoded(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def headers_for(body: bytes, *, key: str = KEY, token: str | None = TOKEN) -> dict[str, str]:
    """What Fix My Street sends with a body."""
    signature = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha1).digest()).decode()
    return {"X-FMS-Signature": signature} | ({} if token is None else {"Authorization": f"Token {token}"})


class FailingAcceptance:
    """A ledger's door that can be taken away, held shut, and counts what is asked of it."""

    def __init__(self, behind: Acceptance) -> None:
        self._behind = behind
        self.asked = 0
        self.fault: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def accept(self, arrivals: Sequence[Any]) -> Any:
        self.asked += 1
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return await self._behind.accept(arrivals)


@dataclass
class Street:
    """The door, what is behind it, and what it says."""

    client: httpx.AsyncClient
    port: int
    world: World
    acceptance: FailingAcceptance
    intake: Intake
    source: FixMyStreet
    metrics: Metrics
    log: StringIO
    statements: list[str]

    async def push(self, document: object) -> httpx.Response:
        """A genuine push of a document."""
        return await self.push_bytes(encoded(document))

    async def push_bytes(self, body: bytes) -> httpx.Response:
        """A genuine push of these bytes."""
        return await self.client.post(PATH, content=body, headers=headers_for(body))

    async def stored(self) -> int:
        """How many events and conflicts the ledger holds."""
        (row,) = await self.world.sql("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM conflicts) AS many")
        return int(row.many)

    def held(self) -> int:
        """How many pushes wait for a commit, of a group under way or of the next."""
        return self.intake.waiting

    def lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    async def raw(self, data: bytes, *, seconds: float = 10) -> bytes:
        """What comes back for bytes on a connection of their own, until the other side is done."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(seconds):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                return head + await reader.readexactly(length)
        finally:
            writer.close()


def listen_to(world: World, told: Callable[[str], None]) -> None:
    """Tell every statement that SQLite runs from now on."""
    database = world.ledger.database
    assert isinstance(database, SqliteDatabase)
    connection = database._engine.raw_connection()
    cast("sqlite3.Connection", connection.driver_connection).set_trace_callback(told)
    connection.close()


@asynccontextmanager
async def a_street(
    folder: Path,
    *,
    capacity: int = 100,
    body_seconds: float = 5.0,
    head_seconds: float = 5.0,
    buffer_limit: int = 1_000_000,
    opened: bool = True,
    template: Path | None = None,
) -> AsyncIterator[Street]:
    """The door on a free port; with ``opened`` false the ledger has not been found yet.

    ``template`` is a ledger to begin with a copy of, because migrating one takes longer than most tests.
    """
    log, metrics, stop = StringIO(), Metrics(), asyncio.Event()
    emit = Emitter(metrics, level="debug", stream=log)
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{folder / 'ledger.db'}"
        if template is not None:
            shutil.copy(template, folder / "ledger.db")
        world = await stack.enter_async_context(prepared_world(url) if template is not None else a_world(url))
        settings = some_settings(webhook_signature_key=KEY, webhook_token=TOKEN, body_limit=LIMIT)
        source = await stack.enter_async_context(open_source(settings, lambda: httpx.MockTransport(Api())))
        acceptance = FailingAcceptance(world.ledger.acceptance)
        intake = Intake(
            cast("Acceptance", acceptance),
            capacity=capacity, accepted=lambda _many: None, emit=emit, patience=timedelta(seconds=2),
        )  # fmt: skip
        routes = WebhookRoutes(
            {"fixmystreet": source},
            lambda: intake if opened else None,
            emit,
            buffer_limit=buffer_limit,
            body_seconds=body_seconds,
        )
        health = Health(metrics, broker_up=lambda: True)
        health.ledger = world.ledger
        server = HttpServer([*routes.routes, *health.routes], host="127.0.0.1", port=0, head_seconds=head_seconds)
        port = await server.start()
        working = asyncio.create_task(intake.run(stop))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        )
        statements: list[str] = []
        listen_to(world, statements.append)
        try:
            yield Street(client, port, world, acceptance, intake, source, metrics, log, statements)
        finally:
            acceptance.open.set()
            await server.stop()
            stop.set()
            await working


AWAY: Final = LedgerAwayError("the ledger cannot be used: OperationalError")
