"""What a process does before it delivers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.kit.ports import Arrival, Fingerprint, StoredEvent
from relais.ledger.database import open_database
from relais.ledger.ledger import ledger_over
from relais.ledger.migrating import migrate
from relais.personal.register_numbers import masking
from relais.runtime.program import Parts, Program, Role
from relais.settings import Settings
from relais.telemetry.metrics import Metrics
from schemas.case import CaseEvent
from tests.broker.waiting import eventually
from tests.builders import a_decision
from tests.doubles.scripted import ScriptedCrm, ScriptedSource, a_body, an_event


class AttentiveSource(ScriptedSource):
    """Remembers what it had learnt when it first translated."""

    def __init__(self) -> None:
        self.knew: str | None = None
        self.translated = asyncio.Event()

    def translate(self, event: StoredEvent, fingerprint: Fingerprint) -> CaseEvent:
        if self.knew is None:
            self.knew = self.learnt
        self.translated.set()
        return super().translate(event, fingerprint)


class OpenDoor:
    """A webhook that lets everybody in."""

    door = "webhook"
    body_limit = 1_000

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        """Everybody is genuine."""

    def arrival(self, document: Any, body: bytes) -> Arrival:
        return an_event(int(document), "a", body)


class PushedSource(ScriptedSource):
    webhooks = (OpenDoor(),)


def some_parts(url: str, source: ScriptedSource, metrics: Metrics) -> Parts:
    """What a process over that ledger is made of, without a broker."""
    return Parts(
        settings=Settings(ledger_url=SecretStr(url), broker_url=SecretStr("nats://127.0.0.1:1"), http_port=0),
        sources={"scripted": source},
        sinks={"crm": ScriptedCrm()},
        route=lambda *_: a_decision(destination="crm"),
        metrics=metrics,
        emit=lambda _: None,
        owner="a later life",
    )


async def test_a_process_that_starts_again_translates_nothing_before_it_knows_the_catalogue(tmp_path: Path) -> None:
    """Translated with an older tree, a report would keep the wrong category: its unchanged state never comes again."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    database = open_database(url)
    await migrate(database)
    ledger = await ledger_over(database, masked=masking(None))
    turn = await ledger.polls.take("scripted/poll", "an earlier life", lease_ms=10_000)
    assert turn is not None
    await ledger.polls.keep(turn, "scripted", "poll", (), {}, sweep=None, catalogue="the newest tree", lease_ms=10_000)
    await ledger.acceptance.accept([an_event(1, "a", a_body())])
    await database.close()
    source, stop = AttentiveSource(), asyncio.Event()
    parts = some_parts(url, source, Metrics())

    running = asyncio.create_task(Program(parts, frozenset(Role)).run(stop))
    async with asyncio.timeout(20):
        await source.translated.wait()
    stop.set()
    await running

    assert source.knew == "the newest tree"


async def test_an_arrival_that_waits_for_a_held_ledger_shows_in_the_metrics(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    database = open_database(url)
    await migrate(database)
    metrics, stop = Metrics(), asyncio.Event()
    served: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    parts = some_parts(url, PushedSource(), metrics)

    def waiting() -> float | None:
        return metrics.registry.get_sample_value("relais_intake_waiting")

    running = asyncio.create_task(Program(parts, frozenset({Role.INTAKE}), ready_at=served.set_result).run(stop))
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=await served, trust_env=False) as client:

        async def is_ready() -> bool:
            return (await client.get("/ready")).status_code == 200

        await eventually(is_ready)
        async with database.writing():
            pushed = asyncio.create_task(client.post("/webhooks/scripted/webhook", json=1))
            await eventually(lambda: waiting() == 1)
        assert (await pushed).status_code == 200
    assert waiting() == 0
    stop.set()
    await running
    await database.close()
