"""Predict the untouched tasks again with a newer model."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from label_config.tasks import RANK, TaskView, rank_field, sentence_of, shown
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import is_still_open, write_fields
from ml_backend.label_studio.tasks import Task, is_touched, prediction_of
from ml_backend.review.pull import readable
from projection.errors import ReviewError, ServerError
from projection.pipeline.review_order import review_ranks
from projection.records import ProjectedSentence, UnreadableReview
from projection.text.wording import counted

if TYPE_CHECKING:
    from projection.protocols import ProjectsSentences

SLICE = 500  # tasks projected at a time: the more, the faster, but progress is to show
# Predictions written in one request, and lost by an interruption. Large, because at every request
# Label Studio counts the predictions of all tasks of the project again.
CHUNK = 5000
PAUSES = (2.0,) * 15  # a backend that has just been given a new model is still loading it

# What an annotator reads beside the prediction. Scores alone are no reason for an update, which
# takes a tenth of a second a task.
_READ = ("conflict", "source_html", "conflicts_html", "propagated")
_SCORE = re.compile(r"[01]\.\d\d")


@dataclass(frozen=True, slots=True)
class RepredictReport:
    """The result of repredicting. Numbers count tasks.

    `touched` have an annotation, a skip or a draft; `meanwhile` were touched or predicted during
    the run; `up_to_date` have a prediction of this version; `too_long` do not fit the model;
    `unreadable` have no record, or one of another text. Of the `predicted`, `refreshed` now show
    other projections or conflicts. `per_second` is how many the models projected.
    """

    predicted: int
    refreshed: int
    touched: int
    meanwhile: int
    up_to_date: int
    too_long: int
    model_version: str
    current: bool
    unreadable: tuple[UnreadableReview, ...] = ()
    per_second: float = field(default=0.0, compare=False)


def repredict(
    server: ReviewServer,
    project: Project,
    projector: "ProjectsSentences",
    *,
    show: Callable[[ProjectedSentence], TaskView] = shown,
    on_progress: Callable[[int], None] = lambda _: None,
    pauses: Sequence[float] = PAUSES,
) -> RepredictReport:
    """Project every untouched task again, and show the new predictions. Old ones stay.

    `show` gives what a task shows of a projected sentence, perhaps with corrections applied.

    Tasks are refreshed before they are predicted, so running an interrupted call again finds them
    undone. A backend that serves another model is asked again after each of the `pauses`; if it
    still does, ServerError is raised, because Label Studio would ask it to predict all tasks again.
    ReviewError is raised if no task can be read.
    """
    version = projector.model_version
    _require_served(server, project, version, pauses)
    tasks = server.tasks(project, with_predictions=True)
    untouched = [task for task in tasks if not is_touched(task)]
    due = [task for task in untouched if prediction_of(task, version) is None]
    unreadable: list[UnreadableReview] = []
    read = [*readable(due, lambda task: sentence_of(task, f"task {task['id']}"), unreadable)]
    if unreadable and not read:  # a project that is not ours
        what = f"none of {counted(len(unreadable), 'task')} can be read"
        raise ReviewError(f"project {project.title!r}", what, unreadable[0].reason)
    sentences = {task["id"]: sentence for task, sentence in read}
    fitting = [task for task, sentence in read if projector.fits(sentence)]
    predicted = refreshed = 0
    seconds = 0.0
    for start in range(0, len(fitting), CHUNK):
        chunk = fitting[start : start + CHUNK]
        projected: dict[int, ProjectedSentence] = {}
        for first in range(0, len(chunk), SLICE):
            ids = [task["id"] for task in chunk[first : first + SLICE]]
            began = time.monotonic()
            answers = projector.project([sentences[n] for n in ids])
            seconds += time.monotonic() - began
            projected.update(zip(ids, answers, strict=True))
            on_progress(len(ids))
        found = {n: show(each) for n, each in projected.items()}
        ranks = dict(zip(projected, review_ranks(projected.values()), strict=True))
        new_looks = {
            n for task in chunk if _refresh(server, task, found[n := task["id"]].fields, ranks[n])
        }
        # Refreshing many takes minutes, in which people go on.
        still_due = _still_due(server, project, chunk)
        predictions = [{"task": n, **found[n].prediction} for n in still_due]
        if predictions:
            server.import_predictions(project, predictions)
        predicted += len(predictions)
        refreshed += len(new_looks & still_due)
    return RepredictReport(
        predicted=predicted,
        refreshed=refreshed,
        touched=len(tasks) - len(untouched),
        meanwhile=len(fitting) - predicted,
        up_to_date=len(untouched) - len(due),
        too_long=len(read) - len(fitting),
        model_version=version,
        current=server.set_model_version(project, version),
        unreadable=tuple(unreadable),
        per_second=round(len(fitting) / seconds, 1) if seconds else 0.0,
    )


def _require_served(
    server: ReviewServer, project: Project, version: str, pauses: Sequence[float]
) -> None:
    for pause in (*pauses, None):
        connected = [each for each in server.backends(project) if each.connected]
        if not connected or any(each.model_version == version for each in connected):
            return
        if pause is not None:
            time.sleep(pause)
    raise ServerError(
        f"backend {connected[0].url}",
        f"serves {connected[0].model_version}, the model here is {version}",
        "Repredict where the backend's data folder and settings are (docs/team.md has the command)",
    )


def _still_due(server: ReviewServer, project: Project, tasks: Sequence[Task]) -> set[int]:
    """Return the ids of the tasks that nobody has touched or predicted meanwhile."""
    before = {task["id"]: len(task["predictions"]) for task in tasks}
    return {
        task["id"]
        for task in server.tasks(project)
        if not is_touched(task) and before.get(task["id"]) == len(task["predictions"])
    }


def _refresh(server: ReviewServer, task: Task, fields: Mapping[str, Any], rank: int) -> bool:
    """Show the new projections and conflicts in the task, if they differ. Return whether it did.

    Only then has it a new rank, among the sentences of its chunk; one that had none gets it, too.
    """
    new = {**fields, RANK: rank_field(rank)}
    if RANK in task["data"] and _reads_like(new) == _reads_like(task["data"]):
        return False
    return write_fields(server, task["id"], new, if_still=partial(is_still_open, task))


def _reads_like(data: Mapping[str, Any]) -> str:
    # An older spanferry pushed tasks without some of these.
    return _SCORE.sub("", json.dumps([data.get(key) or "" for key in _READ]))
