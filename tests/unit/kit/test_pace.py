"""A polite pace."""

import asyncio

import pytest

from connectors.kit.pace import Pace


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_the_first_waits_for_nobody_and_the_next_keep_their_distance() -> None:
    time = Time()
    pace = Pace(4, time.clock, time.sleep)
    for _ in range(3):
        await pace.turn()
    assert time.slept == [0.25, 0.25]


async def test_a_pause_does_not_earn_a_burst() -> None:
    time = Time()
    pace = Pace(4, time.clock, time.sleep)
    await pace.turn()
    time.now += 10
    await pace.turn()
    await pace.turn()
    assert time.slept == [0.25]


async def test_those_who_come_at_once_queue_up() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    pace = Pace(4, lambda: 0.0, sleep)
    await asyncio.gather(*(pace.turn() for _ in range(4)))
    assert waits == pytest.approx([0.25, 0.5, 0.75])
