"""The example of an environment says every setting, and no secret."""

import os
import re
from pathlib import Path

import pytest

from relais.bootstrap import read_configuration
from relais.documents.env_example import main, text
from relais.documents.settings import setting_groups
from relais.settings import SettingsError

LINES = [line for group in setting_groups() for line in group.lines]


def test_the_file_in_the_checkout_is_in_step() -> None:
    assert main(["--check"]) == 0


def test_every_setting_stands_in_it_once() -> None:
    assert re.findall(r"^#?(RELAIS_\w+)=", text(), re.MULTILINE) == [line.variable for line in LINES]


def test_only_what_is_required_is_not_commented_out() -> None:
    open_ones = re.findall(r"^(RELAIS_\w+)=", text(), re.MULTILINE)
    assert open_ones == [line.variable for line in LINES if line.required]


def test_no_secret_has_a_value_beside_the_embedded_ledger() -> None:
    secrets = {line.variable for line in LINES if line.secret}
    given = dict(re.findall(r"^#?(RELAIS_\w+)=(.+)$", text(), re.MULTILINE))
    assert {name: value for name, value in given.items() if name in secrets} == {
        "RELAIS_LEDGER_URL": "sqlite:///.relais/ledger.db"
    }


def test_every_default_that_it_shows_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every comment taken off, only what has no default is missing."""
    for name in [name for name in os.environ if name.startswith("RELAIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(re.sub(r"^#(RELAIS_)", r"\1", text(), flags=re.MULTILINE), "utf-8")
    with pytest.raises(SettingsError) as raised:
        read_configuration()
    assert all(re.search("Field required|gateway needs", fault) for fault in raised.value.faults), raised.value.faults
