"""The questions that a human asks are answered alike by PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.kit.errors import RejectedError
from relais.bootstrap import route_by
from relais.operations.checking import check_ledger
from relais.operations.parking import Answer, Cause, list_parked, parked_with_code, retry
from relais.operations.pausing import Resumed, resume
from relais.operations.replaying import Manner, Outcome, Stage, replay
from relais.operations.stories import tell_case
from relais.settings import Settings
from routing.load import load_bundled
from tests.doubles.scripted import a_body, an_event
from tests.unit.fixmystreet.world import Api, a_source
from tests.unit.operations.world import ACTOR, SCRIPTED, Desk, a_desk, a_push, a_sighting, written

pytestmark = pytest.mark.postgres


@pytest_asyncio.fixture
async def desk(postgresql_url: str) -> AsyncIterator[Desk]:
    async with a_desk(postgresql_url) as desk:
        yield desk


async def test_a_parked_event_is_listed_told_retried_and_audited(desk: Desk) -> None:
    (receipt,) = await desk.world.accept(an_event(1, "a", a_body()))
    await desk.world.accept(an_event(1, "a", a_body("other")))
    await desk.deliver(RejectedError("no such postal code", code="invalid_field"))
    (group,) = await list_parked(desk.ledger)
    assert (group.cause, group.many) == (Cause.REFUSED, 1)
    story = await tell_case(desk.ledger, SCRIPTED, "scripted-a", personal=True, actor=ACTOR)
    assert story is not None
    assert (story.events[0].state, story.events[0].contradicted) == ("parked", 1)
    assert await parked_with_code(desk.ledger, "invalid_field") == [receipt.seq]
    answers = await retry(desk.ledger, [receipt.seq or 0, 2**62, 2**70], actor=ACTOR)
    assert [answer.answer for answer in answers] == [Answer.REOPENED, Answer.UNKNOWN, Answer.UNKNOWN]
    assert [entry[1] for entry in await desk.audited()] == ["show personal data", "retry"]


async def test_a_paused_sink_is_seen_and_resumed(desk: Desk) -> None:
    await desk.ledger.sinks.pause("crm", "the token is refused")
    ledger, trail, sink = await check_ledger(Settings.model_validate({"ledger_url": desk.world.url}))
    assert (trail.name, trail.ok) == ("audit trail", True)
    assert (ledger.ok, sink.ok) == (True, False)
    assert await resume(desk.ledger, "crm", actor=ACTOR) is Resumed.RESUMED


async def test_a_rehearsal_writes_nothing_and_a_replay_is_played_once(desk: Desk, tmp_path: Path) -> None:
    day = written(tmp_path / "day.jsonl", a_push(1), a_sighting(1), a_push(1, severalOccurences=True))
    async with a_source(Api()) as source:
        stage = Stage(desk.ledger, {"fixmystreet": source}, route_by(load_bundled()))
        results = [
            (await replay([day], stage, Manner(dry_run=dry_run), progress=lambda _progress: None)).counts
            for dry_run in (True, True, False, False)
        ]
    assert results[0] == results[1] == results[2]
    assert (results[2][Outcome.NEW], results[2][Outcome.CONFLICT]) == (2, 1)
    assert (results[3][Outcome.SAME], results[3][Outcome.CONFLICT]) == (2, 1)
    (row,) = await desk.world.sql("SELECT count(*) AS many FROM events")
    assert row.many == 2
