"""How long a case waits before its next try."""

from datetime import timedelta
from itertools import pairwise
from statistics import mean

import pytest

from relais.delivery.patience import Patience

SECOND = timedelta(seconds=1)


def test_waits_lie_between_nothing_and_a_ceiling_that_doubles() -> None:
    patience = Patience(first=SECOND, longest=timedelta(minutes=10))
    for attempt, ceiling in [(1, 1), (2, 2), (3, 4), (6, 32), (20, 600)]:
        waits = [patience.wait_after(attempt).total_seconds() for _ in range(300)]
        assert min(waits) >= 0
        assert max(waits) <= ceiling
        assert max(waits) > ceiling / 2, "the jitter is full: it uses the whole span"


def test_waits_grow_with_the_failures_in_a_row() -> None:
    patience = Patience(first=SECOND, longest=timedelta(hours=1))
    means = [mean(patience.wait_after(n).total_seconds() for _ in range(400)) for n in (1, 3, 5, 7)]
    assert all(later > earlier for earlier, later in pairwise(means))


@pytest.mark.parametrize("asked", [timedelta(seconds=3), timedelta(hours=2)])
def test_never_earlier_than_the_system_asked_for_and_not_all_at_once(asked: timedelta) -> None:
    waits = {Patience(first=timedelta(milliseconds=1), longest=SECOND).wait_after(1, asked) for _ in range(50)}
    assert min(waits) >= asked
    assert max(waits) <= asked * 1.25
    assert len(waits) > 10


def test_patience_lasts_75_hours_unless_told_otherwise() -> None:
    assert Patience().gives_up_after >= timedelta(hours=75)
