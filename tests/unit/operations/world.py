"""A ledger with a hand that delivers for it, and files of fixtures."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.kit.errors import ConnectorError
from connectors.kit.ports import CaseChange, Delivered, Remote, Source
from relais.delivery.lane import Lane
from relais.ledger.ports import Release
from schemas.decision import Decision
from tests.builders import a_decision
from tests.contract.ledger_world import World, a_world
from tests.doubles.scripted import ScriptedSource

SCRIPTED: Mapping[str, Source] = {"scripted": ScriptedSource()}
ACTOR = "somebody@desk"


@asynccontextmanager
async def a_desk(url: str) -> AsyncIterator["Desk"]:
    """An empty ledger in an empty database."""
    async with a_world(url) as world:
        yield Desk(world)


class Desk:
    """A ledger, and the moves of a delivery worker one by one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = world.ledger

    async def deliver(
        self,
        failure: ConnectorError | None = None,
        *,
        out_of_patience: bool = False,
        sources: Mapping[str, Source] = SCRIPTED,
    ) -> CaseChange | None:
        """Claim the only ready case, send its first change, take in its arrival or a failure, let go.

        Gives the change that was sent; None where nothing was to be sent.
        """
        claimed = await self.world.claim_one()
        lane = Lane(claimed, sources, to_the_crm, self.ledger.acceptance.fingerprint)
        lane.sink_to_ask()
        change = lane.advance()
        if change is not None and failure is not None:
            lane.failed(failure, out_of_patience=out_of_patience)
        elif change is not None:
            there = Remote(f"id-{lane.reference}", etag="1", link="https://crm.example/1")
            lane.delivered(Delivered(there))
        done, standing = lane.take_report()
        failed = failure is not None and not done
        release = Release(
            wait_ms=60_000 if failed else 0, doubt=lane.doubt, failed=failed, error="busy" if failed else None
        )
        assert await self.world.report(claimed, done, standing=standing, release=release)
        return change

    async def audited(self) -> list[tuple[str, str, str, str | None]]:
        """The audit trail: actor, action, subject, detail."""
        rows = await self.world.sql("SELECT actor, action, subject, detail FROM audit ORDER BY id")
        assert await self.ledger.audit.first_broken() is None
        return [tuple(row) for row in rows]


def to_the_crm(*_asked: object) -> Decision:
    """The same decision for everything."""
    return a_decision(destination="crm")


def a_push(number: int = 1, *, modified_at: str = "2026-05-04T10:11:12", **report: Any) -> dict[str, Any]:
    """What Fix My Street pushes about a report, as a fixture; its creator is a person."""
    return {
        "source": "fixmystreet",
        "door": "webhook",
        "received_at": "2026-05-04T08:15:00+00:00",
        "body": {
            "meta": {"now": modified_at, "resource": "report", "hook": "transfer", "action": "request"},
            "data": {
                "report": {
                    "id": number,
                    "createdAt": "2026-05-04T10:09:41",
                    "modifiedAt": modified_at,
                    "creator": {"firstName": "Lucie", "lastName": "Vanhamme", "email": "lucie@mail.example"},
                }
                | report
            },
        },
    }


def a_sighting(number: int = 1, *, status: str = "CREATED", **changed: Any) -> dict[str, Any]:
    """What a poll of Fix My Street reads of a report, as a fixture."""
    body = {"id": number, "status": status, "creationDate": "2026-05-04T10:09:41", "category": {"id": 3407}}
    return {"source": "fixmystreet", "door": "incidents", "body": body} | changed


def written(file: Path, *fixtures: object) -> Path:
    """A file that holds fixtures: one a line in ``.jsonl``, else one by itself or a list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jsonl":
        file.write_text("".join(f"{json.dumps(fixture)}\n" for fixture in fixtures), "utf-8")
    else:
        file.write_text(json.dumps(fixtures[0] if len(fixtures) == 1 else list(fixtures)), "utf-8")
    return file
