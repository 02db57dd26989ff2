"""One thing at a time, what is urgent next."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest

from ml_backend.serving.worker_thread import WorkerThread


@pytest.fixture
def turns() -> Iterator[WorkerThread]:
    turns = WorkerThread("test")
    yield turns
    turns.close()


class Busy:
    """Work that goes on until it is let."""

    def __init__(self, turns: WorkerThread) -> None:
        self.begun, self.gate = threading.Event(), threading.Event()
        self.outcome: Future[bool] = turns.submit(self)
        assert self.begun.wait(10)

    def __call__(self) -> bool:
        self.begun.set()
        return self.gate.wait(10)


def test_what_is_urgent_comes_next_and_the_rest_in_order(turns: WorkerThread) -> None:
    done: list[str] = []
    busy = Busy(turns)
    names = ["a", "b", "urgent", "c", "urgent too"]
    waiting = [turns.submit(lambda n=n: done.append(n), urgent="urgent" in n) for n in names]
    busy.gate.set()
    for outcome in waiting:
        outcome.result(10)
    assert done == ["urgent", "urgent too", "a", "b", "c"]


def test_results_and_errors_come_to_those_who_asked(turns: WorkerThread) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    failing = turns.submit(fail)
    assert turns.submit(lambda: 7).result(10) == 7
    with pytest.raises(LookupError, match="nothing there"):
        failing.result(10)


def test_what_nobody_waits_for_any_more_is_not_done(turns: WorkerThread) -> None:
    busy = Busy(turns)
    done: list[int] = []
    turns.submit(lambda: done.append(1)).cancel()
    last = turns.submit(lambda: done.append(2))
    busy.gate.set()
    last.result(10)
    assert done == [2]


def test_closing_finishes_what_has_begun_and_cancels_what_waits(turns: WorkerThread) -> None:
    busy = Busy(turns)
    waiting = [turns.submit(lambda: 1, urgent=urgent) for urgent in (False, True)]
    turns.close()
    busy.gate.set()
    assert busy.outcome.result(10) is True
    for outcome in (*waiting, turns.submit(lambda: 2)):
        with pytest.raises(CancelledError):
            outcome.result(10)


def test_closing_before_anything_was_submitted_is_no_trouble(turns: WorkerThread) -> None:
    turns.close()
    with pytest.raises(CancelledError):
        turns.submit(lambda: 1).result(10)
