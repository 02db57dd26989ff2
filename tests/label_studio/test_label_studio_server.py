"""Starting and stopping Label Studio."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ml_backend.demo.label_studio_server import Account, LabelStudioServer, free_port
from ml_backend.label_studio.client import ReviewServer
from projection.errors import ServerError


@pytest.mark.label_studio
def test_a_second_start_finds_the_account_and_the_projects_again(used_folder: Path) -> None:
    waited: list[float] = []
    first = LabelStudioServer(used_folder, on_wait=waited.append)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with first:
        account = first.account
        with ReviewServer.connect(first.url, account.token) as server:
            server.ensure_project("Kept", "<View></View>")
        pid = first.pid
        assert pid is not None

    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    assert bystander.poll() is None, "another process was ended"
    bystander.communicate()
    assert waited == sorted(waited)
    assert waited
    with LabelStudioServer(used_folder) as second:
        assert second.account == account
        with ReviewServer.connect(second.url, account.token) as server:
            assert server.find_project("Kept") is not None
        second.stop()
        second.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{second.url}/health")
    with pytest.raises(ServerError, match="belongs to another account"):
        LabelStudioServer(used_folder, account=Account.made_up()).start()


@pytest.mark.label_studio
def test_a_server_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "label_studio.sqlite3").write_text("not a database")
    server = LabelStudioServer(tmp_path)

    with pytest.raises(ServerError, match=r"(?s)ended with status 1.*not a database"):
        server.start()

    assert server.pid is None


@pytest.mark.label_studio
def test_settings_of_its_own_reach_it(tmp_path: Path) -> None:
    server = LabelStudioServer(tmp_path, environment={"DJANGO_DB": "no such database"})

    with pytest.raises(ServerError, match=r"(?s)ended with status 1.*KeyError: 'no such database'"):
        server.start()


def test_a_taken_port_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServerError, match=f"{port}: the port is taken"):
            LabelStudioServer(tmp_path / "data", port=port).start()

    assert not (tmp_path / "data").exists()


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_the_account_is_known_before_the_start(tmp_path: Path) -> None:
    """What runs beside Label Studio can be told its key."""
    given = Account.made_up("ada@example.org")
    account = LabelStudioServer(tmp_path, account=given).account
    assert account == given
    assert (tmp_path / "account.json").stat().st_mode & 0o077 == 0
    assert LabelStudioServer(tmp_path).account == account


@pytest.mark.label_studio
def test_one_that_is_stopped_while_it_starts_is_not_waited_for(tmp_path: Path) -> None:
    server = LabelStudioServer(tmp_path)
    starting = ThreadPoolExecutor(1)
    started = starting.submit(server.start)
    deadline = time.monotonic() + 10
    while server.pid is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.stop()

    with pytest.raises(ServerError, match="stopped before it was up"):
        started.result(timeout=10)
    starting.shutdown()
