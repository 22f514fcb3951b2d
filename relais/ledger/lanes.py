"""Lanes: claiming cases under a lease, writing down what became of their events, letting go."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, text

from connectors.kit.ports import StoredEvent
from relais.ledger.database import Database, Transaction, record_set, write
from relais.ledger.ports import ClaimedCase, Done, How, LaneReport, OpenEvent, Tick
from relais.ledger.tables import DELIVERED, OPEN, OUTCOME_DUE, PARKED, SKIPPED
from relais.ledger.texts import storable

EVENTS_PER_CLAIM: Final = 32
"""How many open events of one case are loaded at a time: what bounds a worker's memory."""


class Lanes:
    """The delivery workers' side of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.dialect == "sqlite"
        now = database.now
        skip_locked = "" if self._sqlite else "FOR UPDATE SKIP LOCKED"
        # The doubt is written before anything is sent: from here on every open event may have arrived. It is read from
        # the row, not counted, because the row is read again under its lock and other tables are not.
        self._claim = text(
            f"""WITH picked AS MATERIALIZED (SELECT c.id FROM cases c
                WHERE c.pending > 0 AND c.owner IS NULL AND c.blocked_seq IS NULL AND c.ready_at <= {now}
                ORDER BY c.ready_at, c.ready_seq LIMIT :room {skip_locked})
            UPDATE cases SET owner = :owner, fence = fence + 1, until = {now} + :lease, prior_doubt = doubt,
            doubt = last_seq WHERE id IN (SELECT p.id FROM picked p)
            RETURNING id, fence, key, reference, sink, remote_id, etag, link, version, state, attempts, failing_since,
                prior_doubt, pending, ready_at, ready_seq"""
        )
        ids = self._set("rows", id="bigint")
        self._load = text(
            f"""SELECT o.seq, o.turn, o.case_id, e.source, e.door, e.event_id, e.body, e.received_at, e.test
            FROM (SELECT d.seq, d.turn, d.case_id, row_number() OVER (PARTITION BY d.case_id ORDER BY d.turn) AS place
                  FROM {ids} AS r JOIN deliveries d ON d.case_id = r.id AND d.state = {OPEN}) AS o
            JOIN events e ON e.seq = o.seq
            WHERE o.place <= {EVENTS_PER_CLAIM} ORDER BY o.case_id, o.turn"""
        )
        fences = self._set("rows", id="bigint", fence="bigint")
        # On PostgreSQL the rows are locked in the order of their ids, as accepting does, before any is changed.
        self._lock_ours = text(
            f"""SELECT c.id FROM {fences} AS r JOIN cases c ON c.id = r.id AND c.fence = r.fence
            WHERE c.owner = :owner ORDER BY c.id {"" if self._sqlite else "FOR UPDATE OF c"}"""
        )
        report = self._set(
            "rows", id="bigint", finished="integer", release="boolean", wait="bigint", doubt="bigint",
            blocked="bigint", failed="boolean", error="text", moved="boolean", sink="text", remote_id="text",
            etag="text", link="text", version="bigint", state="text",
        )  # fmt: skip
        self._report = text(
            f"""UPDATE cases SET
            pending = cases.pending - r.finished,
            owner = CASE WHEN r.release THEN NULL ELSE cases.owner END,
            until = CASE WHEN r.release THEN NULL ELSE cases.until END,
            ready_at = CASE WHEN r.release THEN {now} + r.wait ELSE cases.ready_at END,
            doubt = CASE WHEN r.release THEN r.doubt ELSE cases.doubt END,
            blocked_seq = coalesce(r.blocked, cases.blocked_seq),
            attempts = CASE WHEN r.failed THEN cases.attempts + 1 WHEN r.finished > 0 THEN 0 ELSE cases.attempts END,
            failing_since = CASE WHEN r.failed THEN coalesce(cases.failing_since, {now})
                WHEN r.finished > 0 THEN NULL ELSE cases.failing_since END,
            last_error = CASE WHEN r.error IS NOT NULL THEN r.error WHEN r.finished > 0 THEN NULL
                ELSE cases.last_error END,
            sink = CASE WHEN r.moved THEN r.sink ELSE cases.sink END,
            remote_id = CASE WHEN r.moved THEN r.remote_id ELSE cases.remote_id END,
            etag = CASE WHEN r.moved THEN r.etag ELSE cases.etag END,
            link = CASE WHEN r.moved THEN r.link ELSE cases.link END,
            version = CASE WHEN r.moved THEN r.version ELSE cases.version END,
            state = CASE WHEN r.moved THEN r.state ELSE cases.state END
            FROM {report} AS r WHERE cases.id = r.id"""
        )
        finished = self._set(
            "rows", seq="bigint", case_id="bigint", state="smallint", how="text", code="text", reason="text",
            blocks="boolean", rule="text", summary="text",
        )  # fmt: skip
        self._finish = text(
            f"""UPDATE deliveries SET state = r.state, how = r.how, code = r.code, reason = r.reason, blocks = r.blocks,
            rule = r.rule, summary = r.summary, done_at = {now},
            announce = deliveries.announce | {OUTCOME_DUE}
            FROM {finished} AS r
            WHERE deliveries.seq = r.seq AND deliveries.case_id = r.case_id AND deliveries.state = {OPEN}
            RETURNING deliveries.case_id"""
        )
        self._renew = text(f"UPDATE cases SET until = {now} + :lease FROM {ids} AS r WHERE cases.id = r.id")
        # A lease that ran out leaves its doubt; the case is not looked for before the CRM can show what arrived.
        self._expire = text(
            f"""WITH picked AS MATERIALIZED (SELECT c.id FROM cases c WHERE c.owner IS NOT NULL AND c.until < {now}
                ORDER BY c.until LIMIT :room {skip_locked})
            UPDATE cases SET owner = NULL, until = NULL, ready_at = until + :settles
            WHERE id IN (SELECT p.id FROM picked p) RETURNING id"""
        )
        self._let_go = text(
            f"UPDATE cases SET owner = NULL, until = NULL, ready_at = {now} + :settles WHERE owner = :owner"
        )
        self._next_ready = text(
            f"""SELECT min(ready_at) - {now} AS wait FROM cases
            WHERE pending > 0 AND owner IS NULL AND blocked_seq IS NULL"""
        )

    async def tick(self, owner: str, reports: Sequence[LaneReport], *, room: int, lease_ms: int) -> Tick:
        """Write down what was done and claim up to ``room`` cases, in one transaction.

        A report whose fence is no longer ours changes nothing, and its case is missing from ``held``.
        """

        async def step(transaction: Transaction) -> Tick:
            held = await self._write(transaction, owner, reports) if reports else frozenset()
            claimed = await self._claim_within(transaction, owner, room, lease_ms) if room > 0 else ()
            return Tick(held=held, claimed=claimed)

        return await write(self._database, step)

    async def renew(self, owner: str, fences: dict[int, int], *, lease_ms: int) -> frozenset[int]:
        """Make the leases last ``lease_ms`` from now; the ids of the cases that are still ours."""

        async def step(transaction: Transaction) -> frozenset[int]:
            kept = await self._ours(transaction, owner, fences)
            if kept:
                rows = json.dumps([{"id": case_id} for case_id in kept])
                await transaction.run(self._renew, {"rows": rows, "lease": lease_ms})
            return kept

        return await write(self._database, step)

    async def expire(self, *, settles_ms: int, room: int = 500) -> int:
        """Free the cases whose lease has run out; how many. Their events stay in doubt."""

        async def step(transaction: Transaction) -> int:
            return len(await transaction.rows(self._expire, {"settles": settles_ms, "room": room}))

        return await write(self._database, step)

    async def let_go(self, owner: str, *, settles_ms: int) -> int:
        """Free every case of an owner that is known to be gone (its own earlier life); how many."""

        async def step(transaction: Transaction) -> int:
            return await transaction.run(self._let_go, {"owner": owner, "settles": settles_ms})

        return await write(self._database, step)

    async def milliseconds_to_next(self) -> int | None:
        """How long until the next case may run (0 or less: now); None where nothing waits."""
        async with self._database.reading() as transaction:
            wait: int | None = (await transaction.rows(self._next_ready))[0].wait
            return wait

    async def _write(self, transaction: Transaction, owner: str, reports: Sequence[LaneReport]) -> frozenset[int]:
        held = await self._ours(transaction, owner, {report.case_id: report.fence for report in reports})
        ours = [report for report in reports if report.case_id in held]
        done = [_finished_row(report.case_id, done) for report in ours for done in report.done]
        found = await transaction.rows(self._finish, {"rows": json.dumps(done)}) if done else ()
        # Only what was still open counts: a report whose commit was not heard of may come a second time.
        finished = Counter(row.case_id for row in found)
        rows = [_report_row(report, finished[report.case_id]) for report in ours]
        if rows:
            await transaction.run(self._report, {"rows": json.dumps(rows)})
        return held

    async def _ours(self, transaction: Transaction, owner: str, fences: Mapping[int, int]) -> frozenset[int]:
        """The ids of those cases that are held under these fences; nobody changes them before the transaction ends."""
        rows = json.dumps([{"id": case_id, "fence": fence} for case_id, fence in fences.items()])
        return frozenset(row.id for row in await transaction.rows(self._lock_ours, {"rows": rows, "owner": owner}))

    async def _claim_within(
        self, transaction: Transaction, owner: str, room: int, lease_ms: int
    ) -> tuple[ClaimedCase, ...]:
        rows = await transaction.rows(self._claim, {"owner": owner, "lease": lease_ms, "room": room})
        if not rows:
            return ()
        lanes: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
        wanted = json.dumps([{"id": case_id} for case_id in lanes])
        for event in await transaction.rows(self._load, {"rows": wanted}):
            lanes[event.case_id].append(event)
        return tuple(
            _claimed(row, lanes[row.id]) for row in sorted(rows, key=lambda row: (row.ready_at, row.ready_seq))
        )

    def _set(self, parameter: str, **columns: str) -> str:
        return record_set(self._database.dialect, parameter, **columns)


def _report_row(report: LaneReport, finished: int) -> dict[str, Any]:
    release, standing = report.release, report.standing
    blocking = [done.seq for done in report.done if done.blocks]
    return {
        "id": report.case_id,
        "finished": finished,
        "release": release is not None,
        "wait": release.wait_ms if release else 0,
        "doubt": release.doubt if release else 0,
        "blocked": blocking[0] if blocking else None,
        "failed": bool(release and release.failed),
        "error": _kept(release.error) if release else None,
        "moved": standing is not None,
        "sink": standing.sink if standing else None,
        "remote_id": _kept(standing.remote_id) if standing else None,
        "etag": _kept(standing.etag) if standing else None,
        "link": _kept(standing.link) if standing else None,
        "version": standing.version if standing else 0,
        "state": _kept(standing.state) if standing else None,
    }


def _finished_row(case_id: int, done: Done) -> dict[str, Any]:
    state = DELIVERED if done.how is not None else PARKED
    return {
        "seq": done.seq,
        "case_id": case_id,
        "state": SKIPPED if done.how is How.SKIPPED else state,
        "how": done.how,
        "code": done.code,
        "reason": _kept(done.reason),
        "blocks": done.blocks,
        "rule": _kept(done.rule),
        "summary": _kept(done.summary),
    }


def _kept(text_from_outside: str | None) -> str | None:
    return None if text_from_outside is None else storable(text_from_outside)


def _claimed(case: Row[Any], events: Sequence[Row[Any]]) -> ClaimedCase:
    return ClaimedCase(
        case_id=case.id,
        fence=case.fence,
        key=case.key,
        reference=case.reference,
        sink=case.sink,
        remote_id=case.remote_id,
        etag=case.etag,
        link=case.link,
        version=case.version,
        state=case.state,
        attempts=case.attempts,
        failing_since=case.failing_since,
        events=tuple(
            OpenEvent(
                seq=event.seq,
                turn=event.turn,
                event=StoredEvent(
                    source=event.source,
                    door=event.door,
                    event_id=event.event_id,
                    case_key=case.key,
                    body=bytes(event.body or b""),
                    received_at=datetime.fromtimestamp(event.received_at / 1000, UTC),
                    test=bool(event.test),
                ),
                in_doubt=event.turn <= case.prior_doubt,
            )
            for event in events
        ),
        more=case.pending > len(events),
    )
