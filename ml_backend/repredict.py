"""Gives the tasks nobody has touched the predictions of a newer model."""

import fcntl
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_config.tasks import sentence_of, to_prediction, to_task
from ml_backend.label_studio import Project, ReviewServer
from projection.errors import ServerError
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
_READ = ("conflict", "conflicts", "source_html", "doubts_html", "propagated")
_SCORE = re.compile(r"[01]\.\d\d")
# What people found out about the task stays true of it, whatever a model says.
_KEPT = ("audit", "audit_stratum", "audit_stratum_size", "disagreement")


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
) -> RepredictReport:
    """Project every untouched task again and make the new predictions the ones shown.

    Old predictions stay. What a task shows beside its prediction is brought up to date first, so
    that after an interruption running this again finds the task undone. Tasks that were touched or
    predicted by somebody else while the model was at work are left alone, too.

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
    predicted = refreshed = 0
    for chunk in _parts(fitting, CHUNK):
        found: dict[int, ProjectedSentence] = {}
        for part in _parts(chunk, SLICE):
            ids = [task["id"] for task in part]
            found.update(zip(ids, projector.project([sentences[n] for n in ids]), strict=True))
            on_progress(len(part))
        still_due = _still_due(server, project, chunk)
        refreshed += sum(_refresh(server, task, found[task["id"]]) for task in still_due)
        predictions = [{"task": t["id"], **to_prediction(found[t["id"]])} for t in still_due]
        if predictions:
            server.import_predictions(project, predictions)
        predicted += len(predictions)
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


@contextmanager
def alone(folder: Path, server: ReviewServer, project: Project) -> Iterator[None]:
    """Keep a second process from doing the same to the project meanwhile; `folder` has the lock.

    Raises:
        ServerError: if there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(f"{server.url} {project.id}".encode(), digest_size=8).hexdigest()
    with (folder / f".repredict-{name}").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = "`spanferry repredict` is at work on it already"
            raise ServerError(f"project {project.title!r}", what, "Wait for its end") from error
        yield


def is_touched(task: Task) -> bool:
    """Whether somebody has annotated, skipped or begun the task."""
    return bool(task["annotations"] or task["drafts"])


def versions_of(task: Task) -> set[str]:
    """The model versions the task has predictions of."""
    return {prediction["model_version"] for prediction in task["predictions"]}


def _still_due(server: ReviewServer, project: Project, tasks: Sequence[Task]) -> list[Task]:
    """Those of the tasks that nobody has touched or predicted meanwhile, as they are now."""
    before = {task["id"]: len(task["predictions"]) for task in tasks}
    return [
        task
        for task in server.tasks(project)
        if not is_touched(task) and before.get(task["id"]) == len(task["predictions"])
    ]


def _refresh(server: ReviewServer, task: Task, projected: ProjectedSentence) -> bool:
    """Show where the new projection went and its conflicts, if that is not what stands there."""
    before, data = task["data"], to_task(projected)["data"]
    if _reads_like(data) == _reads_like(before):
        return False
    kept = {key: before[key] for key in _KEPT if key in before}
    # Keys that somebody else added to the task are kept as well.
    server.update_task_data(task["id"], {**before, **data, **kept})
    return True


def _reads_like(data: Mapping[str, Any]) -> str:
    # An older spanferry pushed tasks without some of these.
    return _SCORE.sub("", json.dumps([data.get(key) or "" for key in _READ]))


def _parts(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]
