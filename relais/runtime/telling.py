"""What is told of a group of arrivals that was committed, whichever door it came through."""

from collections import Counter
from collections.abc import Sequence

from connectors.kit.ports import Arrival
from relais.ledger.ports import Fate, Receipt
from relais.telemetry.emitting import Emit
from relais.telemetry.events import ArrivalUnreadable, EventConflicted, EventsAccepted


def tell_accepted(emit: Emit, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> int:
    """Tell what became of each arrival; how many of them were new."""
    pairs = list(zip(arrivals, receipts, strict=True))
    counted = Counter((arrival.source, arrival.door, receipt.fate) for arrival, receipt in pairs)
    for source, door in dict.fromkeys((arrival.source, arrival.door) for arrival in arrivals):
        emit(
            EventsAccepted(
                source=source,
                door=door,
                new=counted[source, door, Fate.NEW],
                same=counted[source, door, Fate.SAME],
                conflicts=counted[source, door, Fate.CONFLICT],
            )
        )
    for arrival, receipt in pairs:
        if receipt.fate is Fate.CONFLICT:
            emit(EventConflicted(source=arrival.source, door=arrival.door, event_id=arrival.event_id))
        elif receipt.fate is Fate.NEW and arrival.case_key is None:
            reason = arrival.trouble or "it names no case"
            emit(ArrivalUnreadable(source=arrival.source, door=arrival.door, reason=reason))
    return sum(receipt.fate is Fate.NEW for receipt in receipts)
