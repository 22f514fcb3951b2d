"""The bus as a door: CloudEvents on ``events.inbound.{source}`` go into the ledger as that source's webhook would."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from connectors.kit import strict_json
from connectors.kit.ports import Arrival, Source, Webhook
from relais.ledger.accepting import Acceptance
from relais.ledger.database import LedgerAwayError
from relais.ledger.ports import Receipt
from relais.runtime.inbound import InboundMessage, NotNowError
from relais.runtime.telling import tell_accepted
from relais.telemetry.emitting import Emit
from relais.telemetry.events import HandlerFailed, LedgerAway, LedgerBack
from schemas.envelope import DATA_CONTENT_TYPE, Envelope

NOBODY: Final = "bus"
"""The source under which a message is parked whose subject names no source with a webhook."""

_NO_DOOR: Final = "bus"


class BusIntake:
    """Accepts the messages of the bus, each batch in one transaction, in the order in which they came.

    The last token of the subject names the source; the event's data is what that source's first webhook would have
    been sent, and is kept as JSON without spaces. Whoever may publish there is believed: the broker's credentials
    take the place of the webhook's signature. A source sends the same event through one of the two doors, because
    two spellings of one event are a conflict. Give ``take`` to ``Broker.on_inbound``; ``accepted`` is told how many
    events were new.

    Order holds for one reader at a time: with several intake processes, let one of them read the bus.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        sources: Mapping[str, Source],
        *,
        accepted: Callable[[int], None],
        emit: Emit,
    ) -> None:
        self._acceptance = acceptance
        self._doors = {name: source.webhooks[0] for name, source in sources.items() if source.webhooks}
        self._accepted = accepted
        self._emit = emit
        self._away = False

    async def take(self, messages: Sequence[InboundMessage]) -> None:
        """Return once every message is in the ledger, read or parked.

        Raises NotNowError where the ledger is away: the same messages are to come again, in their order.
        """
        arrivals = [self.arrival_of(message) for message in messages]
        try:
            receipts = await self._accept(arrivals)
        except (SQLAlchemyError, ValueError) as error:
            self._emit(HandlerFailed(where="bus", kind=type(error).__name__))
            receipts = await self._one_by_one(messages, arrivals)
        fresh = tell_accepted(self._emit, arrivals, receipts)
        if fresh:
            self._accepted(fresh)

    def arrival_of(self, message: InboundMessage) -> Arrival:
        """The event in a message; one that cannot be read names no case and is parked alone."""
        door = self._doors.get(message.source)
        if door is None:
            return self._unreadable(message, "its subject names no source with a webhook")
        try:
            document = strict_json.parse(message.body)
            envelope = Envelope.model_validate(document)
        except strict_json.MalformedJsonError as error:
            return self._unreadable(message, error.reason)
        except ValidationError:
            return self._unreadable(message, "it is not a CloudEvent in structured JSON")
        if not _is_json(envelope.datacontenttype):
            return self._unreadable(message, "its data is not JSON")
        if envelope.data is None:
            return self._unreadable(message, "it carries no data")
        return self._named(message, door, document["data"])

    def _named(self, message: InboundMessage, door: Webhook, data: Any) -> Arrival:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) > door.body_limit:
            return self._unreadable(message, "its data is larger than the webhook takes")
        try:
            return door.arrival(data, body)
        except Exception as error:  # noqa: BLE001  # a fault in a connector parks one message, and no more than that
            self._emit(HandlerFailed(where=f"bus {message.source}", kind=type(error).__name__))
            return self._unreadable(message, "its source could not read it")

    def _unreadable(self, message: InboundMessage, trouble: str) -> Arrival:
        """Named by what it holds, so that the same message coming again is the same event."""
        door = self._doors.get(message.source)
        return Arrival(
            source=NOBODY if door is None else message.source,
            door=_NO_DOOR if door is None else door.door,
            event_id=f"bus:{self._acceptance.digest(message.source.encode() + b' ' + message.body)}",
            case_key=None,
            body=message.body,
            trouble=trouble,
        )

    async def _accept(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        try:
            receipts = await self._acceptance.accept(arrivals)
        except LedgerAwayError as error:
            if not self._away:
                self._away = True
                self._emit(LedgerAway(part="bus", reason=str(error)))
            raise NotNowError from error
        if self._away:
            self._away = False
            self._emit(LedgerBack(part="bus"))
        return receipts

    async def _one_by_one(self, messages: Sequence[InboundMessage], arrivals: list[Arrival]) -> list[Receipt]:
        """The ledger will not take the group: find the one that it refuses and park it as it came."""
        receipts: list[Receipt] = []
        for place, message in enumerate(messages):
            try:
                receipts += await self._accept([arrivals[place]])
            except (SQLAlchemyError, ValueError):
                arrivals[place] = self._unreadable(message, "the ledger could not take it")
                try:
                    receipts += await self._accept([arrivals[place]])
                except (SQLAlchemyError, ValueError) as error:
                    # Not even as it came: rather hold the bus for a human than lose a message.
                    self._emit(HandlerFailed(where="bus", kind=type(error).__name__))
                    raise NotNowError from error
        return receipts


def _is_json(media_type: str | None) -> bool:
    named = (media_type or DATA_CONTENT_TYPE).partition(";")[0].strip().lower()
    return named == DATA_CONTENT_TYPE or named.endswith("+json")
