"""How the time allowed is written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.within import duration_of, written


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1 day", timedelta(days=1)),
        ("2 days", timedelta(days=2)),
        ("4 hours", timedelta(hours=4)),
        ("30 minutes", timedelta(minutes=30)),
        ("3 weeks", timedelta(weeks=3)),
        ("P2D", timedelta(days=2)),
        ("PT36H", timedelta(hours=36)),
        ("P1W2DT3H4M", timedelta(weeks=1, days=2, hours=3, minutes=4)),
    ],
)
def test_words_and_iso_durations_are_read(text: str, duration: timedelta) -> None:
    assert duration_of(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "2", "two days", "2 months", "0 days", "-1 day", "1.5 days", "P", "PT", "P1DT", "P1M", "PT0H", "2 days\n"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|no time"):
        duration_of(text)


@given(minutes=st.integers(min_value=1, max_value=9_000))
def test_what_is_written_is_read_back(minutes: int) -> None:
    duration = timedelta(minutes=minutes)

    assert duration_of(written(duration)) == duration
