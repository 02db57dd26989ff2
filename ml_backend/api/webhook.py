"""Webhook events of Label Studio, and the training jobs they cause.

Label Studio sends an event once and keeps the annotator waiting, for up to a second. A job fetches
what changed when it runs.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ml_backend.api.wire import RequestError
from ml_backend.jobs.queue import JobQueue
from projection.io.records_json import Json

START_TRAINING = "START_TRAINING"
REVIEW_ACTIONS = frozenset({"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"})
# Named in the metrics; anything else is counted as "other", so that nobody can flood them.
KNOWN_ACTIONS = REVIEW_ACTIONS | {
    *(START_TRAINING, "ANNOTATIONS_DELETED", "TASKS_CREATED", "TASKS_DELETED"),
    *("PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED"),
}


class Event(NamedTuple):
    """An event in Label Studio; `annotations` counts those it names."""

    action: str
    project: int | None = None
    annotations: int = 0

    @property
    def counted_as(self) -> str:
        """The action if it is known, else "other"."""
        return self.action if self.action in KNOWN_ACTIONS else "other"


def read_event(body: Json) -> Event:
    """Read the body of a webhook: `action`, and the ids of what it is about."""
    action = body.get("action")
    if not isinstance(action, str) or not 0 < len(action) <= 100:
        fix = 'Label Studio sends {"action": "…"}'
        raise RequestError("/webhook body", "there is no action", fix)
    annotations = len([*_ids(body.get("annotation"), body.get("annotations"))])
    return Event(action, next(_ids(body.get("project")), None), annotations)


def _ids(*values: object) -> Iterator[int]:
    """Yield the ids of objects and lists of objects, or bare ids."""
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            found = item.get("id") if isinstance(item, dict) else item
            if isinstance(found, int) and not isinstance(found, bool):
                yield found


def queue_jobs(event: Event, queue: JobQueue, train_each: int) -> None:
    """Queue the training asked for, or due after `train_each` reviews (0 for never)."""
    if event.project is None:
        return
    if event.action == START_TRAINING:
        queue.add(event.project, "asked for in Label Studio")
    elif train_each and event.action in REVIEW_ACTIONS:
        queue.add_reviews(event.project, max(1, event.annotations), train_each)
