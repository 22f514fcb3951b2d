"""Every process learns the catalogue that one of them has read."""

import asyncio
from datetime import timedelta

from relais.ledger.database import LedgerAwayError
from relais.runtime.learning import CatalogueReader
from tests.doubles.scripted import ScriptedSource


class Catalogues:
    """The ledger's newest catalogue, as a script says; counts how often it was asked."""

    def __init__(self, *answers: tuple[int, str] | LedgerAwayError | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def catalogue(self, source: str) -> tuple[int, str] | None:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, LedgerAwayError):
            raise answer
        return answer


async def test_a_new_catalogue_is_learnt_and_the_same_one_only_once() -> None:
    source, polls = ScriptedSource(), Catalogues(None, (1, "first"), (1, "never looked at"), (2, "second"))
    reader = CatalogueReader(polls, {"scripted": source})  # type: ignore[arg-type]  # the one method it uses
    learnt = []
    for _ in range(4):
        await reader.once()
        learnt.append(source.learnt)
    assert learnt == ["", "first", "first", "second"]


async def test_a_ledger_that_is_away_is_asked_again() -> None:
    source, stop = ScriptedSource(), asyncio.Event()
    polls = Catalogues(LedgerAwayError("away"), (1, "back"))
    reader = CatalogueReader(polls, {"scripted": source}, every=timedelta(milliseconds=1))  # type: ignore[arg-type]
    running = asyncio.create_task(reader.run(stop))
    async with asyncio.timeout(5):
        while not source.learnt:  # noqa: ASYNC110  # it is another task that learns
            await asyncio.sleep(0.001)
    stop.set()
    await running
    assert source.learnt == "back"
