"""A gunicorn worker that reads requests with waitress.

gunicorn looks after the processes. In each, one thread reads requests whole and within a time
limit, and only then hands them to the threads that answer: half a request holds none of these.
"""

import json
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from gunicorn.workers.base import (  # type: ignore[import-untyped]  # published without types
    Worker,
)
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from ml_backend.auth import Credentials

ARRIVED = "spanferry.arrived"  # in the WSGI environment: time.monotonic() of the first byte
GONE = "waitress.client_disconnected"  # in the WSGI environment: a function
READ_SECONDS = 30.0  # a connection may take to send a whole request
MOST_CONNECTIONS = 512  # beyond, the one that has sent no whole request for longest is closed
_LOOK_SECONDS = 1.0


class Limits(Adjustments):  # type: ignore[misc]  # its base is untyped
    """waitress's settings, and whose bodies of what size are kept."""

    def __init__(self, credentials: Credentials | None, most: int, threads: int) -> None:
        super().__init__(
            threads=threads,
            connection_limit=2 * MOST_CONNECTIONS,
            cleanup_interval=int(_LOOK_SECONDS),
            channel_request_lookahead=1,  # else nobody notices that a client has left
            outbuf_high_watermark=2**40,  # else a client that does not read holds a thread
            max_request_body_size=2**62,  # refused as JSON, by the application
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
            ident="spanferry",
        )
        self.credentials, self.most = credentials, most
        self.closing = False

    def kept(self, headers: Mapping[str, str]) -> int:
        """Return the bytes to keep of a body: none of a stranger's, which nobody will read."""
        known = self.credentials is None or self.credentials.allow(headers.get("AUTHORIZATION"))
        return self.most if known else 0


class Body(OverflowableBuffer):  # type: ignore[misc]  # its base is untyped
    """A request body, on disk if large. Beyond `most` bytes it is counted and dropped."""

    def __init__(self, overflow: int, most: int) -> None:
        super().__init__(overflow)
        self.most, self.seen = most, 0

    def append(self, received: bytes) -> None:
        """Add what was received."""
        self.seen += len(received)
        if self.seen <= self.most:
            super().append(received)

    def __len__(self) -> int:
        return self.seen


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request that knows when it began."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers, and choose where the body goes."""
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = Body(self.adj.inbuf_overflow, self.adj.kept(self.headers))
        self.connection_close |= self.adj.closing


class AppTask(WSGITask):  # type: ignore[misc]
    """The application's answer to a request."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with the time the request began."""
        environment: dict[str, Any] = super().get_environment()
        environment[ARRIVED] = self.request.began
        return environment


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """The answer to what is not HTTP, as JSON like all others."""

    def execute(self) -> None:
        """Write the answer, and close."""
        error = self.request.error
        body = json.dumps({"error": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it owes us a request."""

    parser_class, task_class, error_task_class = Request, AppTask, RefusalTask

    def __init__(self, *given: Any, **named: Any) -> None:
        self.quiet_since = time.monotonic()
        super().__init__(*given, **named)

    @property
    def waiting_since(self) -> float | None:
        """When the unfinished request, or the silence, began; None while we owe an answer."""
        if self.requests:
            return None
        request = self.request
        return self.quiet_since if request is None else float(request.began)

    def service(self) -> None:
        """Answer one request."""
        super().service()
        self.quiet_since = time.monotonic()


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket whose connections are limited in number and in time."""

    channel_class = Connection

    def handle_accept(self) -> None:
        """Accept a connection; beyond `MOST_CONNECTIONS`, another one has to go."""
        if len(self.active_channels) >= MOST_CONNECTIONS:
            waiting = [(since, each) for each, since in self._waiting()]
            if waiting:
                min(waiting, key=lambda pair: pair[0])[1].handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:  # noqa: ARG002  waitress's clock may be set back
        """Close what has sent no whole request in time."""
        latest = time.monotonic() - READ_SECONDS
        for each, since in self._waiting():
            each.will_close |= since < latest

    @property
    def busy(self) -> bool:
        """True while a request is answered, or on its way."""
        return any(
            each.requests or each.request is not None or each.total_outbufs_len
            for each in self.active_channels.values()
        )

    def stop_accepting(self) -> None:
        """Close the listening socket alone."""
        self.accepting = False
        self.del_channel()
        self.socket.close()

    def _waiting(self) -> Iterator[tuple[Connection, float]]:
        for each in [*self.active_channels.values()]:
            if (since := each.waiting_since) is not None:
                yield each, since


class HttpWorker(Worker):  # type: ignore[misc]
    """Answers until SIGTERM, then finishes what has begun; ends at once if gunicorn is gone."""

    def run(self) -> None:
        """Read and answer requests."""
        with suppress(OSError, ValueError):  # two files a connection, if its body is large
            resource.setrlimit(resource.RLIMIT_NOFILE, (8 * MOST_CONNECTIONS,) * 2)
        sys.setswitchinterval(0.001)  # seconds: short requests beside a thread that computes
        limits: Limits = self.app.limits()
        threads = ThreadedTaskDispatcher()
        threads.queue_logger.setLevel("ERROR")  # how many wait is a metric
        threads.set_thread_count(limits.threads)
        sockets: dict[int, Any] = {}
        listeners = [self._listener(each.sock, limits, threads, sockets) for each in self.sockets]
        while self.alive and self._has_gunicorn:
            self._turn(sockets)
        limits.closing = True
        for listener in listeners:
            listener.stop_accepting()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while self._has_gunicorn and any(listener.busy for listener in listeners):
            self._turn(sockets)
            if time.monotonic() > deadline:
                break

    def _listener(
        self, bound: socket.socket, limits: Limits, threads: object, sockets: dict[int, Any]
    ) -> Listener:
        bound.setblocking(False)
        described = (bound.family, bound.type, bound.proto, bound.getsockname())
        return Listener(
            self.wsgi, sockets, _sock=bound, dispatcher=threads, adj=limits,
            sockinfo=described, bind_socket=False,
        )  # fmt: skip

    def _turn(self, sockets: dict[int, Any]) -> None:
        self.notify()
        wasyncore.loop(timeout=_LOOK_SECONDS, use_poll=True, map=sockets, count=1)

    @property
    def _has_gunicorn(self) -> bool:
        return bool(os.getppid() == self.ppid)
