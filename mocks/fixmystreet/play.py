"""Plays the script of a day against the world, in less time than a day, and tells how far it is."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from mocks.fixmystreet import changes
from mocks.fixmystreet.day import DayPlan, Step, script_of
from mocks.fixmystreet.operator import Operator
from mocks.fixmystreet.places import CITY_CRM, CITY_POSTAL_CODES
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.settings import WebhookTarget
from mocks.fixmystreet.webhooks import WebhookSender
from mocks.fixmystreet.world import World

OPERATORS_AT_WORK = 16
TRANSFERS_AT_MOST = 4

OpenClient = Callable[[], httpx.AsyncClient]


@dataclass(frozen=True)
class Pace:
    """How fast the day goes by, and what the manager does with a report that came back."""

    seconds: float = 60.0
    again_share: float = 0.8
    again_after_seconds: float = 0.5


@dataclass
class Progress:
    """Counts so far; `skipped` are planned changes that a report no longer allowed, because the city had closed it."""

    reports: int = 0
    changes: int = 0
    skipped: int = 0
    webhooks_sent: int = 0
    webhooks_ok: int = 0
    given_back: int = 0
    transferred_again: int = 0
    repeated: int = 0
    done: bool = False
    error: str | None = None


class Play:
    """One day being played; steps keep their order for each report while the city is slow to answer."""

    def __init__(
        self, world: World, plan: DayPlan, pace: Pace, target: WebhookTarget | None, open_client: OpenClient
    ) -> None:
        self._world = world
        self._plan = plan
        self._pace = pace
        self._target = target
        self._open_client = open_client
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work = asyncio.Semaphore(OPERATORS_AT_WORK)
        self.progress = Progress()

    def as_json(self) -> dict[str, Any]:
        """The progress, with what was planned."""
        planned = {"planned_reports": self._plan.reports, "planned_changes": self._plan.changes}
        return asdict(self.progress) | planned | {"seed": self._plan.seed, "day": self._plan.day.isoformat()}

    async def run(self) -> None:
        """Play to the end; whatever goes wrong in the stand-in itself is told in the progress."""
        try:
            async with self._open_client() as client:
                try:
                    await self._played(Operator(self._world, WebhookSender(self._world, client), self._target))
                finally:
                    await self._stop()
        except asyncio.CancelledError:
            self.progress.error = "stopped"
            raise
        except Exception as error:
            self.progress.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.progress.done = True

    async def _stop(self) -> None:
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def _played(self, operator: Operator) -> None:
        world = self._world
        script = script_of(self._plan, world.tree, world.reserve_ids(self._plan.reports))
        if not script:
            return
        world.simulated, world.latest = True, script[0].at
        first, length = script[0].at, max((script[-1].at - script[0].at).total_seconds(), 1.0)
        started = time.monotonic()
        for step in script:
            due = started + (step.at - first).total_seconds() / length * self._pace.seconds
            await asyncio.sleep(max(due - time.monotonic(), 0))
            self._happens(step, operator)
        while self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def _happens(self, step: Step, operator: Operator) -> None:
        waiting = [self._busy[report] for report in step.touches if report in self._busy]
        if step.made is not None or not (waiting or self._pushes(step)):
            self._apply(step)
            if not self._pushes(step):
                return
        self._start(self._in_turn(step, waiting, operator), step.touches)

    def _start(self, work: Coroutine[Any, Any, None], touches: tuple[int, ...]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        for report in touches:
            self._busy[report] = task

        def finished(ended: asyncio.Task[None]) -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and (error := ended.exception()) is not None:
                self.progress.error = f"{type(error).__name__}: {error}"
            for report in touches:
                if self._busy.get(report) is ended:
                    del self._busy[report]

        task.add_done_callback(finished)

    def _pushes(self, step: Step) -> bool:
        if step.made is not None:
            return step.made.department == CITY_CRM and self._target is not None
        return step.kind in {"transfer", "assign"}

    def _apply(self, step: Step) -> None:
        world = self._world
        if step.made is not None:
            world.add(step.made)
            self.progress.reports += 1
            return
        try:
            changes.apply(world, world.reports[step.report], step.kind, step.at, step.details)
        except changes.NotAllowedError:
            self.progress.skipped += 1
        else:
            self.progress.changes += 1

    async def _in_turn(self, step: Step, waiting: list[asyncio.Task[None]], operator: Operator) -> None:
        if waiting:
            await asyncio.wait(waiting)
        if not self._pushes(step):
            self._apply(step)
            return
        async with self._at_work:
            if step.made is not None:
                entries = await operator.announce(step.made, repeat=step.repeat)
                self._count(entries, step.made, operator, attempt=1)
                return
            report = self._world.reports[step.report]
            act = operator.transfer if step.kind == "transfer" else operator.assign
            try:
                entries = await act(report, step.at, repeat=step.repeat)
            except changes.NotAllowedError:
                self.progress.skipped += 1
                return
            self.progress.changes += 1
            self._count(entries, report, operator, attempt=1 if step.kind == "transfer" else TRANSFERS_AT_MOST)

    def _count(self, entries: list[dict[str, Any]], report: Report, operator: Operator, *, attempt: int) -> None:
        progress = self.progress
        progress.webhooks_sent += len(entries)
        progress.webhooks_ok += sum(entry["ok"] for entry in entries)
        progress.repeated += sum(entry["repeat_of"] is not None for entry in entries)
        if not entries or entries[0]["ok"]:
            return
        progress.given_back += 1
        dice = random.Random(f"again {self._plan.seed} {report.id} {attempt}")
        if attempt < TRANSFERS_AT_MOST and dice.random() < self._pace.again_share:
            self._start(self._noticed(report, operator, attempt + 1), ())

    async def _noticed(self, report: Report, operator: Operator, attempt: int) -> None:
        """A manager sees it back on the list and transfers it once more: a new request, not a retry of the old one."""
        await asyncio.sleep(self._pace.again_after_seconds)
        before = self._busy.get(report.id)
        self._start(self._again(report, operator, attempt, before), (report.id,))

    async def _again(self, report: Report, operator: Operator, attempt: int, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._at_work:
            held = report.department == CITY_CRM or report.postal_code not in CITY_POSTAL_CODES
            if held or not changes.allowed(report, "transfer"):
                return
            entries = await operator.transfer(report, self._world.moment())
            self.progress.transferred_again += 1
            self._count(entries, report, operator, attempt=attempt)
