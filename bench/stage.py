"""Starting what is measured, as processes of their own, and stopping it again."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.bodies import SIGNATURE_KEY


@contextmanager
def process(
    *command: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A process that says ``listening on http://host:port``; its port, and the process. Ended by its own id."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAIS_")}
    child = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("BENCH_SHOW") else subprocess.DEVNULL,
        text=True,
        env={**clean, **(environment or {})},
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        if "listening on" not in line:
            raise RuntimeError(f"{command} did not start")
        yield int(line.rsplit(":", 1)[1]), child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def lean_crm(delay_ms: float) -> Iterator[int]:
    """The lean CRM on a port of its own."""
    with process("-m", "bench.lean_crm", "--delay-ms", str(delay_ms)) as (port, _):
        yield port


@contextmanager
def bare(crm_port: int | None) -> Iterator[tuple[int, int]]:
    """The bare loop: its port and its process id. Without a CRM it only accepts."""
    with tempfile.TemporaryDirectory() as folder:
        crm = ("--crm", f"http://127.0.0.1:{crm_port}") if crm_port else ()
        with process("-m", "bench.bare", "--database", str(Path(folder) / "bare.db"), *crm) as (port, child):
            yield port, child.pid


@contextmanager
def relais(crm_port: int, *, role: str = "all", batch_size: int = 50, feeds: bool = False) -> Iterator[tuple[int, int]]:
    """Relais as it is: its port and its process id."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "RELAIS_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
            "RELAIS_BROKER_STORE": f"{folder}/nats",
            "RELAIS_HTTP_PORT": "0",
            "RELAIS_FEEDS": str(feeds).lower(),
            "RELAIS_LOG_LEVEL": "error",
            "RELAIS_FIXMYSTREET_ACCESS": "site",
            # nothing is polled here: the webhook is what is measured
            "RELAIS_FIXMYSTREET_BASE_URL": f"http://127.0.0.1:{crm_port}/nothing",
            "RELAIS_FIXMYSTREET_RECENT_EVERY": "3600",
            "RELAIS_FIXMYSTREET_SINCE": "2026-01-01",
            "RELAIS_FIXMYSTREET_MUNICIPALITIES": "1000",
            "RELAIS_FIXMYSTREET_WEBHOOK_SIGNATURE_KEY": SIGNATURE_KEY,
            "RELAIS_CRM_CMT_BASE_URL": f"http://127.0.0.1:{crm_port}",
            "RELAIS_CRM_CMT_TOKEN": "bench",
            "RELAIS_CRM_CMT_BATCH_SIZE": str(batch_size),
        }
        with process("-m", "relais.cli.main", "run", "--role", role, environment=environment) as (port, child):
            _wait_until_ready(port)
            yield port, child.pid


def send(port: int, path: str, *, count: int, connections: int, seed: int) -> dict[str, float]:
    """Run the load; what it measured."""
    command = ["-m", "bench.load", "--port", str(port), "--path", path, "--count", str(count)]
    command += ["--connections", str(connections), "--seed", str(seed)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def get(port: int, path: str) -> Any:
    """A JSON document from a local port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_ready(port: int) -> None:
    import time

    for _ in range(200):
        try:
            get(port, "/ready")
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("Relais did not become ready")
