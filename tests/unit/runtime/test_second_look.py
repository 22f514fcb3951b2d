"""What a complete sweep did not list: looked for, missed, and gone only when that is certain."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from connectors.kit.errors import MisconfiguredError, TemporaryError
from connectors.kit.ports import SecondLook
from relais.runtime.second_look import Belief
from relais.telemetry.events import PollCompleted, PollFailed, SweepDoubted, ThingsGone
from tests.contract.ledger_world import LEASE_MS
from tests.unit.runtime.polling_world import DOOR, NAME, SOURCE, Street, SweepingPoll, nothing


async def with_things(street: Street, *external_ids: str) -> None:
    """A first sweep has seen these."""
    street.upstream.holds(*external_ids)
    await street.sweep()


async def test_a_thing_is_gone_after_two_complete_sweeps_and_not_after_one(street: Street) -> None:
    await with_things(street, "1", "2", "3")
    street.upstream.loses("2")

    await street.sweep()
    assert "incidents:2:2" not in await street.events()
    assert await street.misses() == {"2": 1}

    await street.sweep()
    assert (await street.events())[3:] == ["incidents:2:2"]
    body = await street.world.ledger.polls.last_body(SOURCE, DOOR, "2")
    assert body == b'{"id": "2", "gone": true, "last": "open"}'
    assert street.tellings(ThingsGone) == [ThingsGone(SOURCE, 1)]
    assert street.accepted[-1] == 1


async def test_what_is_gone_is_not_looked_for_again(street: Street) -> None:
    await with_things(street, "1", "2")
    street.upstream.loses("2")
    for _ in range(4):
        await street.sweep()

    assert street.upstream.looked_at == ["2", "2"]
    assert await street.events() == ["incidents:1:1", "incidents:2:1", "incidents:2:2"]


async def test_what_a_direct_look_finds_is_not_missed_and_its_news_are_kept(street: Street) -> None:
    await with_things(street, "1", "2")
    street.upstream.unlisted = {"2"}
    street.upstream.things["2"] = "closed"
    for _ in range(3):
        await street.sweep()

    assert street.upstream.looked_at == ["2", "2", "2"]
    assert await street.misses() == {}
    assert await street.events() == ["incidents:1:1", "incidents:2:1", "incidents:2:2"]
    assert street.tellings(PollCompleted)[1].changed == 1


async def test_a_thing_that_comes_back_is_a_new_event_and_counted_from_the_start(street: Street) -> None:
    await with_things(street, "1", "2")
    street.upstream.loses("2")
    await street.sweep()
    await street.sweep()

    street.upstream.holds("2")
    await street.sweep()
    assert (await street.events())[2:] == ["incidents:2:2", "incidents:2:3"]

    street.upstream.loses("2")
    await street.sweep()
    assert await street.misses() == {"2": 1}


async def test_a_thing_seen_in_between_is_not_gone(street: Street) -> None:
    await with_things(street, "1", "2")
    for _ in range(3):
        street.upstream.loses("2")
        await street.sweep()
        street.upstream.holds("2")
        await street.sweep()
    assert not street.tellings(ThingsGone)


async def test_what_is_settled_may_leave_without_a_look(street: Street) -> None:
    street.upstream.settled = {"2"}
    await with_things(street, "1", "2")
    street.upstream.loses("2")
    await street.sweep()
    await street.sweep()
    assert street.upstream.looked_at == []
    assert len(await street.events()) == 2


async def test_a_sweep_that_breaks_off_counts_nobody_as_missed(street: Street) -> None:
    await with_things(street, "1", "2", "3", "4", "5")
    street.upstream.loses("1")

    async def second_page_fails(page: int) -> None:
        if page == 1:
            raise TemporaryError("busy")

    street.upstream.before_page = second_page_fails
    await street.sweep()
    await street.sweep()

    assert street.upstream.looked_at == []
    assert await street.misses() == {}


async def test_more_things_than_one_look_takes_are_all_looked_at_once(street: Street) -> None:
    everything = [f"{number:03}" for number in range(130)]
    await with_things(street, *everything)
    street.upstream.loses("007", "060", "129")
    street.upstream.unlisted = set(everything)
    await street.sweep()
    assert street.upstream.looked_at == everything
    assert await street.misses() == {"007": 1, "060": 1, "129": 1}

    await street.sweep()
    assert sorted(await street.events())[-1] == "incidents:129:2"
    assert street.tellings(ThingsGone) == [ThingsGone(SOURCE, 3)]


async def test_a_look_that_says_neither_leaves_the_thing_alone(street: Street) -> None:
    class Silent(SweepingPoll):
        async def look_again(self, external_ids: Sequence[str]) -> SecondLook:
            return SecondLook((), ())

    await with_things(street, "1", "2")
    street.upstream.loses("2")
    for _ in range(3):
        await street.sweep(poll=Silent(street.upstream))
    assert await street.misses() == {}


# --- what cannot be true ---------------------------------------------------------------------------------------------


async def test_an_upstream_that_suddenly_shows_nothing_is_not_believed(street: Street) -> None:
    everything = [f"{number:02}" for number in range(20)]
    await with_things(street, *everything)
    street.upstream.loses(*everything)
    for _ in range(3):
        await street.sweep()

    assert len(await street.events()) == 20
    assert await street.misses() == {}
    assert street.tellings(SweepDoubted) == [SweepDoubted(SOURCE, "sweep", known=20, missing=20)] * 3
    row = await street.poll_row()
    assert row.last_error == "sweep_doubted: 20 of 20 known things could not be found any more"
    assert await street.world.ledger.polls.milliseconds_to_next(NAME) == 60 * 60_000

    street.upstream.holds(*everything)
    await street.sweep()
    assert len(await street.events()) == 20
    assert (await street.poll_row()).last_error is None


async def test_what_is_only_not_listed_does_not_make_a_sweep_doubtful(street: Street) -> None:
    everything = [f"{number:02}" for number in range(20)]
    await with_things(street, *everything)
    street.upstream.unlisted = set(everything)
    street.upstream.loses("07")
    await street.sweep()
    assert await street.misses() == {"07": 1}
    assert not street.tellings(SweepDoubted)


@pytest.mark.parametrize(
    ("known", "missing", "believed"),
    [(0, 0, True), (3, 3, True), (4, 4, False), (100, 50, True), (100, 51, False)],
)
def test_a_handful_or_a_share_is_believed(known: int, missing: int, believed: bool) -> None:
    assert Belief(share=0.5, handful=3).holds(known=known, missing=missing) is believed


# --- what is broken off ----------------------------------------------------------------------------------------------


async def test_a_closing_that_was_killed_goes_on_without_sweeping_again(street: Street) -> None:
    await with_things(street, "1", "2", "3", "4")
    street.upstream.loses("2", "3")
    looking = asyncio.Event()

    async def for_good(_asked: Sequence[str]) -> None:
        looking.set()
        await asyncio.Event().wait()

    street.upstream.before_look = for_good
    await street.world.sql("UPDATE polls SET next_at = 0")
    running = asyncio.create_task(street.run())
    await looking.wait()
    running.cancel()
    await asyncio.wait([running])
    street.upstream.before_look = nothing
    asked = len(street.upstream.pages_asked)

    await street.run()

    assert len(street.upstream.pages_asked) == asked
    assert await street.misses() == {"2": 1, "3": 1}
    assert await street.world.ledger.polls.milliseconds_to_next(NAME) == 60 * 60_000


@pytest.mark.parametrize("transactions", range(1, 14))
async def test_wherever_closing_is_broken_off_it_ends_the_same(street: Street, transactions: int) -> None:
    await with_things(street, "1", "2", "3", "4", "5")
    street.upstream.unlisted = {"1"}
    street.upstream.loses("2", "3")

    for sweep in (2, 3):
        left = transactions

        def broken_off() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        await street.world.sql("UPDATE polls SET next_at = 0")
        street.database.away = broken_off
        await street.run()
        street.database.away = lambda: False
        await street.run()
        assert await street.misses() == ({"2": 1, "3": 1} if sweep == 2 else {})

    assert sorted(await street.events())[1:5] == ["incidents:2:1", "incidents:2:2", "incidents:3:1", "incidents:3:2"]
    assert len(await street.events()) == 7


@pytest.mark.parametrize("lost_one", [True, False])
async def test_nothing_is_missed_or_accepted_under_a_lease_that_was_lost(street: Street, lost_one: bool) -> None:
    await with_things(street, "1", "2", "3")
    if lost_one:
        street.upstream.loses("2")
    else:
        street.upstream.unlisted = {"2"}
        street.upstream.things["2"] = "closed"

    async def taken_over(_asked: Sequence[str]) -> None:
        await street.world.forward(LEASE_MS * 10)
        assert await street.world.ledger.polls.take(NAME, "second", lease_ms=LEASE_MS) is not None

    street.upstream.before_look = taken_over
    await street.sweep()

    assert await street.misses() == {}
    assert len(await street.events()) == 3
    assert (await street.poll_row()).owner == "second"


# --- what cannot be looked at ----------------------------------------------------------------------------------------


def cannot_show(street: Street, error: Exception, hidden: Callable[[Sequence[str]], bool]) -> None:
    """Let a look fail whenever ``hidden`` says so of what is asked."""

    async def failing(asked: Sequence[str]) -> None:
        if hidden(asked):
            raise error

    street.upstream.before_look = failing


async def test_one_thing_that_cannot_be_shown_does_not_hide_the_others(street: Street) -> None:
    await with_things(street, "1", "2", "3", "4", "5", "6", "7", "8")
    street.upstream.unlisted = {"2", "3", "4"}
    street.upstream.loses("5")
    cannot_show(street, TemporaryError("broken", code="http_500"), lambda asked: "3" in asked)
    await street.sweep()

    assert await street.misses() == {"5": 1}
    assert not street.tellings(PollFailed)


@pytest.mark.parametrize("error", [TemporaryError("busy", retry_after=timedelta(minutes=1)), MisconfiguredError("no")])
async def test_a_system_that_asks_to_wait_is_not_asked_one_by_one(street: Street, error: Exception) -> None:
    await with_things(street, "1", "2", "3")
    street.upstream.loses("2", "3")
    cannot_show(street, error, lambda asked: True)
    await street.sweep()
    assert street.upstream.looked_at == ["2", "3"]
    assert await street.misses() == {}

    pages = len(street.upstream.pages_asked)
    street.upstream.before_look = nothing
    await street.sweep()
    assert len(street.upstream.pages_asked) == pages, "the sweep was complete; only its closing was left"
    assert await street.misses() == {"2": 1, "3": 1}


async def test_a_sweep_that_can_never_be_closed_does_not_stop_the_next(street: Street) -> None:
    await with_things(street, "1", "2", "3")
    street.upstream.loses("2")
    cannot_show(street, TemporaryError("broken"), lambda asked: True)
    runner = street.runner()
    pages = len(street.upstream.pages_asked)
    street.upstream.holds("4")
    for _ in range(9):
        await street.world.sql("UPDATE polls SET next_at = 0")
        await runner.once(street.stop)

    assert len(street.upstream.pages_asked) == pages + 4
    assert len(street.tellings(PollFailed)) == 9
    assert await street.misses() == {}
