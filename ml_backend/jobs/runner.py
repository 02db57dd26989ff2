"""The process that runs training jobs, started by a web process when there is something to do."""

import logging
import os
import sys
import threading
import time
from pathlib import Path

from ml_backend.jobs.child_process import ChildProcess
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import LOG_LINES, JobQueue
from ml_backend.jobs.reviews import last_look, reviews_known

log = logging.getLogger(__name__)

RUNNER_LOG = "runner.log"
POLL_SECONDS, LONGEST_PAUSE = 2.0, 300.0  # between two looks for something to do
# Between two questions to Label Studio: after events of reviews, and without any, if some are lost.
HINT_SECONDS, LOST_SECONDS = 60.0, 600.0


class Runner:
    """Starts `spanferry jobs run` when jobs or projects wait, and no process runs it.

    It ends with this process, however that ends; its job is continued by the next one. With
    `by_itself` all known projects are looked at now and then, since trainings become due.
    """

    def __init__(
        self,
        queue: JobQueue,
        data_dir: Path,
        *,
        by_itself: bool = False,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.queue, self._data_dir, self._poll = queue, data_dir, poll
        self._by_itself, self._began = by_itself, time.time()
        self._stop = threading.Event()
        self._process: ChildProcess | None = None

    def keep(self) -> None:
        """Look after the jobs until stopped; the pause doubles while that fails."""
        pause = self._poll
        while not self._stop.wait(pause):
            failed = False
            try:
                if self.due() and not self.queue.has_runner:
                    failed = self._run() != 0 or self.due()
            except Exception:  # such as a full disk: predictions must go on
                log.exception("Cannot look after the training jobs")
                failed = True
            pause = min(2 * pause, LONGEST_PAUSE) if failed else self._poll

    def due(self) -> bool:
        """Return whether a job waits, or a project is to be looked at."""
        if self.queue.waits:
            return True
        hints = {hint for _, hint in self.queue.hints.left()}
        looked, now = last_look(self.queue.root), time.time()
        if Hint.ASKED in hints or (hints and (looked or 0) < now - HINT_SECONDS):
            return True
        since = max(self._began, now - LOST_SECONDS)  # once after each start
        lost = self._by_itself and looked is not None and looked < since
        return lost and bool(reviews_known(self.queue.root))

    def _run(self) -> int:
        """Have a process do all there is to do. Return its status, and log what it said."""
        self._process = self.start()
        status = self._process.wait()
        self._process.stop()
        if self._stop.is_set():
            return status
        said = (self.queue.root / RUNNER_LOG).read_text("utf-8", errors="replace").splitlines()
        for line in [line for line in said if not line.startswith("{")][-LOG_LINES:]:
            log.warning("Trainings: %s", line)
        if status:
            log.warning("A training runner ended with status %d", status)
        return status

    def start(self) -> ChildProcess:
        """Start a process that does all jobs, with its last words in `runner.log`.

        It gives way to the service, which annotators wait for.
        """
        command = ["nice", sys.executable, "-m", "ml_backend", "jobs", "run", "--json"]
        with (self.queue.root / RUNNER_LOG).open("wb") as said:
            return ChildProcess([*command, "--data-dir", str(self._data_dir)], said, os.environ)

    def stop(self) -> None:
        """Start no other process, and end the one at work."""
        self._stop.set()
        if self._process is not None:
            self._process.stop()
