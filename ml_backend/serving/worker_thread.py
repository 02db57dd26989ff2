"""One thread that works off what waits: models and tokenizers serve one request at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, PriorityQueue
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(order=True, slots=True)
class _Turn:
    """Work that waits: what is urgent first, then what came first."""

    rank: tuple[bool, int]
    work: Callable[[], Any] = field(compare=False)
    outcome: Future[Any] = field(compare=False)


class Turns:
    """Does what is submitted, one at a time, in a thread that begins with the first of it."""

    def __init__(self, name: str) -> None:
        self._waiting: PriorityQueue[_Turn] = PriorityQueue()
        self._numbers = count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._submitting = threading.Lock()

    def submit(self, work: Callable[[], T], *, urgent: bool = False) -> Future[T]:
        """Let `work` wait for its turn; urgent work waits for no other but what has begun."""
        outcome: Future[T] = Future()
        with self._submitting:
            if self._closed:
                outcome.cancel()
                return outcome
            if self._thread.ident is None:
                self._thread.start()
            self._put(not urgent, work, outcome)
        return outcome

    def close(self) -> None:
        """Cancel what waits; what has begun is finished. Returns at once."""
        with self._submitting:
            self._closed = True
            # Wakes the thread, which then finds that it is over.
            self._put(False, lambda: None, Future())

    def _put(self, later: bool, work: Callable[[], Any], outcome: Future[Any]) -> None:
        self._waiting.put(_Turn((later, next(self._numbers)), work, outcome))

    def _run(self) -> None:
        while not self._closed:
            turn = self._waiting.get()
            if not self._closed and turn.outcome.set_running_or_notify_cancel():
                _settle(turn)
            else:
                turn.outcome.cancel()
        with suppress(Empty):
            while True:
                self._waiting.get_nowait().outcome.cancel()


def _settle(turn: _Turn) -> None:
    try:
        turn.outcome.set_result(turn.work())
    except BaseException as error:  # whoever waits gets it, the thread goes on
        turn.outcome.set_exception(error)
