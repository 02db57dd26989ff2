"""Snapshots, as a Label Studio with Redis makes them: in the background."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ml_backend.label_studio.client import Project, ReviewServer
from projection.errors import ServerError
from tests.ml_backend.label_studio.studio import serving

PROJECT = Project(7, "News", "<View/>", "", 2, 0, 0)
TASKS = [{"id": 2, "data": {}}, {"id": 1, "data": {}}]
SNAPSHOTS = "/api/projects/7/exports/"


class SnapshotServer(ThreadingHTTPServer):
    """The part of Label Studio's API that makes snapshots. `statuses` are what it answers in turn;
    the last one stays. `broken` requests are answered with status 500.
    """

    daemon_threads = True

    def __init__(self, *statuses: str, broken: str = "") -> None:
        super().__init__(("127.0.0.1", 0), SnapshotHandler)
        self.statuses, self.broken = list(statuses), broken
        self.requests: list[str] = []
        self.held: set[int] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_status(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


class SnapshotHandler(BaseHTTPRequestHandler):
    server: SnapshotServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.held.add(5)
        self._answer("create", 201, {"id": 5, "status": self.server.next_status()})

    def do_GET(self) -> None:
        if "/download" in self.path:
            self._answer("download", 200, TASKS)
        else:
            self._answer("get", 200, {"id": 5, "status": self.server.next_status()})

    def do_DELETE(self) -> None:
        assert self.path.startswith(f"{SNAPSHOTS}5")
        if self.server.broken != "delete":
            self.server.held.remove(5)
        self._answer("delete", 204, None)

    def _answer(self, name: str, status: int, body: object) -> None:
        self.server.requests.append(name)
        sent = b"" if body is None else json.dumps(body).encode()
        self.send_response(400 if self.server.broken == name else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


def tasks_of(studio: SnapshotServer, *, snapshot_seconds: float = 60) -> list[int]:
    with ReviewServer(studio.url, "0" * 40, snapshot_seconds=snapshot_seconds) as server:
        return [task["id"] for task in server.tasks(PROJECT)]


@pytest.mark.parametrize(
    ("statuses", "polls"),
    [
        pytest.param(["completed"], 0, id="at once"),
        pytest.param(["created", "in_progress", "in_progress", "completed"], 3, id="later"),
    ],
)
def test_a_snapshot_is_awaited_read_and_deleted(statuses: list[str], polls: int) -> None:
    with serving(SnapshotServer(*statuses)) as studio:
        assert tasks_of(studio) == [1, 2]

    assert studio.requests == ["create", *["get"] * polls, "download", "delete"]
    assert not studio.held


def test_a_snapshot_that_fails_is_an_error_and_deleted() -> None:
    with (
        serving(SnapshotServer("in_progress", "failed")) as studio,
        pytest.raises(ServerError, match=r"snapshot 5 of project 'News': .* could not make it"),
    ):
        tasks_of(studio)

    assert studio.requests == ["create", "get", "delete"]
    assert not studio.held


def test_a_snapshot_that_is_never_completed_is_given_up_and_deleted() -> None:
    with (
        serving(SnapshotServer("created", "in_progress")) as studio,
        pytest.raises(ServerError, match=r"still in_progress after 0\.2 seconds\. .*rqworker"),
    ):
        tasks_of(studio, snapshot_seconds=0.2)

    assert studio.requests[-1] == "delete"
    assert not studio.held


@pytest.mark.parametrize("broken", ["get", "download"])
def test_a_snapshot_is_deleted_if_label_studio_refuses_the_next_request(broken: str) -> None:
    with (
        serving(SnapshotServer("in_progress", "completed", broken=broken)) as studio,
        pytest.raises(ServerError, match="answered 400"),
    ):
        tasks_of(studio)

    assert studio.requests[-1] == "delete"
    assert not studio.held


def test_a_snapshot_that_cannot_be_deleted_is_told_and_costs_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(SnapshotServer("completed", broken="delete")) as studio:
        assert tasks_of(studio) == [1, 2]

    assert "snapshot 5 of 'News' is not deleted" in caplog.text
