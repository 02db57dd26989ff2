"""Training jobs: queued by whoever asks, run one at a time by a process of their own.

A job is a folder, `jobs/7/`, with `job.json` and `log.txt`; what the work leaves lies beside them.
Web processes only add jobs and start a runner. A runner that finds another one at work leaves.
"""

import fcntl
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ml_backend.webhook import START_TRAINING, Event
from projection.errors import ServerError, SpanferryError
from projection.files import locked, write_json

SCHEMA = 1
RECORD, LOG, REVIEWS = "job.json", "log.txt", "reviews.json"
ATTEMPTS = 3  # of a job whose runner was ended each time
LOG_LINES = 20  # the end of a log, as far as a status shows it

REVIEW_ACTIONS = frozenset({"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"})


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SERVED = "served"  # the new model answers
    KEPT = "kept"  # the new model was worse, the old one goes on answering
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A training asked for. Times are ISO 8601 in UTC.

    `project` is Label Studio's id, `why` what set it off. `attempts` have been begun. `said` is one
    line for people; `result` is what the work answered.
    """

    id: int
    project: int
    why: str
    created: str
    state: State = State.QUEUED
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    said: str = ""
    result: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, object]:
        """The content of `job.json`."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the work of a job came to: `state` is SERVED or KEPT."""

    state: State
    said: str
    result: Mapping[str, Any]


Work = Callable[[Job, Path], Outcome]
"""Does a job in its folder. It may be called again with the same folder after an interruption."""


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The jobs under one folder, shared between processes."""

    root: Path

    def add(self, project: int, why: str) -> Job:
        """Queue a job. A project that has one waiting gets no second: one will see all reviews."""
        with self._alone():
            waiting = [j for j in self.jobs() if (j.project, j.state) == (project, State.QUEUED)]
            if waiting:
                return waiting[0]
            number = max((job.id for job in self.jobs()), default=0) + 1
            job = Job(number, project, why, _now())
            self.folder(job).mkdir(parents=True)
            self._write(job)
            self._set_reviews(project, 0)
            return job

    def count_reviews(self, project: int, more: int) -> int:
        """Count reviews of a project; how many there are since its last job was queued."""
        with self._alone():
            return self._set_reviews(project, self._reviews().get(str(project), 0) + more)

    def jobs(self) -> list[Job]:
        """All jobs, the newest first.

        Raises:
            ServerError: naming a record that cannot be read.
        """
        found = [_read(path) for path in self.root.glob(f"*/{RECORD}")]
        return sorted(found, key=lambda job: -job.id)

    def job(self, number: int) -> Job:
        """The job of this number.

        Raises:
            ServerError: if there is none.
        """
        path = self.root / str(number) / RECORD
        if not path.is_file():
            raise ServerError(f"job {number}", "there is none", "`spanferry jobs` lists them")
        return _read(path)

    def folder(self, job: Job) -> Path:
        """Where a job's record, log and files lie."""
        return self.root / str(job.id)

    def log(self, job: Job, lines: int | None = None) -> str:
        """What the job's process has said, or the end of it."""
        path = self.folder(job) / LOG
        said = path.read_text("utf-8", errors="replace") if path.exists() else ""
        return said if lines is None else "\n".join(said.splitlines()[-lines:])

    @property
    def waits(self) -> bool:
        """Whether there is a job for a runner: one that is queued, or was cut off."""
        return any(job.state in (State.QUEUED, State.RUNNING) for job in self.jobs())

    def run(self, work: Work) -> int:
        """Do the queued jobs, the oldest first, until none is left; how many were done.

        Returns at once where another process is doing so: that one will find them.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        done = 0
        # Again, because one may be queued while we are leaving, and its runner finds us still here.
        while (more := self._run_those_there(work)) is not None:
            done += more
            if not any(job.state is State.QUEUED for job in self.jobs()):
                break
        return done

    def _run_those_there(self, work: Work) -> int | None:
        """None where another process is running jobs."""
        done = 0
        with (self.root / ".runner").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            self._take_up_interrupted()
            while (job := self._begin_next()) is not None:
                self._write(self._finished(job, work))
                done += 1
        return done

    def _begin_next(self) -> Job | None:
        with self._alone():
            waiting = [job for job in self.jobs() if job.state is State.QUEUED]
            if not waiting:
                return None
            job = replace(
                waiting[-1],
                state=State.RUNNING,
                started=_now(),
                attempts=waiting[-1].attempts + 1,
            )
            self._write(job)
            return job

    def _finished(self, job: Job, work: Work) -> Job:
        log = (self.folder(job) / LOG).open("a", encoding="utf-8")
        with log, redirect_stdout(log), redirect_stderr(log):
            try:
                outcome = work(job, self.folder(job))
            except SpanferryError as error:
                return replace(job, state=State.FAILED, said=str(error), ended=_now())
            except Exception as error:  # the next job must be done whatever happened to this one
                traceback.print_exc()
                said = f"{error!r}: the log says more"
                return replace(job, state=State.FAILED, said=said, ended=_now())
        return replace(
            job, state=outcome.state, said=outcome.said, result=outcome.result, ended=_now()
        )

    def _take_up_interrupted(self) -> None:
        """Whoever holds the runner's lock knows that nobody else is running anything."""
        for job in self.jobs():
            if job.state is State.RUNNING and job.attempts >= ATTEMPTS:
                said = f"its process was ended {ATTEMPTS} times"
                self._write(replace(job, state=State.FAILED, said=said, ended=_now()))
            elif job.state is State.RUNNING:
                self._write(replace(job, state=State.QUEUED))

    def _write(self, job: Job) -> None:
        write_json(self.folder(job) / RECORD, job.to_json())

    def _reviews(self) -> dict[str, int]:
        path = self.root / REVIEWS
        found: dict[str, int] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def _set_reviews(self, project: int, count: int) -> int:
        write_json(self.root / REVIEWS, {**self._reviews(), str(project): count})
        return count

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from adding or beginning a job between our reading and writing."""
        return locked(self.root / ".lock")


class Trigger:
    """Queues a job when somebody presses "Start training", or after every `each` reviews.

    `each` 0 waits to be asked. `start_runner` is called after a job was queued.
    """

    def __init__(self, queue: JobQueue, each: int, start_runner: Callable[[], None]) -> None:
        self._queue, self._each, self._start_runner = queue, each, start_runner

    def __call__(self, events: Sequence[Event]) -> None:
        """Look through what has just happened in Label Studio."""
        queued = [self._queues(event) for event in events]
        if any(queued):
            self._start_runner()

    def _queues(self, event: Event) -> bool:
        if event.project is None:
            return False
        if event.action == START_TRAINING:
            self._queue.add(event.project, "asked for in Label Studio")
            return True
        if not self._each or event.action not in REVIEW_ACTIONS:
            return False
        reviews = self._queue.count_reviews(event.project, max(1, len(event.annotations)))
        if reviews < self._each:
            return False
        self._queue.add(event.project, f"{reviews} reviews since the last one")
        return True


class RunnerProcess:
    """Starts `spanferry jobs run` beside the web process, and forgets about it.

    It outlives us: a web server that is restarted must not end a training.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._started: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> None:
        """Start one. If one is running already, the new one leaves at once."""
        # Asking for the status of those that ended lets the system forget them.
        self._started = [process for process in self._started if process.poll() is None]
        command = [sys.executable, "-m", "ml_backend", "jobs", "run"]
        self._started.append(
            subprocess.Popen(  # noqa: S603  our own interpreter, no shell
                [*command, "--data-dir", str(self._data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )


def _read(path: Path) -> Job:
    try:
        record = json.loads(path.read_text("utf-8"))
        if record.pop("schema") != SCHEMA:
            raise ValueError(f"not schema {SCHEMA}")
        return Job(**{**record, "state": State(record["state"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(str(path), f"not a job ({error!r})", "Remove its folder") from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
