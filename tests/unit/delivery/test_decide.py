"""What an error means for the lane, as a table."""

from datetime import timedelta

import pytest

from connectors.kit.errors import (
    ConnectorError,
    MisconfiguredError,
    RejectedError,
    TemporaryError,
    UnconfirmedError,
)
from relais.delivery.decide import Move, failure_of

TABLE = [
    (TemporaryError("x"), True, False, Move.TRY_LATER),
    (TemporaryError("x"), False, False, Move.TRY_LATER),
    (TemporaryError("x"), True, True, Move.PARK_AND_BLOCK),
    (TemporaryError("x"), False, True, Move.PARK_ALONE),
    (UnconfirmedError("x"), True, False, Move.LOOK_FIRST),
    (UnconfirmedError("x"), True, True, Move.PARK_AND_BLOCK),
    (RejectedError("x"), True, False, Move.PARK_AND_BLOCK),
    (RejectedError("x"), False, False, Move.PARK_ALONE),
    (MisconfiguredError("x"), True, False, Move.PAUSE_SINK),
    (MisconfiguredError("x"), True, True, Move.PAUSE_SINK),
    (ConnectorError("of no kind"), True, False, Move.LOOK_FIRST),
]


@pytest.mark.parametrize(("error", "carries_case", "out_of_patience", "expected"), TABLE)
def test_each_error_has_one_next_move(
    error: ConnectorError, carries_case: bool, out_of_patience: bool, expected: Move
) -> None:
    assert failure_of(error, carries_case=carries_case, out_of_patience=out_of_patience).move is expected


def test_wrong_rights_park_nothing_however_long_they_last() -> None:
    failure = failure_of(MisconfiguredError("no", code="http_401"), carries_case=True, out_of_patience=True)
    assert (failure.move, failure.code) == (Move.PAUSE_SINK, "http_401")


def test_what_the_system_asked_for_is_passed_on() -> None:
    error = TemporaryError("busy", retry_after=timedelta(seconds=7))
    assert failure_of(error, carries_case=True, out_of_patience=False).retry_after == timedelta(seconds=7)


def test_the_end_of_patience_has_a_code_of_its_own() -> None:
    failure = failure_of(TemporaryError("busy", code="http_503"), carries_case=True, out_of_patience=True)
    assert failure.code == "patience_ended"
