"""What the how-tos tell people to write works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.catalogue import CATALOGUE
from relais.operations.fixtures import Fixture, read_fixtures

ROOT = Path(__file__).parents[2]
FILES = re.compile(r"^### `([^`]+)`\n(?:(?!#).*\n)*?```\w+\n((?:.*\n)*?)```$", re.MULTILINE)
SETTINGS = {
    "RELAIS_SOURCES": "lamps",
    "RELAIS_LAMPS_WEBHOOK_TOKEN": "token",
    "RELAIS_CRM_CMT_BASE_URL": "http://127.0.0.1:9",
    "RELAIS_CRM_CMT_TOKEN": "token",
}


def files_in(page: str) -> dict[str, str]:
    """The files that a how-to tells people to write: a heading that names one, and the next block."""
    return dict(FILES.findall((ROOT / "docs" / "how-to" / page).read_text("utf-8")))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which somebody has followed the how-to."""
    copy = tmp_path_factory.mktemp("checkout")
    for room in ("connectors", "relais", "routing", "schemas"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files_in("add-a-system.md").items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text, encoding="utf-8")
    catalogue = copy / "connectors" / "catalogue.py"
    text = catalogue.read_text("utf-8")
    text = text.replace("import crm_cmt, fixmystreet", "import crm_cmt, fixmystreet, lamps")
    catalogue.write_text(text.replace("crm_cmt.CONNECTOR)", "crm_cmt.CONNECTOR, lamps.CONNECTOR)"), encoding="utf-8")
    return copy


def relais(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command of that checkout, with nothing of ours in its environment but what the test says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RELAIS_")}
    return subprocess.run(
        [sys.executable, "-m", "relais.cli.main", *words],
        cwd=checkout,
        env={**kept, **SETTINGS, "PYTHONPATH": str(checkout), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_system_is_added_by_the_files_and_the_line_of_the_how_to(checkout: Path) -> None:
    migrated = relais(checkout, "migrate")
    rehearsed = relais(checkout, "replay", "given.json", "--dry-run")

    assert migrated.returncode == 0, migrated.stderr
    assert rehearsed.returncode == 0, rehearsed.stderr + rehearsed.stdout
    assert "lighting" in rehearsed.stdout, rehearsed.stdout
    assert "not understood" not in rehearsed.stdout


def test_the_fixtures_of_the_how_to_can_be_played(checkout: Path) -> None:
    files = files_in("replay-fixtures.md")
    for name, text in files.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    found = [item for name in files for _, item in read_fixtures(checkout / name, ["fixmystreet"])]

    assert [(item.source, item.door) for item in found if isinstance(item, Fixture)] == [
        ("fixmystreet", "webhook"),
        ("fixmystreet", "incidents"),
    ]


def test_the_rules_of_the_how_to_and_their_examples_hold(checkout: Path) -> None:
    checked = relais(checkout, "check")

    (rules,) = [line for line in checked.stdout.splitlines() if "rules" in line]
    assert "those that came with the program" in rules


def test_what_the_how_to_writes_is_typed_and_clean(checkout: Path) -> None:
    folder = checkout / "connectors" / "lamps"
    typed = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "-p",
            "connectors.lamps",
        ],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    clean = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert typed.returncode == 0, typed.stdout
    assert clean.returncode == 0, clean.stdout


def test_every_folder_of_a_system_is_in_the_catalogue() -> None:
    folders = {path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py")} - {"kit"}

    assert {connector.name for connector in CATALOGUE} == folders
