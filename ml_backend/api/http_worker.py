"""A gunicorn worker that reads requests with waitress.

gunicorn looks after the processes. In each, one thread reads requests whole and within a time
limit, and only then hands them to the threads that answer: half a request holds none of these, nor
does one that is refused anyway.
"""

import json
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import get_ident
from typing import Any

from gunicorn.workers.base import (  # type: ignore[import-untyped]  # published without types
    Worker,
)
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import BadRequest, Error

from ml_backend.auth import Credentials

ARRIVED = "spanferry.arrived"  # in the WSGI environment: time.monotonic() of the first byte
GONE = "waitress.client_disconnected"  # in the WSGI environment: a function
REFUSES = "SPANFERRY_REFUSES"  # in the application's configuration: the function of that name below
READ_SECONDS = 30.0  # a connection may take to send a whole request
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)  # blocked until a worker handles them
MOST_CONNECTIONS = 512  # beyond, the one that has sent no whole request for longest is closed
_LOOK_SECONDS = 1.0
# The context of a request for an annotator, who waits for an answer about one task.
_DRAWN, _MOST_DRAWN = re.compile(rb'"context"\s*:\s*\{'), 2**19


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
        # Whether a prediction would be refused now: one for what somebody has drawn, or a batch.
        self.refuses: Callable[[bool], bool] = lambda _: False

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


class OverloadError(Error):  # type: ignore[misc]
    """As many predictions as the threads allow are being made."""

    code, reason = 503, "Service Unavailable"


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request that knows when it began, and whether it is refused unread."""

    completed: bool
    error: Error | None

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.began = time.monotonic()
        self.kept = 0  # bytes of its body

    def received(self, data: bytes) -> int:
        """Read on, and return how many bytes of `data` belong to this request."""
        consumed: int = super().received(data)
        if self.chunked and not self.completed:
            # Neither counts as body: both would grow without an end.
            framing = len(self.body_rcv.control_line) + len(self.body_rcv.trailer)
            if framing > self.adj.max_request_header_size:
                self.error = BadRequest("no end of a chunk's size or trailer")
                self.completed = True
        readable = self.completed and self.error is None
        if readable and self._asks_for_prediction and self.adj.refuses(self._has_drawing):
            self.error = OverloadError("too many predictions at once. Try again shortly")
        return consumed

    @property
    def _asks_for_prediction(self) -> bool:
        """True for a request that would wait for the model, of somebody who may ask."""
        return self.kept > 0 and (self.command, self.path) == ("POST", "/predict")

    @property
    def _has_drawing(self) -> bool:
        """True if the body seems to say what somebody has drawn; the application reads it."""
        if len(self.body_rcv.buf) > _MOST_DRAWN:
            return False
        stream = self.get_body_stream()
        found = _DRAWN.search(stream.read())
        stream.seek(0)
        return found is not None

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers, and choose where the body goes."""
        try:
            super().parse_header(header_plus)
        except ValueError:  # an address or a number that Python does not read
            raise ParsingError("the address or a length cannot be read") from None
        if self.body_rcv is not None:
            self.kept = self.adj.kept(self.headers)
            self.body_rcv.buf = Body(self.adj.inbuf_overflow, self.kept)
        self.connection_close |= self.adj.closing


class AppTask(WSGITask):  # type: ignore[misc]
    """The application's answer to a request."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with the time the request began."""
        environment: dict[str, Any] = super().get_environment()
        environment[ARRIVED] = self.request.began
        return environment


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """The answer to what the application need not see, as JSON like all others."""

    def execute(self) -> None:
        """Write the answer, and close."""
        error = self.request.error
        body = json.dumps({"error": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        if isinstance(error, OverloadError):
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it owes us a request."""

    parser_class, task_class, error_task_class = Request, AppTask, RefusalTask

    def __init__(self, *given: Any, **named: Any) -> None:
        self.quiet_since = time.monotonic()
        self.reader, self.is_refused = get_ident(), False
        super().__init__(*given, **named)

    def received(self, data: bytes) -> bool:
        """Read on. What is refused is answered here: switching threads would cost more."""
        more: bool = super().received(data)
        if self.is_refused:
            self.is_refused = False
            self.service()
        return more

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

    def add_task(self, connection: Connection) -> None:
        """Have a thread answer, but for what the reading thread refuses itself."""
        refused = connection.requests[0].error is not None
        if refused and get_ident() == connection.reader:
            connection.is_refused = True
        else:
            super().add_task(connection)

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

    def init_signals(self) -> None:
        """Handle signals, also those that came since the fork."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    def run(self) -> None:
        """Read and answer requests."""
        with suppress(OSError, ValueError):  # two files a connection, if its body is large
            resource.setrlimit(resource.RLIMIT_NOFILE, (8 * MOST_CONNECTIONS,) * 2)
        sys.setswitchinterval(0.001)  # seconds: short requests beside a thread that computes
        limits: Limits = self.app.limits()
        limits.refuses = self.wsgi.config[REFUSES]
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
