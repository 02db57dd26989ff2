"""Webhook events: read strictly, and turned into hints."""

from pathlib import Path
from typing import Any

import pytest

from ml_backend.api.webhook import Event, leave_hint, read_event
from ml_backend.api.wire import RequestError
from ml_backend.jobs.hints import MOST_HINTS, Hint, Hints
from ml_backend.serving.model_queue import NotReadyError
from tests.ml_backend.conftest import make_task

PROJECT = {"id": 5, "title": "News", "token": "a-project-token", "label_config": "<View/>"}
ANNOTATION = {"id": 18, "result": [], "completed_by": {"id": 1, "email": "x@example.org"}}


NO_PROJECTS = {
    "text": "5", "true": True, "none": {}, "list": [5], "zero": 0, "negative": {"id": -5},
    "larger than Label Studio has": {"id": 2**31},
}  # fmt: skip


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
            Event("ANNOTATION_CREATED", 5),
            id="annotation created",
        ),
        pytest.param(
            {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 18}], "project": PROJECT},
            Event("ANNOTATIONS_DELETED", 5),
            id="annotations deleted",
        ),
        pytest.param({"action": "SOMETHING_NEW"}, Event("SOMETHING_NEW"), id="unknown"),
        pytest.param({"action": "x", "project": 5}, Event("x", 5), id="a bare id"),
        *(
            pytest.param({"action": "x", "project": project}, Event("x"), id=f"no id: {name}")
            for name, project in NO_PROJECTS.items()
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
def hints(tmp_path: Path) -> Hints:
    return Hints(tmp_path / "hints")


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ("START_TRAINING", {(5, Hint.ASKED)}),
        ("ANNOTATION_CREATED", {(5, Hint.REVIEWED)}),
        ("ANNOTATIONS_CREATED", {(5, Hint.REVIEWED)}),
        ("ANNOTATION_UPDATED", {(5, Hint.REVIEWED)}),
        ("ANNOTATIONS_DELETED", {(5, Hint.REVIEWED)}),
        ("TASKS_CREATED", set[tuple[int, Hint]]()),
        ("SOMETHING_NEW", set[tuple[int, Hint]]()),
    ],
)
def test_an_event_leaves_a_hint_however_often_it_comes(
    hints: Hints, action: str, left: set[tuple[int, Hint]]
) -> None:
    for _ in range(5):
        leave_hint(Event(action, 5), hints, 3)
    leave_hint(Event(action), hints, 3)
    assert hints.left().keys() == left


def test_reviews_leave_nothing_unless_they_cause_trainings(hints: Hints) -> None:
    leave_hint(Event("ANNOTATION_CREATED", 5), hints, 0)
    assert hints.left() == {}
    leave_hint(Event("START_TRAINING", 5), hints, 0)
    assert hints.left().keys() == {(5, Hint.ASKED)}


def test_a_flood_of_projects_is_refused(hints: Hints) -> None:
    for project in range(1, MOST_HINTS + 1):
        leave_hint(Event("START_TRAINING", project), hints, 0)
    with pytest.raises(NotReadyError, match=f"{MOST_HINTS} projects wait"):
        leave_hint(Event("START_TRAINING", MOST_HINTS + 1), hints, 0)
