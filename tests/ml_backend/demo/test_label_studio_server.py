"""Starting Label Studio, and what is refused before it runs."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml_backend.demo.label_studio_server import Account, LabelStudioServer, free_port, is_free
from projection.errors import ServerError


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


@pytest.mark.label_studio
def test_what_signs_api_keys_is_the_same_at_every_start(tmp_path: Path) -> None:
    """Label Studio would add a key of its own where it cannot read ours back."""
    server = LabelStudioServer(tmp_path, environment={"DJANGO_DB": "no such database"})
    for _ in range(2):
        with pytest.raises(ServerError):
            server.start()

    assert re.fullmatch("SECRET_KEY=[0-9a-f]{64}\n", (tmp_path / ".env").read_text("utf-8"))
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServerError, match=f"{port}: the port is taken"):
            LabelStudioServer(tmp_path / "data", port=port).start()

    assert not (tmp_path / "data").exists()


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


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


def test_the_environment_of_others_does_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label Studio would read these, and users of the machine could read a command line."""
    for name in ("HOST", "PORT", "DEBUG"):
        monkeypatch.setenv(name, "of another program")
    server = LabelStudioServer(tmp_path, environment={"DJANGO_DB": "default"})
    environment = server._environment()
    assert "of another program" not in environment.values()
    assert environment["DJANGO_DB"] == "default"
    assert environment["LABEL_STUDIO_PASSWORD"] == server.account.password
    assert "127.0.0.0/8" not in environment["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"]
