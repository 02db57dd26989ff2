"""Requests are read whole and in time before a thread answers them."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from ml_backend.api import http_worker
from ml_backend.api.http_worker import ARRIVED, GONE, Limits, Listener
from ml_backend.auth import Credentials
from tests.ml_backend.conftest import wait_until

THREADS, MOST = 2, 100
KNOWN = b"Authorization: Token a password of theirs\r\n"


class Server:
    """A listener with an application that tells what it got; `/wait` waits for the client to go."""

    def __init__(self) -> None:
        self.gone, self.arrived, self.answered = threading.Event(), 0.0, 0
        limits = Limits(Credentials("ada", "a password of theirs"), MOST, THREADS)
        self._sockets: dict[int, Any] = {}
        self._threads = ThreadedTaskDispatcher()
        self._threads.set_thread_count(THREADS)
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.address = bound.getsockname()
        described = (bound.family, bound.type, bound.proto, self.address)
        self.listener = Listener(
            self._answer, self._sockets, _sock=bound, dispatcher=self._threads, adj=limits,
            sockinfo=described, bind_socket=False,
        )  # fmt: skip
        self._stop = threading.Event()
        self._loop = threading.Thread(target=self._run)
        self._loop.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            wasyncore.loop(timeout=0.02, use_poll=True, map=self._sockets, count=1)

    def close(self) -> None:
        self._stop.set()
        self._loop.join()
        self._threads.shutdown()
        wasyncore.close_all(self._sockets)

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.arrived = environ[ARRIVED]
        self.answered += 1
        if environ["PATH_INFO"] == "/wait":
            wait_until(environ[GONE])
            self.gone.set()
        told = {
            "length": environ.get("CONTENT_LENGTH"),
            "body": environ["wsgi.input"].read().decode(),
        }
        body = json.dumps(told).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def send(self, raw: bytes) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=10)
        connection.sendall(raw)
        return connection

    def ask(self, raw: bytes) -> tuple[str, dict[str, Any]]:
        """Status and JSON of the answer."""
        with self.send(raw) as connection:
            answer = b""
            while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                received = connection.recv(4096)
                assert received, f"closed after {answer!r}"
                answer += received
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.decode().split(" ")[1], json.loads(body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALVES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", id="headers"),
    pytest.param(b"POST / HTTP/1.1\r\n" + KNOWN + b"Content-Length: 9\r\n\r\n{", id="body"),
    pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n{", id="a stranger's"),
    pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="chunk"),
]


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_hold_no_thread(server: Server, half: bytes) -> None:
    with ExitStack() as open_connections:
        for _ in range(10 * THREADS):
            open_connections.enter_context(server.send(half))
        assert server.ask(GET)[0] == "200"


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_are_closed_in_time_however_slowly_they_go_on(
    server: Server, half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_worker, "READ_SECONDS", 0.1)
    with server.send(half) as connection:

        def go_on() -> None:
            for _ in range(100):
                connection.sendall(b"1")
                time.sleep(0.05)

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            go_on()


def test_where_connections_are_many_the_one_that_waits_longest_makes_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_worker, "MOST_CONNECTIONS", 5)
    with ExitStack() as open_connections:
        waiting = [open_connections.enter_context(server.send(b"GET / ")) for _ in range(20)]
        assert server.ask(GET)[0] == "200"
        assert len(server.listener.active_channels) <= 5
        waiting[0].settimeout(5)
        assert waiting[0].recv(1) == b""


@pytest.mark.parametrize(
    ("head", "sent", "told"),
    [
        pytest.param(KNOWN, b"12345", {"length": "5", "body": "12345"}, id="known: kept"),
        pytest.param(b"", b"12345", {"length": "5", "body": ""}, id="a stranger's: dropped"),
        pytest.param(
            KNOWN, b"x" * (MOST + 1), {"length": str(MOST + 1), "body": ""}, id="too large: dropped"
        ),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_only_bodies_somebody_will_read_are_kept(
    server: Server, head: bytes, sent: bytes, told: dict[str, str], chunked: bool
) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(sent)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent) if chunked else sent
    raw = b"POST / HTTP/1.1\r\n" + head + length + b"\r\n\r\n" + body
    assert server.ask(raw) == ("200", told)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", "400", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 2**19 + b"\r\n\r\n", "431", id="headers"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", "501", id="encoding"),
    ],
)
def test_what_is_not_http_is_refused_as_json(server: Server, raw: bytes, status: str) -> None:
    found, body = server.ask(raw)
    assert (found, [*body]) == (status, ["error"])


def test_the_time_of_a_request_counts_from_its_first_byte(server: Server) -> None:
    before = time.monotonic()
    with server.send(GET[:10]) as connection:
        time.sleep(0.2)
        connection.sendall(GET[10:])
        connection.recv(100)
    assert before <= server.arrived < before + 0.15


def test_a_client_that_leaves_is_noticed(server: Server) -> None:
    with server.send(GET.replace(b"/ ", b"/wait ", 1)):
        wait_until(lambda: server.arrived)
        assert not server.gone.is_set()
    assert server.gone.wait(10)


def test_nothing_is_done_for_a_client_that_has_left_before_its_turn(server: Server) -> None:
    with ExitStack() as busy:
        for _ in range(THREADS):
            busy.enter_context(server.send(GET.replace(b"/ ", b"/wait ", 1)))
        wait_until(lambda: server.answered == THREADS)
        with server.send(GET):
            wait_until(lambda: len(server.listener.active_channels) == THREADS + 1)
        wait_until(lambda: len(server.listener.active_channels) == THREADS)
    assert server.ask(GET)[0] == "200"
    assert server.answered == THREADS + 1
