"""Gives the tasks nobody has touched the predictions of a newer model."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from label_config.tasks import sentence_of, to_prediction, to_task
from ml_backend.label_studio import Project, ReviewServer
from projection.records import ProjectedSentence

if TYPE_CHECKING:
    from projection.projector import ProjectsSentences

SLICE = 100  # tasks projected at a time, so that progress shows
# Tasks whose predictions are written together, and lost together by an interruption. Large, since
# at every such request Label Studio counts the predictions of all tasks of the project again.
CHUNK = 5000

Task = Mapping[str, Any]

# What an annotator reads beside the prediction. Tasks can only be updated one by one, a tenth of a
# second each, and the scores in these differ with every model; so scores alone do not count, and
# may grow old. The Data Manager shows and orders by the prediction's own score, which is new.
_READ = ("conflict", "conflicts", "source_html")
_SCORE = re.compile(r"[01]\.\d\d")


@dataclass(frozen=True, slots=True)
class RepredictReport:
    """What was done. Numbers count tasks.

    `touched` have an annotation, a skip or a draft; `up_to_date` have a prediction of this version
    already; `too_long` do not fit the model. `refreshed` of the `predicted` went elsewhere or have
    other conflicts, and their tasks say so now.
    """

    predicted: int
    refreshed: int
    touched: int
    up_to_date: int
    too_long: int
    model_version: str
    current: bool

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return asdict(self)


def repredict(
    server: ReviewServer,
    project: Project,
    projector: "ProjectsSentences",
    *,
    on_progress: Callable[[int], None] = lambda _: None,
) -> RepredictReport:
    """Project every untouched task again and make the new predictions the ones shown.

    Old predictions stay. What a task shows beside its prediction is brought up to date first, so
    that after an interruption running this again finds the task undone.

    Raises:
        ReviewError: if a task is not one that was pushed.
        ServerError: if Label Studio refuses something or goes away.
    """
    version = projector.model_version
    tasks = server.tasks(project, with_predictions=True)
    untouched = [task for task in tasks if not is_touched(task)]
    due = [task for task in untouched if version not in versions_of(task)]
    sentences = {task["id"]: sentence_of(task, f"task {task['id']}") for task in due}
    fitting = [task for task in due if projector.fits(sentences[task["id"]])]
    refreshed = 0
    for chunk in _parts(fitting, CHUNK):
        predictions: list[dict[str, Any]] = []
        for tasks_of_slice in _parts(chunk, SLICE):
            found = projector.project([sentences[task["id"]] for task in tasks_of_slice])
            for task, projected in zip(tasks_of_slice, found, strict=True):
                refreshed += _refresh(server, task, projected)
                predictions.append({"task": task["id"], **to_prediction(projected)})
            on_progress(len(tasks_of_slice))
        server.import_predictions(project, predictions)
    return RepredictReport(
        predicted=len(fitting),
        refreshed=refreshed,
        touched=len(tasks) - len(untouched),
        up_to_date=len(untouched) - len(due),
        too_long=len(due) - len(fitting),
        model_version=version,
        current=server.set_model_version(project, version),
    )


def is_touched(task: Task) -> bool:
    """Whether somebody has annotated, skipped or begun the task."""
    return bool(task["annotations"] or task["drafts"])


def versions_of(task: Task) -> set[str]:
    """The model versions the task has predictions of."""
    return {prediction["model_version"] for prediction in task["predictions"]}


def _refresh(server: ReviewServer, task: Task, projected: ProjectedSentence) -> bool:
    """Show where the new projection went and its conflicts, if that is not what stands there."""
    data = to_task(projected)["data"]
    if _reads_like(data) == _reads_like(task["data"]):
        return False
    # Keys that somebody else added to the task are kept.
    server.update_task_data(task["id"], {**task["data"], **data})
    return True


def _reads_like(data: Mapping[str, Any]) -> str:
    return _SCORE.sub("", json.dumps([data.get(key) for key in _READ]))


def _parts(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]
