"""The demonstration as a person starts it, and what it must survive: real processes, both doors, faults and a kill."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import httpx
import pytest

from relais.demonstration.performance import Progress, perform
from relais.demonstration.scenario import Scenario
from relais.demonstration.stage import Stage, open_stage

ROOT = Path(__file__).parents[2]
SMALL = ("--reports", "60", "--changes", "150", "--seconds", "5")
A_DAY = Scenario(reports=60, changes=150, seconds=5, seed=1, day=date(2026, 3, 10))
WITHIN_SECONDS = 150


@asynccontextmanager
async def demo(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relais.cli.main", "demo", *arguments,
        cwd=ROOT, env=os.environ | environment, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def folder_in(said: str) -> Path:
    found = re.search(r"Logs and ledger: (\S+)", said)
    assert found is not None
    return Path(found[1])


def descendants(pid: int) -> set[int]:
    """Every process below one, by what the kernel says (Linux)."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def running(pids: set[int]) -> set[int]:
    """Those that still run; one that has ended and was not fetched yet does not."""
    states = {}
    for pid in pids:
        try:
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
    return {pid for pid, state in states.items() if state != "Z"}


async def all_ended(pids: set[int]) -> None:
    async with asyncio.timeout(20):
        while running(pids):
            await asyncio.to_thread(os.sched_yield)


async def test_a_small_demonstration_ends_with_counts_that_hold() -> None:
    """Settings of the caller do not count: what is wrong or real in them is never looked at."""
    async with demo(*SMALL, "--json", RELAIS_LEDGER_URL="postgresql://nowhere/real", RELAIS_NO_SUCH="1") as process:
        async with asyncio.timeout(WITHIN_SECONDS):
            out, err = await process.communicate()

    assert process.returncode == 0, err.decode()
    *before, last = out.decode().splitlines()
    counts = json.loads(last)
    assert before == []
    assert list(counts) == [
        "accepted", "delivered", "superseded", "waiting", "in_doubt", "parked", "cases", "lost", "doubled",
        "out_of_order",
    ]  # fmt: skip
    assert counts["accepted"] == counts["delivered"] > counts["cases"] > 30
    wrong = ("waiting", "in_doubt", "parked", "lost", "doubled", "out_of_order")
    assert {name: counts[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert "Cases in the CRM by type and language" in err.decode()
    assert not folder_in(err.decode()).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel which processes there are")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
async def test_nothing_outlives_a_demonstration_that_is_ended_in_mid_play(number: signal.Signals, code: int) -> None:
    async with demo("--reports", "60", "--changes", "150", "--seconds", "60") as process:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while b"playing the day" not in await process.stdout.readline():
                pass
        below = descendants(process.pid)
        process.send_signal(number)
        async with asyncio.timeout(40):
            await process.wait()
        await all_ended(below)

    assert len(below) >= 4  # two stand-ins, Relais and its broker
    assert process.returncode == code


async def test_kept_running_it_says_where_everything_is() -> None:
    async with demo("--reports", "20", "--changes", "40", "--seconds", "1", "--keep", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(WITHIN_SECONDS):
            counts = json.loads(await process.stdout.readline())
        said = ""
        async with asyncio.timeout(10):
            while "Ctrl-C" not in said:
                said += (await process.stderr.readline()).decode()
        addresses = dict(re.findall(r"^(CRM-CMT|Fix My Street|Relais' \w+) +(http\S+)$", said, re.M))
        async with httpx.AsyncClient() as client:
            answers = {name: (await client.get(address)).status_code for name, address in addresses.items()}
        printed = re.search(r"^  (\. .+ && )relais (show \S+)$", said, re.M)
        assert printed is not None
        show = await asyncio.create_subprocess_shell(
            f"{printed[1]}{sys.executable} -m relais.cli.main {printed[2]}", cwd=ROOT, stdout=PIPE, stderr=PIPE
        )
        story, trouble = await show.communicate()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(40):
            await process.wait()

    assert counts["lost"] == counts["doubled"] == counts["out_of_order"] == 0
    assert answers == dict.fromkeys(["CRM-CMT", "Fix My Street", "Relais' health", "Relais' metrics"], 200)
    assert (show.returncode, trouble) == (0, b"")
    assert b"delivered" in story
    assert process.returncode == 0


async def test_relais_killed_in_mid_play_and_started_again_loses_nothing(tmp_path: Path) -> None:
    async with open_stage(A_DAY, tmp_path) as stage:
        halfway = asyncio.Event()

        def tell(progress: Progress) -> None:
            if progress.played * 2 >= progress.planned > 0:
                halfway.set()

        async def kill_and_start_again() -> None:
            await halfway.wait()
            stage.kill_relais()
            await stage.start_relais()

        async with asyncio.timeout(WITHIN_SECONDS):
            outcome, _ = await asyncio.gather(perform(stage, tell), kill_and_start_again())

    assert outcome.faults == ()


async def test_a_crm_that_fails_in_every_way_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with open_stage(A_DAY, tmp_path) as stage:
        await ill(stage, share=0.1)
        async with asyncio.timeout(WITHIN_SECONDS):
            outcome = await perform(stage, lambda _: None)
        faults = (await stage.client.get(f"{stage.addresses.crm}/_control/faults")).json()

    assert outcome.faults == ()
    assert sum(fault["hit"] > 0 for fault in faults) >= 3, faults


async def ill(stage: Stage, *, share: float) -> None:
    """Let a tenth of all requests to the CRM meet each of the faults."""
    kinds = ("busy", "unavailable", "lost_answer", "slow", "reset")
    rules = [
        {"kind": kind, "share": share, "seed": number, "retry_after": 1, "seconds": 0.5}
        for number, kind in enumerate(kinds)
    ]
    answer = await stage.client.post(f"{stage.addresses.crm}/_control/faults", json=rules)
    assert answer.is_success, answer.text
