"""A small upstream that can be read by sweeps, a ledger whose clock the test moves, and runners over both."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from connectors.kit.ports import Fingerprint, Health, Keep, Observation, Page, Poll, SecondLook, StoredEvent, Webhook
from relais.ledger.database import Database, LedgerAwayError, Transaction, open_database
from relais.ledger.ledger import ledger_over
from relais.runtime.polling import PollRunner
from relais.runtime.second_look import Belief
from relais.telemetry.events import Happening
from schemas.case import CaseEvent
from tests.contract.ledger_world import CLOCK, DIGEST_KEY, World, masked, prepare

SOURCE: Final = "fixmystreet"
DOOR: Final = "incidents"
NAME: Final = f"{SOURCE}/sweep"
LEASE: Final = timedelta(seconds=60)
_T = TypeVar("_T")
_H = TypeVar("_H", bound=Happening)


async def for_ever(_seconds: float) -> None:
    """A sleep that no test waits for."""
    await asyncio.Event().wait()


async def nothing(_about: Any) -> None:
    """Nothing happens."""


@dataclass
class Upstream:
    """A system that lists what it holds, and shows each thing by its id, until a test says otherwise.

    ``unlisted`` things can be looked at only, ``settled`` ones may leave the listing. ``before_page`` and
    ``before_look`` are called with what is asked, and may raise or never return.
    """

    things: dict[str, str] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    pages_asked: list[int] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    before_page: Callable[[int], Awaitable[None]] = nothing
    before_look: Callable[[Sequence[str]], Awaitable[None]] = nothing

    def holds(self, *external_ids: str) -> None:
        """Let these be there, all open."""
        self.things |= dict.fromkeys(external_ids, "open")

    def loses(self, *external_ids: str) -> None:
        """Let these be gone."""
        for external_id in external_ids:
            del self.things[external_id]

    def shown(self, external_id: str) -> Observation:
        """A thing as it stands."""
        content = self.things[external_id]
        body = json.dumps({"id": external_id, "state": content}).encode()
        return Observation(external_id, f"{SOURCE}:{external_id}", body, content, external_id in self.settled)


@dataclass
class SweepingPoll:
    """Reads an upstream two things a page; its cursor is the sweep's number and the page that was kept last."""

    upstream: Upstream
    every: timedelta = timedelta(hours=1)
    name: str = "sweep"
    door: str = DOOR

    async def run(self, cursor: Mapping[str, Any] | None, keep: Keep) -> None:
        sweep, page = 1, 0
        if cursor is not None:
            unfinished = not cursor["complete"]
            sweep, page = (cursor["sweep"], cursor["page"] + 1) if unfinished else (cursor["sweep"] + 1, 0)
        last = False
        while not last:
            self.upstream.pages_asked.append(page)
            await self.upstream.before_page(page)
            listed = sorted(set(self.upstream.things) - self.upstream.unlisted)
            last = len(listed) <= (page + 1) * 2
            observations = [self.upstream.shown(one) for one in listed[page * 2 : page * 2 + 2]]
            position = {"sweep": sweep, "page": page, "complete": last}
            await keep(Page(observations, position, sweep=sweep, sweep_complete=last))
            page += 1

    async def look_again(self, external_ids: Sequence[str]) -> SecondLook:
        self.upstream.looked_at += external_ids
        await self.upstream.before_look(external_ids)
        there = [one for one in external_ids if one in self.upstream.things]
        return SecondLook(
            [self.upstream.shown(one) for one in there], [one for one in external_ids if one not in there]
        )

    def gone(self, external_id: str, last_body: bytes | None) -> Observation:
        last = json.loads(last_body)["state"] if last_body else None
        body = json.dumps({"id": external_id, "gone": True, "last": last}).encode()
        return Observation(external_id, f"{SOURCE}:{external_id}", body, "gone", settled=True)

    def recorded(self, document: Any) -> Observation | None:
        raise AssertionError("a poll asks nothing of this")


@dataclass(frozen=True)
class OneSource:
    """A source with polls and nothing else."""

    polls: Sequence[Poll]
    name: str = SOURCE
    precedence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    webhooks: Sequence[Webhook] = ()

    def translate(self, event: StoredEvent, fingerprint: Fingerprint) -> CaseEvent:
        raise AssertionError("a poll asks nothing of this")

    def learn(self, catalogue: str) -> None:
        raise AssertionError("a poll asks nothing of this")

    async def check(self) -> Health:
        raise AssertionError("a poll asks nothing of this")


class FragileDatabase:
    """A database that is away while ``away`` says so; asked once before each transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.now = database.now
        self.away: Callable[[], bool] = lambda: False

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        self._look()
        return self._database.reading()

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        self._look()
        return self._database.writing()

    async def run_sync(self, action: Callable[[Connection], _T]) -> _T:
        return await self._database.run_sync(action)

    async def close(self) -> None:
        await self._database.close()

    def _look(self) -> None:
        if self.away():
            raise LedgerAwayError("the test took it away")


@dataclass
class Street:
    """Everything a test of the poll path acts in."""

    world: World
    database: FragileDatabase
    upstream: Upstream = field(default_factory=Upstream)
    told: list[Happening] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    seconds: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def runner(self, owner: str = "poller", *, poll: Poll | None = None, **changed: Any) -> PollRunner:
        """A runner of the sweep."""
        poll = poll or SweepingPoll(self.upstream)
        arguments: dict[str, Any] = {
            "ledger": self.world.ledger,
            "source": OneSource((poll,)),
            "poll": poll,
            "emit": self.told.append,
            "owner": owner,
            "on_accepted": self.accepted.append,
            "lease": LEASE,
            "belief": Belief(share=0.5, handful=3),
            "clock": lambda: self.seconds,
            "sleep": for_ever,
        }
        return PollRunner(**(arguments | changed))

    async def run(self, owner: str = "poller", **changed: Any) -> timedelta:
        """One look of a runner that has just started; how long it would wait."""
        return await self.runner(owner, **changed).once(self.stop)

    async def sweep(self, **changed: Any) -> None:
        """The next run in the rhythm."""
        await self.world.sql("UPDATE polls SET next_at = 0")
        await self.run(**changed)

    def tellings(self, kind: type[_H]) -> list[_H]:
        """What was told of this kind, in order."""
        return [one for one in self.told if isinstance(one, kind)]

    async def events(self) -> list[str]:
        """The ids of all events, in order."""
        return [row.event_id for row in await self.world.sql("SELECT event_id FROM events ORDER BY seq")]

    async def misses(self) -> dict[str, int]:
        """How often each thing that is not gone was missed, for those that were."""
        rows = await self.world.sql("SELECT external_id, missed FROM observations WHERE missed > 0 AND gone = 0")
        return {row.external_id: row.missed for row in rows}

    async def poll_row(self) -> Any:
        """The poll as the ledger keeps it."""
        (row,) = await self.world.sql("SELECT * FROM polls")
        return row


@asynccontextmanager
async def a_street(url: str) -> AsyncIterator[Street]:
    """An empty upstream and an empty ledger."""
    await prepare(url)
    database = FragileDatabase(open_database(url, now=CLOCK))
    try:
        yield Street(World(url, await ledger_over(database, masked=masked, digest_key=DIGEST_KEY)), database)
    finally:
        await database.close()
