"""Fixtures are found and read in their order; what cannot be read is a line, and the rest goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from relais.operations import fixtures
from relais.operations.fixtures import Fixture, Misfit, files_under, read_fixtures
from tests.unit.operations.world import a_push, written

SOURCES = ("fixmystreet",)
GOLDEN = Path(__file__).parents[2] / "golden" / "fixmystreet"


def read(file: Path) -> list[Fixture | Misfit]:
    return [one for _, one in read_fixtures(file, SOURCES)]


def faults(file: Path) -> list[str]:
    return [one.fault for one in read(file) if isinstance(one, Misfit)]


def names(folder: Path, *paths: Path) -> list[str]:
    files, misfits = files_under(paths or (folder,))
    assert misfits == []
    return [str(file.relative_to(folder)) for file in files]


def test_a_folder_is_read_to_its_depths_by_name(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.jsonl", "a/b/x.ndjson", "a.json", "README.md"):
        written(tmp_path / name, a_push())
    assert names(tmp_path) == ["a.json", "b.json", "a/z.jsonl", "a/b/x.ndjson"]


def test_paths_are_played_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    files = [written(tmp_path / name, a_push()) for name in ("b.json", "a.json")]
    assert names(tmp_path, *files) == ["b.json", "a.json"]


def test_of_a_golden_folder_only_what_was_given_is_a_fixture() -> None:
    files, misfits = files_under([GOLDEN])
    assert {file.name for file in files} == {"given.json"}
    assert misfits == []
    assert [one for file in files for one in read(file) if isinstance(one, Misfit)] == []


def test_the_source_may_be_said_by_a_folder(tmp_path: Path) -> None:
    fixture = a_push()
    del fixture["source"]
    (found,) = read(written(tmp_path / "fixmystreet" / "case" / "given.json", fixture))
    assert isinstance(found, Fixture)
    assert found.source == "fixmystreet"
    assert faults(written(tmp_path / "elsewhere.json", fixture)) == ["no source, and no folder above is named like one"]


@pytest.mark.parametrize("name", ["one.json", "many.json", "lines.jsonl"])
def test_one_fixture_a_list_and_lines_are_read_alike(tmp_path: Path, name: str) -> None:
    given = [a_push(1)] if name == "one.json" else [a_push(1), a_push(2)]
    found = read(written(tmp_path / name, *given))
    assert [json.loads(one.body) for one in found if isinstance(one, Fixture)] == [one["body"] for one in given]


def test_a_body_given_as_text_is_kept_to_the_byte(tmp_path: Path) -> None:
    (found,) = read(written(tmp_path / "raw.json", a_push() | {"body": '{"a":  1, "é": 2}'}))
    assert isinstance(found, Fixture)
    assert found.body == '{"a":  1, "é": 2}'.encode()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("{", "not JSON at character 1"),
        ("[]", "an empty list"),
        ('{"door": "d", "door": "e", "body": {}}', "a key is said twice in one object"),
        ("7", "not a fixture: Input should be a valid dictionary or instance of _Written"),
        ('{"source": "fixmystreet", "body": {}}', "not a fixture: door: Field required"),
        ('{"source": "fixmystreet", "door": "webhook", "body": {}, "head": 1}', "not a fixture: head: Extra inputs"),
        ('{"source": "fixmystreet", "door": "webhook", "body": {}, "received_at": "x"}', "not a fixture: received_at:"),
        ('{"source": "fixmystreet", "door": "webhook", "body": 7}', "not a fixture: body:"),
    ],
)
def test_what_is_no_fixture_says_why(tmp_path: Path, given: str, fault: str) -> None:
    file = tmp_path / "given.json"
    file.write_text(given, "utf-8")
    (found,) = faults(file)
    assert found.startswith(fault)


def test_a_line_that_cannot_be_read_leaves_the_others_alone(tmp_path: Path) -> None:
    file = written(tmp_path / "lines.jsonl", a_push(1), a_push(2))
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([lines[0], "not json", "", lines[1]]), "utf-8")
    found = read(file)
    assert [one.where for one in found] == [f"{file}:1", f"{file}:2", f"{file}:4"]
    assert [isinstance(one, Fixture) for one in found] == [True, False, True]


def test_nothing_that_stood_in_a_fixture_is_repeated_in_its_fault(tmp_path: Path) -> None:
    secret = "Lucie Vanhamme"
    bad: list[dict[str, Any]] = [{"door": secret, "body": {}}, a_push() | {"received_at": secret}]
    assert secret not in str(faults(written(tmp_path / "bad.json", *bad)))


def test_what_is_not_there_is_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = written(tmp_path / "good.json", a_push())
    files, misfits = files_under([tmp_path / "missing.json", good, tmp_path / "empty"])
    assert files == [good]
    assert [one.fault for one in misfits] == ["no such file or folder", "no fixtures in this folder"]


def test_the_bytes_read_rise_to_the_size_of_the_file(tmp_path: Path) -> None:
    for name in ("many.json", "lines.jsonl"):
        file = written(tmp_path / name, *(a_push(number) for number in range(1, 5)))
        reached = [read for read, _ in read_fixtures(file, SOURCES)]
        assert reached == sorted(reached)
        assert reached[-1] == file.stat().st_size


def test_a_line_longer_than_may_be_held_ends_its_file(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    with file.open("wb") as lines:
        lines.truncate(fixtures.LARGEST_LINE + 10)
    (fault,) = faults(file)
    assert "the line is longer than" in fault
