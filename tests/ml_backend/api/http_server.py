"""The listener of the service, with any application behind it, for requests in raw bytes."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from ml_backend.api.http_worker import Limits, Listener


class HttpServer:
    """Serves `application` on a free port of this machine, as a context."""

    def __init__(self, application: Callable[..., Iterable[bytes]], limits: Limits) -> None:
        self._sockets: dict[int, Any] = {}
        self._threads = ThreadedTaskDispatcher()
        self._threads.set_thread_count(limits.threads)
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.address = bound.getsockname()
        described = (bound.family, bound.type, bound.proto, self.address)
        self.listener = Listener(
            application, self._sockets, _sock=bound, dispatcher=self._threads, adj=limits,
            sockinfo=described, bind_socket=False,
        )  # fmt: skip
        self._stop = threading.Event()
        self._loop = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._loop.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._loop.join()
        self._threads.shutdown()
        wasyncore.close_all(self._sockets)

    def _run(self) -> None:
        while not self._stop.is_set():
            wasyncore.loop(timeout=0.02, use_poll=True, map=self._sockets, count=1)

    def send(self, raw: bytes) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=10)
        connection.sendall(raw)
        return connection

    def ask(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer."""
        with self.send(raw) as connection:
            answer = connection.makefile("rb")
            status = int(answer.readline().split(b" ")[1])
            lengths = [
                int(line.split(b":")[1])
                for line in iter(answer.readline, b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            return status, json.loads(answer.read(lengths[0]))
