"""The queue of training jobs, without any training."""

import json
import threading
from pathlib import Path

import pytest

from ml_backend.jobs import ATTEMPTS, Job, JobQueue, Outcome, State, Trigger
from ml_backend.webhook import START_TRAINING, Event
from projection.errors import ServerError, TrainingError

NOW = "2026-01-05T10:00:00+00:00"


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "jobs")


def served(job: Job, _: Path) -> Outcome:
    print(f"training {job.id}")  # noqa: T201  what work prints is its log
    return Outcome(State.SERVED, "better", {"f1": 0.9})


class TestQueue:
    def test_jobs_are_done_in_order_and_remember_what_came_of_them(self, queue: JobQueue) -> None:
        first, second = queue.add(5, "asked for"), queue.add(6, "asked for")
        order = []

        def work(job: Job, folder: Path) -> Outcome:
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

        def work(job: Job, folder: Path) -> Outcome:
            if not asked:
                asked.append(queue.add(5, "more reviews"))
            return served(job, folder)

        queue.add(5, "asked for")
        assert queue.run(work) == 2

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            pytest.param(TrainingError("export", "is empty", "Review"), "export: is empty. Review",
                         id="one a person can mend"),
            pytest.param(ZeroDivisionError("oh"), "ZeroDivisionError('oh'): the log says more",
                         id="a bug"),
        ],
    )  # fmt: skip
    def test_one_that_fails_says_why_and_the_next_is_done(
        self, queue: JobQueue, error: Exception, said: str
    ) -> None:
        def work(job: Job, folder: Path) -> Outcome:
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

    def test_a_second_runner_leaves_at_once(self, queue: JobQueue) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def work(job: Job, folder: Path) -> Outcome:
            begun.set()
            assert go_on.wait(10)
            return served(job, folder)

        queue.add(5, "asked for")
        first = threading.Thread(target=queue.run, args=(work,))
        first.start()
        assert begun.wait(10)
        assert queue.run(served) == 0
        go_on.set()
        first.join()
        assert queue.job(1).state is State.SERVED

    def test_one_whose_process_was_ended_is_taken_up_again(self, queue: JobQueue) -> None:
        queue.add(5, "asked for")

        def killed(_: Job, __: Path) -> Outcome:
            raise KeyboardInterrupt

        assert queue.waits
        for attempt in range(1, ATTEMPTS + 1):
            with pytest.raises(KeyboardInterrupt):
                queue.run(killed)
            assert (queue.job(1).state, queue.job(1).attempts) == (State.RUNNING, attempt)
            assert queue.waits
        assert queue.run(served) == 0
        assert queue.job(1).state is State.FAILED
        assert "ended 3 times" in queue.job(1).said
        assert not queue.waits

    def test_only_the_end_of_a_long_log_is_shown(self, queue: JobQueue) -> None:
        job = queue.add(5, "asked for")
        assert queue.log(job) == ""
        (queue.folder(job) / "log.txt").write_text("\n".join(map(str, range(100))))
        assert queue.log(job, lines=2) == "98\n99"

    def test_an_unknown_job_and_a_broken_record_are_named(self, queue: JobQueue) -> None:
        with pytest.raises(ServerError, match="job 3: there is none"):
            queue.job(3)
        job = queue.add(5, "asked for")
        record = queue.folder(job) / "job.json"
        record.write_text(json.dumps({**job.to_json(), "schema": 99}))
        with pytest.raises(ServerError, match=r"1/job\.json: not a job"):
            queue.jobs()


class TestTrigger:
    @staticmethod
    def event(action: str, project: int | None = 5, annotations: int = 1) -> Event:
        return Event(action, NOW, project, (1,), tuple(range(annotations)))

    def test_start_training_queues_a_job_and_starts_a_runner(self, queue: JobQueue) -> None:
        started: list[int] = []
        trigger = Trigger(queue, 0, lambda: started.append(1))
        trigger([self.event(START_TRAINING), self.event(START_TRAINING, 6)])
        assert [(job.project, job.why) for job in queue.jobs()] == [
            (6, "asked for in Label Studio"),
            (5, "asked for in Label Studio"),
        ]
        assert started == [1]

    def test_every_so_many_reviews_there_is_one(self, queue: JobQueue) -> None:
        started: list[int] = []
        trigger = Trigger(queue, 3, lambda: started.append(1))
        trigger([self.event("ANNOTATION_CREATED"), self.event("ANNOTATION_UPDATED")])
        trigger([self.event("ANNOTATION_CREATED", project=6)])
        assert queue.jobs() == []
        trigger([self.event("ANNOTATIONS_CREATED", annotations=4)])
        [job] = queue.jobs()
        assert (job.project, job.why) == (5, "6 reviews since the last one")
        assert started == [1]
        assert queue.count_reviews(5, 1) == 1, "the count begins anew"

    @pytest.mark.parametrize(
        ("action", "project"),
        [("ANNOTATIONS_DELETED", 5), ("TASKS_CREATED", 5), ("ANNOTATION_CREATED", None)],
    )
    def test_what_is_no_review_of_a_project_does_not_count(
        self, queue: JobQueue, action: str, project: int | None
    ) -> None:
        Trigger(queue, 1, lambda: None)([self.event(action, project)])
        assert queue.jobs() == []

    def test_nobody_is_disturbed_who_did_not_ask_for_it(self, queue: JobQueue) -> None:
        trigger = Trigger(queue, 0, lambda: pytest.fail("started"))
        trigger([self.event("ANNOTATION_CREATED")] * 100)
        assert queue.jobs() == []
