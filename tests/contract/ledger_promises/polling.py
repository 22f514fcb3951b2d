"""Polling: cursors that move with what they cover, observations that are new only when they differ, what is gone."""

import asyncio

import pytest

from relais.ledger.polling import PollLostError, PollTurn
from relais.ledger.ports import Fate
from tests.contract.ledger_world import LEASE_MS, World, an_observation, names_of

SOURCE, DOOR = "fixmystreet", "incidents"


class PollingPromises:
    async def test_a_poll_has_one_owner_and_a_rhythm(self, world: World) -> None:
        polls = world.ledger.polls
        turn = await world.turn(owner="first")
        assert await polls.take(turn.name, "second", lease_ms=LEASE_MS) is None

        await polls.finish(turn, wait_ms=60_000)

        assert await polls.take(turn.name, "second", lease_ms=LEASE_MS) is None
        await world.forward(60_000)
        assert await polls.take(turn.name, "second", lease_ms=LEASE_MS) is not None

    async def test_several_take_a_poll_at_once_and_one_gets_it(self, world: World) -> None:
        async with world.another() as other:
            turns = await asyncio.gather(
                *(
                    ledger.polls.take("fixmystreet/recent", f"poller-{index}", lease_ms=LEASE_MS)
                    for index, ledger in enumerate([world.ledger, other] * 3)
                )
            )

        assert sum(turn is not None for turn in turns) == 1

    async def test_the_cursor_moves_with_the_events_that_it_covers(self, world: World) -> None:
        turn = await world.turn()
        assert (turn.cursor, turn.moved) == (None, 0)

        turn, receipts = await world.keep(turn, an_observation("1"), an_observation("2"), page=1)
        turn, _ = await world.keep(turn, page=2)
        await world.ledger.polls.finish(turn, wait_ms=0)

        assert [receipt.fate for receipt in receipts] == [Fate.NEW, Fate.NEW]
        again = await world.turn()
        assert (again.cursor, again.moved) == ({"page": 2}, 2)
        assert sorted(await world.deliver_all()) == ["incidents:1:1", "incidents:2:1"]

    async def test_a_lost_lease_writes_nothing(self, world: World) -> None:
        lost = await world.turn(owner="slow")
        await world.forward(LEASE_MS + 1)
        await world.turn(owner="quick")

        with pytest.raises(PollLostError):
            await world.keep(lost, an_observation("1"), catalogue="[]")

        assert (await world.ledger.stories.backlog()).accepted == 0
        assert await world.ledger.polls.catalogue(SOURCE) is None
        assert await world.ledger.polls.last_body(SOURCE, DOOR, "1") is None

    async def test_a_cursor_moved_by_another_writes_nothing(self, world: World) -> None:
        turn = await world.turn()
        await world.keep(turn, page=5)

        with pytest.raises(PollLostError):
            await world.keep(turn, an_observation("1"), page=1)

        assert (await world.ledger.stories.backlog()).accepted == 0
        taken = await world.turn()
        assert taken.cursor == {"page": 5}

    async def test_letting_go_of_a_lost_poll_disturbs_nobody(self, world: World) -> None:
        lost = await world.turn(owner="slow")
        await world.forward(LEASE_MS + 1)
        held = await world.turn(owner="quick")

        await world.ledger.polls.finish(lost, wait_ms=0, error="too slow")

        assert await world.ledger.polls.take(held.name, "third", lease_ms=LEASE_MS) is None
        await world.keep(held, an_observation("1"))

    async def test_keeping_a_page_renews_the_lease(self, world: World) -> None:
        turn = await world.turn(owner="first")
        await world.forward(LEASE_MS - 1)
        await world.keep(turn)
        await world.forward(LEASE_MS - 1)

        assert await world.ledger.polls.take(turn.name, "second", lease_ms=LEASE_MS) is None

    async def test_an_error_is_kept_until_a_run_succeeds(self, world: World) -> None:
        turn = await world.turn()
        await world.ledger.polls.finish(turn, wait_ms=0, error="busy")
        (row,) = await world.sql("SELECT last_error, succeeded_at FROM polls")
        assert (row.last_error, row.succeeded_at) == ("busy", None)

        await world.ledger.polls.finish(await world.turn(), wait_ms=0)
        (row,) = await world.sql("SELECT last_error, succeeded_at FROM polls")
        assert row.last_error is None
        assert row.succeeded_at is not None

    async def test_only_a_changed_state_is_a_new_event_and_one_that_comes_back_is_one(self, world: World) -> None:
        turn: PollTurn = await world.turn()
        for state in ("open", "open", "closed", "closed", "open"):
            turn, _ = await world.keep(turn, an_observation("1", state))

        case = await world.claim_one()
        assert names_of(case) == ["incidents:1:1", "incidents:1:2", "incidents:1:3"]
        assert [event.event.body for event in case.events] == [
            b'{"state": "open"}', b'{"state": "closed"}', b'{"state": "open"}'
        ]  # fmt: skip

    async def test_a_thing_seen_twice_in_a_page_counts_as_it_was_seen_last(self, world: World) -> None:
        _, receipts = await world.keep(await world.turn(), an_observation("1", "open"), an_observation("1", "closed"))

        assert len(receipts) == 1
        assert await world.ledger.polls.last_body(SOURCE, DOOR, "1") == b'{"state": "closed"}'

    async def test_two_polls_of_one_door_number_its_observations_one_after_the_other(self, world: World) -> None:
        recent, full = await world.turn("recent"), await world.turn("full")
        async with world.another() as other:
            first = world.keep(recent, *(an_observation(str(number)) for number in range(6)))
            second = other.polls.keep(
                full, SOURCE, DOOR, [an_observation(str(number)) for number in reversed(range(6))], {}, sweep=1,
                catalogue=None, lease_ms=LEASE_MS,
            )  # fmt: skip
            (_, one), (_, two) = await asyncio.gather(first, second)

        assert sorted(len(receipts) for receipts in (one, two)) == [0, 6]

    async def test_gone_is_what_two_complete_sweeps_missed(self, world: World) -> None:
        polls = world.ledger.polls
        await world.keep(await world.turn(), an_observation("1"), an_observation("2"), sweep=1)

        assert await polls.unseen(SOURCE, DOOR, sweep=1, after="", room=10) == []
        assert await polls.unseen(SOURCE, DOOR, sweep=2, after="", room=10) == ["1", "2"]
        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=2) == []
        # the same sweep again, after a crash
        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=2) == []
        assert await polls.unseen(SOURCE, DOOR, sweep=2, after="", room=10) == ["2"]
        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=3) == ["1"]

        (receipt,) = await polls.observe(SOURCE, DOOR, [an_observation("1", "gone")], sweep=3, gone=True)
        assert receipt.fate is Fate.NEW
        assert await polls.unseen(SOURCE, DOOR, sweep=4, after="", room=10) == ["2"]

    async def test_what_is_gone_is_said_even_if_the_first_try_was_interrupted(self, world: World) -> None:
        polls = world.ledger.polls
        await world.keep(await world.turn(), an_observation("1"), sweep=1)
        for sweep in (2, 3):
            await polls.miss(SOURCE, DOOR, ["1"], sweep=sweep)

        assert await polls.unseen(SOURCE, DOOR, sweep=4, after="", room=10) == ["1"]
        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=4) == ["1"]

    async def test_a_thing_seen_in_between_starts_from_no_miss(self, world: World) -> None:
        polls = world.ledger.polls
        turn, _ = await world.keep(await world.turn(), an_observation("1"), sweep=1)
        await polls.miss(SOURCE, DOOR, ["1"], sweep=2)
        await polls.observe(SOURCE, DOOR, [an_observation("1")], sweep=2)

        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=3) == []
        await world.keep(turn, an_observation("1"), page=2)
        assert await polls.miss(SOURCE, DOOR, ["1"], sweep=4) == []

    async def test_a_gone_thing_that_is_seen_again_is_back(self, world: World) -> None:
        polls = world.ledger.polls
        turn, _ = await world.keep(await world.turn(), an_observation("1"), sweep=1)
        await polls.observe(SOURCE, DOOR, [an_observation("1", "gone")], sweep=3, gone=True)

        _, receipts = await world.keep(turn, an_observation("1"), sweep=4)

        assert [receipt.fate for receipt in receipts] == [Fate.NEW]
        assert await polls.unseen(SOURCE, DOOR, sweep=5, after="", room=10) == ["1"]

    async def test_what_is_settled_is_not_missed(self, world: World) -> None:
        polls = world.ledger.polls
        await world.keep(await world.turn(), an_observation("1", settled=True), an_observation("2"), sweep=1)

        assert await polls.unseen(SOURCE, DOOR, sweep=2, after="", room=10) == ["2"]
        # settled by another poll after the sweep asked what it had not seen
        for sweep in (2, 3, 4):
            assert await polls.miss(SOURCE, DOOR, ["1"], sweep=sweep) == []

    async def test_the_unseen_are_read_in_pieces(self, world: World) -> None:
        ids = sorted(["1", "10", "2", "a", "B", "é"])
        await world.keep(await world.turn(), *(an_observation(external_id) for external_id in ids), sweep=1)

        seen: list[str] = []
        while piece := await world.ledger.polls.unseen(SOURCE, DOOR, sweep=2, after=seen[-1] if seen else "", room=2):
            seen += piece

        assert sorted(seen) == ids

    async def test_a_catalogue_is_a_new_version_only_when_it_changed(self, world: World) -> None:
        turn = await world.turn()
        for catalogue in ("[1]", "[1]", "[2]", "[1]"):
            turn, _ = await world.keep(turn, catalogue=catalogue)

        assert await world.ledger.polls.catalogue(SOURCE) == (3, "[1]")
        bodies = await world.sql("SELECT body FROM catalogues ORDER BY version")
        assert [row.body for row in bodies] == ["[1]", "[2]", "[1]"]

    async def test_two_polls_that_fetched_the_catalogue_at_once_make_one_version(self, world: World) -> None:
        turns = [await world.turn(name) for name in ("a", "b", "c", "d")]
        async with world.another() as other:
            await asyncio.gather(
                *(
                    ledger.polls.keep(turn, SOURCE, DOOR, [], {}, sweep=None, catalogue="[7]", lease_ms=LEASE_MS)
                    for turn, ledger in zip(turns, [world.ledger, other] * 2, strict=True)
                )
            )

        assert await world.ledger.polls.catalogue(SOURCE) == (1, "[7]")
