"""Training jobs: queued by whoever asks, run one at a time by a process of their own.

A job is a folder, `jobs/7/`, with `job.json` and `log.txt`; what the work leaves lies beside them.
Web processes only add jobs, and see to it that a runner is at work while some wait. A runner that
finds another one at work leaves.
"""

import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from ml_backend.jobs.events import Event
from projection.errors import ServerError, SpanferryError
from projection.io.files import alone, locked, write_json

log = logging.getLogger(__name__)

SCHEMA = 1
RECORD, LOG, REVIEWS = "job.json", "log.txt", "reviews.json"
RUNNER, RUNNER_LOG = ".runner", "runner.log"
ATTEMPTS = 3  # of a job whose runner died each time
LOOK_SECONDS, LONGEST_PAUSE = 2.0, 300.0
LOG_LINES = 20  # the end of a log, as far as a status shows it

REVIEW_ACTIONS = frozenset({"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"})


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # as RUNNING, but its runner is gone; never in a record
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
            self._set_reviews(project, 0)
            waiting = [j for j in self.jobs() if (j.project, j.state) == (project, State.QUEUED)]
            if waiting:
                return waiting[0]
            # By folders, not records: a crash may have come between the two.
            job = Job(max(self._numbers(), default=0) + 1, project, why, _now())
            self.folder(job).mkdir()
            self._write(job)
            return job

    def count_reviews(self, project: int, more: int) -> int:
        """Count reviews of a project; how many there are since its last job was queued."""
        with self._alone():
            return self._set_reviews(project, self._reviews().get(str(project), 0) + more)

    def jobs(self) -> list[Job]:
        """All jobs, the newest first; one whose record cannot be read has failed and says so."""
        return [self._read(n) for n in self._numbers() if (self.root / str(n) / RECORD).is_file()]

    def shown(self) -> list[Job]:
        """All jobs as people should see them: one that has lost its runner is INTERRUPTED."""
        found, at_work = self.jobs(), self.has_runner
        return [
            replace(job, state=State.INTERRUPTED)
            if job.state is State.RUNNING and not at_work
            else job
            for job in found
        ]

    def job(self, number: int) -> Job:
        """The job of this number.

        Raises:
            ServerError: if there is none.
        """
        for job in self.shown():
            if job.id == number:
                return job
        raise ServerError(f"job {number}", "there is none", "`spanferry jobs` lists them")

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

    @property
    def has_runner(self) -> bool:
        """Whether a process is doing jobs."""
        if not (self.root / RUNNER).exists():
            return False
        with alone(self.root / RUNNER) as ours:
            return not ours

    def run(self, work: Work) -> int:
        """Do the queued jobs, the oldest first, until none is left; how many were done.

        Returns at once where another process is doing so: that one will find them.
        """
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
        with alone(self.root / RUNNER) as ours:
            if not ours:
                return None
            self._take_up_interrupted()
            while (job := self._begin_next()) is not None:
                self._do(job, work)
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

    def _do(self, job: Job, work: Work) -> None:
        """Do a job and write down what came of it; the next one must be done whatever that is."""
        said = (self.folder(job) / LOG).open("a", encoding="utf-8", errors="backslashreplace")
        with said, redirect_stdout(said), redirect_stderr(said):
            try:
                done = work(job, self.folder(job))
                ended = replace(job, state=done.state, said=done.said, result=done.result)
                self._write(replace(ended, ended=_now()))
            except KeyboardInterrupt:  # a person's doing, not the job's
                self._write(replace(job, state=State.QUEUED, attempts=job.attempts - 1))
                raise
            except SpanferryError as error:
                self._fail(job, str(error))
            except Exception as error:
                traceback.print_exc()
                self._fail(job, f"{error!r}: the log says more")

    def _take_up_interrupted(self) -> None:
        """Whoever holds the runner's lock knows that nobody else is running anything."""
        for job in self.jobs():
            if job.state is State.RUNNING and job.attempts >= ATTEMPTS:
                self._fail(job, f"its process died {ATTEMPTS} times")
            elif job.state is State.RUNNING:
                self._write(replace(job, state=State.QUEUED))

    def _fail(self, job: Job, said: str) -> None:
        said = said.encode(errors="backslashreplace").decode()  # may quote half a surrogate pair
        self._write(replace(job, state=State.FAILED, said=said, ended=_now()))

    def _numbers(self) -> list[int]:
        """The jobs there are folders for, the newest first."""
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

    def _write(self, job: Job) -> None:
        write_json(self.folder(job) / RECORD, job.to_json())

    def _reviews(self) -> dict[str, int]:
        try:
            found = json.loads((self.root / REVIEWS).read_text("utf-8"))
            return {str(project): int(count) for project, count in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("%s is damaged (%r): counting begins anew", self.root / REVIEWS, error)
            return {}

    def _set_reviews(self, project: int, count: int) -> int:
        write_json(self.root / REVIEWS, {**self._reviews(), str(project): count})
        return count

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from adding or beginning a job between our reading and writing."""
        return locked(self.root / ".lock")


class Trigger:
    """Queues a job of a project after every `each` reviews; 0 never does."""

    def __init__(self, queue: JobQueue, each: int) -> None:
        self._queue, self._each = queue, each

    def __call__(self, events: Sequence[Event]) -> None:
        """Look through what has just happened in Label Studio."""
        for event in events if self._each else ():
            if event.project is not None and event.action in REVIEW_ACTIONS:
                self._count(event.project, max(1, len(event.annotations)))

    def _count(self, project: int, more: int) -> None:
        reviews = self._queue.count_reviews(project, more)
        if reviews >= self._each:
            self._queue.add(project, f"{reviews} reviews since the last one")


class Ends(Protocol):
    """Of a `subprocess.Popen`, what we look at."""

    def poll(self) -> int | None:
        """The exit status, None while it runs."""


class RunnerKeeper:
    """Sees to it that a runner is at work while jobs wait, whatever became of the one before.

    It looks every few seconds. One that died is followed by another after a pause, which doubles
    with each that dies, up to five minutes.
    """

    def __init__(
        self, queue: JobQueue, start: Callable[[], Ends], *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._queue, self._start_runner, self._look_seconds = queue, start, look_seconds
        self._runner: Ends | None = None
        self._failures = 0  # in a row
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keep-runner", daemon=True)

    def start(self) -> Self:
        """Begin to look. Returns at once."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Look no more. A runner that is at work goes on."""
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                pause = self._look()
            except Exception:  # a full disk, for instance: predictions must go on
                log.exception("Cannot look after the training jobs")
                pause = self._pause_after_a_failure()

    def _look(self) -> float:
        """Start a runner if there is need of one; the seconds until the next look."""
        if self._runner is not None:
            status = self._runner.poll()
            if status is None:  # at work, or about to be
                return self._look_seconds
            self._runner = None
            if status:
                log.warning("A training runner ended with status %d", status)
                return self._pause_after_a_failure()
            self._failures = 0
        if self._queue.waits and not self._queue.has_runner:
            self._runner = self._start_runner()
        return self._look_seconds

    def _pause_after_a_failure(self) -> float:
        self._failures += 1
        return min(self._look_seconds * 2.0**self._failures, LONGEST_PAUSE)


def start_runner(data_dir: Path, jobs_folder: Path) -> subprocess.Popen[bytes]:
    """Start `spanferry jobs run` beside us; a web worker that is restarted does not end it.

    What it says that belongs to no job is in `runner.log`.
    """
    with (jobs_folder / RUNNER_LOG).open("ab") as said:
        return subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            [sys.executable, "-m", "ml_backend", "jobs", "run", "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
