"""The stage before anything is started on it."""

import io
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
from rich.console import Console

from relais.demonstration.display import show_addresses
from relais.demonstration.outcome import Outcome
from relais.demonstration.scenario import Scenario
from relais.demonstration.stage import Addresses, Stage

ROOT = Path(__file__).parents[3]
SHIPPED = ("connectors", "relais", "routing", "schemas")


def environment_after(file: Path) -> list[str]:
    command = ["sh", "-c", '. "$0" && env', str(file)]
    return subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.splitlines()


def in_another_shell(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A line for a shell, with the `relais` of this checkout."""
    command = ["sh", "-c", line.replace("relais show", f"{sys.executable} -m relais.cli.main show")]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_without_the_stand_ins_it_says_so_in_a_sentence(tmp_path: Path) -> None:
    """As in an installed wheel, which holds four of the packages and not this one."""
    for name in SHIPPED:
        (tmp_path / name).symlink_to(ROOT / name)
    ended = subprocess.run(
        [sys.executable, "-m", "relais.cli.main", "demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("the demonstration needs a checkout: ")
    assert ended.stderr.count("\n") == 1


async def test_the_settings_file_can_be_read_by_a_shell_and_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "a folder of 'mine'"
    folder.mkdir()
    async with httpx.AsyncClient() as client:
        stage = Stage(Scenario(1, 0, 1, 1, date(2026, 3, 10)), folder, ROOT, client)
    file = stage.write_settings()
    said = environment_after(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert f"RELAIS_LEDGER_URL=sqlite:///{folder}/ledger.db" in said
    assert stage.settings().items() <= dict(line.split("=", 1) for line in said).items()


async def test_the_line_that_a_kept_demonstration_prints_works_in_another_shell(tmp_path: Path) -> None:
    """It gets as far as the ledger, which nobody has made here."""
    folder = tmp_path / "a folder of 'mine'"
    (folder / "secrets").mkdir(parents=True)
    async with httpx.AsyncClient() as client:
        stage = Stage(Scenario(1, 0, 1, 1, date(2026, 3, 10)), folder, ROOT, client)
    stage.addresses = Addresses("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3")
    outcome = cast("Outcome", SimpleNamespace(verdict=SimpleNamespace(liveliest=7)))
    said = io.StringIO()
    show_addresses(Console(file=said), stage, outcome)
    (line,) = [line.strip() for line in said.getvalue().splitlines() if "relais show" in line]
    ended = in_another_shell(line, tmp_path)

    assert line.endswith("relais show fixmystreet:7")
    assert (ended.returncode, ended.stderr.startswith(f"there is no ledger at {folder}/ledger.db")) == (1, True)
