"""A program of the demonstration: it is heard, watched, and never outlives the demonstration."""

import os
import signal
import sys
from pathlib import Path

import pytest

from relais.demonstration.child import Child, StageError

SERVES = "import time; print('listening on http://127.0.0.1:1', flush=True); time.sleep(600)"


def a_child(folder: Path, program: str = SERVES) -> Child:
    return Child("the program", [sys.executable, "-c", program], log=folder / "program.log", environment=os.environ)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_it_says_where_it_listens(tmp_path: Path) -> None:
    child = a_child(tmp_path)

    assert await child.start() == "http://127.0.0.1:1"
    assert child.pid is not None
    assert (child.memory_mebibytes() or 1) > 0
    await child.stop()
    assert child.pid is None


async def test_one_that_is_started_again_is_not_believed_its_earlier_word(tmp_path: Path) -> None:
    await (first := a_child(tmp_path)).start()
    first.kill()
    again = a_child(tmp_path, "import sys; sys.exit('LEDGER: not here')")

    with pytest.raises(StageError, match=r"ended with 1, and said last: LEDGER: not here\nsee .*program\.log"):
        await again.start()


async def test_one_that_stays_silent_is_given_up(tmp_path: Path) -> None:
    child = a_child(tmp_path, "import time; time.sleep(600)")

    with pytest.raises(StageError, match="did not start within"):
        await child.start(within_seconds=0.2)
    await child.stop()


async def test_one_that_ends_by_itself_is_noticed_and_one_that_was_killed_by_us_is_not(tmp_path: Path) -> None:
    child = a_child(tmp_path)
    await child.start()
    pid = child.pid
    assert pid is not None
    end(pid)
    with pytest.raises(StageError, match="ended with -9"):
        child.look()

    child.kill()
    child.look()


async def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = a_child(tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}")
    await child.start()
    pid = child.pid
    assert pid is not None

    await child.stop(within_seconds=0.1)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
