"""``python -m mocks`` as a program: one line when it accepts, a clean end, nothing forgotten across a kill."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from mocks.__main__ import STAND_INS, main, parser_for
from tests.contract.published import Contract

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    command = (sys.executable, "-m", "mocks", "crm_cmt", "--port", "0", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("listening on http://127.0.0.1:"), line
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def create(address: str, token: str = "mock-token") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        return await client.post("/api/v1/cases", json=Contract.named("crm-cmt").example("CaseIntake"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_one_line_and_ends_cleanly_when_told(number: signal.Signals) -> None:
    async with running("--token", "other") as (process, address):
        answer = await create(address, "other")
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 10)

    assert answer.status_code == 201
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_kill_forgets_nothing_that_was_answered(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    async with running("--journal", journal) as (process, address):
        first = await create(address)
        process.kill()
        await process.wait()

    async with running("--journal", journal) as (_, address):
        again = await create(address)

    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = (sys.executable, "-m", "mocks", "crm_cmt", "--port", port)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
        out, err = await asyncio.wait_for(process.communicate(), 20)

    assert (process.returncode, out) == (1, b"")
    assert err.decode().startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "Traceback" not in err.decode()


def test_a_journal_that_cannot_be_opened_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crm_cmt", "--journal", str(tmp_path / "nowhere" / "journal")]) == 1
    assert capsys.readouterr().err.startswith("cannot start crm_cmt: ")


def test_each_stand_in_is_there_and_takes_its_own_options() -> None:
    for name, (port, _) in STAND_INS.items():
        options = parser_for([name]).parse_args([name])
        assert (options.name, options.host, options.port) == (name, "127.0.0.1", port)


def test_case_types_are_a_list_of_words() -> None:
    options = parser_for(["crm_cmt"]).parse_args(["crm_cmt", "--case-types", "road, lighting,"])

    assert options.case_types == ("road", "lighting")


def test_a_stand_in_knows_nothing_of_ours() -> None:
    """The architecture tests hold the whole of it; this one names the reason beside the stand-ins themselves."""
    ours = ("schemas", "connectors", "routing", "relais")
    lines = [line for path in (ROOT / "mocks").rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]

    assert [
        line
        for line in lines
        if line.strip().startswith(tuple(f"{verb} {name}" for verb in ("from", "import") for name in ours))
    ] == []
