"""One list of generators, of which none is passed over."""

import sys
from pathlib import Path

import pytest

from tools.generated import faults_of


def test_a_missing_generator_is_a_fault() -> None:
    assert faults_of(["--check"], ["tools.no_such_generator", "no_such_package.publish"]) == [
        "tools.no_such_generator: there is no such generator",
        "no_such_package.publish: there is no such generator",
    ]


def test_a_failing_generator_does_not_keep_the_next_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "stale_generator.py").write_text("import sys; sys.exit('--check' in sys.argv)")
    (tmp_path / "fresh_generator.py").write_text("from pathlib import Path; Path(__file__).with_suffix('.ran').touch()")

    faults = faults_of(["--check"], ["stale_generator", "fresh_generator"])

    assert faults == ["stale_generator: exit code 1"]
    assert (tmp_path / "fresh_generator.ran").exists()
    assert faults_of([], ["stale_generator"]) == []
    assert sys.modules.keys().isdisjoint({"stale_generator", "fresh_generator"})
