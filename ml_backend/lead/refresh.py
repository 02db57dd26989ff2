"""Snapshots that are renewed while somebody looks at them: one at a time, at most one a minute."""

import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ml_backend.jobs.child_process import ChildProcess
from ml_backend.lead.snapshot import FAILED, Snapshot, read_snapshot
from projection.errors import ServerError, SpanferryError

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0
MOST_WAITING = 20  # snapshots to take
MOST_KNOWN = 200  # numbers whose last attempt is remembered
LOG = "log.txt"

Take = Callable[[int], None]
"""Writes the snapshot with a number, or raises SpanferryError."""


class Latest(NamedTuple):
    """The last snapshot and its age in seconds, whether a newer one comes, and why none does."""

    snapshot: Snapshot | None
    age: float
    coming: bool
    trouble: str


class Attempt(NamedTuple):
    """The next attempt is made after `until`; `trouble` is why this one failed, or ""."""

    until: float
    trouble: str


class Snapshots:
    """The snapshots in a folder. Looking at one waits for nothing; a thread renews old ones."""

    def __init__(self, folder: Path, take: Take, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._take, self._clock = folder, take, clock
        self._lock, self._worker = threading.Lock(), ThreadPoolExecutor(1, "lead")
        self._waiting: set[int] = set()
        self._attempts: OrderedDict[int, Attempt] = OrderedDict()

    def look(self, number: int) -> Latest:
        """Return the last snapshot, and have it renewed if it is older than a minute."""
        snapshot, now = read_snapshot(self._folder, number), self._clock()
        age = now - snapshot.made_at if snapshot else 0.0
        with self._lock:
            until, trouble = self._attempts.get(number, Attempt(0.0, ""))
            stale = snapshot is None or age >= FRESH_SECONDS
            if (
                stale
                and now >= until
                and number not in self._waiting
                and len(self._waiting) < MOST_WAITING
            ):
                self._waiting.add(number)
                self._worker.submit(self._renew, number)
            return Latest(snapshot, age, stale and number in self._waiting, trouble)

    def _renew(self, number: int) -> None:
        began, trouble = self._clock(), ""
        try:
            self._take(number)
        except SpanferryError as error:
            trouble = str(error)
        except Exception:  # such as a full disk: the next attempt may succeed
            trouble = "the state cannot be kept: the backend's log says why"
            log.exception("No state of project %d", number)
        with self._lock:
            # A large project is being fetched for half of the time at most.
            until = began + max(FRESH_SECONDS, 2 * (self._clock() - began))
            self._attempts[number] = Attempt(until, trouble)
            self._waiting.discard(number)
            if len(self._attempts) > MOST_KNOWN:
                self._attempts.popitem(last=False)


def take_in_child(folder: Path, address: str) -> Take:
    """Return what has `ml_backend.lead.snapshot` run, and raises ServerError with its last line."""
    command = [sys.executable, "-m", "ml_backend.lead.snapshot", str(folder)]

    def take(number: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / LOG).open("w+b") as said:
            process = ChildProcess([*command, str(number), address], said, os.environ)
            status = process.wait()
            process.stop()
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
        if status == FAILED and lines:
            where, _, what = lines[-1].partition(": ")
            raise ServerError(where, what)
        if status:
            log.warning("No state of project %d: its process ended with %d", number, status)
            raise ServerError(str(folder / LOG), f"says why a process ended with {status}")

    return take
