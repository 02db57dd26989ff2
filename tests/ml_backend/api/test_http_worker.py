"""Requests are read whole and in time before a thread answers them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ml_backend.api import http_worker
from ml_backend.api.http_worker import ARRIVED, GONE, Limits
from ml_backend.auth import Credentials
from tests.ml_backend.api.http_server import HttpServer
from tests.ml_backend.conftest import wait_until

THREADS, MOST = 2, 100
KNOWN = b"Authorization: Token a password of theirs\r\n"


class Told:
    """An application that tells what it got; `/wait` waits for the client to go."""

    def __init__(self) -> None:
        self.gone, self.arrived, self.answered = threading.Event(), 0.0, 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
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


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def server(told: Told) -> Iterator[HttpServer]:
    limits = Limits(Credentials("ada", "a password of theirs"), MOST, THREADS)
    with HttpServer(told, limits) as server:
        yield server


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALVES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", id="headers"),
    pytest.param(b"POST / HTTP/1.1\r\n" + KNOWN + b"Content-Length: 9\r\n\r\n{", id="body"),
    pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n{", id="a stranger's"),
    pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="chunk"),
]


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_hold_no_thread(server: HttpServer, half: bytes) -> None:
    with ExitStack() as open_connections:
        for _ in range(10 * THREADS):
            open_connections.enter_context(server.send(half))
        assert server.ask(GET)[0] == 200


@pytest.mark.parametrize("half", HALVES)
def test_half_requests_are_closed_in_time_however_slowly_they_go_on(
    server: HttpServer, half: bytes, monkeypatch: pytest.MonkeyPatch
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
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_worker, "MOST_CONNECTIONS", 5)
    with ExitStack() as open_connections:
        waiting = [open_connections.enter_context(server.send(b"GET / ")) for _ in range(20)]
        assert server.ask(GET)[0] == 200
        assert len(server.listener.active_channels) <= 5
        waiting[0].settimeout(5)
        assert waiting[0].recv(1) == b""


@pytest.mark.parametrize(
    ("head", "sent", "expected"),
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
    server: HttpServer, head: bytes, sent: bytes, expected: dict[str, str], chunked: bool
) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(sent)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent) if chunked else sent
    raw = b"POST / HTTP/1.1\r\n" + head + length + b"\r\n\r\n" + body
    assert server.ask(raw) == (200, expected)


def test_the_time_of_a_request_counts_from_its_first_byte(server: HttpServer, told: Told) -> None:
    before = time.monotonic()
    with server.send(GET[:10]) as connection:
        time.sleep(0.2)
        connection.sendall(GET[10:])
        connection.recv(100)
    assert before <= told.arrived < before + 0.15


def test_a_client_that_leaves_is_noticed(server: HttpServer, told: Told) -> None:
    with server.send(GET.replace(b"/ ", b"/wait ", 1)):
        wait_until(lambda: told.arrived)
        assert not told.gone.is_set()
    assert told.gone.wait(10)


def test_nothing_is_done_for_a_client_that_has_left_before_its_turn(
    server: HttpServer, told: Told
) -> None:
    with ExitStack() as busy:
        for _ in range(THREADS):
            busy.enter_context(server.send(GET.replace(b"/ ", b"/wait ", 1)))
        wait_until(lambda: told.answered == THREADS)
        with server.send(GET):
            wait_until(lambda: len(server.listener.active_channels) == THREADS + 1)
        wait_until(lambda: len(server.listener.active_channels) == THREADS)
    assert server.ask(GET)[0] == 200
    assert told.answered == THREADS + 1


ASKED = b"POST /predict HTTP/1.1\r\n" + KNOWN + b"Content-Length: 2\r\n\r\n{}"


def test_a_prediction_beyond_the_limit_costs_no_thread(server: HttpServer, told: Told) -> None:
    server.listener.adj.refuses = lambda _: True
    with server.send(ASKED) as connection, connection.makefile("rb") as answer:
        said = answer.read()
    assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 1\r\n" in said
    assert said.endswith(b'too many predictions at once. Try again shortly"}')
    assert told.answered == 0


def test_it_is_refused_behind_another_request_of_the_connection(server: HttpServer) -> None:
    server.listener.adj.refuses = lambda _: True
    with server.send(GET + ASKED) as connection, connection.makefile("rb") as answer:
        said = answer.read()
    assert [said.count(b"HTTP/1.1 200 OK"), said.count(b"HTTP/1.1 503 ")] == [1, 1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"params": {"context": {"result": []}}}', 200, id="somebody draws"),
        pytest.param(b'{"params": {"context": null}}', 503, id="a batch"),
        pytest.param(b'{"context": {' + b" " * 2**20 + b"}}", 503, id="more than one task"),
    ],
)
def test_a_batch_is_refused_before_what_somebody_draws(
    server: HttpServer, body: bytes, status: int
) -> None:
    server.listener.adj.refuses = lambda drawn: not drawn
    server.listener.adj.most = len(body)
    raw = ASKED.replace(b"Content-Length: 2\r\n\r\n{}", b"Content-Length: %d\r\n\r\n" % len(body))
    said = server.ask(raw + body)
    assert said[0] == status
    assert status == 503 or said[1]["body"] == body.decode()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(ASKED.replace(KNOWN, b""), id="a stranger's: the application asks who it is"),
        pytest.param(ASKED.replace(b"/predict", b"/webhook"), id="another endpoint"),
    ],
)
def test_whatever_waits_for_no_model_is_answered_beyond_it(server: HttpServer, raw: bytes) -> None:
    server.listener.adj.refuses = lambda _: True
    assert server.ask(raw)[0] == 200
