"""One whole demonstration: the stage is opened, the day is played, the outcome is shown, everything is cleared away."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from relais.demonstration.display import announce, following, show_addresses, show_outcome
from relais.demonstration.outcome import Outcome
from relais.demonstration.performance import Progress, perform
from relais.demonstration.scenario import Scenario
from relais.demonstration.stage import checkout, open_stage

_LOOK_SECONDS: Final = 1.0


async def demonstrate(
    scenario: Scenario, console: Console, *, keep: bool, counted: Callable[[Outcome], None]
) -> Outcome:
    """Show a whole demonstration; ``counted`` is told the outcome once it has been shown.

    With ``keep`` everything goes on running until the task is cancelled. The folder with the logs and the ledger is
    removed where the counts hold, and kept for whoever wants to know why where they do not. Raises StageError.
    """
    checkout()
    folder = Path(tempfile.mkdtemp(prefix="relais-demo-"))
    announce(console, scenario, str(folder))
    held = False
    try:
        async with AsyncExitStack() as stack:
            with following(console) as tell:
                tell(Progress("starting"))
                stage = await stack.enter_async_context(open_stage(scenario, folder))
                outcome = await perform(stage, tell)
            show_outcome(console, outcome)
            held = outcome.holds
            if keep:
                show_addresses(console, stage, outcome)
            else:
                await stage.stop()
            counted(outcome)
            while keep:
                stage.look()
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        if held:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            console.print(f"The logs and the ledger are kept in {folder}", highlight=False, soft_wrap=True)
    return outcome
