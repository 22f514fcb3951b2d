"""What a replay would do, without doing it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.kit.errors import RejectedError
from connectors.kit.ports import Arrival, Fingerprint, Source, StoredEvent
from relais.delivery.fold import Route, fold
from relais.ledger.ledger import Ledger
from relais.ledger.ports import Fate, Receipt
from relais.ledger.references import reference_for
from schemas.case import Status


@dataclass(frozen=True, slots=True)
class Understanding:
    """How an event would be translated and routed, taken by itself. Nothing in it is personal.

    ``fault`` says why it would be parked instead; ``remarks`` are codes with the field they are about.
    """

    status: Status | None = None
    case_type: str | None = None
    department: str | None = None
    destination: str | None = None
    rule: str | None = None
    remarks: tuple[str, ...] = ()
    fault: str | None = None


class Rehearsal:
    """Accepts arrivals as the ledger would, and takes everything back."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._digests: dict[tuple[str, str], str] = {}

    async def accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """The receipts that the ledger would give after all that was rehearsed before. Raises LedgerAwayError."""
        known = frozenset(self._digests)
        fresh = [one for one in arrivals if (one.source, one.event_id) not in known]
        given: list[Receipt] = []
        with suppress(_TakeBackError):
            async with self._ledger.database.writing() as transaction:
                given = await self._ledger.acceptance.accept_within(transaction, fresh)
                raise _TakeBackError
        receipts = iter(given)
        answers = []
        for arrival in arrivals:
            name, digest = (arrival.source, arrival.event_id), self._ledger.acceptance.digest(arrival.body)
            if name in known:
                answers.append(Receipt(Fate.SAME if self._digests[name] == digest else Fate.CONFLICT, None))
                continue
            receipt = next(receipts)
            if receipt.fate is Fate.NEW:
                self._digests[name] = digest
            answers.append(Receipt(receipt.fate, None))
        return answers


def understanding_of(
    arrival: Arrival,
    source: Source,
    route: Route,
    fingerprint: Fingerprint,
    *,
    received_at: datetime | None,
) -> Understanding | None:
    """How delivery would understand an arrival by itself; None where it names no case."""
    if arrival.case_key is None:
        return None
    event = StoredEvent(
        arrival.source, arrival.door, arrival.event_id, arrival.case_key, arrival.body, received_at or datetime.now(UTC)
    )
    try:
        said = source.translate(event, fingerprint)
    except RejectedError as error:
        return Understanding(fault=f"{error.reason} ({error.code})")
    except Exception as error:  # noqa: BLE001  # the edge of a connector's pure code, which delivery would park
        return Understanding(fault=f"the translation failed: {type(error).__name__}")
    case = fold(None, said, reference=reference_for(arrival.case_key), precedence=source.precedence, route=route).case
    remarks = dict.fromkeys(
        f"{remark.code}({remark.field})" if remark.field else remark.code for remark in case.facts.remarks or ()
    )
    return Understanding(
        status=case.facts.status,
        case_type=case.decision.case_type,
        department=case.decision.department,
        destination=case.decision.destination,
        rule=case.decision.rule,
        remarks=tuple(remarks),
    )


class _TakeBackError(Exception):
    """Ends the transaction without keeping anything."""
