"""What Relais says of itself during a demonstration: its ledger's counts and its metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from relais.demonstration.stage import Stage
from relais.ledger.database import LedgerAwayError, open_database
from relais.ledger.ports import Backlog
from relais.ledger.stories import Stories

_SWEEPS: Final = {"source": "fixmystreet", "poll": "sweep", "outcome": "completed"}


class Witness:
    """Answers with None where Relais or its ledger cannot be asked at the moment."""

    def __init__(self, stage: Stage, stories: Stories) -> None:
        self._stage = stage
        self._stories = stories
        self._sweeps_before = 0
        self._sweeps_last = 0

    async def backlog(self) -> Backlog | None:
        """How the events stand in the ledger."""
        try:
            return await self._stories.backlog()
        except LedgerAwayError:
            return None

    async def parked_by_code(self) -> dict[str, int]:
        """Why events are parked. Raises LedgerAwayError."""
        return await self._stories.parked_by_code()

    async def complete_sweeps(self) -> int | None:
        """How many times everything was read from end to end since the first question, over all its lives."""
        try:
            answer = await self._stage.client.get(f"{self._stage.addresses.relais}/metrics")
        except httpx.TransportError:
            return None
        now = sum(
            int(sample.value)
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == "relais_polls_total" and sample.labels == _SWEEPS
        )
        if now < self._sweeps_last:  # it was started again, and counts anew
            self._sweeps_before += self._sweeps_last
        self._sweeps_last = now
        return self._sweeps_before + now


@asynccontextmanager
async def open_witness(stage: Stage) -> AsyncIterator[Witness]:
    """Somebody to ask, until the end of the block. The ledger is only read."""
    database = open_database(stage.ledger_url)
    try:
        yield Witness(stage, Stories(database))
    finally:
        await database.close()
