"""The queue of training jobs, without any training."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ml_backend.jobs.queue import (
    ATTEMPTS,
    RECORD,
    RUNNER,
    Job,
    JobQueue,
    State,
)
from projection.errors import ServerError, TrainingError


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "jobs")


def served(job: Job, _: Path) -> Job:
    print(f"training {job.id}")  # noqa: T201  what work prints is its log
    return replace(job, state=State.SERVED, said="better", result={"f1": 0.9})


def killed(_: Job, __: Path) -> Job:
    """As far as the record goes, what a kill -9 amid the work is."""
    raise SystemExit


IN_ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from ml_backend.jobs.queue import JobQueue
def work(job, folder):
    print("begun", file=sys.__stdout__, flush=True)
    time.sleep(60)
JobQueue(Path(sys.argv[1])).run(work)
"""


@contextmanager
def at_work(queue: JobQueue) -> Iterator[None]:
    """Somebody else runs the jobs, and is done with them at the end."""
    begun, go_on = threading.Event(), threading.Event()

    def work(job: Job, folder: Path) -> Job:
        begun.set()
        assert go_on.wait(10)
        return served(job, folder)

    runner = threading.Thread(target=queue.run, args=(work,))
    runner.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        go_on.set()
        runner.join()


class TestQueue:
    def test_jobs_are_done_in_order_and_remember_what_came_of_them(self, queue: JobQueue) -> None:
        first, second = queue.add(5, "asked for"), queue.add(6, "asked for")
        order = []

        def work(job: Job, folder: Path) -> Job:
            order.append((job.id, folder, queue.job(job.id).state))
            return served(job, folder)

        assert queue.run(work) == 2
        assert order == [
            (first.id, queue.folder(first), State.RUNNING),
            (second.id, queue.folder(second), State.RUNNING),
        ]
        newest, _ = queue.jobs()
        assert (newest.id, newest.state, newest.said) == (second.id, State.SERVED, "better")
        assert newest.result == {"f1": 0.9}
        assert newest.ended is not None
        assert queue.log(newest) == f"training {second.id}\n"

    def test_a_project_waits_for_one_job_only(self, queue: JobQueue) -> None:
        assert queue.add(5, "asked for") == queue.add(5, "50 reviews")
        queue.run(served)
        assert queue.add(5, "asked for").id == 2

    def test_while_one_runs_another_may_wait(self, queue: JobQueue) -> None:
        """The one that runs has not seen the reviews that came since it began."""
        asked = []

        def work(job: Job, folder: Path) -> Job:
            if not asked:
                asked.append(queue.add(5, "more reviews"))
            return served(job, folder)

        queue.add(5, "asked for")
        assert queue.run(work) == 2

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            pytest.param(TrainingError("export", "is empty", "Review"), "export: is empty. Review",
                         id="one a person can fix"),
            pytest.param(ZeroDivisionError("oh"), "ZeroDivisionError('oh'): the log says more",
                         id="a bug"),
            pytest.param(TrainingError("task \ud83d", "is half"), "task \\ud83d: is half",
                         id="one that quotes half a surrogate pair"),
        ],
    )  # fmt: skip
    def test_one_that_fails_says_why_and_the_next_is_done(
        self, queue: JobQueue, error: Exception, said: str
    ) -> None:
        def work(job: Job, folder: Path) -> Job:
            if job.id == 1:
                raise error
            return served(job, folder)

        queue.add(5, "asked for")
        queue.add(6, "asked for")
        assert queue.run(work) == 2
        assert (queue.job(1).state, queue.job(1).said) == (State.FAILED, said)
        assert queue.job(2).state is State.SERVED
        if isinstance(error, ZeroDivisionError):
            assert "Traceback" in queue.log(queue.job(1))

    @pytest.mark.parametrize(
        ("outcome", "said"),
        [
            pytest.param({"result": {"f1": float("nan")}}, "ValueError", id="NaN"),
            pytest.param({"said": "\ud83d"}, "UnicodeEncodeError", id="no text"),
        ],
    )
    def test_what_cannot_be_written_down_fails_its_job_alone(
        self, queue: JobQueue, outcome: dict[str, Any], said: str
    ) -> None:
        def work(job: Job, folder: Path) -> Job:
            print("half of 😀: \ud83d")  # noqa: T201  what work prints is its log
            return replace(job, **outcome) if job.id == 1 else served(job, folder)

        queue.add(5, "asked for")
        queue.add(6, "asked for")
        assert queue.run(work) == 2
        assert queue.job(1).state is State.FAILED
        assert queue.job(1).said.startswith(said)
        assert queue.log(queue.job(1)).startswith("half of 😀: \\ud83d\n")
        assert queue.job(2).state is State.SERVED

    def test_a_second_runner_leaves_at_once(self, queue: JobQueue) -> None:
        queue.add(5, "asked for")
        with at_work(queue):
            assert queue.has_runner
            assert queue.run(served) == 0
        assert queue.job(1).state is State.SERVED

    def test_looking_for_a_runner_keeps_none_from_beginning(self, queue: JobQueue) -> None:
        queue.add(5, "asked for")
        looking, stop = threading.Event(), threading.Event()

        def look() -> None:
            while not stop.is_set():
                queue.shown()
                looking.set()

        onlookers = [threading.Thread(target=look) for _ in range(2)]
        for each in onlookers:
            each.start()
        assert looking.wait(10)
        for _ in range(10):
            assert queue.run(served) == 1, "it found the lock taken"
            queue.add(5, "again")
        stop.set()
        for each in onlookers:
            each.join()

    def test_a_runner_of_another_process_keeps_this_one_out_and_a_killed_one_does_not(
        self, queue: JobQueue
    ) -> None:
        queue.add(5, "asked for")
        other = subprocess.Popen(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, str(queue.root)], stdout=subprocess.PIPE
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"begun\n"
        assert queue.run(served) == 0
        assert (queue.has_runner, queue.job(1).state) == (True, State.RUNNING)
        other.kill()
        other.communicate()
        assert (queue.has_runner, queue.job(1).state) == (False, State.INTERRUPTED)
        assert queue.run(served) == 1
        assert (queue.job(1).state, queue.job(1).attempts) == (State.SERVED, 2)

    def test_a_runner_of_an_earlier_version_is_kept_to(self, queue: JobQueue) -> None:
        """It holds the same lock, and gives no sign of life."""
        queue.add(5, "asked for")
        with FileLock(queue.root / RUNNER):
            assert queue.run(served) == 0

    def test_one_whose_process_died_is_taken_up_again(self, queue: JobQueue) -> None:
        queue.add(5, "asked for")
        assert queue.waits
        for attempt in range(1, ATTEMPTS + 1):
            with pytest.raises(SystemExit):
                queue.run(killed)
            assert (queue.job(1).state, queue.job(1).attempts) == (State.INTERRUPTED, attempt)
            assert queue.waits
            assert not queue.has_runner
        assert queue.run(served) == 0
        assert queue.job(1).state is State.FAILED
        assert "died 3 times" in queue.job(1).said
        assert not queue.waits

    def test_one_that_somebody_stopped_may_be_stopped_as_often_as_they_like(
        self, queue: JobQueue
    ) -> None:
        def stopped(_: Job, __: Path) -> Job:
            raise KeyboardInterrupt

        queue.add(5, "asked for")
        for _ in range(ATTEMPTS + 1):
            with pytest.raises(KeyboardInterrupt):
                queue.run(stopped)
            assert (queue.job(1).state, queue.job(1).attempts) == (State.QUEUED, 0)
        assert queue.run(served) == 1

    def test_one_that_was_stopped_has_seen_no_later_reviews(self, queue: JobQueue) -> None:
        def stopped(_: Job, __: Path) -> Job:
            raise KeyboardInterrupt

        queue.add(5, "asked for")
        with pytest.raises(KeyboardInterrupt):
            queue.run(stopped)
        assert [queue.add(5, "more reviews").id for _ in range(2)] == [2, 2]

    def test_what_a_look_adds_is_done_too(self, queue: JobQueue) -> None:
        projects = [7, 6, 5]
        look = lambda: queue.add(projects.pop(), "due") if projects else None  # noqa: E731
        assert queue.run(served, look) == 3
        assert [job.project for job in queue.jobs()] == [7, 6, 5]

    def test_only_the_end_of_a_long_log_is_shown(self, queue: JobQueue) -> None:
        job = queue.add(5, "asked for")
        assert queue.log(job) == ""
        (queue.folder(job) / "log.txt").write_text("\n".join(map(str, range(100))))
        assert queue.log(job, lines=2) == "98\n99"

    def test_an_unknown_job_is_named(self, queue: JobQueue) -> None:
        with pytest.raises(ServerError, match="job 3: there is none"):
            queue.job(3)

    @pytest.mark.parametrize(
        "record", ["", "[]", "{}", "\udcff", '{"schema": 99}', '{"schema": 1, "state": "odd"}']
    )
    def test_a_record_that_cannot_be_read_has_failed_and_stops_nothing(
        self, queue: JobQueue, record: str
    ) -> None:
        queue.add(5, "asked for")
        path = queue.root / "1" / RECORD
        path.write_bytes(record.encode(errors="surrogateescape"))
        assert queue.add(6, "asked for").id == 2
        assert queue.run(served) == 1
        assert [job.state for job in queue.shown()] == [State.SERVED, State.FAILED]
        assert queue.job(1).said.startswith(f"{path}: not a job")
        assert path.read_bytes() == record.encode(errors="surrogateescape")

    def test_a_folder_whose_record_was_never_written_keeps_its_number(
        self, queue: JobQueue
    ) -> None:
        (queue.root / "1").mkdir(parents=True)
        assert queue.jobs() == []
        assert queue.add(5, "asked for").id == 2
        assert queue.run(served) == 1
