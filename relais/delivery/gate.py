"""What stands between the lanes and one sink: how many requests may be in flight, and whether it is paused."""

from dataclasses import dataclass, field

from connectors.kit.ports import Sink
from relais.delivery.lane import Lane


@dataclass(slots=True)
class SinkGate:
    """One sink's side of the worker: lanes that wait for it, requests in flight, and the human's pause."""

    sink: Sink
    paused: bool = False
    in_flight: int = 0
    to_find: list[Lane] = field(default_factory=list)
    to_send: list[Lane] = field(default_factory=list)

    @property
    def free(self) -> int:
        """How many more requests may be made now."""
        return 0 if self.paused else self.sink.capabilities.concurrency - self.in_flight

    def next_to_find(self) -> list[Lane]:
        """Take the lanes of the next find."""
        size = self.sink.capabilities.find_size
        taken, self.to_find = self.to_find[:size], self.to_find[size:]
        return taken

    def next_to_send(self) -> list[Lane]:
        """Take the lanes of the next deliver: as many as the sink takes at once."""
        size = self.sink.capabilities.batch_size
        taken, self.to_send = self.to_send[:size], self.to_send[size:]
        return taken

    def give_up_all(self) -> list[Lane]:
        """Take every lane that waits, because the sink was paused or the worker stops."""
        taken = self.to_find + self.to_send
        self.to_find, self.to_send = [], []
        return taken
