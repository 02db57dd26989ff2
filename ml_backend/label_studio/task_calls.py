"""The calls of Label Studio for tasks, predictions and annotations."""

import json
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import httpx
from label_studio_sdk.core.api_error import ApiError

from label_config.tasks import assigned_to
from ml_backend.label_studio.projects import Project
from ml_backend.label_studio.session import ApiSession
from ml_backend.label_studio.tabs import SHARED
from ml_backend.label_studio.transport import require_same
from projection.errors import ServerError
from projection.io.records_json import Json

log = logging.getLogger(__name__)

# Label Studio with Redis makes snapshots in a background job: half a minute for 25,000 tasks.
_POLL_SECONDS = (0.1, 5.0)  # the first pause and the longest, each twice the one before

_PAGE = 500  # tasks a request


class TaskCalls(ApiSession):
    """The calls that read and write tasks."""

    def import_tasks(self, project: Project, tasks: Sequence[Json]) -> list[int]:
        """Add tasks, each with its `predictions`, in one request. Return their ids, in order."""
        with self._asking(f"import into project {project.title!r}"):
            answer = self._api.projects.import_tasks(
                id=project.id, request=_plain(tasks), return_task_ids=True
            )
            # The Enterprise edition answers before it is done: with the import, without ids.
            if getattr(answer, "import_", None) or getattr(answer, "import", None):
                return []
            ids = [int(number) for number in answer.task_ids or ()]
            _require_all(len(ids), len(tasks))
        return ids

    def import_predictions(self, project: Project, predictions: Sequence[Json]) -> None:
        """Add predictions, each with the id of its `task`, in one request. Old ones stay."""
        with self._asking(f"predictions of project {project.title!r}"):
            answer = self._api.projects.import_predictions(
                id=project.id, request=_plain(predictions)
            )
            _require_all(answer.created, len(predictions))

    def update_prediction(
        self, prediction_id: int, result: Sequence[Json], score: float | None
    ) -> None:
        """Replace the regions and the score of a prediction."""
        with self._asking(f"prediction {prediction_id}"):
            made = self._api.predictions.update(prediction_id, result=list(result), score=score)
            require_same(made.id, prediction_id)

    def update_task_data(self, task_id: int, data: Json) -> None:
        """Replace all of a task's data. Commands write through `task_writer.write_fields`."""
        with self._asking(f"task {task_id}"):
            made = self._api.tasks.update(id=str(task_id), data=data)
            require_same(made.id, task_id)

    def shared_tasks(self, project: Project) -> dict[int, tuple[int, int]]:
        """Return the tasks assigned to several: how many people label each, and are named."""
        query = json.dumps({"filters": {"conjunction": "and", "items": [SHARED]}})
        found = {}
        with self._asking(f"tasks of project {project.title!r}"):
            for task in self._api.tasks.list(project=project.id, page_size=_PAGE, query=query):
                names = assigned_to({"data": task.data or {}})
                found[int(task.id)] = int(task.overlap or 1), len(names)
        return found

    def set_task_overlap(self, task_id: int, annotators: int) -> None:
        """Have this many people label a task, whatever its project says."""
        with self._asking(f"task {task_id}"):
            made = self._api.tasks.update(id=str(task_id), overlap=annotators)
            require_same(made.id, task_id)

    def delete_task(self, task_id: int) -> None:
        """Delete a task with all that belongs to it, unless it is gone already."""
        with self._asking(f"task {task_id}"):
            try:
                self._api.tasks.delete(id=str(task_id))
            except ApiError as error:
                if error.status_code != httpx.codes.NOT_FOUND:
                    raise

    def task(self, task_id: int) -> Json:
        """Fetch a task with its annotations, the predictions shown, and the key owner's drafts."""
        with self._asking(f"task {task_id}"):
            found = self._api.tasks.get(str(task_id)).model_dump()
            require_same(found["id"], task_id)
            return _read_task(found)

    def tasks(
        self,
        project: Project,
        *,
        with_predictions: bool = False,
        with_drafts: bool = False,
        only_annotated: bool = False,
    ) -> list[Json]:
        """Fetch all tasks with their annotations and the ids of their drafts, oldest first.

        `with_predictions` and `with_drafts` fetch them whole instead of their ids. Skipped
        annotations are included (`was_cancelled`), and count for `only_annotated`.
        """
        options: Json = {
            "predictions": {"only_id": not with_predictions},
            "drafts": {"only_id": not with_drafts},
            "annotations__completed_by": {"only_id": True},
        }
        # A snapshot is three times as fast as paging through the tasks.
        with self._asking(f"snapshot of project {project.title!r}"):
            snapshot = self._api.projects.exports.create(
                project.id,
                serialization_options=cast("Any", options),
                task_filter_options=cast("Any", {"only_with_annotations": only_annotated}),
            )
            number = int(snapshot.id)  # None is an odd answer
            try:
                self._wait_for_snapshot(project, number, str(snapshot.status))
                exports = self._api.projects.exports
                body = b"".join(exports.download(project.id, number, export_type="JSON"))
            finally:
                self._delete_snapshot(project, number)
            found = [_read_task(row) for row in json.loads(body)]
        return sorted(found, key=lambda task: int(task["id"]))

    def _wait_for_snapshot(self, project: Project, snapshot: int, status: str) -> None:
        deadline = time.monotonic() + self._snapshot_seconds
        pause, longest = _POLL_SECONDS
        where = f"{self.url} snapshot {snapshot} of project {project.title!r}"
        while status != "completed":
            if status == "failed":
                fix = "See the log of Label Studio's worker, then try again"
                raise ServerError(where, "Label Studio could not make it", fix)
            if time.monotonic() > deadline:
                what = f"still {status} after {self._snapshot_seconds:g} seconds"
                fix = "Check that a worker (rqworker) of Label Studio runs"
                raise ServerError(where, what, fix)
            time.sleep(pause)
            pause = min(2 * pause, longest)
            status = str(self._api.projects.exports.get(project.id, snapshot).status)

    def _delete_snapshot(self, project: Project, snapshot: int) -> None:
        # A snapshot left behind costs disk space only: do not lose the tasks, or the first error.
        try:
            with self._asking("answer"):
                self._api.projects.exports.delete(project.id, snapshot)
        except ServerError as error:
            log.warning("snapshot %d of %r is not deleted: %s", snapshot, project.title, error.what)

    def annotate(
        self,
        task_id: int,
        result: Sequence[Json],
        *,
        skipped: bool = False,
        parent_prediction: int | None = None,
        lead_time: float | None = None,
    ) -> int:
        """Submit an annotation as the key's owner. Return its id."""
        with self._asking(f"annotation of task {task_id}"):
            made = self._api.annotations.create(
                id=task_id,
                result=cast("Any", list(result)),
                was_cancelled=skipped,
                parent_prediction=parent_prediction,
                lead_time=lead_time,
            )
            return int(made.id)

    def add_draft(self, task_id: int, draft: Json, annotation_id: int | None) -> None:
        """Begin an annotation, or a change of one, as the key's owner; `draft` has the `result`."""
        of = "" if annotation_id is None else f"/annotations/{annotation_id}"
        with self._asking(f"draft of task {task_id}"):
            # The SDK has no call for this.
            answer = self._api._client_wrapper.httpx_client.request(
                f"api/tasks/{task_id}{of}/drafts", method="POST", json=draft
            )
            if not answer.is_success:
                raise ApiError(status_code=answer.status_code, body=answer.text)
            require_same(answer.json()["task"], task_id)


def _plain(rows: Sequence[Json]) -> Any:
    """Return a type that the SDK gives to pydantic's compiled encoder; it walks lists itself."""
    return deque(rows)


def _require_all(done: int | None, wanted: int) -> None:
    """Raise ServerError if an answer counts less, or more, than was sent."""
    if not isinstance(done, int):
        raise TypeError("no count")
    if done != wanted:
        fix = "Run the command again: it adds what is missing"
        raise ServerError("the import", f"{done} of {wanted} were taken", fix)


def _read_task(row: Any) -> Json:
    """Return the task if its fields have the types that all commands rely on, else TypeError."""
    lists = [row.get(key) or [] for key in ("annotations", "predictions", "drafts")]
    well_formed = isinstance(row["id"], int) and isinstance(row["data"], dict)
    if not (well_formed and all(isinstance(each, list) for each in lists)):
        raise TypeError("no task")
    return {**row, **dict(zip(("annotations", "predictions", "drafts"), lists, strict=True))}
