"""When a training is due: by the reviews in Label Studio, not by the events that came."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.api.webhook import START_TRAINING, Event, leave_hint
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import Job, JobQueue, State
from ml_backend.jobs.reviews import MOST_PROJECTS, PROJECTS, Look, reviews_known
from ml_backend.label_studio.client import Project, ReviewServer, UnreachableError
from projection.errors import ServerError
from projection.io.files import write_json
from tests.ml_backend.jobs.test_queue import served

EACH = 3


class CountedReviews(ReviewServer):
    """A Label Studio that knows the number of reviews of its projects."""

    def __init__(self, reviews: dict[int, int | ServerError]) -> None:
        self.reviews = reviews

    def close(self) -> None:
        pass

    def project_if_known(self, project_id: int) -> Project | None:
        found = self.reviews.get(project_id)
        if isinstance(found, ServerError):
            raise found
        return None if found is None else Project(project_id, "News", "", "", 9, 9, found)


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    (tmp_path / "jobs").mkdir()
    return JobQueue(tmp_path / "jobs")


def look(queue: JobQueue, reviews: dict[int, int | ServerError], each: int = EACH) -> list[Job]:
    """Look as the process of the jobs does, and return all jobs, the newest first."""
    Look(queue, lambda: CountedReviews(reviews), each)()
    return queue.jobs()


def reviewed(queue: JobQueue, project: int = 5, times: int = 1) -> None:
    for _ in range(times):
        leave_hint(Event("ANNOTATION_CREATED", project), queue.hints, EACH)


def asked(queue: JobQueue, project: int = 5) -> None:
    leave_hint(Event(START_TRAINING, project), queue.hints, EACH)


def test_one_review_is_one_however_many_events_tell_of_it(queue: JobQueue) -> None:
    reviewed(queue, times=2 * EACH)
    assert look(queue, {5: 1}) == []
    reviewed(queue)
    assert [(job.why, job.reviews) for job in look(queue, {5: 4})] == [
        ("4 reviews since the last one", 4)
    ]


def test_reviews_whose_events_were_lost_are_found_at_the_next_look(queue: JobQueue) -> None:
    reviewed(queue)
    assert look(queue, {5: 1}) == []
    assert len(look(queue, {5: EACH})) == 1


def test_what_one_training_used_counts_for_no_other(queue: JobQueue) -> None:
    reviewed(queue)
    look(queue, {5: 4})
    assert len(look(queue, {5: 6})) == 1, "the one that waits will see them"
    queue.run(served)
    assert len(look(queue, {5: 8})) == 1
    newest = look(queue, {5: 9})[0]
    assert (newest.id, newest.why) == (2, "3 reviews since the last one")


def test_deleted_reviews_are_not_waited_for_again(queue: JobQueue) -> None:
    reviewed(queue)
    look(queue, {5: 10})
    queue.run(served)
    assert len(look(queue, {5: 4})) == 1
    assert len(look(queue, {5: 7})) == 2


def test_a_training_asked_for_comes_whatever_the_reviews(queue: JobQueue) -> None:
    asked(queue)
    asked(queue)
    assert [job.why for job in look(queue, {5: 0}, each=0)] == ["asked for in Label Studio"]
    assert queue.hints.left() == {}
    asked(queue)
    assert len(look(queue, {5: 0})) == 1, "it waits already"
    queue.run(served)
    asked(queue)
    assert len(look(queue, {5: 0})) == 2


def test_a_project_that_label_studio_does_not_know_makes_no_job(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    for project in range(70, 79):
        asked(queue, project)
    reviewed(queue, 5)
    look(queue, {5: 1})
    assert (queue.jobs(), queue.hints.left()) == ([], {})
    assert reviews_known(queue.root) == {5: 1}
    [line] = caplog.messages
    assert line == (
        "Label Studio shows no projects 70, 71, 72, 73, 74, … to this key, so nothing is trained"
    )
    assert look(queue, {}) == []
    assert reviews_known(queue.root) == {}, "one that was deleted is forgotten"
    assert len(caplog.messages) == 1


def test_hints_wait_for_a_label_studio_that_is_away(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> ReviewServer:
        raise UnreachableError("http://x", "no answer (refused)", "Check the address")

    asked(queue)
    Look(queue, away, EACH)()
    assert (queue.jobs(), [*queue.hints.left()]) == ([], [(5, Hint.ASKED)])
    said = "No look at the reviews of project 5: http://x: no answer (refused). Check the address"
    assert caplog.messages == [said]
    assert len(look(queue, {5: 0})) == 1


def test_one_project_that_cannot_be_asked_about_keeps_no_other_waiting(queue: JobQueue) -> None:
    asked(queue, 5)
    asked(queue, 6)
    assert [job.project for job in look(queue, {5: ServerError("x", "500"), 6: 1})] == [6]
    assert [*queue.hints.left()] == [(5, Hint.ASKED)]


def test_an_event_during_a_look_is_not_lost(queue: JobQueue) -> None:
    class Slow(CountedReviews):
        def project_if_known(self, project_id: int) -> Project | None:
            found = super().project_if_known(project_id)
            reviewed(queue)
            return found

    reviewed(queue)
    Look(queue, lambda: Slow({5: 1}), EACH)()
    assert [*queue.hints.left()] == [(5, Hint.REVIEWED)]


def test_a_damaged_file_costs_no_more_than_a_look(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    reviewed(queue)
    look(queue, {5: 4})
    queue.run(served)
    (queue.root / PROJECTS).write_text("?", "utf-8")
    reviewed(queue)
    assert len(look(queue, {5: 5})) == 1, "the job itself remembers what it used"
    assert "is damaged" in caplog.text


def test_a_training_of_an_earlier_version_has_used_what_there_was(queue: JobQueue) -> None:
    queue.add(5, "asked for")
    queue.run(served)
    reviewed(queue)
    assert len(look(queue, {5: 100})) == 1
    assert len(look(queue, {5: 100 + EACH})) == 2


def test_so_many_projects_are_remembered_those_with_events_first(queue: JobQueue) -> None:
    known = {str(project): {"reviews": 1, "used": 1, "job": 0} for project in range(1, 1001)}
    write_json(queue.root / PROJECTS, known)
    reviewed(queue, 2000)
    look(queue, dict.fromkeys(range(1, 2001), 1))
    assert len(reviews_known(queue.root)) == MOST_PROJECTS
    assert 2000 in reviews_known(queue.root)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["review", "review", "delete", "look", "run", "ask"]),
        st.sampled_from([5, 6]),
        st.integers(0, 3),  # events that tell of it: none is a lost one
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=25, deadline=None)
def test_whatever_events_come_as_many_trainings_are_due_as_reviews_make(
    steps: list[tuple[str, int, int]],
) -> None:
    """Lost, doubled and late events; reviews deleted; looks and trainings in between."""
    with tempfile.TemporaryDirectory() as folder:
        queue, counts, made = JobQueue(Path(folder)), {5: 0, 6: 0}, {5: 0, 6: 0}
        for step, project, events in steps:
            if step == "review":
                counts[project], made[project] = counts[project] + 1, made[project] + 1
                reviewed(queue, project, events)
            elif step == "delete":
                counts[project] = max(0, counts[project] - 1)
            elif step == "look":
                look(queue, {**counts})
            elif step == "run":
                queue.run(lambda job, _: replace(job, state=State.KEPT))
            else:
                asked(queue, project)
            waiting = [job.project for job in queue.jobs() if job.state is State.QUEUED]
            assert len(waiting) == len({*waiting})
        reviewed(queue, 5)
        reviewed(queue, 6)
        jobs = look(queue, {**counts})
        for project, count in counts.items():
            known = json.loads((queue.root / PROJECTS).read_text("utf-8"))[str(project)]
            assert known["reviews"] == count
            assert count - known["used"] < EACH, "a training is due, and there is none"
            due = [job for job in jobs if job.project == project and "asked" not in job.why]
            assert len(due) * EACH <= made[project], "a training for reviews that were used"
