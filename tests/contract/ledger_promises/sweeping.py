"""Closing a sweep: counted and said only by whoever holds the poll, and never of what somebody has seen since."""

import pytest

from relais.ledger.polling import PollLostError, PollTurn, SweepCount
from tests.contract.ledger_world import LEASE_MS, World, an_observation

SOURCE, DOOR = "fixmystreet", "incidents"


async def taken_over(world: World) -> PollTurn:
    """A turn that somebody else has taken over."""
    lost = await world.turn(owner="slow")
    await world.forward(LEASE_MS + 1)
    await world.turn(owner="quick")
    return lost


class SweepingPromises:
    async def test_a_lost_poll_counts_no_miss_and_says_nothing(self, world: World) -> None:
        polls = world.ledger.polls
        await world.keep(await world.turn("other"), an_observation("1"), sweep=1)
        lost = await taken_over(world)

        with pytest.raises(PollLostError):
            await polls.miss(SOURCE, DOOR, ["1"], sweep=2, turn=lost)
        with pytest.raises(PollLostError):
            await polls.observe(SOURCE, DOOR, [an_observation("1", "closed")], sweep=2, turn=lost)
        with pytest.raises(PollLostError):
            await polls.renew(lost, lease_ms=LEASE_MS)

        assert await polls.count(SOURCE, DOOR, sweep=2) == SweepCount(known=1, missed=0)
        assert (await world.ledger.stories.backlog()).accepted == 1

    async def test_a_held_poll_counts_and_says(self, world: World) -> None:
        polls = world.ledger.polls
        turn, _ = await world.keep(await world.turn(), an_observation("1"), an_observation("2"), sweep=1)

        for sweep in (2, 3):
            await polls.miss(SOURCE, DOOR, ["1"], sweep=sweep, turn=turn)
            assert await polls.count(SOURCE, DOOR, sweep=sweep) == SweepCount(known=2, missed=1)
        assert await polls.lost(SOURCE, DOOR, sweep=3, after="", room=10) == ["1"]
        assert await polls.lost(SOURCE, DOOR, sweep=3, after="1", room=10) == []
        assert len(await polls.observe(SOURCE, DOOR, [an_observation("1", "gone")], sweep=3, gone=True, turn=turn)) == 1

        assert await polls.lost(SOURCE, DOOR, sweep=3, after="", room=10) == []
        assert await polls.count(SOURCE, DOOR, sweep=3) == SweepCount(known=1, missed=0)

    async def test_what_somebody_saw_since_it_was_missed_is_not_gone(self, world: World) -> None:
        polls = world.ledger.polls
        turn, _ = await world.keep(await world.turn(), an_observation("1"), sweep=1)
        for sweep in (2, 3):
            await polls.miss(SOURCE, DOOR, ["1"], sweep=sweep, turn=turn)
        await world.keep(await world.turn("recent"), an_observation("1"))

        assert await polls.observe(SOURCE, DOOR, [an_observation("1", "gone")], sweep=3, gone=True, turn=turn) == []
        assert await polls.last_body(SOURCE, DOOR, "1") == b'{"state": "open"}'

    async def test_renewing_keeps_a_poll(self, world: World) -> None:
        turn = await world.turn(owner="first")
        for _ in range(3):
            await world.forward(LEASE_MS - 1)
            await world.ledger.polls.renew(turn, lease_ms=LEASE_MS)

        assert await world.ledger.polls.take(turn.name, "second", lease_ms=LEASE_MS) is None
        assert await world.ledger.polls.milliseconds_to_next(turn.name) == LEASE_MS

    async def test_a_poll_given_back_is_neither_a_success_nor_a_failure(self, world: World) -> None:
        turn, _ = await world.keep(await world.turn(owner="first"), an_observation("1"), page=4)
        await world.ledger.polls.let_go(turn)

        assert await world.ledger.polls.milliseconds_to_next(turn.name) == 0
        (row,) = await world.sql("SELECT last_error, succeeded_at FROM polls")
        assert (row.last_error, row.succeeded_at) == (None, None)
        assert (await world.turn(owner="second")).cursor == {"page": 4}

    async def test_a_lost_poll_is_not_given_back(self, world: World) -> None:
        lost = await taken_over(world)
        await world.ledger.polls.let_go(lost)
        assert await world.ledger.polls.take(lost.name, "third", lease_ms=LEASE_MS) is None

    async def test_a_poll_may_be_finished_with_another_cursor(self, world: World) -> None:
        turn, _ = await world.keep(await world.turn(), page=4)
        await world.ledger.polls.finish(turn, wait_ms=0, cursor={"page": 5})
        turn = await world.turn()
        assert turn.cursor == {"page": 5}
        await world.ledger.polls.finish(turn, wait_ms=0)
        assert (await world.turn()).cursor == {"page": 5}

    async def test_a_poll_that_never_ran_is_due(self, world: World) -> None:
        assert await world.ledger.polls.milliseconds_to_next("fixmystreet/new") <= 0
