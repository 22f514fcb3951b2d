"""The import contracts forbid what they are said to forbid."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("connectors", "mocks", "relais", "routing", "schemas")

# What somebody adds to a module, and the contract that has to break; every contract is broken by at least one.
BREACHES = (
    ("schemas/case.py", "import routing.rule", "vocabulary"),
    ("connectors/kit/errors.py", "import relais.ledger.ports", "stairs"),
    ("routing/rule.py", "import connectors.kit.errors", "stairs"),
    ("relais/ledger/ports.py", "import relais.delivery.state", "engine"),
    ("relais/delivery/state.py", "import relais.runtime", "engine"),
    ("relais/runtime/__init__.py", "import relais.bootstrap", "engine"),
    ("relais/cli/main.py", "import relais.ledger.ports", "doors"),
    ("connectors/fixmystreet/naming.py", "import connectors.crm_cmt", "systems"),
    ("connectors/kit/pace.py", "import connectors.fixmystreet", "systems"),
    ("relais/delivery/patience.py", "import connectors.catalogue", "wiring"),
    ("relais/ledger/references.py", "import connectors.crm_cmt", "wiring"),
    ("relais/settings.py", "import connectors.fixmystreet.settings", "wiring"),
    ("routing/load.py", "import httpx", "pure"),
    ("schemas/base.py", "import sqlalchemy", "pure"),
    ("connectors/kit/strict_json.py", "import tenacity", "plain-connectors"),
    ("mocks/serving.py", "import schemas.case", "stand-ins"),
    ("relais/telemetry/events.py", "import mocks.serving", "wheel"),
)


@pytest.fixture(scope="module")
def contracts() -> dict[str, str]:
    """The title of each contract by its name."""
    document = configparser.ConfigParser()
    document.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {
        name.removeprefix(prefix): document[name]["name"] for name in document.sections() if name.startswith(prefix)
    }


@pytest.fixture(scope="module")
def verdict_on_all_breaches(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy of the checkout in which every breach was committed."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / ".importlinter", copy)
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for module, statement, _ in BREACHES:
        with (copy / module).open("a") as file:
            file.write(f"\n{statement}\n")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache",
        "--no-logo",
    ]
    result = subprocess.run(command, cwd=copy, capture_output=True, text=True, env={"COLUMNS": "200"}, check=False)
    return result.stdout + result.stderr


@pytest.mark.parametrize(("module", "statement", "contract"), BREACHES)
def test_a_breach_is_found(
    module: str, statement: str, contract: str, contracts: dict[str, str], verdict_on_all_breaches: str
) -> None:
    importer = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    imported = statement.removeprefix("import ")

    assert f"{contracts[contract]} BROKEN" in _unwrapped(verdict_on_all_breaches)
    assert any(importer in line and f"-> {imported}" in line for line in verdict_on_all_breaches.splitlines()), (
        verdict_on_all_breaches
    )


def test_every_contract_can_be_broken(contracts: dict[str, str]) -> None:
    assert {contract for _, _, contract in BREACHES} == set(contracts)


@pytest.mark.parametrize("room", ["cli", "console"])
def test_a_door_for_people_stands_under_its_contract(room: str) -> None:
    """A contract may name only what exists, so a new room must be added to it."""
    document = configparser.ConfigParser()
    document.read(ROOT / ".importlinter")

    guarded = document["importlinter:contract:doors"]["source_modules"].split()

    assert (f"relais.{room}" in guarded) is (ROOT / "relais" / room / "__init__.py").exists()


def _unwrapped(text: str) -> str:
    return " ".join(text.split())
