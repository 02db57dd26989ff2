"""What Label Studio says has happened in a project."""

from dataclasses import dataclass

START_TRAINING = "START_TRAINING"

# Named in the metrics; anything else is counted as "other", so that nobody can flood them.
KNOWN_ACTIONS = frozenset(
    {
        START_TRAINING,
        "ANNOTATION_CREATED",
        "ANNOTATIONS_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATIONS_DELETED",
        "TASKS_CREATED",
        "TASKS_DELETED",
        "PROJECT_CREATED",
        "PROJECT_UPDATED",
        "PROJECT_DELETED",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in Label Studio. `received` is ISO 8601 in UTC."""

    action: str
    received: str
    project: int | None = None
    tasks: tuple[int, ...] = ()
    annotations: tuple[int, ...] = ()

    @property
    def counted_as(self) -> str:
        """The action, if it is one we know."""
        return self.action if self.action in KNOWN_ACTIONS else "other"
