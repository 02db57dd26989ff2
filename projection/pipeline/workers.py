"""The engine of several processes on one machine, each with its own models."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from projection.errors import SpanferryError
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import (
    Batch,
    Engine,
    LoadProjector,
    failed,
    in_order,
    project_batch,
)
from projection.pipeline.run_summary import RunRow

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
_STOP_SECONDS = 5
Answer = TypeVar("Answer")
_spawn = get_context("spawn")  # a process that has run a model cannot be forked


@contextmanager
def workers(load: LoadProjector, count: int, policy: Policy) -> Iterator[Engine]:
    """Start `count` processes, which load the models; yield their engine, and end them.

    A worker that fails or dies is a RunError that names its batch.
    """
    pool = _Processes()
    try:
        for _ in range(count):
            pool.start(load, policy)
        yield lambda batches: in_order(batches, pool)
    finally:
        pool.stop()


class _Worker:
    """A process that answers batches."""

    def __init__(self, load: LoadProjector, policy: Policy) -> None:
        self.connection, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=_work, args=(theirs, load, policy), daemon=True)
        with _ctrl_c_ignored():
            self.process.start()
        theirs.close()  # or its end would not be seen here


class _Processes:
    """A pool for `in_order`."""

    def __init__(self) -> None:
        self._all: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._busy: dict[object, tuple[_Worker, int, Batch]] = {}

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._all)

    def start(self, load: LoadProjector, policy: Policy) -> None:
        """Add a worker."""
        self._all.append(_Worker(load, policy))
        self._idle.append(self._all[-1])

    def give(self, number: int, batch: Batch) -> None:
        """Send a batch to a worker that has none; this waits for one that is still loading."""
        worker = self._idle.pop()
        self._busy[worker.connection] = worker, number, batch
        with suppress(*_GONE):  # `take` says so
            worker.connection.send(batch)

    def take(self) -> list[tuple[int, list[RunRow]]]:
        """Wait for any worker that has a batch."""
        [ready, *_] = wait([each.connection for each, _, _ in self._busy.values()])
        worker, number, batch = self._busy.pop(ready)
        try:
            rows, failure = worker.connection.recv()
        except _GONE:
            raise failed(batch, f"has died ({_end_of(worker)})") from None
        if failure:
            raise failed(batch, f"failed ({failure})")
        self._idle.append(worker)
        return [(number, rows)]

    def stop(self) -> None:
        """End all at once, whatever they do."""
        for worker in self._all:
            worker.process.terminate()
        for worker in self._all:
            worker.process.join(_STOP_SECONDS)
            worker.process.kill()
            worker.process.join()
            worker.process.close()
            worker.connection.close()


def _end_of(worker: _Worker) -> str:
    worker.process.join(_STOP_SECONDS)
    code = worker.process.exitcode or 0
    if code == -signal.SIGKILL:
        return "SIGKILL: was the memory full?"
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Let a process that is started here ignore Ctrl-C, which a terminal sends to it, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, load: LoadProjector, policy: Policy) -> None:
    """Answer batches until the other end is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    projector, failure = _tried(load)
    with suppress(*_GONE):
        while True:
            batch = connection.recv()
            if projector is None:
                connection.send((None, failure))
            else:
                connection.send(_tried(partial(project_batch, batch, projector, policy)))


def _tried(call: Callable[[], Answer]) -> tuple[Answer | None, str]:
    """The answer of a call, or what went wrong."""
    try:
        return call(), ""
    except SpanferryError as error:
        return None, str(error)
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _end_with_parent() -> None:
    """End at once, in the middle of a batch, when the command was killed."""
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)
