"""Which cases a worker holds, and until when it may act on them. Measured on the worker's own monotonic clock."""

import time
from datetime import timedelta

from relais.delivery.lane import Lane


class Leases:
    """The lanes of one worker. A lease is counted from before it was asked for, so that ours always ends first."""

    def __init__(self, lease: timedelta) -> None:
        self._seconds = lease.total_seconds()
        self._lanes: dict[int, Lane] = {}
        self._until: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def lanes(self) -> list[Lane]:
        """Every lane that is held."""
        return list(self._lanes.values())

    def take(self, lane: Lane, asked_at: float) -> None:
        """Hold a lane that was claimed by a transaction begun at ``asked_at``."""
        self._lanes[lane.case_id] = lane
        self._until[lane.case_id] = asked_at + self._seconds

    def lasts(self, lane: Lane, duration: timedelta) -> bool:
        """Whether the lane is ours for longer than ``duration`` from now."""
        return self._until.get(lane.case_id, 0.0) > time.monotonic() + duration.total_seconds()

    def to_renew(self) -> dict[int, int]:
        """The fences, by case, of the lanes that are past the middle of their lease."""
        middle = time.monotonic() + self._seconds / 2
        return {case_id: self._lanes[case_id].claimed.fence for case_id, until in self._until.items() if until < middle}

    def renewed(self, case_id: int, asked_at: float) -> None:
        """Note that a lane's lease was made longer by a transaction begun at ``asked_at``."""
        if case_id in self._until:
            self._until[case_id] = asked_at + self._seconds

    def drop(self, case_id: int, *, lost: bool) -> Lane | None:
        """Hold a lane no longer; ``lost`` stops what it may still be doing."""
        self._until.pop(case_id, None)
        lane = self._lanes.pop(case_id, None)
        if lane is not None and lost:
            lane.lost = True
        return lane
