"""Every part is looked at for a bounded time, and each fault is a line that says what to do."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest

from connectors.kit.errors import MisconfiguredError
from connectors.kit.ports import Health, Sink, Source
from relais.operations import checking
from relais.operations.checking import CheckResult, check_broker, check_ledger, check_rules, check_systems
from relais.settings import Settings
from tests.doubles.scripted import ScriptedCrm, ScriptedSource
from tests.unit.environment import ENOUGH
from tests.unit.operations.world import Desk


class Refusing(ScriptedSource):
    async def check(self) -> Health:
        raise MisconfiguredError("the key is not known there", code="http_401")


class Silent(ScriptedSource):
    async def check(self) -> Health:
        await asyncio.Event().wait()
        raise AssertionError


class Broken(ScriptedCrm):
    async def check(self) -> Health:
        raise ZeroDivisionError("secret")


def settings(**given: object) -> Settings:
    return Settings.model_validate(given)


async def test_each_system_says_what_it_found_in_its_own_line() -> None:
    results = await check_systems(
        {"good": cast("Source", ScriptedSource()), "bad": cast("Source", Refusing())}, {"crm": cast("Sink", Broken())}
    )
    assert results == [
        CheckResult("source good", ok=True, detail="scripted"),
        CheckResult("source bad", ok=False, detail="the key is not known there (http_401)"),
        CheckResult("sink crm", ok=False, detail="the check itself failed: ZeroDivisionError"),
    ]


async def test_a_system_that_does_not_answer_is_given_up() -> None:
    (result,) = await check_systems({"slow": cast("Source", Silent())}, {}, within=timedelta(milliseconds=10))
    assert result == CheckResult("source slow", ok=False, detail="no answer within 0.01 s")


async def test_a_migrated_ledger_is_well_and_its_paused_sinks_are_not(desk: Desk) -> None:
    await desk.ledger.sinks.pause("crm", "the token is refused")
    ledger, trail, sink = await check_ledger(settings(ledger_url=desk.world.url))
    assert ledger == CheckResult("ledger", ok=True, detail="sqlite, migrated")
    assert trail == CheckResult("audit trail", ok=True, detail="holds")
    assert (sink.name, sink.ok) == ("sink crm", False)
    assert "the token is refused" in sink.detail


async def test_a_changed_entry_of_the_audit_trail_is_a_fault(desk: Desk) -> None:
    for _ in range(3):
        await desk.ledger.audit.add("somebody@desk", "retry", "events 1")
    await desk.world.sql("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    _, trail = await check_ledger(settings(ledger_url=desk.world.url))
    assert trail == CheckResult("audit trail", ok=False, detail="entry 2 was changed, or the one before it is missing")


async def test_an_embedded_ledger_that_the_first_start_makes_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "ledger.db"
    (result,) = await check_ledger(settings(ledger_url=f"sqlite:///{file}"))
    assert result.ok
    assert not file.parent.exists()


async def test_a_ledger_without_tables_is_to_be_migrated(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.touch()
    (result,) = await check_ledger(settings(ledger_url=f"sqlite:///{file}"))
    assert (result.ok, "relais migrate" in result.detail) == (False, True)


async def test_a_ledger_that_cannot_be_reached_says_so_without_its_password() -> None:
    (result,) = await check_ledger(settings(ledger_url="postgresql://relais:hidden@127.0.0.1:1/relais"))
    assert not result.ok
    assert "hidden" not in result.detail


async def test_the_configured_broker_is_asked_for_jetstream(nats_url: str) -> None:
    (result,) = await check_broker(settings(broker_url=nats_url))
    assert result == CheckResult("broker", ok=True, detail="JetStream with 0 streams")


async def test_a_broker_that_is_away_says_so_without_its_password() -> None:
    (result,) = await check_broker(settings(broker_url="nats://relais:hidden@127.0.0.1:1"))
    assert not result.ok
    assert "hidden" not in result.detail


async def test_the_embedded_broker_is_known_by_its_version() -> None:
    (result,) = await check_broker(settings())
    assert result.ok
    assert result.detail.startswith("embedded, nats-server v2.")


async def test_a_missing_program_for_the_embedded_broker_is_a_fault(tmp_path: Path) -> None:
    (result,) = await check_broker(settings(nats_server_bin=tmp_path / "nowhere"))
    assert (result.ok, "there is no program" in result.detail) == (False, True)
    assert " RELAIS_NATS_SERVER_BIN" in result.detail


def test_the_rules_that_come_with_the_program_are_well() -> None:
    (result,) = check_rules(settings())
    assert result.ok


def test_each_fault_of_the_rules_is_a_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("source: fixmystreet\nrules: []\n", "utf-8")
    results = check_rules(settings(rules=tmp_path))
    assert results
    assert not any(result.ok for result in results)
    assert "rules.yaml:" in results[0].detail


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("RELAIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAIS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return monkeypatch


async def test_faulty_settings_leave_the_rest_to_be_looked_at(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RELAIS_FIXMYSTREET_SINCE", "yesterday")
    results = await checking.check_everything()
    faults = [result for result in results if not result.ok]
    assert {result.name for result in faults} == {"settings"}
    assert any("RELAIS_FIXMYSTREET_SINCE" in result.detail for result in faults)
    assert not any("yesterday" in result.detail for result in faults)
    assert {result.name for result in results} == {"settings", "rules", "ledger", "broker"}


@pytest.mark.parametrize(
    ("variable", "value"), [("LEASE", "10"), ("SINKS", "fixmystreet"), ("SOURCES", "crm_cmt"), ("RULES", "/nowhere")]
)
async def test_what_the_start_refuses_is_a_fault(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    for name, given in (ENOUGH | {f"RELAIS_{variable}": value}).items():
        environment.setenv(name, given)
    results = await checking.check_everything(lambda: httpx.MockTransport(lambda _: httpx.Response(503)))
    told = [(result.ok, result.detail.partition(":")[0]) for result in results if result.name == "settings"]
    assert (False, f"RELAIS_{variable}") in told
    assert not any(ok for ok, _ in told)


async def test_settings_of_the_engine_that_cannot_be_used_end_the_looking(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RELAIS_HTTP_PORT", "none")
    results = await checking.check_everything()
    assert {result.name for result in results} == {"settings"}
