"""A CRM that costs next to nothing: takes what the intake contract allows, answers after a set time, counts."""

import argparse
import asyncio
import json
import time
from typing import Any

import uvloop

from bench.http import serve


class LeanCrm:
    """Keeps the newest version of each case, and when a reference first came."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._ids: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self.seen_at: dict[str, float] = {}
        self.changes = 0
        self.requests = 0
        self.doubled = 0
        self.out_of_order = 0

    async def answer(self, method: str, path: str, body: bytes, _headers: dict[str, str]) -> tuple[int, bytes]:
        if path == "/_count":
            counts = {
                "changes": self.changes, "requests": self.requests, "cases": len(self._ids),
                "doubled": self.doubled, "out_of_order": self.out_of_order,
            }  # fmt: skip
            return 200, json.dumps(counts).encode()
        if path.startswith("/_seen/"):
            return 200, json.dumps(self.seen_at.get(path.removeprefix("/_seen/"))).encode()
        self.requests += 1
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        document = json.loads(body) if body else {}
        if path.endswith("/whoami"):
            return 200, b'{"name":"bench","rights":["read","write"],"caseTypes":[],"statuses":[],"limits":{}}'
        if path.endswith("/batch"):
            outcomes = [self._item(index, item) for index, item in enumerate(document["items"])]
            return 200, json.dumps({"outcomes": outcomes}).encode()
        if method == "GET":
            return 200, b'{"items":[]}'
        if method == "POST":
            return 201, json.dumps(self._create(document)).encode()
        return 200, json.dumps(self._update(path.rsplit("/", 1)[1], document)).encode()

    def _item(self, index: int, item: dict[str, Any]) -> dict[str, Any]:
        created = item["operation"] == "create"
        receipt = self._create(item["case"]) if created else self._update(item["id"], item["case"])
        return {"index": index, "status": 201 if created else 200, **receipt}

    def _create(self, case: dict[str, Any]) -> dict[str, Any]:
        reference = case["reference"]
        self.doubled += reference in self._ids
        self._ids[reference] = reference
        self.seen_at.setdefault(reference, time.time())
        return self._taken(reference, case)

    def _update(self, case_id: str, case: dict[str, Any]) -> dict[str, Any]:
        self.out_of_order += case["version"] <= self._versions.get(case_id, 0)
        return self._taken(case_id, case)

    def _taken(self, case_id: str, case: dict[str, Any]) -> dict[str, Any]:
        self.changes += 1
        self._versions[case_id] = case["version"]
        stored = [{"key": one["key"], "outcome": "stored"} for one in case.get("notes", ())]
        files = [{"key": one["key"], "outcome": "stored"} for one in case.get("attachments", ())]
        return {
            "id": case_id,
            "reference": case_id,
            "version": case["version"],
            "etag": f'"{case["version"]}"',
            "link": f"http://127.0.0.1/cases/{case_id}",
            "notes": stored,
            "attachments": files,
        }


async def _run(port: int, delay_ms: float) -> None:
    crm = LeanCrm(delay_ms / 1000)
    server, bound = await serve(crm.answer, port)
    print(f"listening on http://127.0.0.1:{bound}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=5)
    arguments = parser.parse_args()
    uvloop.run(_run(arguments.port, arguments.delay_ms))


if __name__ == "__main__":
    main()
