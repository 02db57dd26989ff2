"""One thread that does submitted work: models and tokenizers serve one request at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from queue import Empty, PriorityQueue
from typing import Any, TypeVar

T = TypeVar("T")


class WorkerThread:
    """A thread that does submitted work, urgent work first, then in the order it came."""

    def __init__(self, name: str) -> None:
        self._waiting: PriorityQueue[tuple[bool, int, Callable[[], Any], Future[Any]]] = (
            PriorityQueue()
        )
        self._numbers = count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._submitting = threading.Lock()

    def submit(self, work: Callable[[], T], *, urgent: bool = False) -> Future[T]:
        """Queue `work`; urgent work waits only for what has begun."""
        result: Future[T] = Future()
        with self._submitting:
            if self._closed:
                result.cancel()
                return result
            if self._thread.ident is None:
                self._thread.start()
            self._waiting.put((not urgent, next(self._numbers), work, result))
        return result

    @property
    def waiting(self) -> int:
        """How much work waits."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Cancel what waits, and return at once; what has begun is finished."""
        with self._submitting:
            self._closed = True
            # Wakes the thread.
            self._waiting.put((False, next(self._numbers), lambda: None, Future()))

    def _run(self) -> None:
        while not self._closed:
            _, _, work, result = self._waiting.get()
            if self._closed or not result.set_running_or_notify_cancel():
                result.cancel()
                continue
            try:
                result.set_result(work())
            except BaseException as error:  # whoever waits gets it, the thread goes on
                result.set_exception(error)
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()[-1].cancel()
