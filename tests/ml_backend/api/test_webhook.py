"""Webhook events: read strictly, and turned into training jobs."""

from pathlib import Path
from typing import Any

import pytest

from ml_backend.api.webhook import Event, queue_jobs, read_event
from ml_backend.api.wire import RequestError
from ml_backend.jobs.queue import JobQueue
from tests.ml_backend.conftest import make_task

PROJECT = {"id": 5, "title": "News", "token": "a-project-token", "label_config": "<View/>"}
ANNOTATION = {"id": 18, "result": [], "completed_by": {"id": 1, "email": "x@example.org"}}


@pytest.mark.parametrize(
    ("body", "event"),
    [
        pytest.param(
            {"action": "START_TRAINING", "project": PROJECT},
            Event("START_TRAINING", 5),
            id="start training",
        ),
        pytest.param(
            {
                "action": "ANNOTATION_CREATED",
                "annotation": ANNOTATION,
                "project": PROJECT,
                "task": make_task(2),
            },
            Event("ANNOTATION_CREATED", 5, 1),
            id="annotation created",
        ),
        pytest.param(
            {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 18}], "project": PROJECT},
            Event("ANNOTATIONS_DELETED", 5, 1),
            id="deleted annotations come as ids",
        ),
        pytest.param({"action": "SOMETHING_NEW"}, Event("SOMETHING_NEW"), id="unknown"),
        pytest.param(
            {
                "action": "ANNOTATIONS_CREATED",
                "annotations": {"a": 1},
                "annotation": [None, True, 7],
                "project": "5",
            },
            Event("ANNOTATIONS_CREATED", None, 1),
            id="what is not an id is left out",
        ),
    ],
)
def test_an_event_keeps_what_it_is_about(body: dict[str, Any], event: Event) -> None:
    assert read_event(body) == event


@pytest.mark.parametrize("action", [None, "", 7, ["START_TRAINING"], "x" * 101])
def test_an_event_without_an_action_is_refused(action: object) -> None:
    with pytest.raises(RequestError, match="/webhook body: there is no action"):
        read_event({"action": action})


def test_unknown_actions_are_counted_together() -> None:
    assert Event("SOMETHING_NEW").counted_as == "other"
    assert Event("START_TRAINING").counted_as == "START_TRAINING"


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    return JobQueue(tmp_path / "jobs")


def test_a_job_is_queued_each_time_enough_reviews_have_come(queue: JobQueue) -> None:
    for event in (
        Event("ANNOTATION_CREATED", 5, 1),
        Event("ANNOTATION_UPDATED", 5, 1),
        Event("ANNOTATION_CREATED", 6, 1),
    ):
        queue_jobs(event, queue, 3)
    assert queue.jobs() == []
    queue_jobs(Event("ANNOTATIONS_CREATED", 5, 4), queue, 3)
    [job] = queue.jobs()
    assert (job.project, job.why) == (5, "6 reviews since the last one")
    assert queue.add_reviews(5, 1, 3) == 1, "the count starts again"


@pytest.mark.parametrize(
    ("action", "project"),
    [
        ("ANNOTATIONS_DELETED", 5),
        ("TASKS_CREATED", 5),
        ("ANNOTATION_CREATED", None),
        ("START_TRAINING", None),
    ],
)
def test_what_is_no_review_of_a_project_does_not_count(
    queue: JobQueue, action: str, project: int | None
) -> None:
    queue_jobs(Event(action, project, 1), queue, 1)
    assert queue.jobs() == []


def test_reviews_queue_nothing_unless_that_was_asked_for(queue: JobQueue) -> None:
    queue_jobs(Event("ANNOTATION_CREATED", 5, 100), queue, 0)
    assert not queue.root.exists()
    queue_jobs(Event("START_TRAINING", 5), queue, 0)
    assert [job.why for job in queue.jobs()] == ["asked for in Label Studio"]
