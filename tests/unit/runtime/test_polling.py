"""A poll on its rhythm: one owner, every page kept once, waits that are kept to."""

import asyncio
from datetime import timedelta

import pytest

from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, TemporaryError, UnconfirmedError
from relais.runtime.polling import PollRunner
from relais.telemetry.events import (
    EventsAccepted,
    HandlerFailed,
    LedgerAway,
    LedgerBack,
    PollCompleted,
    PollFailed,
)
from tests.contract.ledger_world import LEASE_MS
from tests.unit.runtime.polling_world import LEASE, NAME, Street, SweepingPoll, nothing


class Gate:
    """Holds up whoever asks for one page, until it is opened; the test waits for that moment."""

    def __init__(self, page: int) -> None:
        self._page = page
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, page: int) -> None:
        if page == self._page:
            self.reached.set()
            await self.opened.wait()


async def broken_off_at(street: Street, page: int, runner: PollRunner) -> asyncio.Task[timedelta]:
    """A run that waits for a page."""
    street.upstream.before_page = gate = Gate(page)
    task = asyncio.create_task(runner.once(street.stop))
    await gate.reached.wait()
    return task


async def kill(task: asyncio.Task[timedelta]) -> None:
    """End it as a process ends: nothing is tidied up in the ledger."""
    task.cancel()
    await asyncio.wait([task])


# --- rhythm ----------------------------------------------------------------------------------------------------------


async def test_a_run_keeps_every_page_and_tells_what_it_brought(street: Street) -> None:
    street.upstream.holds("1", "2", "3")

    await street.run()

    assert await street.events() == ["incidents:1:1", "incidents:2:1", "incidents:3:1"]
    assert street.tellings(PollCompleted) == [PollCompleted("fixmystreet", "sweep", observed=3, changed=3, seconds=0)]
    assert street.tellings(EventsAccepted)[0] == EventsAccepted("fixmystreet", "incidents", 2, same=0, conflicts=0)
    assert street.accepted == [2, 1]


async def test_the_rhythm_counts_from_the_start_of_a_run(street: Street) -> None:
    street.upstream.holds("1")

    async def twenty_minutes(_page: int) -> None:
        street.seconds += 20 * 60

    street.upstream.before_page = twenty_minutes
    await street.run()

    assert await street.world.ledger.polls.milliseconds_to_next(NAME) == 40 * 60 * 1000


async def test_a_run_longer_than_the_rhythm_is_followed_at_once(street: Street) -> None:
    async def two_hours(_page: int) -> None:
        street.seconds += 2 * 60 * 60

    street.upstream.before_page = two_hours
    assert await street.run() == timedelta(0)


async def test_nothing_is_read_before_its_time(street: Street) -> None:
    await street.run()
    assert await street.run() > timedelta(0)
    assert street.upstream.pages_asked == [0]


async def test_a_runner_polls_again_and_again_until_it_is_stopped(street: Street) -> None:
    async def time_passes(seconds: float) -> None:
        if seconds == LEASE.total_seconds() / 3:
            await asyncio.Event().wait()
        if len(street.upstream.pages_asked) == 3:
            street.stop.set()
            await asyncio.Event().wait()
        await street.world.forward(int(seconds * 1000))

    street.upstream.holds("1")
    await street.runner(sleep=time_passes, poll=SweepingPoll(street.upstream, every=timedelta(minutes=1))).run(
        street.stop
    )

    assert street.upstream.pages_asked == [0, 0, 0]
    assert await street.events() == ["incidents:1:1"]


# --- one owner -------------------------------------------------------------------------------------------------------


async def test_two_runners_at_once_read_once(street: Street) -> None:
    street.upstream.holds("1", "2", "3")
    async with street.world.another() as elsewhere:
        first = await broken_off_at(street, 1, street.runner("first"))
        second = street.runner("second", ledger=elsewhere)
        assert await second.once(street.stop) > timedelta(0)
        assert isinstance(street.upstream.before_page, Gate)
        street.upstream.before_page.opened.set()
        await first

    assert street.upstream.pages_asked == [0, 1]
    assert await street.events() == ["incidents:1:1", "incidents:2:1", "incidents:3:1"]


async def test_a_killed_run_is_gone_on_with_from_the_last_page_kept(street: Street) -> None:
    street.upstream.holds("1", "2", "3", "4", "5")
    await kill(await broken_off_at(street, 1, street.runner("first")))
    street.upstream.before_page = nothing

    await street.run("second")
    assert street.upstream.pages_asked == [0, 1], "the dead owner's lease still runs"
    await street.world.forward(int(LEASE.total_seconds() * 1000) + 1)
    await street.run("second")

    assert street.upstream.pages_asked == [0, 1, 1, 2]
    assert await street.events() == [f"incidents:{number}:1" for number in range(1, 6)]


@pytest.mark.parametrize("page", [0, 1, 2])
async def test_wherever_a_run_is_killed_nothing_is_lost_or_doubled(street: Street, page: int) -> None:
    street.upstream.holds("1", "2", "3", "4", "5")
    await kill(await broken_off_at(street, page, street.runner()))
    street.upstream.before_page = nothing

    await street.run()

    assert await street.events() == [f"incidents:{number}:1" for number in range(1, 6)]


async def test_a_page_that_takes_longer_than_the_lease_does_not_lose_the_poll(street: Street) -> None:
    street.upstream.holds("1")
    gate = Gate(0)
    renewals = 0

    async def a_third_of_the_lease(seconds: float) -> None:
        nonlocal renewals
        renewals += 1
        await street.world.forward(int(seconds * 1000))
        if renewals == 10:
            gate.opened.set()
            await asyncio.Event().wait()

    street.upstream.before_page = gate
    async with street.world.another() as elsewhere:
        running = asyncio.create_task(street.run(sleep=a_third_of_the_lease))
        await gate.reached.wait()
        await gate.opened.wait()
        assert await elsewhere.polls.take(NAME, "second", lease_ms=LEASE_MS) is None
        await running

    assert await street.events() == ["incidents:1:1"]


async def test_a_poll_that_somebody_else_took_over_is_left_quietly(street: Street) -> None:
    street.upstream.holds("1")

    async def too_long(_seconds: float) -> None:
        await street.world.forward(LEASE_MS * 10)
        assert await street.world.ledger.polls.take(NAME, "second", lease_ms=LEASE_MS) is not None

    street.upstream.before_page = Gate(0)
    await street.run(sleep=too_long)

    assert (await street.poll_row()).owner == "second"
    assert await street.events() == []
    assert street.told == []


async def test_a_stop_breaks_a_run_off_and_gives_it_back_at_once(street: Street) -> None:
    street.upstream.holds("1", "2", "3")
    street.upstream.before_page = gate = Gate(1)
    running = asyncio.create_task(street.runner("first").run(street.stop))
    await gate.reached.wait()

    street.stop.set()
    await running

    row = await street.poll_row()
    assert (row.owner, row.succeeded_at, row.last_error) == (None, None, None)
    street.upstream.before_page = nothing
    street.stop = asyncio.Event()
    await street.run("second")
    assert street.upstream.pages_asked == [0, 1, 1]
    assert len(await street.events()) == 3


# --- what goes wrong -------------------------------------------------------------------------------------------------


def fails(street: Street, error: Exception, page: int = 0) -> None:
    """Let the upstream fail whenever this page is asked for."""

    async def failing(asked: int) -> None:
        if asked == page:
            raise error

    street.upstream.before_page = failing


async def test_what_was_kept_before_an_error_stays_kept_and_is_not_read_again(street: Street) -> None:
    street.upstream.holds("1", "2", "3")
    fails(street, TemporaryError("busy", code="http_503"), page=1)
    await street.run()

    assert await street.events() == ["incidents:1:1", "incidents:2:1"]
    assert street.tellings(PollFailed) == [PollFailed("fixmystreet", "sweep", code="http_503", reason="busy")]
    row = await street.poll_row()
    assert (row.owner, row.succeeded_at, row.last_error) == (None, None, "http_503: busy")

    street.upstream.before_page = nothing
    await street.sweep()
    assert street.upstream.pages_asked == [0, 1, 1]
    assert len(await street.events()) == 3
    assert (await street.poll_row()).last_error is None


async def test_a_retry_after_is_honoured(street: Street) -> None:
    fails(street, TemporaryError("busy", retry_after=timedelta(seconds=900)))
    runner = street.runner()
    await runner.once(street.stop)
    street.upstream.before_page = nothing

    await street.world.forward(900_000 - 1)
    await runner.once(street.stop)
    assert street.upstream.pages_asked == [0]

    await street.world.forward(900_000 // 4 + 1)
    await runner.once(street.stop)
    assert street.upstream.pages_asked == [0, 0]


@pytest.mark.parametrize("error", [TemporaryError("no"), UnconfirmedError("no"), RejectedError("no"), KeyError("id")])
async def test_waits_are_never_short_and_never_endless(street: Street, error: Exception) -> None:
    fails(street, error)
    runner = street.runner()
    for _ in range(12):
        await street.world.sql("UPDATE polls SET next_at = 0")
        await runner.once(street.stop)
        wait = await street.world.ledger.polls.milliseconds_to_next(NAME)
        assert 5_000 <= wait <= 15 * 60_000
    assert len(street.upstream.pages_asked) == 12


async def test_wrong_settings_are_shown_and_tried_seldom(street: Street) -> None:
    fails(street, MisconfiguredError("the key is refused", code="http_401"))
    await street.run()

    assert await street.world.ledger.polls.milliseconds_to_next(NAME) == 5 * 60_000
    assert (await street.poll_row()).last_error == "http_401: the key is refused"
    assert [one.code for one in street.tellings(PollFailed)] == ["http_401"]


async def test_a_fault_of_ours_is_told_without_its_text(street: Street) -> None:
    fails(street, KeyError("Camille Vermeulen"))
    await street.run()

    assert street.tellings(HandlerFailed) == [HandlerFailed(where=f"poll {NAME}", kind="KeyError")]
    assert (await street.poll_row()).last_error == "KeyError"


async def test_a_success_ends_the_row_of_failures(street: Street) -> None:
    runner = street.runner()
    for failing in (*[True] * 8, False, True):
        street.upstream.before_page = nothing
        if failing:
            fails(street, TemporaryError("no"))
        await street.world.sql("UPDATE polls SET next_at = 0")
        await runner.once(street.stop)
    # the first failure in a row waits two seconds at most, so the shortest wait
    assert await street.world.ledger.polls.milliseconds_to_next(NAME) == 5_000


async def test_a_ledger_that_is_away_is_told_once_and_waited_for(street: Street) -> None:
    street.upstream.holds("1")
    runner = street.runner()
    street.database.away = lambda: True
    assert await runner.once(street.stop) > timedelta(0)
    await runner.once(street.stop)
    street.database.away = lambda: False
    await runner.once(street.stop)

    assert [type(one) for one in street.told if isinstance(one, LedgerAway | LedgerBack)] == [LedgerAway, LedgerBack]
    assert await street.events() == ["incidents:1:1"]


async def test_a_ledger_that_goes_away_in_mid_run_costs_nothing(street: Street) -> None:
    street.upstream.holds("1", "2", "3")

    async def goes_away(page: int) -> None:
        away = page == 1
        street.database.away = lambda: away

    street.upstream.before_page = goes_away
    runner = street.runner()
    await runner.once(street.stop)
    street.database.away = lambda: False
    street.upstream.before_page = nothing
    await runner.once(street.stop)

    assert street.upstream.pages_asked == [0, 1, 1]
    assert await street.events() == ["incidents:1:1", "incidents:2:1", "incidents:3:1"]
    assert not street.tellings(PollFailed)


def test_every_error_of_a_connector_is_met() -> None:
    met = {TemporaryError, UnconfirmedError, RejectedError, MisconfiguredError}
    assert met == set(ConnectorError.__subclasses__())
