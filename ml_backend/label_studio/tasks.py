"""Read the state of an exported task: touched, predicted, acceptable without review."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

from label_config.annotations import newest
from label_config.regions import PROPAGATED, meta_of
from label_config.tasks import record_of

Task = Mapping[str, Any]
Sentence = tuple[str, str, str, str]
"""The id, origin, source and target of a sentence."""

_KNOWN_BY = ("pair_id", "origin", "source", "target")


class Obstacle(StrEnum):
    """Why a task would not be accepted without review."""

    TOUCHED = "touched by somebody"
    NO_PREDICTION = "without a prediction of the current model"
    CONFLICT = "with a conflict"
    UNSURE = "below the threshold"
    PROPAGATED = "changed by `spanferry propagate`, and not confirmed"


def is_touched(task: Task) -> bool:
    """Return whether somebody has annotated, skipped or begun the task."""
    # A task fetched by itself comes with the drafts of the key's owner only.
    return bool(task["annotations"] or task["drafts"] or task.get("draft_exists"))


def obstacle(task: Task, version: str, threshold: float) -> Obstacle | None:
    """Return why the task would not be accepted without review, or None if it would."""
    if is_touched(task):
        return Obstacle.TOUCHED
    prediction = prediction_of(task, version)
    if prediction is None:
        return Obstacle.NO_PREDICTION
    if record_of(task, f"task {task['id']}").conflicts:
        return Obstacle.CONFLICT
    score = prediction["score"]
    if score is None or score < threshold:
        return Obstacle.UNSURE
    return Obstacle.PROPAGATED if is_propagated(task, version) else None


def is_propagated(task: Task, version: str) -> bool:
    """Return whether a correction of another sentence has changed the prediction, not the score.

    The backend's own predictions say it in their regions alone.
    """
    result = (prediction_of(task, version) or {}).get("result", ())
    in_regions = any(PROPAGATED in meta_of(item) for item in result)
    return in_regions or bool(task["data"].get("propagated"))


def prediction_of(task: Task, version: str) -> Mapping[str, Any] | None:
    """Return the newest prediction of a model version, or None."""
    return newest(p for p in task["predictions"] if p["model_version"] == version)


def score_of(task: Task, version: str) -> float:
    """Return the score of the newest prediction of a model version, or 0."""
    return float((prediction_of(task, version) or {}).get("score") or 0.0)


def sentence_in(task: Task) -> Sentence:
    """Return what identifies the sentence of a task."""
    pair_id, origin, source, target = (str(task["data"].get(key)) for key in _KNOWN_BY)
    return pair_id, origin, source, target


def doubled(
    tasks: Iterable[Task], sentences: Collection[Sentence] | None = None
) -> list[list[Task]]:
    """Return the tasks of each sentence that has several, the one to keep first.

    Two pushes at the same time make them, and an import that outlives its push. `sentences` limits
    this to some. Tasks that are not ours are passed over.
    """
    found: defaultdict[Sentence, list[Task]] = defaultdict(list)
    for task in tasks:
        if "pair_id" in task["data"]:
            key = sentence_in(task)
            if sentences is None or key in sentences:
                found[key].append(task)
    several = (group for group in found.values() if len(group) > 1)
    # Everybody who removes doubles at the same time must keep the same one.
    return [sorted(group, key=lambda t: (not is_touched(t), t["id"])) for group in several]
