"""Wrong settings stop the start, name every variable, and never say a secret."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from relais.bootstrap import read_configuration
from relais.settings import Settings, SettingsError, load_settings
from tests.unit.environment import ENOUGH, ROOT, clean_environment

SECRET = "s3cret-Pa55word"
VOCABULARY = """
case_types: {other: {fr: Autre, nl: Andere}}
departments: {desk: {fr: Guichet, nl: Loket}}
destinations: {crm_cmt: {fr: CRM, nl: CRM}, archive: {fr: Archives, nl: Archief}}
"""
RULES = """
source: fixmystreet
destination: crm_cmt
rules:
  - {name: night, when: {languages: [de]}, then: {case_type: other, department: desk, destination: archive}}
  - {name: rest, then: {case_type: other, department: desk, tags: [to-be-classified]}}
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, no .env, no secrets but those of the test."""
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)


def variables(monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    for name, value in (ENOUGH | {f"RELAIS_{name}": value for name, value in changed.items()}).items():
        monkeypatch.setenv(name, value)


def faults() -> list[str]:
    """What is said of the configuration, a line each."""
    with pytest.raises(SettingsError) as raised:
        read_configuration()
    return list(raised.value.faults)


def test_what_is_required_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    variables(monkeypatch)
    configuration = read_configuration()
    assert configuration.settings.ledger_url.get_secret_value() == "sqlite:///.relais/ledger.db"
    assert set(configuration.connector_settings) == {"fixmystreet", "crm_cmt"}


@pytest.mark.parametrize("missing", sorted(ENOUGH))
def test_what_is_required_and_missing_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    variables(monkeypatch)
    monkeypatch.delenv(missing)
    (fault,) = faults()
    assert fault.startswith(f"{missing}: ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEDGER_URL", "mysql://relais@db/relais"),
        ("LEDGER_URL", "sqlite://"),
        ("LEDGER_URL", "sqlite:///:memory:"),
        ("LEDGER_URL", f"postgres//relais:{SECRET}@db"),
        ("LEDGER_URL", "postgresql://relais@db:port/relais"),
        ("HTTP_PORT", "-1"),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "eighty"),
        ("LEASE", "0"),
        ("LEASE", "-5"),
        ("LEASE", "soon"),
        ("PATIENCE", "three days"),
        ("DIGEST_KEY", "short"),
        ("REGISTER_NUMBER_AUTHORISATION", "ja"),
        ("INTAKE_CAPACITY", "0"),
        ("MAX_LANES", "0"),
        ("FEEDS", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("SOURCES", "fixmystret"),
        ("SOURCES", "crm_cmt"),
        ("SINKS", "crm"),
        ("SINKS", "fixmystreet"),
        ("SINKS", "fixmystreet,crm_cmt"),
        ("SINKS", ","),
        ("RULES", f"/nowhere/{SECRET}"),
        ("FIXMYSTREET_ACCESS", "door"),
        ("FIXMYSTREET_BASE_URL", "api.brussels"),
        ("FIXMYSTREET_BASE_URL", f"https://relais:{SECRET}@api.brussels/"),
        ("FIXMYSTREET_SINCE", "2026-13-01"),
        ("FIXMYSTREET_MUNICIPALITIES", ","),
        ("FIXMYSTREET_MUNICIPALITIES", "1000,Ixelles"),
        ("FIXMYSTREET_RECENT_EVERY", "0"),
        ("FIXMYSTREET_BODY_LIMIT", "1"),
        ("CRM_CMT_BASE_URL", "ftp://crm"),
        ("CRM_CMT_TOKEN", f"{SECRET} {SECRET}"),
        ("CRM_CMT_BATCH_SIZE", "101"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable_and_never_repeats_itself(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    variables(monkeypatch, **{variable: value})
    told = faults()
    assert told
    assert all(fault.startswith(f"RELAIS_{variable}: ") for fault in told)
    assert SECRET not in " ".join(told)


def test_the_site_has_no_usual_address_and_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    variables(monkeypatch, FIXMYSTREET_ACCESS="site")
    monkeypatch.delenv("RELAIS_FIXMYSTREET_CONSUMER_KEY")
    monkeypatch.delenv("RELAIS_FIXMYSTREET_CONSUMER_SECRET")
    (fault,) = faults()
    assert fault.startswith("RELAIS_FIXMYSTREET_BASE_URL: ")
    monkeypatch.setenv("RELAIS_FIXMYSTREET_BASE_URL", "https://site.example/api")
    read_configuration()


def test_a_rule_that_sends_to_a_sink_that_is_not_configured_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise its cases would be accepted and never go anywhere."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "vocabulary.yaml").write_text(VOCABULARY, "utf-8")
    (folder / "fixmystreet.yaml").write_text(RULES, "utf-8")
    variables(monkeypatch, RULES=str(folder))
    assert faults() == ["RELAIS_SINKS: without archive, where the rule night of fixmystreet sends its cases"]


def test_a_slip_of_the_pen_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    variables(monkeypatch, FIXMYSTREET_WEBHOOK_TOKN=SECRET, LEDGERURL=SECRET, XYZ="1")
    assert faults() == [
        "RELAIS_FIXMYSTREET_WEBHOOK_TOKN: no such setting; did you mean RELAIS_FIXMYSTREET_WEBHOOK_TOKEN?",
        "RELAIS_LEDGERURL: no such setting; did you mean RELAIS_LEDGER_URL?",
        "RELAIS_XYZ: no such setting",
    ]


def test_a_slip_of_the_pen_in_the_file_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a door would stand open whose token was written there under a wrong name."""
    variables(monkeypatch)
    Path(".env").write_text(f"OTHER=1\nRELAIS_HTTP_PORT=81\nRELAIS_FIXMYSTREET_WEBHOOK_TOKN={SECRET}\n", "utf-8")
    assert faults() == [
        "RELAIS_FIXMYSTREET_WEBHOOK_TOKN in .env: no such setting; did you mean RELAIS_FIXMYSTREET_WEBHOOK_TOKEN?"
    ]


def test_a_setting_in_the_file_holds_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RELAIS_HTTP_PORT=81\nRELAIS_MAX_LANES=7\nRELAIS_LOG_LEVEL=\n", "utf-8")
    monkeypatch.setenv("RELAIS_MAX_LANES", "8")
    settings = load_settings()
    assert (settings.http_port, settings.max_lanes, settings.log_level) == (81, 8, "info")


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    variables(monkeypatch, SECRETS_DIR=str(folder))
    monkeypatch.delenv("RELAIS_CRM_CMT_TOKEN")
    (folder / "relais_crm_cmt_token").write_text(f"{SECRET}\n", "utf-8")
    (folder / "relais_digest_key").write_text(f"{SECRET}{SECRET}\n", "utf-8")
    (folder / "somebody_elses").write_text("x", "utf-8")
    configuration = read_configuration()
    assert configuration.settings.digest_key is not None
    assert configuration.settings.digest_key.get_secret_value() == SECRET * 2
    assert configuration.connector_settings["crm_cmt"].token.get_secret_value() == SECRET  # type: ignore[attr-defined]


def test_a_secret_file_under_a_wrong_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables(monkeypatch, SECRETS_DIR=str(tmp_path))
    (tmp_path / "relais_digest_kee").write_text(SECRET, "utf-8")
    assert faults() == ["relais_digest_kee in RELAIS_SECRETS_DIR: no such setting; did you mean RELAIS_DIGEST_KEY?"]


def test_a_folder_of_secrets_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every optional secret in it, a token of a door among them, would silently not be there."""
    variables(monkeypatch, SECRETS_DIR="/no/such/folder")
    assert faults() == ["RELAIS_SECRETS_DIR: there is no such folder"]


def test_every_fault_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    variables(monkeypatch, HTTP_PORT="x", LEASE="0", FIXMYSTREET_SINCE="x", CRM_CMT_BATCH_SIZE="0", XYZ="1")
    monkeypatch.delenv("RELAIS_CRM_CMT_TOKEN")
    assert [fault.partition(":")[0] for fault in faults()] == [
        "RELAIS_HTTP_PORT",
        "RELAIS_LEASE",
        "RELAIS_FIXMYSTREET_SINCE",
        "RELAIS_CRM_CMT_TOKEN",
        "RELAIS_CRM_CMT_BATCH_SIZE",
        "RELAIS_XYZ",
    ]


def test_no_secret_is_in_a_representation_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "LEDGER_URL": f"postgresql://relais:{SECRET}@db/relais",
        "BROKER_URL": f"nats://relais:{SECRET}@nats",
        "DIGEST_KEY": SECRET * 2,
        "FIXMYSTREET_CONSUMER_SECRET": SECRET,
        "FIXMYSTREET_WEBHOOK_SIGNATURE_KEY": SECRET,
        "FIXMYSTREET_WEBHOOK_TOKEN": SECRET,
        "CRM_CMT_TOKEN": SECRET,
    }
    variables(monkeypatch, **secrets)
    configuration = read_configuration()
    assert SECRET not in repr(configuration) + str(configuration)
    assert SECRET not in configuration.settings.model_dump_json()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().http_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90"), (90, "PT1M30S"), (0.5, "0.5"), (5400, "01:30:00"), (86_400, "P1D")]
)
def test_a_duration_is_seconds_or_iso_8601(monkeypatch: pytest.MonkeyPatch, seconds: float, text: str) -> None:
    monkeypatch.setenv("RELAIS_LEASE", text)
    assert load_settings().lease.total_seconds() == seconds


def started(folder: Path, **changed: str) -> "subprocess.CompletedProcess[str]":
    """`relais run` with settings that do not let it start."""
    environment = ENOUGH | {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | changed
    return subprocess.run(
        [sys.executable, "-m", "relais.cli.main", "run"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_start_is_refused_with_a_line_for_each_fault_and_without_a_traceback(tmp_path: Path) -> None:
    ended = started(
        tmp_path,
        RELAIS_HTTP_PORT="eighty",
        RELAIS_LEDGER_URL=f"postgres//{SECRET}",
        RELAIS_FIXMYSTREET_SINC="2026-01-01",
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == [
        "RELAIS_LEDGER_URL",
        "RELAIS_HTTP_PORT",
        "RELAIS_FIXMYSTREET_SINC",
    ]
    assert SECRET not in ended.stderr
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_a_lease_that_a_request_could_outlive_stops_the_start(tmp_path: Path) -> None:
    ended = started(tmp_path, RELAIS_LEASE="20")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "RELAIS_LEASE: must be longer than twice the longest request of crm_cmt, which may take 10 s\n"
    )
