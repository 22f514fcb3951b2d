"""The performance: the day is played, everything comes to rest, and everything is counted."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from relais.demonstration.child import StageError
from relais.demonstration.judge import judge
from relais.demonstration.outcome import Outcome, Played
from relais.demonstration.stage import Stage
from relais.demonstration.witness import Witness, open_witness

SWEEPS_AFTER_THE_END: Final = 3
"""The first may have begun before the end; the two after it see everything, and what two miss is gone."""

_LOOK_SECONDS: Final = 0.25
_COUNT_CASES_EVERY: Final = 4
"""The CRM's whole account is much to ask for at every look."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a performance is. ``act`` says what is going on."""

    act: str
    seconds: float = 0.0
    planned: int = 0
    played: int = 0
    accepted: int = 0
    delivered: int = 0
    unfinished: int = 0
    cases: int = 0
    sweeps: int = 0


Tell = Callable[[Progress], None]
"""Is told how far it is, several times a second; returns at once."""


async def perform(stage: Stage, tell: Tell, *, patience_seconds: float = 180.0) -> Outcome:
    """Play the scenario through both doors, wait until all is at rest, count.

    ``patience_seconds`` is how long coming to rest may take; what is not done then is counted as it is. Raises
    StageError where something on the stage ends by itself or the play fails.
    """
    async with open_witness(stage) as witness:
        return await _Performance(stage, witness, tell).run(patience_seconds)


class _Performance:
    def __init__(self, stage: Stage, witness: Witness, tell: Tell) -> None:
        self._stage = stage
        self._witness = witness
        self._tell = tell
        self._started = time.monotonic()
        self._looks = 0
        self._progress = Progress("playing the day")

    async def run(self, patience_seconds: float) -> Outcome:
        stage = self._stage
        play = f"{stage.addresses.fixmystreet}/_control/play"
        script = stage.scenario.as_play(stage.addresses.webhook, stage.signature_key, stage.webhook_token)
        answer = await stage.client.post(play, json=script)
        if answer.is_error:
            raise StageError(f"Fix My Street does not play this day: {answer.text}")
        status = await self._play_to_the_end(play)
        quiet = await self._come_to_rest(patience_seconds)
        return await self._counted(status, quiet=quiet)

    async def _play_to_the_end(self, play: str) -> dict[str, Any]:
        while True:
            status: dict[str, Any] = (await self._stage.client.get(play)).raise_for_status().json()
            if status["error"]:
                raise StageError(f"the play broke off: {status['error']}")
            await self._look(
                planned=status["planned_reports"] + status["planned_changes"],
                played=status["reports"] + status["changes"] + status["skipped"],
            )
            if status["done"]:
                return status
            await asyncio.sleep(_LOOK_SECONDS)

    async def _come_to_rest(self, patience_seconds: float) -> bool:
        """Wait until nothing can be going on any more; false when the patience ends first."""
        self._progress = replace(self._progress, act="coming to rest")
        deadline = time.monotonic() + patience_seconds
        before = None
        while time.monotonic() < deadline:
            sweeps = await self._witness.complete_sweeps()
            if before is None:
                before = sweeps
            since = 0 if sweeps is None or before is None else sweeps - before
            finished = await self._look(sweeps=since)
            if since >= SWEEPS_AFTER_THE_END and finished:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _counted(self, status: dict[str, Any], *, quiet: bool) -> Outcome:
        stage, witness = self._stage, self._witness
        self._progress = replace(self._progress, act="counting")
        self._tell(self._progress)
        backlog = await witness.backlog()
        if backlog is None:
            raise StageError(f"the ledger cannot be read: {stage.ledger_url}")
        crm = await stage.oracle_of_crm()
        return Outcome(
            played=Played(
                reports=status["reports"],
                changes=status["changes"],
                skipped=status["skipped"],
                pushes=status["webhooks_sent"],
                pushes_accepted=status["webhooks_ok"],
                given_back=status["given_back"],
            ),
            backlog=backlog,
            parked_by_code=await witness.parked_by_code(),
            verdict=judge(await stage.oracle_of_fixmystreet(), crm),
            repeated_writes=crm["repeated"],
            quiet=quiet,
            seconds=time.monotonic() - self._started,
            memory_mebibytes=stage.relais.memory_mebibytes() if stage.relais is not None else None,
        )

    async def _look(self, **told: int) -> bool:
        """Take in how things stand and tell it; whether the ledger has nothing unfinished."""
        self._stage.look()
        seen: dict[str, Any] = {**told}
        backlog = await self._witness.backlog()
        if self._looks % _COUNT_CASES_EVERY == 0:
            seen["cases"] = len((await self._stage.oracle_of_crm())["cases"])
        self._looks += 1
        if backlog is not None:
            seen |= {"accepted": backlog.accepted, "delivered": backlog.delivered}
            seen["unfinished"] = backlog.waiting + backlog.in_doubt
        self._progress = replace(self._progress, seconds=time.monotonic() - self._started, **seen)
        self._tell(self._progress)
        return backlog is not None and seen["unfinished"] == 0
