"""Webhook events of Label Studio, and the hints they leave.

Label Studio sends an event once and keeps the annotator waiting, for up to a second. It may come
twice, late or never, so it only tells which project to ask Label Studio about, in another process.
"""

from typing import NamedTuple

from ml_backend.api.wire import RequestError
from ml_backend.jobs.hints import MOST_HINTS, Hint, Hints
from ml_backend.serving.model_queue import NotReadyError
from projection.io.records_json import Json

START_TRAINING = "START_TRAINING"
REVIEW_ACTIONS = frozenset(
    {"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"}
)
MOST_ID = 2**31 - 1  # of a project in Label Studio's database
# Named in the metrics; anything else is counted as "other", so that nobody can flood them.
KNOWN_ACTIONS = REVIEW_ACTIONS | {
    *(START_TRAINING, "TASKS_CREATED", "TASKS_DELETED"),
    *("PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED"),
}


class Event(NamedTuple):
    """An event in a project of Label Studio."""

    action: str
    project: int | None = None

    @property
    def counted_as(self) -> str:
        """The action if it is known, else "other"."""
        return self.action if self.action in KNOWN_ACTIONS else "other"


def read_event(body: Json) -> Event:
    """Read the body of a webhook: `action`, and the `id` of the `project`."""
    action = body.get("action")
    if not isinstance(action, str) or not 0 < len(action) <= 100:
        fix = 'Label Studio sends {"action": "…"}'
        raise RequestError("/webhook body", "there is no action", fix)
    project = body.get("project")
    found = project.get("id") if isinstance(project, dict) else project
    is_id = isinstance(found, int) and not isinstance(found, bool) and 0 < found <= MOST_ID
    return Event(action, found if is_id else None)


def leave_hint(event: Event, hints: Hints, train_each: int) -> None:
    """Leave a hint to look at the project, for reviews only if they cause trainings (0 for never).

    NotReadyError if too many projects wait for a look.
    """
    if event.action == START_TRAINING:
        hint = Hint.ASKED
    elif train_each and event.action in REVIEW_ACTIONS:
        hint = Hint.REVIEWED
    else:
        return
    if event.project is not None and not hints.leave(event.project, hint):
        what = f"{MOST_HINTS} projects wait until Label Studio is asked about them"
        raise NotReadyError("/webhook", what, "Try again in a minute")
