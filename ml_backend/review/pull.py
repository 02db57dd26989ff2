"""Read the reviews of a Label Studio project."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from label_config.annotations import reviewed_of
from label_config.labeling_config import labels_of
from label_config.regions import read_result
from label_config.tasks import record_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.imported import as_decided, imported_with, restored
from ml_backend.label_studio.tasks import Task, obstacle, prediction_of
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import LabelOrigin, Provenance, ReviewedSentence, ReviewStatus

_FIX = "Export the project as JSON, with full annotations and predictions"


@dataclass(frozen=True, slots=True)
class Pulled:
    """Reviews and accepted unseen sentences; `left_open` counts the other tasks by reason."""

    reviewed: list[ReviewedSentence]
    left_open: Mapping[str, int]


def fetch_reviewed(server: ReviewServer, project: Project) -> list[ReviewedSentence]:
    """Fetch every annotation of a project, skipped ones included, in the order of the tasks."""
    where = f"project {project.title!r}"
    tasks = server.tasks(project, with_predictions=True, only_annotated=True)
    return list(reviews_of(tasks, labels_of(project.label_config, where), where))


def fetch(server: ReviewServer, project: Project, accept_above: float | None = None) -> Pulled:
    """Fetch as `fetch_reviewed`, and with `accept_above` what can be accepted without review.

    These are untouched tasks without a conflict, whose prediction of the current model version has
    at least that score: no entity has a lower one. A sentence without entities has the score 1.
    """
    if accept_above is None:
        return Pulled(fetch_reviewed(server, project), {})
    where = f"project {project.title!r}"
    labels, version = labels_of(project.label_config, where), project.model_version
    reviewed: list[ReviewedSentence] = []
    left_open: Counter[str] = Counter()
    for task in server.tasks(project, with_predictions=True):
        if task["annotations"]:
            reviewed += reviews_of([task], labels, where)
        elif why := obstacle(task, version, accept_above):
            left_open[why.value] += 1
        else:
            reviewed.append(_unseen(task, version, labels, where))
    return Pulled(reviewed, dict(left_open))


def reviews_of(
    tasks: Iterable[Task], labels: Collection[str], where: str
) -> Iterator[ReviewedSentence]:
    """Read the reviews of exported tasks; those that were pushed with an export, as they were."""
    for task in tasks:
        imported = imported_with(task, f"{where} task {task['id']}")
        reviews = reviewed_of(restored(task, imported), labels, where)
        yield from as_decided(reviews, task, imported)


def _unseen(task: Task, version: str, labels: Collection[str], where: str) -> ReviewedSentence:
    place = f"{where} task {task['id']}"
    record = record_of(task, place)
    sentence = record.sentence
    fields = Fields(prediction_of(task, version) or {}, f"{place} prediction", ReviewError, _FIX)
    regions = read_result(fields, sentence, labels)[0]
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
