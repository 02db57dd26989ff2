"""What a task that Label Studio exported says: touched, predicted, acceptable without review."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from label_config.annotations import newest
from label_config.tasks import record_of

Task = Mapping[str, Any]


class Obstacle(StrEnum):
    """Why a task would not be accepted unseen."""

    TOUCHED = "touched by somebody"
    NO_PREDICTION = "without a prediction of the current model"
    CONFLICT = "with a conflict"
    UNSURE = "below the threshold"
    PROPAGATED = "changed by `spanferry propagate`, and not confirmed"


def is_touched(task: Task) -> bool:
    """Whether somebody has annotated, skipped or begun the task."""
    # A task asked for by itself comes with one's own drafts alone.
    return bool(task["annotations"] or task["drafts"] or task.get("draft_exists"))


def versions_of(task: Task) -> set[str]:
    """The model versions the task has predictions of."""
    return {prediction["model_version"] for prediction in task["predictions"]}


def obstacle(task: Task, version: str, threshold: float) -> Obstacle | None:
    """Why the task would not be accepted unseen, or None if it would.

    Raises:
        ReviewError: if the task is not one that was pushed.
    """
    if is_touched(task):
        return Obstacle.TOUCHED
    if prediction_of(task, version) is None:
        return Obstacle.NO_PREDICTION
    if record_of(task, f"task {task['id']}").conflicts:
        return Obstacle.CONFLICT
    score = score_of(task, version)
    if score is None or score < threshold:
        return Obstacle.UNSURE
    return Obstacle.PROPAGATED if is_propagated(task) else None


def is_propagated(task: Task) -> bool:
    """Whether a correction of another sentence has changed the prediction: it has the old score."""
    return bool(task["data"].get("propagated"))


def prediction_of(task: Task, version: str) -> Mapping[str, Any] | None:
    """The newest prediction of a model version, or None."""
    return newest(p for p in task["predictions"] if p["model_version"] == version)


def score_of(task: Task, version: str) -> float | None:
    """How sure the model is of the whole task, or None if it has said nothing of that."""
    prediction = prediction_of(task, version)
    return None if prediction is None else prediction["score"]
