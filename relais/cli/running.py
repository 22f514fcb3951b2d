"""The verbs that start the program: run, migrate."""

import asyncio
import gc
import signal
import sys
from enum import StrEnum
from typing import Annotated

import typer
import uvloop

from relais.bootstrap import Configuration, open_parts
from relais.cli.ending import MISUSED, configuration_or_exit, fail, settings_or_exit
from relais.ledger.database import LedgerAwayError, open_database
from relais.ledger.migrating import migrate
from relais.ledger.revision import LedgerRevisionError
from relais.runtime.embedded_nats import EmbeddedNatsError
from relais.runtime.program import PartFailedError, Program, Role
from relais.settings import SettingsError
from relais.telemetry.emitting import silence_libraries


class RoleChoice(StrEnum):
    """The roles that can be named on the command line."""

    ALL = "all"
    INTAKE = "intake"
    DELIVERY = "delivery"


def add_to(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("run")(run)
    app.command("migrate")(migrate_ledger)


def run(
    role: Annotated[RoleChoice, typer.Option(help="Which role this process plays; all of them unless named.")] = (
        RoleChoice.ALL
    ),
) -> None:
    """Start the workers and go on until SIGTERM or Ctrl-C."""
    configuration = configuration_or_exit()
    roles = frozenset(Role) if role is RoleChoice.ALL else frozenset({Role(role.value)})
    silence_libraries()
    try:
        uvloop.run(_run(configuration, roles))
    except SettingsError as error:
        fail(*error.faults, code=MISUSED)
    except PartFailedError as error:
        fail(f"a part of the program failed: {error}")
    except EmbeddedNatsError as error:
        fail(f"cannot start: {error}")
    except OSError as error:
        fail(f"cannot start: {error.strerror or error}")


def migrate_ledger() -> None:
    """Bring the ledger to the revision that this program knows."""
    settings = settings_or_exit()

    async def work() -> tuple[str | None, str]:
        database = open_database(settings.ledger_url.get_secret_value())
        try:
            return await migrate(database)
        finally:
            await database.close()

    try:
        before, after = asyncio.run(work())
    except (LedgerAwayError, LedgerRevisionError, ValueError) as error:
        fail(f"the ledger was not migrated: {error}")
    except OSError as error:
        fail(f"the ledger was not migrated: {error.strerror or type(error).__name__}")
    typer.echo(f"the ledger is at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))


def _tend_memory() -> None:
    """Leave what was loaded at the start out of the garbage collector's rounds, and make the rounds rarer.

    Nearly everything an event makes is freed by counting references; a round over a hundred thousand lasting objects
    for every few events was a sixth of the processor time of a delivery.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _run(configuration: Configuration, roles: frozenset[Role]) -> None:
    _tend_memory()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with open_parts(configuration, role="+".join(sorted(roles))) as parts:
        program = Program(parts, roles, ready_at=lambda address: print(f"listening on {address}", flush=True))  # noqa: T201
        await program.run(stop)
    sys.stdout.flush()
