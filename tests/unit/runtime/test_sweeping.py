"""The sweeper: nothing depends on a wake-up, nothing stays with a dead worker, the gauges say what is."""

import asyncio
from datetime import timedelta
from typing import Any

from relais.ledger.ports import Done, Release
from relais.runtime.sweeping import Sweeper
from relais.telemetry.events import HandlerFailed, LeasesExpired, LedgerAway, LedgerBack
from relais.telemetry.metrics import Metrics
from tests.contract.ledger_world import LEASE_MS, SETTLES_MS, an_arrival
from tests.unit.runtime.polling_world import Street


class Swept:
    """A sweeper over the street's ledger."""

    def __init__(self, street: Street, **changed: Any) -> None:
        self.metrics = Metrics()
        self.wake = asyncio.Event()
        arguments: dict[str, Any] = {
            "ledger": street.world.ledger,
            "metrics": self.metrics,
            "emit": street.told.append,
            "wake": self.wake,
            "settles_ms": SETTLES_MS,
            "clock": lambda: street.seconds + 1,
        }
        self.sweeper = Sweeper(**(arguments | changed))

    def gauge(self, name: str, **labels: str) -> float | None:
        """What a gauge says; None where it says nothing."""
        return self.metrics.registry.get_sample_value(f"relais_{name}", labels)


async def test_what_was_accepted_without_a_wake_up_is_woken(street: Street) -> None:
    swept = Swept(street)
    await swept.sweeper.once()
    assert not swept.wake.is_set()

    await street.world.accept(an_arrival())
    await swept.sweeper.once()
    assert swept.wake.is_set()


async def test_a_retry_is_woken_when_it_is_due_and_not_before(street: Street) -> None:
    await street.world.accept(an_arrival())
    await street.world.report(await street.world.claim_one(), release=Release(wait_ms=400))
    swept = Swept(street)

    assert await swept.sweeper.once() == timedelta(milliseconds=400)
    assert not swept.wake.is_set()
    await street.world.forward(400)
    assert await swept.sweeper.once() == timedelta(seconds=1)
    assert swept.wake.is_set()


async def test_what_a_dead_worker_held_is_freed_and_woken_once_its_sink_has_settled(street: Street) -> None:
    for case in ("1", "2", "3"):
        await street.world.accept(an_arrival(f"created:{case}", case=case))
    await street.world.claim("dead")
    swept = Swept(street)
    await street.world.forward(LEASE_MS + 1)

    await swept.sweeper.once()
    assert street.tellings(LeasesExpired) == [LeasesExpired(cases=3)]
    assert not swept.wake.is_set()

    await street.world.forward(SETTLES_MS)
    await swept.sweeper.once()
    assert swept.wake.is_set()
    assert len(await street.world.claim("alive")) == 3
    assert len(street.tellings(LeasesExpired)) == 1


async def test_the_gauges_say_what_is_in_the_ledger(street: Street) -> None:
    await street.world.accept(an_arrival("a", case="1"), an_arrival("b", case="2"))
    (one, *_) = [case for case in await street.world.claim() if case.key == "fixmystreet:1"]
    parked = Done(one.events[0].seq, code="invalid_field", reason="no title")
    await street.world.report(one, [parked])
    await street.world.ledger.sinks.pause("crm_cmt", "the key is refused")
    await street.world.forward(7_000)
    swept = Swept(street)

    await swept.sweeper.once()
    assert swept.gauge("unfinished_events") == 1
    assert swept.gauge("oldest_unfinished_event_age_seconds") == 7
    assert swept.gauge("parked_events_now", code="invalid_field") == 1
    assert swept.gauge("sink_paused", sink="crm_cmt") == 1
    assert swept.gauge("ledger_up") == 1

    await street.world.ledger.stories.retry([parked.seq])
    await street.world.ledger.sinks.resume("crm_cmt")
    await swept.sweeper.once()
    assert swept.gauge("unfinished_events") == 1, "the gauges are read at a gentler pace"

    street.seconds += 5
    await swept.sweeper.once()
    assert swept.gauge("unfinished_events") == 2
    assert swept.gauge("parked_events_now", code="invalid_field") is None
    assert swept.gauge("sink_paused", sink="crm_cmt") == 0


async def test_a_ledger_that_is_away_is_told_once_and_shown_until_it_is_back(street: Street) -> None:
    swept = Swept(street)
    await street.world.accept(an_arrival())
    street.database.away = lambda: True
    for _ in range(3):
        await swept.sweeper.once()
    assert swept.gauge("ledger_up") == 0
    street.database.away = lambda: False
    for _ in range(3):
        await swept.sweeper.once()

    assert [type(one) for one in street.told] == [LedgerAway, LedgerBack]
    assert swept.gauge("ledger_up") == 1
    assert swept.wake.is_set()


async def test_a_fault_of_ours_does_not_end_the_sweeping(street: Street) -> None:
    faults = [KeyError("once")]

    def breaks_once() -> bool:
        if faults:
            raise faults.pop()
        return False

    street.database.away = breaks_once
    swept = Swept(street)
    await swept.sweeper.once()
    await swept.sweeper.once()
    assert street.tellings(HandlerFailed) == [HandlerFailed(where="sweeper", kind="KeyError")]
    assert swept.gauge("ledger_up") == 1


async def test_sweeping_goes_on_until_it_is_stopped(street: Street) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            street.stop.set()
            await asyncio.Event().wait()

    await Swept(street, sleep=rest, every=timedelta(seconds=2)).sweeper.run(street.stop)
    assert rests == [2.0, 2.0, 2.0]
