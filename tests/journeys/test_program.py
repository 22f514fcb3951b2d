"""The program as real processes: started, stopped, killed, robbed of its ledger and its broker."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import pytest

from schemas.channels import WAKE
from tests.broker.waiting import eventually
from tests.journeys.town import Program, Town, a_town, delete_store
from tests.services.nats import NatsServer
from tests.services.postgresql import PostgresqlServer
from tests.services.process import end_child
from tests.services.wire import a_wire

A_LITTLE = 150


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with a_town(tmp_path) as town:
        yield town


async def test_a_start_and_an_end_under_load_lose_nothing_that_was_answered_with_200(town: Town) -> None:
    program = await town.started()
    assert (await town.client.get(f"{program.address}/live")).json() == {"live": True}
    assert await town.ready(program) == (200, {"ready": True, "degraded": []})
    seen = []

    async with town.pushing(program):
        await town.until_accepted(A_LITTLE)
        program.signal(signal.SIGTERM)

        async def not_ready() -> bool:
            seen.append((await town.ready(program))[0])
            return seen[-1] != 200

        await eventually(not_ready, seconds=10)
        assert (await town.ready(program))[0] != 200
        assert await program.ended() == 0
    assert '"event": "role_stopped"' in program.said()

    await town.started()
    await town.until_all_is_delivered()


async def test_an_address_that_is_taken_is_said_in_a_sentence(town: Town) -> None:
    program = await town.started()
    second = town.relais(
        HTTP_PORT=program.address.rpartition(":")[2],
        LEDGER_URL=f"sqlite:///{town.folder / 'other.db'}",
        BROKER_STORE=str(town.folder / "other"),
    )
    second.begin()
    assert await second.ended() == 1
    said = [line for line in second.said().splitlines() if not line.startswith("{")]
    assert said == [f"cannot start: {program.address.removeprefix('http://')} cannot be listened on"]


async def test_killed_in_the_middle_and_started_again_it_loses_nothing_and_doubles_nothing(town: Town) -> None:
    program = await town.started()
    async with town.pushing(program):
        for _ in range(2):
            await town.until_accepted(A_LITTLE)
            program.signal(signal.SIGKILL)
            assert await program.ended() == -signal.SIGKILL
            port = program.address.rpartition(":")[2]
            program = await town.started(HTTP_PORT=port)
        await town.until_accepted(20)
    await town.until_all_is_delivered()


async def test_it_ends_in_time_although_nobody_answers_it(town: Town) -> None:
    """A silent CRM holds a request, and a silent sender a connection; both are left behind within 20 seconds."""
    program = await town.started(LEASE="60", CRM_CMT_TIMEOUT_SECONDS="29")
    await town.faults({"kind": "silent", "seconds": 60})
    assert await town.reports.push(town.client, program.address, 1) is not None

    async def asked() -> bool:
        return any(rule["hit"] for rule in (await town.client.get(f"{town.crm.address}/_control/faults")).json())

    await eventually(asked)
    host, port = program.address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/fixmystreet/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    await writer.drain()
    program.signal(signal.SIGTERM)
    assert await program.ended(within_seconds=20) == 0
    writer.close()


@contextmanager
def holding(ledger: Path) -> Iterator[None]:
    """Somebody else who has taken the whole ledger."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20); "
        "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
    finally:
        end_child(holder, end_with=signal.SIGKILL)
        for stream in (holder.stdin, holder.stdout):
            if stream is not None:
                stream.close()


async def test_while_the_ledger_is_held_pushes_get_503_and_it_comes_back_by_itself(town: Town) -> None:
    program = await town.started()
    assert await town.reports.push(town.client, program.address, 1) is not None
    with holding(town.folder / "ledger.db"):
        answer = await town.reports.push(town.client, program.address, 1)
        assert answer is not None
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:relais:problem:ledger-away")
        assert int(answer.headers["retry-after"]) > 0
        await until_not_ready(town, program)
        assert (await town.client.get(f"{program.address}/live")).status_code == 200
    await town.until_ready(program)
    answer = await town.reports.push(town.client, program.address, 1)
    assert answer is not None
    assert answer.status_code == 200
    await town.until_all_is_delivered()


async def until_not_ready(town: Town, program: Program) -> None:
    async def not_ready() -> bool:
        status, content = await town.ready(program)
        return status == 503 and content["ready"] is False and bool(content["reason"])

    await eventually(not_ready, seconds=30)


async def test_before_its_ledger_is_migrated_a_role_lives_and_is_not_ready(
    town: Town, postgresql_url: str, nats_url: str
) -> None:
    address = postgresql_url.replace("+asyncpg", "")
    split = {"LEDGER_URL": address, "BROKER_URL": nats_url}
    program = await town.relais("--role", "intake", **split).start()
    await until_not_ready(town, program)
    answer = await town.reports.push(town.client, program.address, 1)
    assert answer is not None
    assert answer.status_code == 503
    await town.migrated(**split)
    await town.until_ready(program)
    answer = await town.reports.push(town.client, program.address, 1)
    assert answer is not None
    assert answer.status_code == 200


@pytest.mark.parametrize("trouble", ["cut", "hold"])
async def test_a_ledger_that_goes_away_comes_back_by_itself(
    town: Town, postgresql_server: PostgresqlServer, postgresql_url: str, trouble: str
) -> None:
    """Connections end and are refused, or nothing more is heard on them: 503 meanwhile, then all is well."""
    async with a_wire(postgresql_server.port) as wire:
        address = postgresql_url.replace("+asyncpg", "").replace(f":{postgresql_server.port}/", f":{wire.port}/")
        await town.migrated(LEDGER_URL=address)
        program = await town.started(LEDGER_URL=address)
        assert await town.reports.push(town.client, program.address, 1) is not None
        getattr(wire, trouble)()
        await until_not_ready(town, program)
        answer = await town.reports.push(town.client, program.address, 1)
        assert answer is not None
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:relais:problem:ledger-away")
        assert (await town.client.get(f"{program.address}/live")).status_code == 200
        wire.mend()
        await town.until_ready(program)
        async with town.pushing(program, senders=2):
            await town.until_accepted(20)
        await town.until_all_is_delivered()
        program.signal(signal.SIGTERM)
        assert await program.ended() == 0


async def test_without_its_broker_it_is_ready_says_so_and_delivers(town: Town) -> None:
    program = await town.started(BROKER_URL="nats://127.0.0.1:1")
    assert await town.ready(program) == (200, {"ready": True, "degraded": ["broker"]})
    async with town.pushing(program, senders=4):
        await town.until_accepted(40)
    assert town.reports.refused == []
    await town.until_all_is_delivered()


async def test_a_broker_that_dies_and_is_robbed_of_its_store_costs_nothing(town: Town) -> None:
    program = await town.started()
    async with town.pushing(program):
        await town.until_accepted(A_LITTLE)
        delete_store(town.folder)
        await eventually(lambda: "its store was deleted" in program.said())
        await town.until_accepted(A_LITTLE)
        await eventually(lambda: broker_of(program) is not None)
        broker = broker_of(program)
        assert broker is not None
        os.kill(broker, signal.SIGKILL)
        await eventually(lambda: "it ended with -9" in program.said())
        await town.until_accepted(A_LITTLE)
    assert town.reports.refused == []
    assert not any(town.reports.perhaps.values()), "every push was accepted"
    await town.until_all_is_delivered()

    async def whole() -> bool:
        return (await town.ready(program))[1].get("degraded") == []

    await eventually(whole, seconds=30)


def broker_of(program: Program) -> int | None:
    """The number of the process of the embedded broker."""
    assert program.child is not None
    children = Path(f"/proc/{program.child.pid}/task/{program.child.pid}/children").read_text("ascii").split()
    return int(children[0]) if children else None


async def test_roles_of_their_own_share_the_work_in_order_and_wake_each_other(
    town: Town, nats_server: NatsServer, postgresql_url: str
) -> None:
    split = {"LEDGER_URL": postgresql_url.replace("+asyncpg", ""), "BROKER_URL": nats_server.url}
    await town.migrated(**split)
    intake, first, second = (town.relais("--role", role, **split) for role in ("intake", "delivery", "delivery"))
    for program in (intake, first, second):
        program.begin()
    for program in (intake, first, second):
        await eventually(program.has_said, seconds=60)
        await town.until_ready(program)
    woken = 0

    async def wake(_message: object) -> None:
        nonlocal woken
        woken += 1

    async with await nats.connect(nats_server.url) as outsider:
        await outsider.subscribe(WAKE.address, cb=wake)
        await outsider.flush()
        async with town.pushing(intake):
            await town.until_accepted(A_LITTLE)
            nats_server.kill()
            await town.until_accepted(A_LITTLE)
            second.signal(signal.SIGKILL)
            nats_server.delete_store()
            nats_server.start()
            await town.until_accepted(A_LITTLE)
    assert woken > 0
    assert town.reports.refused == []
    await town.until_all_is_delivered()
    assert delivered_by((await town.client.get(f"{first.address}/metrics")).text) > 0
    for program in (intake, first):
        program.signal(signal.SIGTERM)
    assert [await program.ended() for program in (intake, first)] == [0, 0]


def delivered_by(page: str) -> float:
    """How many events a process says it has delivered."""
    return sum(float(value) for value in re.findall(r"^relais_events_delivered_total\{.*\} (\S+)$", page, re.M))
