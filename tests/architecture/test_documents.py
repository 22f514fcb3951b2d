"""What the documents say is there is there: files, links, commands, options, settings, metrics, events, tests."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from relais.bootstrap import known_connectors
from relais.cli.main import app
from relais.cli.running import RoleChoice
from relais.documents.events import happenings
from relais.documents.metrics import metric_lines
from relais.documents.settings import setting_groups
from relais.settings import PREFIX, SECRETS_DIRECTORY, connector_prefix
from relais.telemetry.emitting import snake_name
from tools.generated import GENERATORS

ROOT = Path(__file__).parents[2]
ROOMS = ("bench", "connectors", "containers", "docs", "mocks", "relais", "routing", "schemas", "tests", "tools")

CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`|^ {4}(\S[^\n]*)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def tracked(pattern: str) -> list[Path]:
    """The files of the checkout that git knows or could know, by a pattern of theirs."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted({ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()})


PAGES = tracked("*.md")


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    chosen: Path = request.param
    return chosen


def code_in(text: str) -> Iterator[str]:
    """Every line of code that a page shows, in blocks and within its sentences."""
    for block, span, indented in CODE.findall(text):
        yield from (line.strip() for line in (block or span or indented).splitlines())


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual readers of Markdown make them."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def the_command() -> Any:
    """The command line as the library that Typer carries within itself sees it; it has no type of its own."""
    return typer.main.get_command(app)


def everywhere(pattern: str) -> list[tuple[str, str]]:
    """Page and first group, of every match in what the pages show as code."""
    return [
        (str(path.relative_to(ROOT)), found)
        for path in PAGES
        for line in code_in(path.read_text("utf-8"))
        for found in re.findall(pattern, line)
    ]


def test_there_are_pages_and_they_show_code() -> None:
    names = {str(path.relative_to(ROOT)) for path in PAGES}

    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/runbook.md", "docs/glossary.md"} <= names
    assert "relais check" in set(code_in("    relais check\n")) and everywhere(r"\bmake ([a-z]+)")


def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


def test_every_path_that_is_named_exists() -> None:
    paths = everywhere(rf"(?<![\w./<-])((?:{'|'.join(ROOMS)})/[\w./-]*[\w/])(?![\w<*…])")
    invented = re.compile(r"(connectors|routing/\w+)/lamps|connectors/lamps/|routing/(rules|cases)/lamps\.yaml")

    assert len(paths) > 50
    assert [one for one in paths if not (ROOT / one[1]).exists() and not invented.match(one[1])] == []


def test_every_test_that_is_named_exists() -> None:
    named = everywhere(r"(tests/[\w/]+\.py::\w+)")

    assert len(named) > 10
    for where, test in named:
        file, _, name = test.partition("::")
        assert re.search(rf"def {name}\(", (ROOT / file).read_text("utf-8")), f"{where}: {test}"


def test_every_verb_of_make_exists() -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = [(where, verb) for where, words in everywhere(r"\bmake ((?:[a-z]+ ?)+)") for verb in words.split()]

    assert {verb for _, verb in named} >= {"demo", "test", "check", "bench", "setup", "secrets"}
    assert [one for one in named if one[1] not in verbs] == []


def test_every_verb_and_option_of_relais_exists() -> None:
    command = the_command()
    used = everywhere(r"(?:^|\s|[|;&] *|bin/)relais ((?:--)?[a-z]+\b.*)$")
    wrong = []
    verbs = set()
    for where, words in used:
        verb, *rest = re.split(r"\s+#|`", words)[0].split()
        verbs.add(verb)
        if verb not in command.commands:
            wrong.append(f"{where}: relais {verb}")
            continue
        options = {name for parameter in command.commands[verb].params for name in parameter.opts}
        wrong += [f"{where}: relais {verb} {word}" for word in rest if word.startswith("--") and word not in options]
    assert wrong == []
    assert verbs == set(command.commands)


def test_every_role_that_is_named_exists() -> None:
    assert {found for _, found in everywhere(r"--role (\w+)")} <= {role.value for role in RoleChoice}


def test_every_module_that_is_run_exists() -> None:
    modules = {module for _, module in everywhere(r"python -m ([\w.]+)")}

    assert {"schemas.publish", "routing.publish"} <= modules
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_setting_that_is_named_exists() -> None:
    known = {line.variable for group in setting_groups() for line in group.lines} | {SECRETS_DIRECTORY}
    prefixes = {PREFIX, f"{PREFIX}<"} | {connector_prefix(connector.name) for connector in known_connectors()}
    for_tests = {"RELAIS_GOLDEN_UPDATE"}
    named = {found for path in PAGES for found in re.findall(r"\bRELAIS_[A-Z_]*", path.read_text("utf-8"))}

    assert sorted(one for one in named - known - prefixes - for_tests if not _is_a_stream(one)) == []


def _is_a_stream(name: str) -> bool:
    return name in {"RELAIS_FEEDS", "RELAIS_INBOUND"}


def test_the_readme_names_every_setting_without_a_usual_value() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    required = [line.variable for group in setting_groups() for line in group.lines if line.required]

    assert required
    assert [variable for variable in required if f"`{variable}`" not in readme] == []


def test_every_metric_that_is_named_exists() -> None:
    known = {line.name for line in metric_lines()}
    files = {path.stem for path in (ROOT / "secrets").glob("*")} | set(_compose()["secrets"])
    named = [one for one in everywhere(r"\b(relais_[a-z_]+)") if one[1] not in files]

    assert named
    assert [one for one in named if one[1] not in known] == []


def test_the_runbook_says_what_to_do_about_every_warning_and_error() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    alarming = [snake_name(one) for one in happenings() if one.level in ("warning", "error")]

    assert alarming
    assert [name for name in alarming if f"`{name}`" not in runbook] == []


def test_the_map_of_the_readme_has_every_room_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = readme.partition("## Map of the rooms")[2].partition("\n## ")[0]
    mapped = set(re.findall(r"^\| \[?`([\w.]+)/`", rows, re.MULTILINE))
    rooms = {path.relative_to(ROOT).parts[0] for path in tracked("*") if len(path.relative_to(ROOT).parts) > 1}

    assert mapped == {room for room in rooms if not room.startswith(".")}


def test_every_connector_is_in_the_map() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [one.name for one in known_connectors() if f"`{one.name}`" not in readme] == []


def test_the_parts_of_the_containers_that_are_named_exist() -> None:
    compose = _compose()
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", ())}
    page = (ROOT / "docs" / "how-to" / "run-in-containers.md").read_text("utf-8")
    table = page.partition("## The services")[2].partition("\n\n##")[0]

    assert {found for _, found in everywhere(r"--profile (\w+)")} == profiles
    assert {found for _, found in everywhere(r"docker-compose exec (\S+)")} <= set(compose["services"])
    for variable in ("SETTINGS_FILE", "HTTP_ADDRESS", "HTTP_PORT", "BUILD_NETWORK", "EXTRA_CA"):
        assert f"${{{variable}:" in text
    listed = {
        name for cell in re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", table, re.MULTILINE) for name in _spans(cell)
    }
    assert listed == set(compose["services"])


@pytest.mark.parametrize("module", GENERATORS)
def test_every_generated_file_is_in_step(module: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


def test_every_generator_of_the_documents_is_in_the_list() -> None:
    generators = {
        f"relais.documents.{path.stem}"
        for path in (ROOT / "relais" / "documents").glob("*.py")
        if re.search(r"^def main\(", path.read_text("utf-8"), re.MULTILINE)
    }

    assert generators == {module for module in GENERATORS if module.startswith("relais.documents.")}


def test_decisions_are_numbered_without_a_gap_and_give_their_reasons() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in decisions]

    assert numbers == list(range(1, len(numbers) + 1))
    for number, path in zip(numbers, decisions, strict=True):
        text = path.read_text("utf-8")
        assert text.startswith(f"# {number}. ")
        assert "**Decided.**" in text
        assert "## Why" in text


def test_no_page_is_decorated(page: Path) -> None:
    assert "\N{EM DASH}" not in page.read_text("utf-8")


def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return document


def _spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)
