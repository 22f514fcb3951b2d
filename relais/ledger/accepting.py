"""Accepting events: unique for ever, ordered within a case, in one transaction for a whole group."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import text

from connectors.kit.ports import Arrival
from relais.ledger.database import Database, Transaction, record_set, write
from relais.ledger.numbers import Numbers
from relais.ledger.ports import Fate, Receipt
from relais.ledger.references import reference_for
from relais.ledger.tables import OPEN, PARKED, READY_DUE
from relais.ledger.texts import storable
from schemas.case import CASE_KEY_PATTERN

LONGEST_EVENT_ID: Final = 200
_CASE_KEY: Final = re.compile(CASE_KEY_PATTERN)
_UNREADABLE: Final = "unreadable"


class Acceptance:
    """Writes arrivals into the ledger.

    ``digest_key`` keys the content digests; ``masked`` cleans a body before it is kept.
    """

    def __init__(self, database: Database, digest_key: bytes, masked: Callable[[bytes], bytes]) -> None:
        self._database = database
        self._key = digest_key
        self._masked = masked
        self._known = text(
            f"""SELECT e.source, e.event_id, e.digest, e.seq
            FROM {self._set("rows", source="text", event_id="text")} AS r
            JOIN events e ON e.source = r.source AND e.event_id = r.event_id"""
        )
        self._case_ids = text(
            f"""SELECT k.key, k.case_id FROM {self._set("rows", key="text")} AS r JOIN case_keys k ON k.key = r.key"""
        )
        # Workers complete under the same locks; taking them in the order of the id keeps both from waiting in a ring.
        self._lock_cases = text(
            f"""SELECT c.id FROM cases c WHERE c.id IN (SELECT r.id FROM {self._set("rows", id="bigint")} AS r)
            ORDER BY c.id FOR UPDATE"""
        )
        self._new_cases = text(
            f"""INSERT INTO cases (key, reference, created_at)
            SELECT r.key, r.reference, {database.now}
            FROM {self._set("rows", key="text", reference="text")} AS r WHERE true
            ON CONFLICT (reference) DO NOTHING"""
        )
        self._new_keys = text(
            f"""INSERT INTO case_keys (key, case_id) SELECT r.key, c.id
            FROM {self._set("rows", key="text", reference="text")} AS r JOIN cases c ON c.reference = r.reference
            WHERE true ON CONFLICT (key) DO NOTHING"""
        )
        self._insert_event = text(
            f"""INSERT INTO events (seq, source, door, event_id, case_id, digest, body, received_at, test)
            VALUES (:seq, :source, :door, :event_id, :case_id, :digest, :body, {database.now}, :test)
            ON CONFLICT DO NOTHING"""
        )
        self._insert_events = text(
            f"""INSERT INTO events (seq, source, door, event_id, case_id, digest, body, received_at, test)
            SELECT r.seq, r.source, r.door, r.event_id, r.case_id, r.digest, b.body, {database.now},
                CAST(:test AS boolean)
            FROM {
                self._set(
                    "rows", seq="bigint", source="text", door="text", event_id="text", case_id="bigint", digest="text"
                )
            } AS r
            JOIN unnest(CAST(:seqs AS bigint[]), CAST(:bodies AS bytea[])) AS b(seq, body) ON b.seq = r.seq
            ORDER BY r.source, r.event_id
            ON CONFLICT (source, event_id) DO NOTHING"""
        )
        self._went_in = text(f"SELECT e.seq FROM {self._set('rows', seq='bigint')} AS r JOIN events e ON e.seq = r.seq")
        self._new_deliveries = text(
            f"""INSERT INTO deliveries (seq, case_id, turn, state, announce, code, reason)
            SELECT r.seq, r.case_id, r.seq, r.state, {READY_DUE}, r.code, r.reason
            FROM {
                self._set("rows", seq="bigint", case_id="bigint", state="smallint", code="text", reason="text")
            } AS r"""
        )
        self._more_pending = text(
            f"""UPDATE cases SET
            pending = cases.pending + r.fresh,
            last_seq = r.last_seq,
            ready_at = CASE WHEN cases.pending = 0 THEN {database.now} ELSE cases.ready_at END,
            ready_seq = CASE WHEN cases.pending = 0 THEN r.first_seq ELSE cases.ready_seq END
            FROM {self._set("rows", id="bigint", fresh="integer", first_seq="bigint", last_seq="bigint")} AS r
            WHERE cases.id = r.id"""
        )
        self._keep_conflicts = text(
            f"""INSERT INTO conflicts (source, event_id, digest, body, received_at)
            VALUES (:source, :event_id, :digest, :body, {database.now})
            ON CONFLICT (source, event_id, digest) DO NOTHING"""
        )
        self._numbers = Numbers(database)

    def digest(self, content: bytes) -> str:
        """The keyed digest of a content: 32 hexadecimal digits."""
        return blake2b(content, key=self._key, digest_size=16).hexdigest()

    def fingerprint(self, content: str) -> str:
        """The keyed digest of a text, for connectors that must name what has no name."""
        return self.digest(content.encode())

    async def accept(self, arrivals: Sequence[Arrival], *, test: bool = False) -> list[Receipt]:
        """Take a group of arrivals; durable when this returns, and answered in their order.

        Raises LedgerAwayError: then nothing is known to be stored, and the sender must be told to come again.
        """

        async def step(transaction: Transaction) -> list[Receipt]:
            return await self.accept_within(transaction, arrivals, test=test)

        return await write(self._database, step)

    async def accept_within(
        self, transaction: Transaction, arrivals: Sequence[Arrival], *, test: bool = False
    ) -> list[Receipt]:
        """The same inside a transaction that also moves a cursor."""
        arrivals = [self._bounded(arrival) for arrival in arrivals]
        digests = [self.digest(arrival.body) for arrival in arrivals]
        known = await self._known_among(transaction, arrivals)
        receipts: list[Receipt | None] = [None] * len(arrivals)
        fresh: dict[tuple[str, str], int] = {}
        repeated: list[int] = []
        for index, arrival in enumerate(arrivals):
            name = (arrival.source, arrival.event_id)
            if name in known or name in fresh:
                repeated.append(index)
            else:
                fresh[name] = index
        if fresh:
            stored = await self._store(transaction, [(arrivals[i], digests[i]) for i in fresh.values()], test=test)
            for (name, index), seq in zip(fresh.items(), stored, strict=True):
                if seq is None:
                    repeated.append(index)
                else:
                    receipts[index] = Receipt(Fate.NEW, seq)
                    known[name] = (digests[index], seq)
        if any((arrivals[i].source, arrivals[i].event_id) not in known for i in repeated):
            # another intake stored the same event between our look and our insert
            known |= await self._known_among(transaction, [arrivals[i] for i in repeated])
        conflicting = []
        for index in repeated:
            arrival = arrivals[index]
            digest, seq = known[arrival.source, arrival.event_id]
            same = digest == digests[index]
            receipts[index] = Receipt(Fate.SAME if same else Fate.CONFLICT, seq)
            if not same:
                conflicting.append(
                    {
                        "source": arrival.source,
                        "event_id": arrival.event_id,
                        "digest": digests[index],
                        "body": self._masked(arrival.body),
                    }
                )
        if conflicting:
            await transaction.run(self._keep_conflicts, conflicting)
        return [receipt for receipt in receipts if receipt is not None]

    def _bounded(self, arrival: Arrival) -> Arrival:
        """The arrival with names that fit: what came from outside may be of any length."""
        event_id, case_key, trouble = arrival.event_id, arrival.case_key, arrival.trouble
        if len(event_id) > LONGEST_EVENT_ID:
            digest = self.fingerprint(event_id)
            event_id = f"{event_id[: LONGEST_EVENT_ID - len(digest) - 1]}~{digest}"
        if case_key is not None and not _CASE_KEY.fullmatch(case_key):
            case_key, trouble = None, trouble or "what it names is no case key"
        if event_id == arrival.event_id and case_key == arrival.case_key:
            return arrival
        return replace(arrival, event_id=event_id, case_key=case_key, trouble=trouble)

    async def _known_among(
        self, transaction: Transaction, arrivals: Sequence[Arrival]
    ) -> dict[tuple[str, str], tuple[str, int]]:
        rows = [{"source": arrival.source, "event_id": arrival.event_id} for arrival in arrivals]
        found = await transaction.rows(self._known, {"rows": json.dumps(rows)})
        return {(row.source, row.event_id): (row.digest, row.seq) for row in found}

    async def _store(
        self, transaction: Transaction, fresh: Sequence[tuple[Arrival, str]], *, test: bool
    ) -> list[int | None]:
        """Store events not seen before; the sequence of each, or None for one that somebody else stored meanwhile."""
        case_ids = await self._cases_for(transaction, {a.case_key for a, _ in fresh if a.case_key is not None})
        # taken under the cases' locks, so that within a case they rise in accepted order
        sequences = await self._numbers.next(transaction, len(fresh))
        rows: list[dict[str, Any]] = [
            {
                "seq": seq,
                "source": arrival.source,
                "door": arrival.door,
                "event_id": arrival.event_id,
                "case_id": None if arrival.case_key is None else case_ids[arrival.case_key],
                "digest": digest,
            }
            for seq, (arrival, digest) in zip(sequences, fresh, strict=True)
        ]
        bodies = [self._masked(arrival.body) for arrival, _ in fresh]
        await self._insert(transaction, rows, bodies, test=test)
        wanted = {"rows": json.dumps([{"seq": seq} for seq in sequences])}
        inserted = {row.seq for row in await transaction.rows(self._went_in, wanted)}
        deliveries: list[dict[str, Any]] = []
        fresh_by_case: dict[int, dict[str, int]] = {}
        for row, (arrival, _) in zip(rows, fresh, strict=True):
            if row["seq"] not in inserted:
                continue
            lane: int | None = row["case_id"]
            deliveries.append(
                {
                    "seq": row["seq"],
                    "case_id": lane,
                    "state": PARKED if lane is None else OPEN,
                    "code": _UNREADABLE if lane is None else None,
                    "reason": storable(arrival.trouble or "it names no case") if lane is None else None,
                }
            )
            if lane is not None:
                entry = fresh_by_case.setdefault(lane, {"id": lane, "fresh": 0, "first_seq": row["seq"]})
                entry["fresh"] += 1
                entry["last_seq"] = row["seq"]
        await transaction.run(self._new_deliveries, {"rows": json.dumps(deliveries)})
        if fresh_by_case:
            await transaction.run(self._more_pending, {"rows": json.dumps(list(fresh_by_case.values()))})
        return [seq if seq in inserted else None for seq in sequences]

    async def _cases_for(self, transaction: Transaction, keys: set[str]) -> dict[str, int]:
        if not keys:
            return {}
        ordered = sorted(keys)
        wanted = {"rows": json.dumps([{"key": key} for key in ordered])}
        ids = {row.key: row.case_id for row in await transaction.rows(self._case_ids, wanted)}
        missing = [{"key": key, "reference": reference_for(key)} for key in ordered if key not in ids]
        if self._database.dialect == "postgresql" and ids:
            locks = [{"id": case_id} for case_id in sorted(set(ids.values()))]
            await transaction.rows(self._lock_cases, {"rows": json.dumps(locks)})
        if missing:
            rows = {"rows": json.dumps(missing)}
            await transaction.run(self._new_cases, rows)
            await transaction.run(self._new_keys, rows)
            ids |= {row.key: row.case_id for row in await transaction.rows(self._case_ids, wanted)}
            if self._database.dialect == "postgresql":
                fresh = [{"id": ids[row["key"]]} for row in missing]
                await transaction.rows(self._lock_cases, {"rows": json.dumps(fresh)})
        return ids

    async def _insert(
        self, transaction: Transaction, rows: list[dict[str, Any]], bodies: list[bytes], *, test: bool
    ) -> None:
        if self._database.dialect == "sqlite":
            await transaction.run(
                self._insert_event,
                [{**row, "body": body, "test": test} for row, body in zip(rows, bodies, strict=True)],
            )
            return
        await transaction.run(
            self._insert_events,
            {"rows": json.dumps(rows), "seqs": [row["seq"] for row in rows], "bodies": bodies, "test": test},
        )

    def _set(self, parameter: str, **columns: str) -> str:
        return record_set(self._database.dialect, parameter, **columns)
