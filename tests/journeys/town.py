"""Real processes: Relais in its roles and CRM-CMT's stand-in, with senders whose every answer is remembered."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from tests.broker.waiting import eventually
from tests.services.process import end_child, start_child
from tests.unit.environment import ROOT
from tests.unit.runtime.webhook_world import KEY, PATH, TOKEN, a_push, encoded, headers_for

CRM_TOKEN: Final = "crm-token"
_BEGAN: Final = datetime(2026, 5, 4, 10, 0)  # noqa: DTZ001  # Fix My Street writes local times
_LISTENING: Final = "listening on "


class Program:
    """A process that says where it listens."""

    def __init__(self, log: Path, *command: str, **environment: str) -> None:
        self._log = log
        self._command = (sys.executable, "-m", *command)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RELAIS_")}
        self._environment = kept | {"PYTHONPATH": str(ROOT)} | environment
        self._from = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.address = ""

    def begin(self) -> None:
        """Start it, and do not wait."""
        self._from = self._log.stat().st_size if self._log.exists() else 0
        self.child = start_child(self._command, log=self._log, environment=self._environment)

    async def start(self) -> "Program":
        """Start it, and return once it says its address."""
        self.begin()
        await eventually(self.has_said, seconds=60)
        return self

    def has_said(self) -> bool:
        """Whether it has said its address."""
        assert self.child is not None
        assert self.child.poll() is None, self.said()
        for line in self.said().splitlines(keepends=True):
            if line.startswith(_LISTENING) and line.endswith("\n"):
                self.address = line.removeprefix(_LISTENING).strip()
        return bool(self.address)

    def said(self) -> str:
        """What it wrote since it was started last."""
        return self._log.read_bytes()[self._from :].decode("utf-8", "replace") if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.child is not None
        self.child.send_signal(number)

    async def ended(self, *, within_seconds: float = 20) -> int:
        """Its exit code; it must end in time."""
        child = self.child
        assert child is not None
        await eventually(lambda: child.poll() is not None, seconds=within_seconds)
        return child.wait()

    def end(self) -> None:
        """End it, however."""
        if self.child is not None:
            end_child(self.child, end_with=signal.SIGKILL)


@dataclass
class Reports:
    """What senders pushed about reports, one sender a report, and what they were told. Notes are numbered."""

    accepted: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    perhaps: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: list[httpx.Response] = field(default_factory=list)
    pushed: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def many(self) -> int:
        """How many pushes were answered with 200."""
        return sum(map(len, self.accepted.values()))

    async def push(self, client: httpx.AsyncClient, address: str, report: int) -> httpx.Response | None:
        """The next push about a report; None where no answer came."""
        self.pushed[report] += 1
        number = self.pushed[report]
        at = (_BEGAN + timedelta(hours=number)).isoformat()
        note = {"createdAt": at, "name": "Somebody", "text": f"note {number}"}
        body = encoded(a_push(report, modified_at=at, createdAt=_BEGAN.isoformat(), comments=[note]))
        try:
            answer = await client.post(f"{address}{PATH}", content=body, headers=headers_for(body))
        except httpx.TransportError:
            self.perhaps[report].append(number)
            return None
        if answer.status_code == 200:
            self.accepted[report].append(number)
        else:
            self.perhaps[report].append(number)
            self.refused.append(answer)
        return answer

    def faults_in(self, crm: Mapping[str, Any]) -> list[str]:
        """What is lost, doubled or out of order in the CRM; nothing where all is well."""
        held: dict[int, list[int]] = {}
        faults = []
        for case in crm["cases"]:
            report = int(case["reference"].removeprefix("fixmystreet-"))
            if report in held:
                faults.append(f"{report} has two cases")
            held[report] = [int(note["text"].removeprefix("note ")) for note in case["notes"]]
        for report in self.pushed:
            notes = held.pop(report, [])
            if notes != sorted(set(notes)):
                faults.append(f"{report} has notes doubled or out of order: {notes}")
            if lost := set(self.accepted[report]) - set(notes):
                faults.append(f"{report} has lost {sorted(lost)}")
            if astray := set(notes) - set(self.accepted[report]) - set(self.perhaps[report]):
                faults.append(f"{report} has {sorted(astray)}, which nobody pushed")
        return [*faults, *(f"{report} was never pushed" for report in held)]


class Town:
    """CRM-CMT, and as many processes of Relais as a test starts; :func:`a_town` makes one."""

    def __init__(self, folder: Path, crm: Program, client: httpx.AsyncClient, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.crm = crm
        self.client = client
        self.reports = Reports()
        self.environment = dict(environment)
        self.programs: list[Program] = []

    def relais(self, *arguments: str, **changed: str) -> Program:
        """A process of Relais, not started yet; it will listen on a free port unless told otherwise."""
        settings = self.environment | {f"RELAIS_{name}": value for name, value in changed.items()}
        log = self.folder / f"relais-{len(self.programs)}.log"
        program = Program(log, "relais.cli.main", "run", *arguments, **settings)
        self.programs.append(program)
        return program

    async def started(self, *arguments: str, **changed: str) -> Program:
        """A process of Relais that is ready."""
        program = await self.relais(*arguments, **changed).start()
        await self.until_ready(program)
        return program

    async def migrated(self, **changed: str) -> None:
        """Bring a ledger to its revision, as the one-shot service does."""
        settings = self.environment | {f"RELAIS_{name}": value for name, value in changed.items()}
        migrating = Program(self.folder / "migrate.log", "relais.cli.main", "migrate", **settings)
        migrating.begin()
        assert await migrating.ended(within_seconds=60) == 0, migrating.said()

    async def until_ready(self, program: Program) -> None:
        async def ready() -> bool:
            return (await self.ready(program))[0] == 200

        await eventually(ready, seconds=30)

    async def ready(self, program: Program) -> tuple[int, dict[str, Any]]:
        """What `/ready` says; 0 where nobody answers."""
        try:
            answer = await self.client.get(f"{program.address}/ready")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def held(self) -> dict[str, Any]:
        """What the CRM holds."""
        answer: dict[str, Any] = (await self.client.get(f"{self.crm.address}/_oracle")).json()
        return answer

    async def faults(self, *rules: Mapping[str, Any]) -> None:
        """What goes wrong in the CRM from now on."""
        await self.client.delete(f"{self.crm.address}/_control/faults")
        answer = await self.client.post(f"{self.crm.address}/_control/faults", json=list(rules))
        assert answer.is_success, answer.text

    async def until_all_is_delivered(self, *, seconds: float = 60) -> None:
        """Return once the CRM holds all that was accepted, once and in order."""

        async def whole() -> bool:
            found[:] = self.reports.faults_in(await self.held())
            return not found

        found: list[str] = []
        try:
            await eventually(whole, seconds=seconds)
        except AssertionError:
            raise AssertionError(f"{found[:5]} of {self.reports.many} accepted") from None

    @asynccontextmanager
    async def pushing(self, program: Program, *, senders: int = 8) -> AsyncIterator[None]:
        """Senders at work at a program for as long as the block lasts; each writes on its own reports."""
        stop = asyncio.Event()

        async def send(sender: int) -> None:
            turn = 0
            while not stop.is_set():
                report = 1 + sender * 10 + turn % 10
                turn += 1
                if await self.reports.push(self.client, program.address, report) is None:
                    await asyncio.sleep(0.02)

        working = [asyncio.create_task(send(number)) for number in range(senders)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*working)

    async def until_accepted(self, many: int) -> None:
        """Return once so many more pushes were accepted."""
        goal = self.reports.many + many
        await eventually(lambda: self.reports.many >= goal, seconds=30)


@asynccontextmanager
async def a_town(folder: Path, **settings: str) -> AsyncIterator[Town]:
    """A town whose Relais keeps everything in ``folder`` and delivers to its own CRM-CMT."""
    crm = Program(folder / "crm.log", "mocks", "crm_cmt", "--port", "0", "--token", CRM_TOKEN)
    (folder / "secrets").mkdir()
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        town: Town | None = None
        try:
            await crm.start()
            own = {
                "HTTP_PORT": "0",
                "LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
                "BROKER_STORE": str(folder / "nats"),
                "SECRETS_DIR": str(folder / "secrets"),
                "LEASE": "3",
                "FIXMYSTREET_ACCESS": "site",
                # nobody there: what is pushed does not depend on what can be read
                "FIXMYSTREET_BASE_URL": "http://127.0.0.1:1/api",
                "FIXMYSTREET_WEBHOOK_SIGNATURE_KEY": KEY,
                "FIXMYSTREET_WEBHOOK_TOKEN": TOKEN,
                "FIXMYSTREET_SINCE": "2026-01-01",
                "FIXMYSTREET_MUNICIPALITIES": "1000",
                "CRM_CMT_BASE_URL": crm.address,
                "CRM_CMT_TOKEN": CRM_TOKEN,
                "CRM_CMT_TIMEOUT_SECONDS": "1",
            } | settings
            town = Town(folder, crm, client, {f"RELAIS_{name}": value for name, value in own.items()})
            yield town
        finally:
            for program in [*(town.programs if town else []), crm]:
                program.end()


def delete_store(folder: Path) -> None:
    """Throw away everything that the embedded broker holds, under its feet."""
    shutil.rmtree(folder / "nats" / "jetstream", ignore_errors=True)
