"""The reviews of a report: read from a Label Studio project, or from an export of one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from projection.errors import CorpusError
from projection.io.files import read_jsonl, read_object
from projection.io.folders import recover
from projection.io.json_fields import Fields
from projection.languages import normalised
from projection.records import ReviewedSentence, UnreadableReview
from training.data.reviewed import REVIEWED, read_reviews
from training.export.omissions import LOSSES, LossKind

if TYPE_CHECKING:  # label-studio-sdk takes a second to import, which an export does not need
    from ml_backend.label_studio.client import Project, ReviewServer


class ReviewedProject(NamedTuple):
    """All annotations of a project, in the order of its tasks.

    `waiting` counts the tasks without any, by language; None for an export, which has none.
    `unreadable` annotations and tasks are in neither.
    """

    title: str
    reviewed: Sequence[ReviewedSentence]
    waiting: Mapping[str, int] | None = None
    unreadable: Sequence[UnreadableReview] = ()


def read_project(server: "ReviewServer", project: "Project") -> ReviewedProject:
    """Read every task once, open ones included."""
    return read_tasks(project.title, server.tasks(project, with_predictions=True))


def read_tasks(title: str, tasks: Sequence[Mapping[str, Any]]) -> ReviewedProject:
    """Read all tasks of a project, as `read_project`."""
    from ml_backend.review.pull import reviews_of  # noqa: PLC0415  label-studio-sdk takes a second

    waiting = Counter(_language(task) for task in tasks if not task["annotations"])
    annotated = (task for task in tasks if task["annotations"])
    reviewed, unreadable = reviews_of(annotated, f"project {title!r}")
    return ReviewedProject(title, reviewed, waiting, unreadable)


def _language(task: Mapping[str, Any]) -> str:
    given = str(task["data"].get("lang"))
    return normalised(given) or given


def read_export(folder: Path) -> ReviewedProject:
    """Read an export; CorpusError if `folder` is not one, or a line of it is damaged."""
    recover(folder)
    summary = folder / "summary.json"
    if not ((folder / REVIEWED).is_file() and summary.is_file()):
        raise CorpusError(
            str(folder), "is not an export folder", "Name one that `spanferry export` wrote"
        )
    title = read_object(summary).get("title")
    return ReviewedProject(
        str(title or folder.name), read_reviews(folder), unreadable=[*_unreadable(folder / LOSSES)]
    )


def _unreadable(losses: Path) -> Iterator[UnreadableReview]:
    for number, row in read_jsonl(losses) if losses.is_file() else ():
        loss = Fields(row, f"{losses}:{number}")
        if loss.text("kind") == LossKind.UNREADABLE:
            yield UnreadableReview(
                loss.integer_or_none("task_id"),
                loss.integer_or_none("annotation_id"),
                loss.text("annotator"),
                loss.text("id"),
                loss.text("origin"),
                loss.text("reason"),
            )
