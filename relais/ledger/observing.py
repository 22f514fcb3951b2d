"""What pollers have seen: each thing's last state by digest, numbered each time it differs."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from connectors.kit.ports import Arrival, Observation
from relais.ledger.accepting import Acceptance
from relais.ledger.database import Database, Transaction, record_set
from relais.ledger.ports import Receipt


class Observations:
    """Runs inside the transactions of the polls."""

    def __init__(self, database: Database, acceptance: Acceptance) -> None:
        self._database = database
        self._acceptance = acceptance
        seen = record_set(database.dialect, "rows", external_id="text")
        self._seen = text(
            f"""SELECT o.external_id, o.n, o.digest, o.gone FROM {seen} AS r JOIN observations o
            ON o.source = :source AND o.door = :door AND o.external_id = r.external_id"""
        )
        note = record_set(
            database.dialect, "rows", external_id="text", n="integer", digest="text", sweep="bigint", settled="boolean",
            gone="boolean",
        )  # fmt: skip
        self._note = text(
            f"""INSERT INTO observations (source, door, external_id, n, digest, sweep, missed, settled, gone)
            SELECT CAST(:source AS text), CAST(:door AS text), r.external_id, r.n, r.digest, r.sweep, 0, r.settled,
                r.gone
            FROM {note} AS r WHERE true
            ON CONFLICT (source, door, external_id) DO UPDATE SET n = excluded.n, digest = excluded.digest, missed = 0,
            sweep = CASE WHEN excluded.sweep > observations.sweep THEN excluded.sweep ELSE observations.sweep END,
            settled = excluded.settled, gone = excluded.gone"""
        )
        # Two polls of one door may see the same thing at once: they number its observations one after the other.
        self._one_at_a_time = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
        self._last_body = text("SELECT body FROM events WHERE source = :source AND event_id = :event_id")

    async def last_body(self, transaction: Transaction, source: str, door: str, external_id: str) -> bytes | None:
        """The body of the last observation of a thing, where it is still kept."""
        rows = json.dumps([{"external_id": external_id}])
        seen = await transaction.rows(self._seen, {"rows": rows, "source": source, "door": door})
        if not seen:
            return None
        event_id = _event_id(door, external_id, seen[0].n)
        found = await transaction.rows(self._last_body, {"source": source, "event_id": event_id})
        return bytes(found[0].body) if found and found[0].body is not None else None

    async def alone(self, transaction: Transaction, source: str, door: str) -> None:
        """Let no other poll note anything at this door before the transaction has ended."""
        if self._database.dialect == "postgresql":
            await transaction.rows(self._one_at_a_time, {"name": f"observations:{source}:{door}"})

    async def note(
        self,
        transaction: Transaction,
        source: str,
        door: str,
        observations: Sequence[Observation],
        sweep: int | None,
        *,
        gone: bool = False,
    ) -> list[Receipt]:
        """Accept what is new among observations and remember all of them as seen; a receipt for each that was new.

        ``sweep`` is the complete sweep that saw them, ``gone`` says that they are farewells.
        """
        latest = {observation.external_id: observation for observation in observations}
        if not latest:
            return []
        await self.alone(transaction, source, door)
        rows = json.dumps([{"external_id": external_id} for external_id in latest])
        found = await transaction.rows(self._seen, {"rows": rows, "source": source, "door": door})
        known = {row.external_id: row for row in found}
        notes: list[dict[str, Any]] = []
        arrivals: list[Arrival] = []
        for external_id, observation in latest.items():
            digest = self._acceptance.digest(observation.content.encode())
            before = known.get(external_id)
            changed = before is None or before.digest != digest
            n = (before.n if before else 0) + (1 if changed else 0)
            if changed:
                arrivals.append(
                    Arrival(source, door, _event_id(door, external_id, n), observation.case_key, observation.body)
                )
            notes.append(
                {"external_id": external_id, "n": n, "digest": digest, "sweep": sweep or 0,
                 "settled": observation.settled, "gone": gone}
            )  # fmt: skip
        await transaction.run(self._note, {"rows": json.dumps(notes), "source": source, "door": door})
        return await self._acceptance.accept_within(transaction, arrivals) if arrivals else []


def _event_id(door: str, external_id: str, n: int) -> str:
    """A state can come back, so an observation is named by its count, never by its content."""
    return f"{door}:{external_id}:{n}"
