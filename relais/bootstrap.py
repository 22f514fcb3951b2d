"""The wiring: the only module that knows which connectors there are."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from pydantic import BaseModel

from connectors.catalogue import CATALOGUE
from connectors.kit.http import fast_transport
from connectors.kit.manifest import Connector
from connectors.kit.ports import Sink, Source
from relais.delivery.fold import Route
from relais.runtime.program import Parts
from relais.settings import (
    PREFIX,
    Settings,
    SettingsError,
    connector_prefix,
    load_connector_names,
    load_connector_settings,
    load_settings,
    refuse_unknown,
)
from relais.telemetry.emitting import Emitter
from relais.telemetry.metrics import Metrics
from routing.choose import Rules, choose
from routing.facts import facts_of
from routing.load import load, load_bundled
from schemas.case import CaseFacts, Kind
from schemas.decision import Decision


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was read and checked before anything is opened."""

    settings: Settings
    connectors: Mapping[str, Connector]
    connector_settings: Mapping[str, BaseModel]
    rules: Rules


def known_connectors() -> tuple[Connector, ...]:
    """Every connector that could be configured, in the order of the catalogue."""
    return CATALOGUE


def read_settings() -> Settings:
    """The engine's own settings, for what needs no connector.

    Raises SettingsError with every fault found, a misspelt variable of a connector among them.
    """
    settings, faults = _engine_settings()
    faults.extend(_unknown_settings())
    if faults or settings is None:
        raise SettingsError(faults)
    return settings


def read_configuration() -> Configuration:
    """Read the environment and the rules.

    Raises SettingsError with every fault found, each naming its variable; InvalidRulesError for rules that cannot be
    used.
    """
    connectors = {connector.name: connector for connector in CATALOGUE}
    settings, faults = _engine_settings()
    sources, sinks = load_connector_names()
    faults.extend(_misplaced("SOURCES", "source", sources, [one.name for one in CATALOGUE if one.open_source]))
    faults.extend(_misplaced("SINKS", "sink", sinks, [one.name for one in CATALOGUE if one.open_sink]))
    chosen = {name: connectors[name] for name in dict.fromkeys((*sources, *sinks)) if name in connectors}
    read: dict[str, BaseModel] = {}
    for name, connector in chosen.items():
        try:
            read[name] = load_connector_settings(name, connector.settings)
        except SettingsError as error:
            faults.extend(error.faults)
    faults.extend(_unknown_settings())
    if settings is not None and settings.rules is not None and not settings.rules.exists():
        faults.append(f"{PREFIX}RULES: there is no such file or folder")
    if faults or settings is None:
        raise SettingsError(faults)
    rules = load([settings.rules]) if settings.rules else load_bundled()
    faults.extend(_faults_between(rules, settings))
    if faults:
        raise SettingsError(faults)
    return Configuration(settings, chosen, read, rules)


def _engine_settings() -> tuple[Settings | None, list[str]]:
    """The engine's settings, or what is wrong with them."""
    try:
        return load_settings(), []
    except SettingsError as error:
        return None, list(error.faults)


def _misplaced(variable: str, role: str, named: Iterable[str], able: Sequence[str]) -> Iterator[str]:
    """Who was named for a role that it cannot play."""
    for name in named:
        if name not in able:
            yield f"{PREFIX}{variable}: no {role} {name}; there are {', '.join(sorted(able))}"


def _faults_between(rules: Rules, settings: Settings) -> Iterator[str]:
    """Sources that no rule speaks of, and sinks that a rule sends to and nobody configured: their cases would wait."""
    for name in settings.sources:
        indexed = rules.by_source.get(name)
        if indexed is None:
            yield f"{PREFIX}SOURCES: there are no routing rules for {name}"
            continue
        first_by_destination: dict[str, str] = {}
        for rule in indexed.rule_set.rules:
            first_by_destination.setdefault(rule.then.destination or indexed.rule_set.destination, rule.name)
        for destination, rule_name in first_by_destination.items():
            if destination not in settings.sinks:
                yield f"{PREFIX}SINKS: without {destination}, where the rule {rule_name} of {name} sends its cases"


def _unknown_settings() -> tuple[str, ...]:
    """What begins like a setting and is none of the engine's nor of any connector's."""
    known: dict[str, type[BaseModel]] = {connector_prefix(one.name): one.settings for one in CATALOGUE}
    try:
        refuse_unknown({PREFIX: Settings, **known})
    except SettingsError as error:
        return error.faults
    return ()


def route_by(rules: Rules) -> Route:
    """The routing rules as delivery asks them."""

    def route(source: str, kind: Kind, tenant: str | None, facts: CaseFacts) -> Decision:
        return choose(rules, facts_of(source, kind, tenant, facts)).decision

    return route


@asynccontextmanager
async def open_sources(
    configuration: Configuration, open_transport: Callable[[], httpx.AsyncBaseTransport] = fast_transport
) -> AsyncIterator[dict[str, Source]]:
    """The configured sources by name, open until the end."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(opener(configuration.connector_settings[name], open_transport))
            for name in configuration.settings.sources
            if (opener := configuration.connectors[name].open_source) is not None
        }


@asynccontextmanager
async def open_sinks(
    configuration: Configuration, open_transport: Callable[[], httpx.AsyncBaseTransport] = fast_transport
) -> AsyncIterator[dict[str, Sink]]:
    """The configured sinks by name, open until the end."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(opener(configuration.connector_settings[name], open_transport))
            for name in configuration.settings.sinks
            if (opener := configuration.connectors[name].open_sink) is not None
        }


@asynccontextmanager
async def open_parts(configuration: Configuration, *, role: str) -> AsyncIterator[Parts]:
    """Everything a process needs beside its ledger and its broker, open until the end.

    Raises SettingsError for settings that do not go together.
    """
    metrics = Metrics()
    async with open_sources(configuration) as sources, open_sinks(configuration) as sinks:
        if faults := faults_of_lease(configuration.settings, sinks):
            raise SettingsError(faults)
        yield Parts(
            settings=configuration.settings,
            sources=sources,
            sinks=sinks,
            route=route_by(configuration.rules),
            metrics=metrics,
            emit=Emitter(metrics, level=configuration.settings.log_level),
            owner=owner_name(role),
        )


def faults_of_lease(settings: Settings, sinks: Mapping[str, Sink]) -> list[str]:
    """What is wrong where a request could outlive the lease of its case; how long one may take, its sink knows."""
    return [
        f"{PREFIX}LEASE: must be longer than twice the longest request of {name}, "
        f"which may take {sink.capabilities.request_timeout.total_seconds():g} s"
        for name, sink in sinks.items()
        if settings.lease <= sink.capabilities.request_timeout * 2
    ]


def owner_name(role: str) -> str:
    """A name for this process as an owner of leases: new at every start, so that an earlier life is somebody else."""
    return f"{role}@{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
