"""What waits for a human is grouped by who can help, and can be tried again."""

import asyncio

from connectors.kit.errors import RejectedError, TemporaryError
from connectors.kit.ports import Arrival
from relais.operations.parking import RETRY, Answer, Cause, list_parked, parked_with_code, retry
from tests.doubles.scripted import a_body, an_event
from tests.unit.operations.world import ACTOR, Desk

REFUSED = RejectedError("the CRM does not accept postal_code", code="unreadable")
"""The CRM's word may be the same as ours."""


def nameless(number: int = 9) -> Arrival:
    return Arrival("scripted", "webhook", f"unreadable:{number}", None, b"{}", "no number in it")


async def parked_by_the_crm(desk: Desk, case: str = "a", number: int = 1) -> int:
    (receipt,) = await desk.world.accept(an_event(number, case, a_body()))
    await desk.deliver(REFUSED)
    assert receipt.seq is not None
    return receipt.seq


async def test_what_we_cannot_read_stands_apart_from_what_the_crm_refused_and_from_patience_that_ended(
    desk: Desk,
) -> None:
    refused = await parked_by_the_crm(desk)
    await desk.world.accept(an_event(2, "b", a_body("unreadable")))
    await desk.deliver()
    await desk.world.accept(an_event(3, "c", a_body()))
    await desk.deliver(TemporaryError("busy", code="busy"), out_of_patience=True)
    await desk.world.accept(nameless())
    groups = await list_parked(desk.ledger)
    assert [(group.cause, group.code, group.many) for group in groups] == [
        (Cause.UNREAD, "unreadable", 2),
        (Cause.REFUSED, "unreadable", 1),
        (Cause.PATIENCE, "patience_ended", 1),
    ]
    assert groups[1].events[0].seq == refused
    assert [event.key for event in groups[0].events] == ["scripted:b", None]


async def test_a_refused_note_was_read_although_it_blocks_nobody(desk: Desk) -> None:
    await desk.world.accept(an_event(1, "a", a_body("open")))
    await desk.deliver()
    await desk.world.accept(an_event(2, "a", a_body("open", notes=["n1"])))
    await desk.deliver(REFUSED)
    (group,) = await list_parked(desk.ledger)
    assert group.cause is Cause.REFUSED
    assert group.events[0].behind == 0


async def test_a_long_list_is_cut_and_counted_all_the_same(desk: Desk) -> None:
    await desk.world.accept(*(nameless(number) for number in range(5)))
    (group,) = await list_parked(desk.ledger, room=2)
    assert (group.many, len(group.events)) == (5, 2)


async def test_a_retried_event_is_delivered_and_audited(desk: Desk) -> None:
    seq = await parked_by_the_crm(desk)
    (answer,) = await retry(desk.ledger, [seq], actor=ACTOR)
    assert (answer.answer, answer.key, answer.ok) == (Answer.REOPENED, "scripted:a", True)
    assert await desk.deliver() is not None
    assert await list_parked(desk.ledger) == []
    assert await desk.audited() == [(ACTOR, RETRY, f"events {seq}", "parked as unreadable")]


async def test_a_dry_run_changes_nothing_and_is_not_audited(desk: Desk) -> None:
    seq = await parked_by_the_crm(desk)
    (answer,) = await retry(desk.ledger, [seq], actor=ACTOR, dry_run=True)
    assert answer.answer is Answer.WOULD_REOPEN
    assert (await list_parked(desk.ledger))[0].many == 1
    assert await desk.audited() == []


async def test_each_event_that_cannot_be_retried_says_why(desk: Desk) -> None:
    (delivered,) = await desk.world.accept(an_event(1, "a", a_body()))
    await desk.deliver()
    (waiting,) = await desk.world.accept(an_event(2, "b", a_body()))
    (unnamed,) = await desk.world.accept(nameless())
    wanted = [delivered.seq or 0, waiting.seq or 0, unnamed.seq or 0, 999, 0, -1, 2**70]
    answers = await retry(desk.ledger, wanted, actor=ACTOR)
    assert [answer.seq for answer in answers] == wanted
    assert [answer.answer for answer in answers] == [
        Answer.DELIVERED,
        Answer.NOT_PARKED,
        Answer.NO_CASE,
        *[Answer.UNKNOWN] * 4,
    ]
    assert await desk.audited() == []


async def test_all_events_of_a_code_are_found_and_no_others(desk: Desk) -> None:
    seq = await parked_by_the_crm(desk)
    await desk.world.accept(an_event(3, "c", a_body()))
    await desk.deliver(TemporaryError("busy", code="busy"), out_of_patience=True)
    assert await parked_with_code(desk.ledger, "unreadable") == [seq]
    assert await parked_with_code(desk.ledger, "%") == []


async def test_two_operators_at_once_reopen_an_event_once(desk: Desk) -> None:
    seq = await parked_by_the_crm(desk)
    async with desk.world.another() as elsewhere:
        answers = await asyncio.gather(
            retry(desk.ledger, [seq], actor="one@desk"), retry(elsewhere, [seq], actor="other@desk")
        )
    assert [answer.answer for (answer,) in answers].count(Answer.REOPENED) == 1
    assert await desk.deliver() is not None
    assert await desk.world.claim() == []


async def test_a_sequence_named_twice_is_answered_once(desk: Desk) -> None:
    seq = await parked_by_the_crm(desk)
    assert len(await retry(desk.ledger, [seq, seq], actor=ACTOR)) == 1
