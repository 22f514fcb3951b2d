"""What the folder says of itself is true."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from connectors.crm_cmt import CONNECTOR
from connectors.kit.describe import settings_table

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "connectors" / "crm_cmt"
RULES = tomllib.loads((FOLDER / "quality.toml").read_text("utf-8"))["rules"]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_done_names_a_test_that_exists(rule: str) -> None:
    (mark, said), *more = RULES[rule].items()
    assert not more
    assert mark in ("done", "todo", "exempt")
    assert said
    if mark == "done":
        path, name = said.split("::")
        assert re.search(rf"^\s*(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)


def test_the_settings_table_of_the_readme_is_the_one_of_the_settings() -> None:
    readme = FOLDER / "README.md"
    text = readme.read_text("utf-8")
    before, rest = re.split(r"(?<=rewrites -->\n)", text)
    table, after = rest.split("<!-- end of settings -->")
    now = settings_table(CONNECTOR.name, CONNECTOR.settings)
    if os.environ.get("RELAIS_GOLDEN_UPDATE") == "1":
        readme.write_text(f"{before}{now}<!-- end of settings -->{after}", "utf-8")
        table = now
    assert table == now


def test_the_connector_is_named_like_its_folder() -> None:
    assert CONNECTOR.name == FOLDER.name
    assert CONNECTOR.open_source is None
    assert CONNECTOR.open_sink is not None
