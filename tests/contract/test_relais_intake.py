"""What Relais answers over HTTP is what ``relais-intake.openapi.yaml`` says, all of it and nothing else."""

import ast
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from connectors.kit.ports import Arrival, Source, UnauthenticatedError
from relais.documents.refusals import REFUSALS
from relais.ledger.database import LedgerAwayError, open_database
from relais.ledger.ledger import Ledger, ledger_over
from relais.ledger.migrating import migrate
from relais.ledger.ports import Fate, Receipt
from relais.runtime import webhooks
from relais.runtime.health import Health
from relais.runtime.http_head import HEAD_BYTES
from relais.runtime.intake import Intake, IntakeFullError, IntakeRefusedError
from relais.runtime.serving import HttpServer
from relais.runtime.webhooks import WebhookRoutes
from relais.telemetry.metrics import Metrics
from tests.contract.published import Contract

LIMIT = 200
CONTRACT = Contract.named("relais-intake")
GENUINE = {"x-secret": "known"}
WEBHOOK = "/webhooks/scripted/door"


class Door:
    """A webhook that knows one secret."""

    door = "door"
    body_limit = LIMIT

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        if headers.get("x-secret") != "known":
            raise UnauthenticatedError

    def arrival(self, document: Any, body: bytes) -> Arrival:
        return Arrival("scripted", self.door, "1", "scripted:1", body)


class Scripted:
    """A source with that door."""

    webhooks = (Door(),)


@dataclass
class Counter:
    """Stands where the intake stands, and gives or raises what a test says."""

    outcome: Fate | Exception = Fate.NEW

    async def accept(self, arrival: Arrival) -> Receipt:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return Receipt(self.outcome, 1)


@dataclass
class Stage:
    """The routes of a process, its intake and its broker in a test's hand."""

    intake: Counter | None = field(default_factory=Counter)
    broker_up: bool = True

    def __post_init__(self) -> None:
        sources = cast("Mapping[str, Source]", {"scripted": Scripted()})
        routes = WebhookRoutes(sources, lambda: cast("Intake | None", self.intake), lambda _happening: None)
        self.health = Health(Metrics(), broker_up=lambda: self.broker_up)
        self.routes = [*routes.routes, *self.health.routes]

    @asynccontextmanager
    async def served(self, *, head_seconds: float = 10.0) -> AsyncIterator[httpx.AsyncClient]:
        server = HttpServer(self.routes, host="127.0.0.1", port=0, head_seconds=head_seconds)
        port = await server.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            await server.stop()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    database = open_database(f"sqlite:///{tmp_path}/ledger.db")
    await migrate(database)
    yield await ledger_over(database, masked=lambda body: body)
    await database.close()


def hold_to_the_contract(operation: str, answer: httpx.Response) -> Any:
    """The body of an answer, which is one that the contract describes."""
    described = CONTRACT.operations[operation]["responses"]
    assert str(answer.status_code) in described, f"{operation} answers {answer.status_code}, which is not documented"
    said = CONTRACT.resolved(described[str(answer.status_code)])
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in said["content"]
    for name, header in said.get("headers", {}).items():
        assert CONTRACT.resolved(header)["required"]
        assert int(answer.headers[name]) >= 1
    if not media_type.endswith("json"):
        return answer.text
    body = answer.json()
    CONTRACT.validator(said["content"][media_type]["schema"]).validate(body)
    return body


def slug_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and word of a refusal."""
    body = hold_to_the_contract("pushEvent", answer)
    assert body["status"] == answer.status_code
    return answer.status_code, body["type"].removeprefix("urn:relais:problem:")


async def interrupted(stage: Stage, end: Message | Exception) -> httpx.Response:
    """The answer to a push whose body does not come to its end."""
    sent: list[Message] = []

    async def receive() -> Message:
        if isinstance(end, Exception):
            raise end
        return end

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in GENUINE.items()]
    scope = {"type": "http", "method": "POST", "path": WEBHOOK, "query_string": b"", "headers": headers}
    await Starlette(routes=stage.routes)(scope, receive, send)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


async def answer_to_bytes(stage: Stage, head: bytes) -> httpx.Response:
    """The answer to the beginning of a request that never comes to its end."""
    async with stage.served(head_seconds=0.2) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(head)
        answer = await reader.read()
        writer.close()
    said, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = said.decode().split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (header.partition(":") for header in headers)]
    return httpx.Response(int(status.split()[1]), headers=pairs, content=body)


@pytest.mark.parametrize("fate", list(Fate))
async def test_what_was_accepted_is_answered_as_documented(stage: Stage, fate: Fate) -> None:
    stage.intake = Counter(fate)
    async with stage.served() as client:
        answer = await client.post(WEBHOOK, content=b"{}", headers=GENUINE)

    assert hold_to_the_contract("pushEvent", answer) == {"detail": "accepted", "event": fate.value}


async def test_every_refusal_that_is_documented_can_happen_and_no_other_does(stage: Stage) -> None:
    answers = []
    async with stage.served() as client:
        for content, headers in (
            (b"{", GENUINE),
            (b"{}", {}),
            (b" " * (LIMIT + 1), GENUINE),
        ):
            answers.append(await client.post(WEBHOOK, content=content, headers=headers))
        answers += [await client.post("/webhooks/nobody/door"), await client.get(WEBHOOK)]
        for outcome in (LedgerAwayError("away"), IntakeFullError(), IntakeRefusedError(), ZeroDivisionError()):
            stage.intake = Counter(outcome)
            answers.append(await client.post(WEBHOOK, content=b"{}", headers=GENUINE))
        stage.intake = None
        answers.append(await client.post(WEBHOOK, content=b"{}", headers=GENUINE))
    answers.append(await interrupted(stage, TimeoutError()))
    answers.append(await interrupted(stage, {"type": "http.disconnect"}))
    head = f"POST {WEBHOOK} HTTP/1.1\r\nhost: relais\r\n".encode()
    answers.append(await answer_to_bytes(stage, head))
    answers.append(await answer_to_bytes(stage, head + b"x: " + b"y" * HEAD_BYTES))

    assert {slug_of(answer) for answer in answers} == {(refusal.status, refusal.slug) for refusal in REFUSALS}


async def test_a_body_without_a_length_is_counted_as_it_comes(stage: Stage) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LIMIT + 1):
            yield b" "

    async with stage.served() as client:
        answer = await client.post(WEBHOOK, content=pieces(), headers=GENUINE)

    assert slug_of(answer) == (413, "body-too-large")


def test_every_refusal_in_the_code_is_documented() -> None:
    written = set()
    modules = Path(webhooks.__file__).parent.glob("*.py")
    for node in (node for module in modules for node in ast.walk(ast.parse(module.read_text("utf-8")))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_Refusal", "problem"):
            match node.args[:2]:
                case [ast.Constant(value=int(status)), ast.Constant(value=str(slug))]:
                    written.add((status, slug))

    assert written
    assert written <= {(refusal.status, refusal.slug) for refusal in REFUSALS}


def test_only_what_should_come_again_says_when() -> None:
    assert {refusal.status for refusal in REFUSALS if refusal.come_again} == {503}


async def test_the_probes_answer_as_documented(stage: Stage) -> None:
    async with stage.served() as client:
        live = hold_to_the_contract("isLive", await client.get("/live"))
        away = hold_to_the_contract("isReady", await client.get("/ready"))
        stage.broker_up = False
        degraded = hold_to_the_contract("isReady", await client.get("/ready"))
        page = hold_to_the_contract("readMetrics", await client.get("/metrics"))

    assert live == {"live": True}
    assert away == {"ready": False, "degraded": [], "reason": "the ledger is not open yet"}
    assert degraded["degraded"] == ["broker"]
    assert "relais_broker_up 0.0" in page


async def test_the_metrics_know_the_broker_without_anybody_asking_the_probes(stage: Stage) -> None:
    async with stage.served() as client:
        up = (await client.get("/metrics")).text
        stage.broker_up = False
        down = (await client.get("/metrics")).text

    assert "relais_broker_up 1.0" in up
    assert "relais_broker_up 0.0" in down


async def test_a_process_with_its_ledger_is_ready_as_documented(stage: Stage, ledger: Ledger) -> None:
    stage.health.ledger = ledger
    async with stage.served() as client:
        answer = await client.get("/ready")

    assert hold_to_the_contract("isReady", answer) == {"ready": True, "degraded": []}
    assert answer.status_code == 200


async def test_a_paused_sink_is_shown_as_documented(stage: Stage, ledger: Ledger) -> None:
    stage.health.ledger = ledger
    await ledger.sinks.pause("crm_cmt", "no rights")
    async with stage.served() as client:
        answer = await client.get("/ready")

    assert hold_to_the_contract("isReady", answer) == {"ready": True, "degraded": ["sink crm_cmt is paused"]}


def test_every_route_of_the_process_is_documented(stage: Stage) -> None:
    documented = {
        path.replace("{source}", "scripted").replace("{door}", "door"): {method.upper() for method in operations}
        for path, operations in CONTRACT.document["paths"].items()
    }

    assert documented == {route.path: (route.methods or set()) - {"HEAD"} for route in stage.routes}
