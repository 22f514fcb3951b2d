"""A paused sink goes on when a human says so."""

from relais.operations.pausing import RESUME, PausedSink, Resumed, paused_sinks, resume
from tests.unit.operations.world import ACTOR, Desk


async def test_a_resumed_sink_is_not_paused_any_more_and_the_trail_says_who_did_it(desk: Desk) -> None:
    await desk.ledger.sinks.pause("crm", "the token is refused")
    assert await paused_sinks(desk.ledger) == [PausedSink("crm", "the token is refused")]
    assert await resume(desk.ledger, "crm", actor=ACTOR) is Resumed.RESUMED
    assert await paused_sinks(desk.ledger) == []
    assert await desk.audited() == [(ACTOR, RESUME, "crm", "was paused: the token is refused")]


async def test_a_sink_that_was_not_paused_is_left_alone(desk: Desk) -> None:
    assert await resume(desk.ledger, "crm", actor=ACTOR) is Resumed.NOT_PAUSED
    assert await desk.audited() == []
