"""What a process does before it delivers."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from connectors.kit.ports import Fingerprint, StoredEvent
from relais.ledger.database import open_database
from relais.ledger.ledger import ledger_over
from relais.ledger.migrating import migrate
from relais.personal.register_numbers import masking
from relais.runtime.program import Parts, Program, Role
from relais.settings import Settings
from relais.telemetry.metrics import Metrics
from schemas.case import CaseEvent
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
    nowhere = SecretStr("nats://127.0.0.1:1")
    settings = Settings(ledger_url=SecretStr(url), broker_url=nowhere, http_port=0)
    source, stop = AttentiveSource(), asyncio.Event()
    parts = Parts(
        settings=settings,
        sources={"scripted": source},
        sinks={"crm": ScriptedCrm()},
        route=lambda *_: a_decision(destination="crm"),
        metrics=Metrics(),
        emit=lambda _: None,
        owner="a later life",
    )

    running = asyncio.create_task(Program(parts, frozenset(Role)).run(stop))
    async with asyncio.timeout(20):
        await source.translated.wait()
    stop.set()
    await running

    assert source.knew == "the newest tree"
