"""Processes that are stopped with all they started, or end because we do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ml_backend.jobs.child_process import ChildProcess
from tests.ml_backend.conftest import wait_until

# Starts another one, and says which two they are.
FAMILY = [
    "/bin/sh",
    "-c",
    "trap '' HUP; sleep 600 & echo $$ $! > family.new && mv family.new family; wait",
]

PARENT = """
import os, sys
from pathlib import Path
from ml_backend.jobs.child_process import ChildProcess
child = ChildProcess(sys.argv[1:], open(os.devnull, "wb"), os.environ, Path.cwd())
print(child.pid, flush=True)
sys.stdin.read()
"""


def family(folder: Path) -> list[int]:
    path = folder / "family"
    wait_until(path.exists)
    return [int(pid) for pid in path.read_text().split()]


def alive(pid: int) -> bool:
    """Whether it runs; one that nobody has asked for its exit status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_stopping_ends_it_and_what_it_started(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        child = ChildProcess(FAMILY, log, os.environ, tmp_path)
    pids = family(tmp_path)
    assert pids[0] == child.pid
    assert all(map(alive, pids))
    child.stop()
    assert child.poll() is not None
    # A signal is sent to the other one, too, which ends when the system gets to it.
    wait_until(lambda: not any(map(alive, pids)))
    child.stop()


def test_when_we_are_killed_it_ends_too(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert parent.stdout is not None
    started = int(parent.stdout.readline())
    pids = family(tmp_path)
    assert pids[0] == started
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until(lambda: not any(map(alive, pids)))
