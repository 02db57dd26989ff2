"""One command at a time writes to a project."""

import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.label_studio.project_lock import project_lock
from projection.errors import ServerError

HOLD = """
import sys
from pathlib import Path
from ml_backend.label_studio.project_lock import project_lock
with project_lock("audit draw", "http://x", "News", Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_command_is_refused_and_told_which_one_holds_the_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            project_lock("push", "http://x", "News", tmp_path),
            pytest.raises(ServerError, match=r"`spanferry push` is at work on it already\. Wait"),
            project_lock("adjudicate", "http://x/", "News", tmp_path),
        ):
            pass


def test_a_command_in_another_process_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(ServerError, match="`spanferry audit draw` is at work"),
            project_lock("push", "http://x", "News", tmp_path),
        ):
            pass
        other.communicate()
    with project_lock("push", "http://x", "News", tmp_path):
        pass


def test_other_projects_and_servers_are_not_locked(tmp_path: Path) -> None:
    with (
        project_lock("push", "http://x", "News", tmp_path),
        project_lock("push", "http://x", "Sport", tmp_path),
        project_lock("push", "http://y", "News", tmp_path),
    ):
        pass


def test_the_lock_lies_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
    with (
        project_lock("push", "http://x", "News"),
        pytest.raises(ServerError, match="`spanferry push` is at work"),
        project_lock("adjudicate", "http://x", "News", tmp_path / "data"),
    ):
        pass
