"""The queue of training jobs: one process at a time runs them.

A job is a folder, `jobs/7/`, with `job.json`, `log.txt` and the files of its work. A web process
only leaves hints, and starts a runner (`spanferry jobs run`), which adds the jobs and runs them.
"""

import fcntl
import json
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from ml_backend.jobs.hints import Hints
from projection.errors import ServerError, SpanferryError
from projection.io.files import write_json

SCHEMA = 1
RECORD, LOG, HINTS = "job.json", "log.txt", "hints"
RUNNER, ALIVE = ".runner", ".runner-alive"
ATTEMPTS = 3  # of a job whose runner died each time
LOG_LINES = 20  # shown in a status


class State(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # as RUNNING, but its runner is gone; never in a record
    SERVED = "served"  # the new model answers
    KEPT = "kept"  # the new model is stored, the old one goes on answering
    FAILED = "failed"


WAITING = (State.QUEUED, State.RUNNING)  # for a runner; one that is running may be interrupted


@dataclass(frozen=True, slots=True)
class Job:
    """A training request; `said` is the outcome in one line, `result` the same as data."""

    id: int
    project: int  # its id in Label Studio
    why: str
    created: str
    state: State = State.QUEUED
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    said: str = ""
    result: Mapping[str, Any] | None = None
    reviews: int | None = None  # of its project when it was queued

    def to_json(self) -> dict[str, object]:
        """The content of `job.json`."""
        return {"schema": SCHEMA, **asdict(self)}


Work = Callable[[Job, Path], Job]
"""Does a job in its folder and returns it with its outcome; called again if interrupted."""


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The jobs under one folder, shared between processes."""

    root: Path

    @property
    def hints(self) -> Hints:
        """The projects that a runner is to look at."""
        return Hints(self.root / HINTS)

    def add(self, project: int, why: str, reviews: int | None = None) -> Job:
        """Queue a job, unless one of the project waits that has not begun: it will see all."""
        with self._lock():
            for job in self.jobs():
                if (job.project, job.state, job.started) == (project, State.QUEUED, None):
                    return job
            # By folders, not records: a crash may leave a folder without a record.
            number = max(self._numbers(), default=0) + 1
            job = Job(number, project, why, _now(), reviews=reviews)
            self.folder(job).mkdir()
            return self._write(job)

    def jobs(self) -> list[Job]:
        """Return all jobs, the newest first; one that cannot be read is a FAILED one."""
        return [self._read(n) for n in self._numbers() if (self.root / str(n) / RECORD).is_file()]

    def shown(self) -> list[Job]:
        """Return all jobs as `jobs`, but one that has lost its runner as INTERRUPTED."""
        lost = {} if self.has_runner else {State.RUNNING: State.INTERRUPTED}
        return [replace(job, state=lost.get(job.state, job.state)) for job in self.jobs()]

    def job(self, number: int) -> Job:
        """Return the job with this number, or raise ServerError."""
        for job in self.shown():
            if job.id == number:
                return job
        raise ServerError(f"job {number}", "there is none", "`spanferry jobs` lists them")

    def folder(self, job: Job) -> Path:
        """Return the folder of a job's record, log and files."""
        return self.root / str(job.id)

    def log(self, job: Job, lines: int | None = None) -> str:
        """Return the output of the job's work, or its last lines."""
        path = self.folder(job) / LOG
        said = path.read_text("utf-8", errors="replace") if path.exists() else ""
        return said if lines is None else "\n".join(said.splitlines()[-lines:])

    @property
    def waits(self) -> bool:
        """True if a job is queued or was interrupted."""
        return any(job.state in WAITING for job in self.jobs())

    @property
    def has_runner(self) -> bool:
        """True while a process runs jobs. A shared lock on its own file disturbs no runner."""
        try:
            with (self.root / ALIVE).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def run(self, work: Work, look: Callable[[], object] = lambda: None) -> int:
        """Do all queued jobs, the oldest first, unless another process does; return how many.

        `look` is called before each and at the end; it may add some.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            alone = FileLock(self.root / RUNNER, timeout=0).acquire()
        except Timeout:
            return 0
        done = 0
        with alone, FileLock(self.root / ALIVE):
            look()
            while (job := self._begin_next()) is not None:
                self._do(job, work)
                done += 1
                look()
        return done

    def _begin_next(self) -> Job | None:
        """Begin the oldest job that waits. To the only runner, a running one was interrupted."""
        with self._lock():
            for job in reversed(self.jobs()):
                if job.state is State.RUNNING and job.attempts >= ATTEMPTS:
                    self._fail(job, f"its process died {ATTEMPTS} times")
                elif job.state in WAITING:
                    begun = replace(job, state=State.RUNNING, started=_now())
                    return self._write(replace(begun, attempts=job.attempts + 1))
        return None

    def _do(self, job: Job, work: Work) -> None:
        """Do a job and record its outcome; an error does not keep the next one from being done."""
        said = (self.folder(job) / LOG).open("a", encoding="utf-8", errors="backslashreplace")
        with said, redirect_stdout(said), redirect_stderr(said):
            try:
                self._write(replace(work(job, self.folder(job)), ended=_now()))
            except KeyboardInterrupt:  # not the job's fault
                self._write(replace(job, state=State.QUEUED, attempts=job.attempts - 1))
                raise
            except SpanferryError as error:
                self._fail(job, str(error))
            except Exception as error:
                traceback.print_exc()
                self._fail(job, f"{error!r}: the log says more")

    def _fail(self, job: Job, said: str) -> None:
        said = said.encode(errors="backslashreplace").decode()  # may quote half a surrogate pair
        self._write(replace(job, state=State.FAILED, said=said, ended=_now()))

    def _numbers(self) -> list[int]:
        """Return the numbers of the jobs' folders, the newest first."""
        folders = self.root.iterdir() if self.root.is_dir() else ()
        return sorted((int(each.name) for each in folders if each.name.isdecimal()), reverse=True)

    def _read(self, number: int) -> Job:
        path = self.root / str(number) / RECORD
        try:
            record = json.loads(path.read_text("utf-8"))
            if record.pop("schema") != SCHEMA:
                raise ValueError(f"not schema {SCHEMA}")
            return Job(**{**record, "id": number, "state": State(record["state"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"{path}: not a job ({error!r}). Remove its folder"
            return Job(number, 0, "", "", State.FAILED, said=said)

    def _write(self, job: Job) -> Job:
        write_json(self.folder(job) / RECORD, job.to_json())
        return job

    def _lock(self) -> BaseFileLock:
        """Return the lock that keeps other processes from adding or starting a job."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self.root / ".lock")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
