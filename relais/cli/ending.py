"""How a verb ends: with an answer, or with one clear line on standard error and an exit code."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

import typer

from relais.bootstrap import Configuration, read_configuration, read_settings
from relais.operations.opening import UnavailableError
from relais.settings import Settings, SettingsError
from routing.fault import InvalidRulesError

_T = TypeVar("_T")

WRONG: Final = 1
"""Something is wrong, or what was asked did not happen."""

MISUSED: Final = 2
"""The settings or the arguments cannot be used."""


def settings_or_exit() -> Settings:
    """The engine's own settings; every fault is said."""
    try:
        return read_settings()
    except SettingsError as error:
        fail(*error.faults, code=MISUSED)


def configuration_or_exit() -> Configuration:
    """The whole configuration; every fault is said."""
    try:
        return read_configuration()
    except SettingsError as error:
        fail(*error.faults, code=MISUSED)
    except InvalidRulesError as error:
        fail(*map(str, error.faults), code=MISUSED)


def answer_of(work: Coroutine[Any, Any, _T]) -> _T:
    """What an operation answers; one that cannot be done now ends the program."""
    try:
        return asyncio.run(work)
    except UnavailableError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("stopped", code=130)


def fail(*lines: str, code: int = WRONG) -> NoReturn:
    """Say lines on standard error and end the program."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(code)
