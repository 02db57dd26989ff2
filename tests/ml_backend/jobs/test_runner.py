"""The process that runs jobs: started when some wait, followed by another, stopped with us."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml_backend.jobs.child_process import ChildProcess
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.reviews import PROJECTS
from ml_backend.jobs.runner import HINT_SECONDS, LOST_SECONDS, RUNNER_LOG, Runner
from projection.io.files import write_json
from tests.ml_backend.conftest import wait_until
from tests.ml_backend.jobs.test_queue import at_work, killed


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    (tmp_path / "jobs").mkdir()
    return JobQueue(tmp_path / "jobs")


class FakeProcess(ChildProcess):
    """Runs until it is given its exit status."""

    def __init__(self) -> None:
        self.ended: Future[int] = Future()

    def wait(self) -> int:
        return self.ended.result(10)

    def stop(self) -> None:
        if not self.ended.done():
            self.ended.set_result(0)


@contextmanager
def kept(queue: JobQueue) -> Iterator[list[FakeProcess]]:
    """The runners that were started so far."""
    started: list[FakeProcess] = []

    class FakeRunner(Runner):
        def start(self) -> ChildProcess:
            (queue.root / RUNNER_LOG).touch()
            started.append(FakeProcess())
            return started[-1]

    runner = FakeRunner(queue, queue.root, by_itself=True, poll=0.01)
    keeper = threading.Thread(target=runner.keep)
    keeper.start()
    try:
        yield started
    finally:
        runner.stop()
        keeper.join()


def test_a_runner_is_started_once_a_job_waits_and_only_one(queue: JobQueue) -> None:
    with kept(queue) as started:
        queue.add(5, "asked for")
        wait_until(lambda: started)
        queue.add(6, "asked for")
        queue.hints.leave(7, Hint.ASKED)
        assert not threading.Event().wait(0.2)
        assert len(started) == 1


def test_one_that_waits_since_a_restart_is_found(queue: JobQueue) -> None:
    queue.add(5, "asked for")
    with pytest.raises(SystemExit):
        queue.run(killed)
    with kept(queue) as started:
        wait_until(lambda: started)


def test_a_runner_that_died_is_followed_by_another(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.add(5, "asked for")
    with kept(queue) as started:
        for number in (1, 2, 3):
            wait_until(lambda: len(started) == number)  # noqa: B023  waited for here
            started[-1].ended.set_result(-9)
    assert "A training runner ended with status -9" in caplog.text


@pytest.mark.parametrize(
    ("hint", "ago", "due"),
    [
        pytest.param(Hint.ASKED, 0, True, id="asked for: at once"),
        pytest.param(Hint.REVIEWED, HINT_SECONDS / 2, False, id="reviews, a moment ago"),
        pytest.param(Hint.REVIEWED, 2 * HINT_SECONDS, True, id="reviews: now and then"),
        pytest.param(None, LOST_SECONDS / 2, False, id="nothing"),
        pytest.param(None, 2 * LOST_SECONDS, True, id="nothing for long: events may be lost"),
    ],
)
def test_when_label_studio_is_asked(
    queue: JobQueue, tmp_path: Path, hint: Hint | None, ago: float, due: bool
) -> None:
    runner = Runner(queue, tmp_path, by_itself=True)
    runner._began -= LOST_SECONDS
    write_json(queue.root / PROJECTS, {"5": {"reviews": 1, "used": 0, "job": 0}})
    looked = time.time() - ago
    os.utime(queue.root / PROJECTS, (looked, looked))
    if hint is not None:
        queue.hints.leave(5, hint)
    assert runner.due() is due


def test_all_known_projects_are_looked_at_once_after_a_start(
    queue: JobQueue, tmp_path: Path
) -> None:
    assert not Runner(queue, tmp_path, by_itself=True).due(), "none is known"
    write_json(queue.root / PROJECTS, {"5": {"reviews": 1, "used": 0, "job": 0}})
    time.sleep(0.02)
    assert Runner(queue, tmp_path, by_itself=True).due()
    assert not Runner(queue, tmp_path).due(), "no training becomes due by itself"


def test_where_somebody_else_runs_them_none_is_started(queue: JobQueue) -> None:
    queue.add(5, "asked for")
    with at_work(queue), kept(queue) as started:
        assert not threading.Event().wait(0.2)
    assert started == []


def test_what_goes_wrong_there_is_tried_again(queue: JobQueue, tmp_path: Path) -> None:
    """A full disk, for instance."""

    class Unlucky(Runner):
        tries = 0

        def start(self) -> ChildProcess:
            self.tries += 1
            if self.tries == 3:
                self.stop()
            raise OSError("no space left on device")

    queue.add(5, "asked for")
    runner = Unlucky(queue, tmp_path, poll=0.01)
    runner.keep()
    assert runner.tries == 3


def test_stopping_ends_the_process_at_work(queue: JobQueue, tmp_path: Path) -> None:
    class Sleeping(Runner):
        def start(self) -> ChildProcess:
            with (tmp_path / "log").open("wb") as log:
                return ChildProcess(["/bin/sleep", "600"], log, {})

    queue.add(5, "asked for")
    runner = Sleeping(queue, tmp_path, poll=0.01)
    keeper = threading.Thread(target=runner.keep)
    keeper.start()
    wait_until(lambda: runner._process)
    runner.stop()
    keeper.join(10)
    assert not keeper.is_alive()
