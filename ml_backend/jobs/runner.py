"""The process that runs training jobs, kept alive by a web process while jobs wait."""

import logging
import os
import sys
import threading
from pathlib import Path

from ml_backend.jobs.child_process import ChildProcess
from ml_backend.jobs.queue import JobQueue

log = logging.getLogger(__name__)

RUNNER_LOG = "runner.log"
LOOK_SECONDS, LONGEST_PAUSE = 2.0, 300.0  # between two looks for jobs


class Runner:
    """Starts `spanferry jobs run` whenever jobs wait and no process runs them.

    It ends with this process, however that ends; its job is continued by the next one.
    """

    def __init__(self, queue: JobQueue, data_dir: Path, look: float = LOOK_SECONDS) -> None:
        self.queue, self._data_dir, self._look = queue, data_dir, look
        self._stop = threading.Event()
        self._process: ChildProcess | None = None

    def keep(self) -> None:
        """Look after the jobs until stopped; the seconds between two looks double with failures."""
        pause = self._look
        while not self._stop.wait(pause):
            status = 0
            try:
                if self.queue.waits and not self.queue.has_runner:
                    self._process = self.start()
                    status = self._process.wait()
                    self._process.stop()
            except Exception:  # such as a full disk: predictions must go on
                log.exception("Cannot look after the training jobs")
                status = 1
            if status and not self._stop.is_set():
                log.warning("A training runner ended with status %d", status)
            pause = min(2 * pause, LONGEST_PAUSE) if status else self._look

    def start(self) -> ChildProcess:
        """Start a process that does all jobs, logging to `runner.log`."""
        command = [sys.executable, "-m", "ml_backend", "jobs", "run"]
        with (self.queue.root / RUNNER_LOG).open("ab") as said:
            return ChildProcess([*command, "--data-dir", str(self._data_dir)], said, os.environ)

    def stop(self) -> None:
        """Start no other process, and end the one at work."""
        self._stop.set()
        if self._process is not None:
            self._process.stop()
