"""The verb that shows everything on one machine: demo."""

import asyncio
import json
import signal
from datetime import datetime
from typing import Annotated, Final

import typer
from rich.console import Console

from relais.cli.ending import MISUSED, WRONG, fail
from relais.demonstration.child import StageError
from relais.demonstration.evening import demonstrate
from relais.demonstration.outcome import Outcome
from relais.demonstration.scenario import Scenario, yesterday
from relais.demonstration.stage import NoCheckoutError

_INTERRUPTED: Final = 128 + signal.SIGINT
_TERMINATED: Final = 128 + signal.SIGTERM


def add_to(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("demo")(demo)


def demo(
    reports: Annotated[int, typer.Option(min=1, max=20_000, help="How many reports are made.")] = 420,
    changes: Annotated[int, typer.Option(min=0, max=100_000, help="How many later changes happen to them.")] = 1260,
    seconds: Annotated[float, typer.Option(min=0.1, help="In how many seconds the day goes by.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed and day give the same reports and changes.")] = 1,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day that is played; yesterday unless given.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say the counts as one JSON object on the last line.")
    ] = False,
) -> None:
    """Play a whole day of Fix My Street into CRM-CMT, both stood in for, and count what arrived.

    Needs a checkout. Touches nothing outside a temporary folder; the settings in the environment do not count.
    """
    scenario = Scenario(reports, changes, seconds, seed, day.date() if day else yesterday())
    outcomes: list[Outcome] = []

    def counted(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if as_json:
            typer.echo(json.dumps(outcome.as_json()))

    terminated = False

    async def show() -> None:
        task = asyncio.current_task()

        def end() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        # the last line on standard output is the JSON's
        await demonstrate(scenario, Console(stderr=as_json), keep=keep, counted=counted)

    try:
        asyncio.run(show())
    except NoCheckoutError as error:
        fail(str(error), code=MISUSED)
    except StageError as error:
        fail(str(error), code=WRONG)
    except (KeyboardInterrupt, asyncio.CancelledError):
        # whoever kept it running has seen the counts and ends it in the only way there is
        if not (keep and outcomes):
            raise typer.Exit(_TERMINATED if terminated else _INTERRUPTED) from None
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(WRONG)
