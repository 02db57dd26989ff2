"""Gives the tasks nobody has touched the predictions of a newer model."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from label_config.tasks import NOT_YET, sentence_of, to_prediction, to_task
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tasks import is_touched, versions_of
from projection.errors import ServerError
from projection.records import ProjectedSentence

if TYPE_CHECKING:
    from projection.protocols import ProjectsSentences

SLICE = 100  # tasks projected at a time, so that progress shows
# Tasks whose predictions are written together, and lost together by an interruption. Large, since
# at every such request Label Studio counts the predictions of all tasks of the project again.
CHUNK = 5000
# A backend that was told of a new model a moment ago is still loading it.
PAUSES = (2.0,) * 15

Task = Mapping[str, Any]

# What an annotator reads beside the prediction. Tasks can only be updated one by one, a tenth of a
# second each, and the scores in these differ with every model; so scores alone do not count, and
# may grow old. The Data Manager shows and orders by the prediction's own score, which is new.
_READ = ("conflict", "source_html", "doubts_html", "propagated")
_SCORE = re.compile(r"[01]\.\d\d")
# What people found out about the task stays true of it, whatever a model says.
_KEPT = tuple(key for key in NOT_YET if key != "propagated")


@dataclass(frozen=True, slots=True)
class RepredictReport:
    """What was done. Numbers count tasks.

    `touched` have an annotation, a skip or a draft; `meanwhile` were touched or predicted while the
    model was at work; `up_to_date` have a prediction of this version already; `too_long` do not fit
    the model. `refreshed` of the `predicted` went elsewhere or have other conflicts, and their
    tasks say so now.
    """

    predicted: int
    refreshed: int
    touched: int
    meanwhile: int
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
    pauses: Sequence[float] = PAUSES,
) -> RepredictReport:
    """Project every untouched task again and make the new predictions the ones shown.

    Old predictions stay. What a task shows beside its prediction is brought up to date first, so
    that after an interruption running this again finds the task undone. Tasks that were touched or
    predicted by somebody else while the model was at work are left alone, too.

    A backend of the project that serves another model is asked again after each of the `pauses`.

    Raises:
        ReviewError: if a task is not one that was pushed.
        ServerError: if Label Studio refuses something or goes away, or the backend goes on serving
            another model.
    """
    version = projector.model_version
    _require_served(server, project, version, pauses)
    tasks = server.tasks(project, with_predictions=True)
    untouched = [task for task in tasks if not is_touched(task)]
    due = [task for task in untouched if version not in versions_of(task)]
    sentences = {task["id"]: sentence_of(task, f"task {task['id']}") for task in due}
    fitting = [task for task in due if projector.fits(sentences[task["id"]])]
    predicted = refreshed = 0
    for chunk in _parts(fitting, CHUNK):
        found: dict[int, ProjectedSentence] = {}
        for part in _parts(chunk, SLICE):
            ids = [task["id"] for task in part]
            found.update(zip(ids, projector.project([sentences[n] for n in ids]), strict=True))
            on_progress(len(part))
        new_looks = {task["id"] for task in chunk if _refresh(server, task, found[task["id"]])}
        # Refreshing many takes minutes, in which people go on.
        still_due = _still_due(server, project, chunk)
        predictions = [{"task": n, **to_prediction(found[n])} for n in still_due]
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
        too_long=len(due) - len(fitting),
        model_version=version,
        current=server.set_model_version(project, version),
    )


def _require_served(
    server: ReviewServer, project: Project, version: str, pauses: Sequence[float]
) -> None:
    """Label Studio would ask a backend of another version to predict all of it once more.

    Raises:
        ServerError: if there is one, and none of this version beside it.
    """
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
    """Those of the tasks that nobody has touched or predicted meanwhile."""
    before = {task["id"]: len(task["predictions"]) for task in tasks}
    return {
        task["id"]
        for task in server.tasks(project)
        if not is_touched(task) and before.get(task["id"]) == len(task["predictions"])
    }


def _refresh(server: ReviewServer, task: Task, projected: ProjectedSentence) -> bool:
    """Show where the new projection went and its conflicts, if that is not what stands there.

    Not in a task that somebody has touched or predicted by now.
    """
    data = to_task(projected)["data"]
    if _reads_like(data) == _reads_like(task["data"]):
        return False
    now = server.task(task["id"])
    if is_touched(now) or now["total_predictions"] != len(task["predictions"]):
        return False
    kept = {key: now["data"][key] for key in _KEPT if key in now["data"]}
    # Keys that somebody else added to the task are kept as well.
    server.update_task_data(task["id"], {**now["data"], **data, **kept})
    return True


def _reads_like(data: Mapping[str, Any]) -> str:
    # An older spanferry pushed tasks without some of these.
    return _SCORE.sub("", json.dumps([data.get(key) or "" for key in _READ]))


def _parts(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]
