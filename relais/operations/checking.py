"""Whether everything that Relais stands on is there and in order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
import nats.errors

from connectors.kit.errors import ConnectorError
from connectors.kit.http import fast_transport
from connectors.kit.ports import Health, Sink, Source
from relais.bootstrap import Configuration, faults_of_lease, open_sinks, open_sources, read_configuration
from relais.operations.messaging import open_visit
from relais.operations.opening import UnavailableError, ledger_file, open_books
from relais.operations.pausing import paused_sinks
from relais.runtime.embedded_nats import EmbeddedNatsError, usable_server
from relais.settings import Settings, SettingsError, load_settings
from routing.fault import Fault, InvalidRulesError
from routing.load import lint, lint_bundled

LEDGER_WITHIN: Final = timedelta(seconds=10)
BROKER_WITHIN: Final = timedelta(seconds=5)
SYSTEM_WITHIN: Final = timedelta(seconds=20)
"""How long each part may take to answer before it counts as away."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at; ``detail`` is one line for a human, without a secret."""

    name: str
    ok: bool
    detail: str


async def check_everything(
    open_transport: Callable[[], httpx.AsyncBaseTransport] = fast_transport,
) -> list[CheckResult]:
    """Look at settings, rules, ledger, broker, every source and every sink; side by side, each for a bounded time.

    With faulty settings everything is looked at that they still allow. Each fault is a result of its own.
    """
    results, settings, configuration = _read_settings()
    looks: list[Awaitable[list[CheckResult]]] = []
    if settings is not None:
        looks = [
            asyncio.to_thread(check_rules, settings),
            _within("ledger", LEDGER_WITHIN, check_ledger(settings)),
            _within("broker", BROKER_WITHIN, check_broker(settings)),
        ]
    async with AsyncExitStack() as stack:
        if configuration is not None:
            sources = await stack.enter_async_context(open_sources(configuration, open_transport))
            sinks = await stack.enter_async_context(open_sinks(configuration, open_transport))
            if faults := faults_of_lease(configuration.settings, sinks):
                results = [CheckResult("settings", ok=False, detail=fault) for fault in faults]
            looks.append(check_systems(sources, sinks))
        for found in await asyncio.gather(*looks):
            results += found
    return results


def check_rules(settings: Settings) -> list[CheckResult]:
    """Every fault in the routing rules and their examples."""
    faults: list[Fault] = lint([settings.rules]) if settings.rules else lint_bundled()
    if not faults:
        return [CheckResult("rules", ok=True, detail=str(settings.rules or "those that came with the program"))]
    return [CheckResult("rules", ok=False, detail=str(fault)) for fault in faults]


async def check_ledger(settings: Settings) -> list[CheckResult]:
    """Whether the ledger can be used, whether its audit trail holds, and which sinks are paused in it."""
    file = ledger_file(settings.ledger_url.get_secret_value())
    if file is not None and not file.exists():
        return [CheckResult("ledger", ok=True, detail=f"sqlite, will be made at {file} by the first start")]
    try:
        async with open_books(settings) as ledger:
            paused = await paused_sinks(ledger)
            detail = f"{ledger.database.dialect}, migrated"
            broken = await ledger.audit.first_broken()
    except UnavailableError as error:
        return [CheckResult("ledger", ok=False, detail=str(error))]
    return [CheckResult("ledger", ok=True, detail=detail), _audit_trail(broken)] + [
        CheckResult(f"sink {sink.name}", ok=False, detail=f"paused: {sink.reason}; then 'relais resume {sink.name}'")
        for sink in paused
    ]


def _audit_trail(broken: int | None) -> CheckResult:
    fault = f"entry {broken} was changed, or the one before it is missing"
    return CheckResult("audit trail", ok=broken is None, detail="holds" if broken is None else fault)


async def check_broker(settings: Settings) -> list[CheckResult]:
    """Whether the configured broker offers JetStream; of the embedded one, whether its program is there."""
    if settings.broker_url is None:
        binary = str(settings.nats_server_bin) if settings.nats_server_bin else None
        try:
            program, version = await asyncio.to_thread(usable_server, binary)
        except EmbeddedNatsError as error:
            return [CheckResult("broker", ok=False, detail=str(error))]
        return [CheckResult("broker", ok=True, detail=f"embedded, {program.name} {version}")]
    try:
        async with open_visit(settings.broker_url.get_secret_value(), within=BROKER_WITHIN) as client:
            account = await client.jetstream(timeout=BROKER_WITHIN.total_seconds()).account_info()
    except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
        # the library's text may repeat the address with its password: only the kind goes on
        return [CheckResult("broker", ok=False, detail=f"no JetStream to be had: {type(error).__name__}")]
    return [CheckResult("broker", ok=True, detail=f"JetStream with {account.streams} streams")]


async def check_systems(
    sources: Mapping[str, Source], sinks: Mapping[str, Sink], *, within: timedelta = SYSTEM_WITHIN
) -> list[CheckResult]:
    """What each source and sink says of itself, in their order; who does not answer ``within`` counts as away."""
    looks = [_look(f"source {name}", source.check, within) for name, source in sources.items()]
    looks += [_look(f"sink {name}", sink.check, within) for name, sink in sinks.items()]
    return [result for found in await asyncio.gather(*looks) for result in found]


def _read_settings() -> tuple[list[CheckResult], Settings | None, Configuration | None]:
    """What is wrong with the settings, and as much of them as can be used."""
    try:
        configuration = read_configuration()
    except SettingsError as error:
        faults = [CheckResult("settings", ok=False, detail=fault) for fault in error.faults]
    except InvalidRulesError:
        faults = [CheckResult("settings", ok=True, detail="complete; the rules cannot be used")]
    else:
        return [CheckResult("settings", ok=True, detail="complete")], configuration.settings, configuration
    try:
        return faults, load_settings(), None
    except SettingsError:
        return faults, None, None


async def _look(name: str, check: Callable[[], Awaitable[Health]], within: timedelta) -> list[CheckResult]:
    async def look() -> list[CheckResult]:
        try:
            health = await check()
        except ConnectorError as error:
            return [CheckResult(name, ok=False, detail=f"{error.reason} ({error.code})")]
        except Exception as error:  # noqa: BLE001  # the edge of a connector: its fault is one line among the others
            return [CheckResult(name, ok=False, detail=f"the check itself failed: {type(error).__name__}")]
        return [CheckResult(name, health.ok, health.detail)]

    return await _within(name, within, look())


async def _within(name: str, limit: timedelta, look: Awaitable[list[CheckResult]]) -> list[CheckResult]:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await look
    except TimeoutError:
        return [CheckResult(name, ok=False, detail=f"no answer within {limit.total_seconds():g} s")]
