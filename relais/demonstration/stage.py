"""The stage: both stand-ins and the whole program as processes of their own, in a folder of their own."""

import asyncio
import os
import secrets
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

import relais
from relais.demonstration.child import Child, StageError
from relais.demonstration.scenario import CITY_POSTAL_CODES, Scenario
from relais.settings import PREFIX

_PATIENT_SECONDS: Final = 30.0
_READY_SECONDS: Final = 30.0


class NoCheckoutError(StageError):
    """The stand-ins are not here."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything on the stage is reached."""

    fixmystreet: str
    crm: str
    relais: str

    @property
    def webhook(self) -> str:
        """Where Fix My Street pushes to."""
        return f"{self.relais}/webhooks/fixmystreet/webhook"


class Stage:
    """What runs during a demonstration; :func:`open_stage` makes one. ``client`` speaks with all of it."""

    def __init__(self, scenario: Scenario, folder: Path, root: Path, client: httpx.AsyncClient) -> None:
        self.scenario = scenario
        self.folder = folder
        self.client = client
        self.signature_key = secrets.token_hex(16)
        self.webhook_token = secrets.token_hex(16)
        self._crm_token = secrets.token_hex(16)
        self._secrets = folder / "secrets"
        self._port = 0
        self._inherited = _environment_without_ours(root)
        self.fixmystreet = self._stand_in(
            # the links in its webhooks carry its address, so it must know its port before it starts
            "fixmystreet", "--port", str(_free_port()), "--day", scenario.day.isoformat(), "--seed", str(scenario.seed)
        )  # fmt: skip
        self.crm = self._stand_in("crm_cmt", "--port", "0", "--token", self._crm_token)
        self.relais: Child | None = None
        self.addresses = Addresses("", "", "")

    async def start(self) -> None:
        """Start everything, and return once Relais says that it is ready. Raises StageError."""
        # without a folder of its own Relais would read the secrets of this machine
        self._secrets.mkdir(mode=0o700, exist_ok=True)
        fixmystreet, crm = await self.fixmystreet.start(), await self.crm.start()
        self.addresses = Addresses(fixmystreet, crm, "")
        await self.start_relais()

    async def start_relais(self) -> None:
        """Start Relais, or start it again at the same address after :meth:`kill_relais`. Raises StageError."""
        environment = self.settings()
        # a folder without any, so that no demonstration reads the real ones
        (self.folder / "secrets").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "relais.cli.main", "run"]
        self.relais = Child(
            "relais run", command, log=self.folder / "relais.log", environment=self._inherited | environment
        )
        address = await self.relais.start()
        self._port = int(address.rpartition(":")[2])
        self.addresses = Addresses(self.addresses.fixmystreet, self.addresses.crm, address)
        await _until_ready(self.client, self.relais, address)

    def kill_relais(self) -> None:
        """End Relais as a power cut would, in the middle of whatever it does."""
        if self.relais is not None:
            self.relais.kill()

    async def stop(self) -> None:
        """End everything; Relais first, so that it ends its work with both sides there."""
        for child in (self.relais, self.fixmystreet, self.crm):
            if child is not None:
                await child.stop()

    def look(self) -> None:
        """Raises StageError where something has ended by itself."""
        for child in (self.relais, self.fixmystreet, self.crm):
            if child is not None:
                child.look()

    @property
    def ledger_url(self) -> str:
        """The ledger of this demonstration."""
        return f"sqlite:///{self.folder / 'ledger.db'}"

    def settings(self) -> dict[str, str]:
        """The whole configuration of Relais as environment variables."""
        source, sink = "FIXMYSTREET_", "CRM_CMT_"
        own = {
            "HTTP_PORT": str(self._port),
            "LEDGER_URL": self.ledger_url,
            "BROKER_STORE": str(self.folder / "nats"),
            "SECRETS_DIR": str(self._secrets),
            f"{source}ACCESS": "gateway",
            f"{source}BASE_URL": f"{self.addresses.fixmystreet}/gateway/api/fixmystreet/1.0.0",
            f"{source}TOKEN_URL": f"{self.addresses.fixmystreet}/gateway/api/token",
            f"{source}CONSUMER_KEY": "relais",
            f"{source}CONSUMER_SECRET": "consumer-secret",
            f"{source}WEBHOOK_SIGNATURE_KEY": self.signature_key,
            f"{source}WEBHOOK_TOKEN": self.webhook_token,
            f"{source}SINCE": self.scenario.day.isoformat(),
            f"{source}MUNICIPALITIES": ",".join(CITY_POSTAL_CODES),
            # A day goes by in less than a minute: what takes a minute and a day takes a second and three.
            f"{source}RECENT_EVERY": "1",
            f"{source}SWEEP_EVERY": "3",
            f"{source}RATE_PER_SECOND": "200",
            f"{sink}BASE_URL": self.addresses.crm,
            f"{sink}TOKEN": self._crm_token,
        }
        return {f"{PREFIX}{name}": value for name, value in own.items()}

    def write_settings(self) -> Path:
        """A file that a shell can read, so that other verbs of `relais` speak of this demonstration."""
        path = self.folder / "relais.env"
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in self.settings().items())
        path.touch(mode=0o600)
        path.write_text("".join(lines), "utf-8")
        return path

    async def oracle_of_fixmystreet(self) -> dict[str, Any]:
        """What Fix My Street says of itself, for the territory that Relais was told."""
        scope = {"municipalities": ",".join(CITY_POSTAL_CODES), "since": self.scenario.day.isoformat()}
        return await self._asked(f"{self.addresses.fixmystreet}/_oracle", scope)

    async def oracle_of_crm(self) -> dict[str, Any]:
        """What CRM-CMT says of itself."""
        return await self._asked(f"{self.addresses.crm}/_oracle", {})

    async def _asked(self, url: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = await self.client.get(url, params=parameters)
        account: dict[str, Any] = answer.raise_for_status().json()
        return account

    def _stand_in(self, name: str, *options: str) -> Child:
        command = [sys.executable, "-m", "mocks", name, *options]
        return Child(f"the stand-in {name}", command, log=self.folder / f"{name}.log", environment=self._inherited)


@asynccontextmanager
async def open_stage(scenario: Scenario, folder: Path) -> AsyncIterator[Stage]:
    """Everything started and ready, until the end of the block; ``folder`` exists, and keeps the logs and the ledger.

    Raises NoCheckoutError without the stand-ins, StageError where something does not start.
    """
    root = checkout()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=_PATIENT_SECONDS, trust_env=False))
        stage = Stage(scenario, folder, root, client)
        stack.push_async_callback(stage.stop)
        await stage.start()
        yield stage


def checkout() -> Path:
    """The folder that this program and the stand-ins lie in. Raises NoCheckoutError where it was installed without."""
    root = Path(relais.__file__).absolute().parents[1]
    if not (root / "mocks" / "__main__.py").is_file():
        raise NoCheckoutError(
            "the demonstration needs a checkout: the stand-ins for Fix My Street and CRM-CMT are not part of the "
            "installed program"
        )
    return root


def _environment_without_ours(root: Path) -> dict[str, str]:
    """The caller's environment without any setting of Relais, so that no demonstration touches the real thing."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    return kept | {"PYTHONPATH": str(root)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def _until_ready(client: httpx.AsyncClient, child: Child, address: str) -> None:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                child.look()
                try:
                    if (await client.get(f"{address}/ready")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StageError(f"{child.name} was not ready within {_READY_SECONDS:g} s: see {child.log}") from None
