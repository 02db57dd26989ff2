"""The one writer of task data: it re-reads a task, checks it, and changes single fields.

Commands decide on a snapshot of the project while people go on reviewing. Hold the project lock
(`project_lock`) to write.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ml_backend.label_studio.client import ReviewServer
from ml_backend.label_studio.tasks import Task, is_touched

Fields = Mapping[str, Any]
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


class Doubles(NamedTuple):
    """How many tasks were removed, and the ids of those that people have begun, which stay."""

    removed: int
    begun: tuple[int, ...]


def write_fields(
    server: ReviewServer,
    task_id: int,
    fields: Fields | Callable[[Task], Fields],
    *,
    if_still: Callable[[Task], bool],
) -> bool:
    """Change fields of a task's data, unless the task has changed. Return whether it was written.

    `fields` are the new values, or a function of the current task that returns them. `if_still` is
    given the current task; false leaves it alone. Label Studio replaces a task's data as a whole,
    so all other fields are sent along.
    """
    now = server.task(task_id)
    if not if_still(now):
        return False
    data = now["data"]
    new = {**data, **(fields(now) if callable(fields) else fields)}
    if new != data:
        server.update_task_data(task_id, new)
    return True


def write_each(
    server: ReviewServer,
    changes: Sequence[tuple[Task, Fields]],
    *,
    if_still: Callable[[Task, Task], bool],
    on_progress: OnProgress,
) -> list[int]:
    """Write fields of tasks unless `if_still(before, now)` is false. Return the ids left alone."""
    left_alone = []
    for done, (before, fields) in enumerate(changes):
        on_progress("tasks marked", done, len(changes))
        if not write_fields(server, before["id"], fields, if_still=partial(if_still, before)):
            left_alone.append(before["id"])
    on_progress("tasks marked", len(changes), len(changes))
    return left_alone


def is_still_open(before: Task, now: Task) -> bool:
    """Return whether nobody has touched the task, and its predictions are the same."""
    if is_touched(now) or now["total_predictions"] != len(before["predictions"]):
        return False
    known = [(each["id"], each["result"]) for each in before["predictions"]]
    # Label Studio sends only the predictions of the project's model version with a single task.
    return all((each["id"], each["result"]) in known for each in now["predictions"])


def has_same_annotations(before: Task, now: Task) -> bool:
    """Return whether the task has the annotations it had, skipped ones included."""
    old, new = (
        {each["id"]: (each["result"], each["was_cancelled"]) for each in task["annotations"]}
        for task in (before, now)
    )
    return bool(old == new)


def remove_doubles(server: ReviewServer, groups: Iterable[list[Task]]) -> Doubles:
    """Remove all tasks of each group but the first, and those that somebody has begun."""
    removed, begun = 0, list[int]()
    for _, *others in groups:
        for task in others:
            if is_touched(task) or is_touched(server.task(task["id"])):
                begun.append(task["id"])
            else:
                server.delete_task(task["id"])
                removed += 1
    return Doubles(removed, tuple(begun))
