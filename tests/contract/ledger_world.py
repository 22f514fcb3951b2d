"""A ledger under test, with a clock that the test moves and hands to act as intake, worker and poller."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text

from connectors.kit.ports import Arrival, Observation
from relais.ledger.database import Transaction, open_database
from relais.ledger.ledger import Ledger, open_ledger
from relais.ledger.migrating import migrate
from relais.ledger.polling import PollTurn
from relais.ledger.ports import ClaimedCase, Done, How, LaneReport, Receipt, Release, Standing
from relais.ledger.stories import Chapter, Story

CLOCK: Final = "(SELECT ms FROM test_clock)"
START_MS: Final = 1_700_000_000_000
LEASE_MS: Final = 30_000
SETTLES_MS: Final = 5_000
SWEEP: Final = 1
DIGEST_KEY: Final = b"a key of the tests"


def masked(body: bytes) -> bytes:
    """What the tests hide in a stored body."""
    return body.replace(b"85073003328", b"***********")


def an_arrival(event_id: str = "created:1", *, case: str | None = "1", content: str = "first", **other: Any) -> Arrival:
    """A well-formed event of case ``case``."""
    key = None if case is None else f"fixmystreet:{case}"
    return Arrival(
        source=other.get("source", "fixmystreet"),
        door=other.get("door", "webhook"),
        event_id=event_id,
        case_key=key,
        body=f'{{"said": "{content}"}}'.encode(),
        trouble=other.get("trouble"),
    )


def arrivals(case: str, *names: str) -> list[Arrival]:
    """Events of one case, in this order."""
    return [an_arrival(f"{case}:{name}", case=case, content=name) for name in names]


def an_observation(external_id: str = "1", content: str = "open", *, settled: bool = False) -> Observation:
    """A thing seen by polling."""
    body = f'{{"state": "{content}"}}'.encode()
    return Observation(external_id, f"fixmystreet:{external_id}", body, content, settled)


def sent(*events: Any) -> tuple[Done, ...]:
    """These events reached the CRM."""
    return tuple(Done(event.seq, how=How.SENT) for event in events)


def names_of(case: ClaimedCase) -> list[str]:
    """The event ids of a claimed case, in its order."""
    return [event.event.event_id for event in case.events]


@dataclass(frozen=True, slots=True)
class World:
    """What a test of the ledger acts in."""

    url: str
    ledger: Ledger

    async def forward(self, milliseconds: int) -> None:
        """Let time pass."""
        await self.sql("UPDATE test_clock SET ms = ms + :by", by=milliseconds)

    async def sql(self, statement: str, **parameters: Any) -> Sequence[Any]:
        """Run a statement behind the ledger's back; its rows, if it has any."""
        async with self.ledger.database.writing() as transaction:
            if statement.lstrip().upper().startswith("SELECT"):
                return await transaction.rows(text(statement), parameters)
            await transaction.run(text(statement), parameters)
            return ()

    @asynccontextmanager
    async def another(self) -> AsyncIterator[Ledger]:
        """The same ledger as another process would open it."""
        async with open_ledger(self.url, masked=masked, digest_key=DIGEST_KEY, now=CLOCK) as ledger:
            yield ledger

    async def accept(self, *group: Arrival) -> list[Receipt]:
        """One group at the door."""
        return await self.ledger.acceptance.accept(group)

    async def claim(self, owner: str = "worker", *, room: int = 100, lease_ms: int = LEASE_MS) -> list[ClaimedCase]:
        """Whatever may run now."""
        return list((await self.ledger.lanes.tick(owner, (), room=room, lease_ms=lease_ms)).claimed)

    async def claim_one(self, owner: str = "worker") -> ClaimedCase:
        """The only case that may run now."""
        (case,) = await self.claim(owner)
        return case

    async def report(
        self,
        case: ClaimedCase,
        done: Iterable[Done] = (),
        *,
        owner: str = "worker",
        release: Release | None = Release(),  # noqa: B008  # frozen
        standing: Standing | None = None,
    ) -> bool:
        """Write down what was done in a lane; whether the lane was still ours."""
        report = LaneReport(case.case_id, case.fence, tuple(done), standing, release)
        return case.case_id in (await self.ledger.lanes.tick(owner, (report,), room=0, lease_ms=LEASE_MS)).held

    async def deliver_all(self) -> list[str]:
        """Work off everything that may run now; the event ids in the order of delivery."""
        order: list[str] = []
        while cases := await self.claim():
            for case in cases:
                order += names_of(case)
                assert await self.report(case, sent(*case.events))
        return order

    async def story(self, case: str = "1") -> Story:
        """The story of a case that exists."""
        story = await self.ledger.stories.story(f"fixmystreet:{case}")
        assert story is not None
        return story

    async def chapter(self, event_id: str, case: str = "1") -> Chapter:
        """What became of one event."""
        (chapter,) = [one for one in (await self.story(case)).chapters if one.event_id == event_id]
        return chapter

    async def turn(self, name: str = "fixmystreet/recent", owner: str = "poller") -> PollTurn:
        """A poll whose time has come."""
        turn = await self.ledger.polls.take(name, owner, lease_ms=LEASE_MS)
        assert turn is not None
        return turn

    async def keep(
        self,
        turn: PollTurn,
        *observations: Observation,
        page: int = 1,
        sweep: int | None = None,
        catalogue: str | None = None,
    ) -> tuple[PollTurn, list[Receipt]]:
        """Commit a page of a poll."""
        return await self.ledger.polls.keep(
            turn, "fixmystreet", "incidents", observations, {"page": page}, sweep=sweep, catalogue=catalogue,
            lease_ms=LEASE_MS,
        )  # fmt: skip


async def prepare(url: str) -> None:
    """Make an empty database into a ledger with a movable clock."""
    database = open_database(url)
    try:
        await migrate(database)
        async with database.writing() as transaction:
            await _set_clock(transaction)
    finally:
        await database.close()


async def _set_clock(transaction: Transaction) -> None:
    await transaction.run(text("CREATE TABLE test_clock (ms bigint NOT NULL)"))
    await transaction.run(text("INSERT INTO test_clock (ms) VALUES (:ms)"), {"ms": START_MS})


@asynccontextmanager
async def prepared_world(url: str) -> AsyncIterator[World]:
    """A ledger in a database that ``prepare`` was given."""
    async with open_ledger(url, masked=masked, digest_key=DIGEST_KEY, now=CLOCK) as ledger:
        yield World(url, ledger)


@asynccontextmanager
async def a_world(url: str) -> AsyncIterator[World]:
    """An empty ledger in an empty database."""
    await prepare(url)
    async with prepared_world(url) as world:
        yield world
