"""The bare loop: the same durable work by hand, in one file, without a layer, a schema or a second thought.

It checks the signature, parses, commits in groups under a unique index before it answers; claims cases, marks the
doubt, sends one change of a case at a time, and writes down what arrived. It has no retries, no doors, no routing, no
vocabulary.
"""

import argparse
import asyncio
import base64
import hmac
import json
import sqlite3
import time
from collections import deque
from hashlib import sha1
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench.bodies import SIGNATURE_KEY
from bench.http import serve

_TABLES = """
CREATE TABLE events(seq INTEGER PRIMARY KEY, event_id TEXT UNIQUE, case_key TEXT, body BLOB, received_at INTEGER);
CREATE TABLE deliveries(seq INTEGER PRIMARY KEY, case_key TEXT, state INTEGER, done_at INTEGER);
CREATE TABLE cases(key TEXT PRIMARY KEY, pending INTEGER, ready_seq INTEGER, owner TEXT, fence INTEGER, until INTEGER,
    doubt INTEGER, etag TEXT);
CREATE INDEX ready ON cases(ready_seq) WHERE pending > 0 AND owner IS NULL;
CREATE INDEX lane ON deliveries(case_key, seq) WHERE state = 0;
"""


class Bare:
    """Everything in one object and one connection."""

    def __init__(self, path: Path, crm: str | None, in_flight: int) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_TABLES)
        self._crm = crm
        self._in_flight = in_flight
        self._waiting: list[tuple[str, str, bytes, asyncio.Future[None]]] = []
        self._accepted = asyncio.Event()
        self._answered = asyncio.Event()
        self._done: list[tuple[int, str, str]] = []
        self._sending: set[asyncio.Future[None]] = set()
        self._seq = 0

    async def answer(self, _method: str, _path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        expected = base64.b64encode(hmac.new(SIGNATURE_KEY.encode(), body, sha1).digest()).decode()
        if not hmac.compare_digest(expected, headers.get("x-fms-signature", "")):
            return 401, b"{}"
        document = json.loads(body)
        report = document["data"]["report"]
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((f"{report['id']}:{report['modifiedAt']}", f"report-{report['id']}", body, future))
        self._accepted.set()
        await future
        return 200, b'{"detail":"accepted"}'

    async def accept(self) -> None:
        last = 0
        while True:
            if not self._waiting:
                self._accepted.clear()
                await self._accepted.wait()
            if last > 4:
                await asyncio.sleep(0.002)
            group, self._waiting = self._waiting[:256], self._waiting[256:]
            last = len(group)
            now = int(time.time() * 1000)
            rows = [(self._seq + n, one[0], one[1], one[2], now) for n, one in enumerate(group, start=1)]
            self._seq += len(group)
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR IGNORE INTO events VALUES (?,?,?,?,?)", rows)
            self._database.executemany(
                "INSERT OR IGNORE INTO deliveries VALUES (?,?,0,NULL)", [(row[0], row[2]) for row in rows]
            )
            self._database.executemany(
                """INSERT INTO cases VALUES (?,1,?,NULL,0,NULL,0,NULL)
                ON CONFLICT(key) DO UPDATE SET pending = pending + 1""",
                [(row[2], row[0]) for row in rows],
            )
            self._database.execute("COMMIT")
            for one in group:
                one[3].set_result(None)
            self._answered.set()
            await asyncio.sleep(0)

    async def deliver(self) -> None:
        if self._crm is None:
            return
        lanes: deque[list[Any]] = deque()
        busy = 0

        async def send(session: aiohttp.ClientSession, lane: list[Any]) -> None:
            nonlocal busy
            key, etag, events = lane
            for seq, body in events:
                report = json.loads(body)["data"]["report"]
                case = {
                    "reference": key, "version": seq, "title": {"fr": report["category"]["fr"]},
                    "place": report["address"], "people": [report["creator"]],
                    "notes": [{"key": str(seq), "text": report["comments"][-1]["text"]}],
                }  # fmt: skip
                data = json.dumps(case).encode()
                headers = {"Authorization": "Bearer bench", "Idempotency-Key": f"{key}:{seq}"}
                if etag is None:
                    request = session.post(f"{self._crm}/api/v1/cases", data=data, headers=headers)
                else:
                    headers["If-Match"] = etag
                    request = session.patch(f"{self._crm}/api/v1/cases/{key}", data=data, headers=headers)
                async with request as answer:
                    etag = (await answer.json())["etag"]
                self._done.append((seq, key, etag))
            busy -= 1
            self._answered.set()

        connector = aiohttp.TCPConnector(limit=self._in_flight)
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                if busy < self._in_flight or self._done:
                    lanes.extend(self._tick(64 if len(lanes) < 64 else 0))
                while lanes and busy < self._in_flight:
                    busy += 1
                    sending = asyncio.ensure_future(send(session, lanes.popleft()))
                    self._sending.add(sending)
                    sending.add_done_callback(self._sending.discard)
                if not lanes or busy >= self._in_flight:
                    self._answered.clear()
                    await self._answered.wait()
                    if busy:
                        await asyncio.sleep(0.004)

    def _tick(self, room: int) -> list[list[Any]]:
        done, self._done = self._done, []
        now = int(time.time() * 1000)
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "UPDATE deliveries SET state = 1, done_at = ? WHERE seq = ?", [(now, seq) for seq, _, _ in done]
        )
        self._database.executemany(
            "UPDATE cases SET pending = pending - 1, owner = NULL, doubt = 0, etag = ? WHERE key = ?",
            [(etag, key) for _, key, etag in done],
        )
        claimed = self._database.execute(
            """UPDATE cases SET owner = 'me', fence = fence + 1, until = ?, doubt = 1 WHERE key IN
            (SELECT key FROM cases WHERE pending > 0 AND owner IS NULL ORDER BY ready_seq LIMIT ?)
            RETURNING key, etag""",
            (now + 30_000, room),
        ).fetchall()
        lanes = [
            [key, etag, self._database.execute(
                """SELECT d.seq, e.body FROM deliveries d JOIN events e ON e.seq = d.seq
                WHERE d.case_key = ? AND d.state = 0 ORDER BY d.seq LIMIT 1""", (key,)).fetchall()]
            for key, etag in claimed
        ]  # fmt: skip
        self._database.execute("COMMIT")
        return lanes


async def _run(path: Path, crm: str | None, in_flight: int) -> None:
    bare = Bare(path, crm, in_flight)
    server, port = await serve(bare.answer)
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    async with server:
        await asyncio.gather(server.serve_forever(), bare.accept(), bare.deliver())


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--crm")
    parser.add_argument("--in-flight", type=int, default=16)
    arguments = parser.parse_args()
    uvloop.run(_run(arguments.database, arguments.crm, arguments.in_flight))


if __name__ == "__main__":
    main()
