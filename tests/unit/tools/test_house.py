"""What the check of the house finds, and what it leaves alone."""

import pytest

from tools.house import ROOMS, forbidden_words, locks_out_of_step, missing_rooms

METADATA = """
[project]
dependencies = ["httpx>=0.28.1,<0.29", "sqlalchemy[asyncio]>=2.0.40"]

[dependency-groups]
build = ["setuptools>=77"]
dev = [{ include-group = "build" }, "Ruff>=0.11"]
"""
LOCK = "httpx==0.28.1 \\\n    --hash=sha256:00\nsqlalchemy==2.0.58 ; python_version >= '3.11'\n"
LOCKS = {
    "requirements.lock": LOCK,
    "requirements-dev.lock": LOCK + "ruff==0.17.6\nsetuptools==84.2.1\n",
    "requirements-build.lock": "setuptools==84.2.1\n",
}


@pytest.mark.parametrize(
    "line",
    [
        "# TO" + "DO: later",
        "raise NotImplemented" + "Error",
        "folder = '/ro" + "ot/.cache'",
        "see /wo" + "rk/main/README.md",
        "index-url = https://py" + "pi.org/simple",
        "files.python" + "hosted.org/packages/x",
    ],
)
def test_what_no_tracked_file_may_say_is_found_with_its_line(line: str) -> None:
    [fault] = forbidden_words("a.py", f"first line\n{line}\n")

    assert fault.startswith("a.py:2: ")


@pytest.mark.parametrize(
    "line", ['rule = "todo"', "https://example.org/work/orders", "tmpfs: [/tmp]", "class Todos: ...", "$HOME/work/x"]
)
def test_what_only_looks_forbidden_is_left_alone(line: str) -> None:
    assert list(forbidden_words("a.py", line)) == []


def test_a_missing_room_is_named() -> None:
    complete = [f"{room}file.py" if room.endswith("/") else room for room in ROOMS]

    assert list(missing_rooms(complete)) == []
    assert list(missing_rooms(complete[1:])) == ["connectors/: missing, the layout promises it"]
    assert len(list(missing_rooms([]))) == len(ROOMS)


def test_locks_that_hold_what_the_metadata_asks_for_are_in_step() -> None:
    assert list(locks_out_of_step(METADATA, LOCKS)) == []


def test_a_dependency_missing_from_a_lock_is_named() -> None:
    [fault] = locks_out_of_step(METADATA, {**LOCKS, "requirements-build.lock": ""})

    assert fault.startswith("requirements-build.lock: holds setuptools None")


def test_a_locked_version_that_the_metadata_forbids_is_named() -> None:
    [fault] = locks_out_of_step(METADATA, {**LOCKS, "requirements.lock": LOCK.replace("0.28.1", "0.29.0")})

    assert fault.startswith("requirements.lock: holds httpx 0.29.0")
