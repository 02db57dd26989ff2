"""Read the reviews of a Label Studio project."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from label_config.annotations import Reviews, reviewed_of, unreadable_of
from label_config.results import read_result
from label_config.tasks import record_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.imported import as_decided, imported_with, restored
from ml_backend.label_studio.tasks import Obstacle, Task, obstacle, prediction_of
from projection.errors import ReviewError, SpanferryError
from projection.io.json_fields import Fields
from projection.records import (
    LabelOrigin,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    UnreadableReview,
)
from projection.text.wording import counted

log = logging.getLogger(__name__)

Read = TypeVar("Read")

NAMED = 5  # unreadable annotations in a message
_FIX = "Export the project as JSON, with full annotations and predictions"


@dataclass(frozen=True, slots=True)
class Pulled:
    """Reviews and accepted unseen sentences, and the `unreadable` ones.

    `left_open` counts the other tasks by reason.
    """

    reviewed: list[ReviewedSentence]
    unreadable: list[UnreadableReview]
    left_open: Mapping[str, int]


def fetch_reviewed(server: ReviewServer, project: Project) -> list[ReviewedSentence]:
    """Fetch every readable annotation of a project, skipped ones included, in the tasks' order."""
    return fetch(server, project).reviewed


def fetch(server: ReviewServer, project: Project, accept_above: float | None = None) -> Pulled:
    """Fetch every annotation, and with `accept_above` what can be accepted without review.

    These are untouched tasks without a conflict, whose prediction of the current model version has
    at least that score: no entity has a lower one. A sentence without entities has the score 1.
    """
    where, version = f"project {project.title!r}", project.model_version
    found, left_open = Reviews([], []), Counter[str]()
    for task in server.tasks(project, with_predictions=True, only_annotated=accept_above is None):
        if accept_above is None or task["annotations"]:
            _read(task, where, found)
            continue
        try:
            accepted = accepted_unseen(task, version, accept_above, where)
            if isinstance(accepted, Obstacle):
                left_open[accepted.value] += 1
            else:
                found.reviewed.append(accepted)
        except SpanferryError as error:
            found.unreadable.extend(unreadable_of(task, error))
    _warn_of(found.unreadable, where)
    return Pulled(*found, dict(left_open))


def reviews_of(tasks: Iterable[Task], where: str) -> Reviews:
    """Read the reviews of exported tasks; those that were pushed with an export, as they were."""
    found = Reviews([], [])
    for task in tasks:
        _read(task, where, found)
    return found


def readable(
    tasks: Iterable[Task], read: Callable[[Task], Read], unreadable: list[UnreadableReview]
) -> Iterator[tuple[Task, Read]]:
    """Yield each task with what `read` returns; add those for which it raises to `unreadable`."""
    for task in tasks:
        try:
            found = read(task)
        except SpanferryError as error:
            unreadable.extend(unreadable_of(task, error))
        else:
            yield task, found


def _read(task: Task, where: str, found: Reviews) -> None:
    """Add the reviews of a task to `found`."""
    try:
        imported = imported_with(task, f"{where} task {task['id']}")
    except ReviewError as error:
        found.unreadable.extend(unreadable_of(task, error))
        return
    reviewed, unreadable = reviewed_of(restored(task, imported), where)
    found.reviewed.extend(as_decided(reviewed, task, imported))
    found.unreadable.extend(unreadable)


def _warn_of(unreadable: Sequence[UnreadableReview], where: str) -> None:
    if not unreadable:
        return
    named = ", ".join(map(str, unreadable[:NAMED])) + (", …" if len(unreadable) > NAMED else "")
    count, fix = counted(len(unreadable), "annotation"), "`spanferry export` writes the reasons"
    log.warning("%s: %s left out, unreadable: %s. %s to losses.jsonl", where, count, named, fix)


def accepted_unseen(
    task: Task, version: str, threshold: float, where: str
) -> ReviewedSentence | Obstacle:
    """Return a task as accepted without review, or why it would not be.

    ReviewError if its record or prediction cannot be read.
    """
    if why := obstacle(task, version, threshold):
        return why
    place = f"{where} task {task['id']}"
    record = record_of(task, place)
    sentence = record.sentence
    fields = Fields(prediction_of(task, version) or {}, f"{place} prediction", ReviewError, _FIX)
    regions = read_result(fields, sentence).regions
    entities = tuple(region.entity for region in regions)
    return ReviewedSentence(
        sentence=sentence,
        entities=entities,
        status=ReviewStatus.UNSEEN,
        annotator="",
        predicted=entities,
        model_version=version,
        task_id=task["id"],
        provenance=tuple(
            Provenance(each.origin or LabelOrigin.PROJECTED, each.source) for each in regions
        ),
        teacher_entities=record.source_entities if sentence.entities is None else None,
    )
