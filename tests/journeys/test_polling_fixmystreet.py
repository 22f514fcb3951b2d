"""The poll path over a socket: the stand-in of Fix My Street, its connector, the runners and a ledger that keeps."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import httpx
import pytest

from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.fixmystreet.source import FixMyStreet, open_source
from connectors.kit.http import fast_transport
from mocks.fixmystreet.app import stand_in
from mocks.fixmystreet.doors import GATEWAY_BASE, SITE_BASE
from mocks.fixmystreet.settings import Settings
from mocks.fixmystreet.world import World
from mocks.serving import served
from relais.runtime.polling import PollRunner
from relais.telemetry.events import Happening, PollCompleted, PollFailed, SweepDoubted, ThingsGone
from tests.contract.ledger_world import World as LedgerWorld
from tests.contract.ledger_world import a_world

NOW: Final = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
SINCE: Final = date(2026, 2, 20)
CODES: Final = ("1000", "1020", "1120", "1130")
Access = Literal["gateway", "site"]
_H = TypeVar("_H", bound=Happening)


async def nothing(_request: httpx.Request) -> None:
    """Nothing happens on the way."""


class WatchedTransport(httpx.AsyncBaseTransport):
    """The fast transport, with something that happens before each request."""

    def __init__(self, journey: "Journey") -> None:
        self._journey = journey
        self._inner = fast_transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._journey.asked.append(str(request.url.raw_path, "ascii"))
        await self._journey.on_the_way(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Journey:
    """The street with a test at both ends; ``truth`` is what must be in the ledger, as the test has counted it."""

    ledger: LedgerWorld
    control: httpx.AsyncClient
    asked: list[str] = field(default_factory=list)
    on_the_way: Callable[[httpx.Request], Awaitable[None]] = nothing
    told: list[Happening] = field(default_factory=list)
    seen: dict[int, list[str]] = field(default_factory=dict)
    misses: Counter[int] = field(default_factory=Counter)
    source: FixMyStreet | None = None

    async def change(self, incident: int | None = None, *kinds: str, **details: Any) -> int:
        """Make a report, or let something happen to one; its number."""
        body: dict[str, Any] = dict(details) if incident is None else {"id": incident}
        if incident is not None:
            body["changes"] = [{"kind": kind, **details} for kind in kinds]
        answer = await self.control.post("/_control/incidents", json=body)
        assert answer.status_code == 200, answer.text
        number: int = answer.json()["id"]
        return number

    async def turn(self, name: str, body: Any) -> None:
        """Turn one of the stand-in's switches."""
        answer = await self.control.post(f"/_control/{name}", json=body)
        assert answer.status_code == 200, answer.text

    async def ours(self) -> list[dict[str, Any]]:
        """The truth about every report of our municipalities since the day that counts."""
        truth = (await self.control.get("/_oracle")).json()
        return [
            incident
            for incident in truth["incidents"]
            if incident["final"]["postal_code"] in CODES
            and datetime.fromisoformat(incident["created_at"]).date() >= SINCE
        ]

    async def listed(self) -> list[int]:
        """The numbers of what a reader of the listings should find."""
        return [one["id"] for one in await self.ours() if one["final"]["visibility"] == "listed"]

    def runner(self, poll: str, owner: str = "poller") -> PollRunner:
        """A runner of one poll, just started."""
        assert self.source is not None
        (chosen,) = [one for one in self.source.polls if one.name == poll]
        return PollRunner(
            ledger=self.ledger.ledger,
            source=self.source,
            poll=chosen,
            emit=self.told.append,
            owner=owner,
            on_accepted=lambda many: None,
        )

    async def poll(self, *names: str, owner: str = "poller") -> None:
        """Let these polls run now, whatever their rhythm."""
        for name in names:
            await self.ledger.sql("UPDATE polls SET next_at = 0")
            await self.runner(name, owner).once(asyncio.Event())

    async def sweep_and_count(self) -> None:
        """Both polls run; then every report is in the ledger as often as it differed, and so is its farewell."""
        for incident in await self.ours():
            number, shown = incident["id"], json.dumps(incident["public"], sort_keys=True)
            states = self.seen.setdefault(number, [])
            visibility = incident["final"]["visibility"]
            if visibility == "none":
                self.misses[number] += bool(states) and states[-1] != "gone"
                if self.misses[number] == 2:
                    states.append("gone")
                    self.misses[number] = 0
            elif visibility == "listed" or states:
                self.misses[number] = 0
                if states[-1:] != [shown]:
                    states.append(shown)
        await self.poll("recent", "sweep")
        assert await self.counted() == {number: len(states) for number, states in self.seen.items() if states}

    async def counted(self) -> dict[int, int]:
        """How many events each report has in the ledger."""
        rows = await self.ledger.sql("SELECT event_id FROM events")
        return dict(Counter(int(row.event_id.split(":")[1]) for row in rows))

    def tellings(self, kind: type[_H]) -> list[_H]:
        """What was told of this kind, in order."""
        return [one for one in self.told if isinstance(one, kind)]


@asynccontextmanager
async def a_journey(
    tmp_path: Path, *, access: Access = "site", backlog: int = 0, **changed: Any
) -> AsyncIterator[Journey]:
    settings = Settings(backlog=backlog, day=NOW.date())
    app = stand_in(settings, world=World(settings, lambda: NOW))
    async with (
        a_world(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger,
        served(app) as address,
        httpx.AsyncClient(base_url=address) as control,
    ):
        journey = Journey(ledger, control)
        chosen = FixMyStreetSettings.model_validate(
            {
                "access": access,
                "base_url": address + (GATEWAY_BASE if access == "gateway" else SITE_BASE),
                "token_url": f"{address}/gateway/api/token",
                "consumer_key": settings.consumer_key,
                "consumer_secret": settings.consumer_secret,
                "webhook_signature_key": "unused",
                "since": SINCE,
                "municipalities": CODES,
                "page_size": 3,
                "rate_per_second": 1000,
            }
            | changed
        )
        async with open_source(chosen, lambda: WatchedTransport(journey), lambda: NOW) as source:
            journey.source = source
            yield journey


@pytest.mark.parametrize(("access", "no_coordinates"), [("gateway", "null numbers"), ("site", "absent")])
async def test_every_report_of_ours_is_kept_as_often_as_it_differed(
    tmp_path: Path, access: Access, no_coordinates: str
) -> None:
    async with a_journey(tmp_path, access=access, backlog=40, page_size=5) as journey:
        await journey.turn(
            "shape", {"no_coordinates_every": 5, "no_coordinates_as": no_coordinates, "unknown_field": True}
        )
        older, merged, deleted, hidden, refused, closed, moved = [
            await journey.change(postal_code=code) for code in (*CODES, "1000", "1000", "1020")
        ]
        await journey.change(postal_code="1190")
        await journey.sweep_and_count()
        assert len(await journey.counted()) > 20

        fresh = await journey.change(postal_code="1020", point=None)
        await journey.change(merged, "merge", into=older)
        await journey.change(deleted, "delete")
        await journey.change(hidden, "hide")
        await journey.change(refused, "refuse")
        await journey.change(moved, "recategorise", category=3026)
        await journey.sweep_and_count()

        assert (await journey.control.delete("/_control/tokens")).status_code == 200
        await journey.turn("shape", {"updated_name_in_list": "updateDate"})
        for kind in ("accept", "close"):
            await journey.change(closed, kind)
        await journey.change(fresh, "duplicate")
        await journey.sweep_and_count()
        assert journey.tellings(ThingsGone) == [ThingsGone("fixmystreet", 2)], "two complete sweeps have missed both"

        await journey.change(hidden, "show")
        await journey.change(moved, "correct address", number="99")
        await journey.sweep_and_count()

        counted = await journey.counted()
        expected = {older: 2, merged: 2, deleted: 2, hidden: 3, refused: 2, closed: 2, moved: 3, fresh: 2}
        assert {number: counted[number] for number in expected} == expected
        await journey.sweep_and_count()
        assert await journey.counted() == counted, "nothing happened, so nothing is new"
        assert not journey.tellings(PollFailed)


async def test_reports_of_the_same_second_that_arrive_while_pages_are_read_are_all_kept_once(tmp_path: Path) -> None:
    async with a_journey(tmp_path) as journey:
        second = "2026-03-10T12:00:00+01:00"
        for _ in range(7):
            await journey.change(postal_code="1000", created_at=second)
        arriving = 5

        async def another_one(request: httpx.Request) -> None:
            nonlocal arriving
            if arriving and request.url.params.get("page", "0") != "0":
                arriving -= 1
                await journey.change(postal_code="1000", created_at=second)

        journey.on_the_way = another_one
        await journey.poll("recent")
        await journey.poll("recent")

        assert arriving == 0
        assert await journey.counted() == dict.fromkeys(await journey.listed(), 1)
        assert len(await journey.listed()) == 12


async def test_what_leaves_the_listing_while_pages_are_read_hides_nobody(tmp_path: Path) -> None:
    async with a_journey(tmp_path) as journey:
        newest = [await journey.change(postal_code="1000") for _ in range(9)][-1]

        async def the_newest_leaves(request: httpx.Request) -> None:
            if request.url.params.get("page") == "1":
                journey.on_the_way = nothing
                await journey.change(newest, "delete")

        journey.on_the_way = the_newest_leaves
        await journey.poll("sweep")
        await journey.poll("recent")

        assert set(await journey.counted()) >= set(await journey.listed())


async def test_a_process_killed_between_two_pages_leaves_nothing_out_and_repeats_nothing(tmp_path: Path) -> None:
    async with a_journey(tmp_path) as journey:
        for _ in range(10):
            await journey.change(postal_code="1000", created_at="2026-03-01T12:00:00+01:00")
        reached = asyncio.Event()

        async def never_answered(request: httpx.Request) -> None:
            if request.url.params.get("page") == "2":
                reached.set()
                await asyncio.Event().wait()

        journey.on_the_way = never_answered
        running = asyncio.create_task(journey.runner("sweep", "first").once(asyncio.Event()))
        await reached.wait()
        running.cancel()
        await asyncio.wait([running])
        assert len(await journey.counted()) == 6
        journey.on_the_way = nothing
        journey.asked.clear()

        await journey.poll("sweep", owner="second")
        assert journey.asked == [], "the dead owner's lease still runs"
        await journey.ledger.forward(61_000)
        await journey.poll("sweep", owner="second")

        assert await journey.counted() == dict.fromkeys(await journey.listed(), 1)
        assert len(await journey.listed()) == 10
        assert "startDate=2026-02-20" not in journey.asked[0], "it goes on where the page was kept last"


async def test_a_token_that_runs_out_between_two_pages_is_renewed(tmp_path: Path) -> None:
    async with a_journey(tmp_path, access="gateway") as journey:
        for _ in range(8):
            await journey.change(postal_code="1120")

        async def revoked(request: httpx.Request) -> None:
            if request.url.params.get("page") == "1":
                journey.on_the_way = nothing
                await journey.control.delete("/_control/tokens")

        journey.on_the_way = revoked
        await journey.poll("sweep")

        assert not journey.tellings(PollFailed)
        assert await journey.counted() == dict.fromkeys(await journey.listed(), 1)
        assert journey.asked.count("/gateway/api/token") == 2


async def test_a_busy_upstream_is_left_alone_for_as_long_as_it_asks(tmp_path: Path) -> None:
    async with a_journey(tmp_path) as journey:
        await journey.change(postal_code="1130")
        fault = {"kind": "busy", "operation": "site.incidents", "after": 2, "count": 1, "retry_after": 300}
        assert (await journey.control.post("/_control/faults", json=[fault])).is_success
        runner = journey.runner("sweep")
        await runner.once(asyncio.Event())
        (failed,) = journey.tellings(PollFailed)
        assert failed.code == "http_429"
        journey.asked.clear()

        await journey.ledger.forward(299_999)
        await runner.once(asyncio.Event())
        assert journey.asked == []

        await journey.ledger.forward(76_000)
        await runner.once(asyncio.Event())
        assert len(journey.tellings(PollCompleted)) == 1
        assert await journey.counted() == dict.fromkeys(await journey.listed(), 1)


@pytest.mark.parametrize("kind", ["reset", "lost_answer", "gibberish", "server_error", "unavailable"])
async def test_whatever_breaks_a_run_off_the_next_one_makes_it_whole(tmp_path: Path, kind: str) -> None:
    async with a_journey(tmp_path) as journey:
        for _ in range(8):
            await journey.change(postal_code="1000")
        fault = {"kind": kind, "operation": "site.incidents", "after": 4, "count": 2, "retry_after": 1}
        assert (await journey.control.post("/_control/faults", json=[fault])).is_success

        await journey.poll("recent", "recent", "recent", "sweep")

        # the transport itself asks once more where a connection that it kept open is dropped
        assert 1 <= len(journey.tellings(PollFailed)) <= 2
        assert await journey.counted() == dict.fromkeys(await journey.listed(), 1)


async def test_an_upstream_that_lost_its_memory_makes_nothing_gone(tmp_path: Path) -> None:
    async with a_journey(tmp_path, backlog=40, page_size=200) as journey:
        await journey.poll("sweep")
        before = await journey.counted()
        await journey.turn("reset", {"backlog": 0})
        await journey.poll("sweep", "sweep")

        assert len(before) > 10
        assert await journey.counted() == before
        assert len(journey.tellings(SweepDoubted)) == 2
        assert not journey.tellings(ThingsGone)
