"""The reviews of a report: read from a Label Studio project, or from an export of one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from projection.errors import CorpusError
from projection.io.files import parse_object
from projection.languages import normalised
from projection.records import ReviewedSentence
from training.data.reviewed import REVIEWED, read_reviews

if TYPE_CHECKING:  # label-studio-sdk takes a second to import, which an export does not need
    from ml_backend.label_studio.client import Project, ReviewServer


class ReviewedProject(NamedTuple):
    """All annotations of a project, in the order of its tasks.

    `waiting` counts the tasks without any, by language; None for an export, which has none.
    """

    title: str
    reviewed: Sequence[ReviewedSentence]
    waiting: Mapping[str, int] | None = None


def read_project(server: "ReviewServer", project: "Project") -> ReviewedProject:
    """Read every task once, open ones included; a warning counts what cannot be read of them."""
    return read_tasks(project.title, server.tasks(project, with_predictions=True))


def read_tasks(title: str, tasks: Sequence[Mapping[str, Any]]) -> ReviewedProject:
    """Read all tasks of a project, as `read_project`."""
    from ml_backend.review.pull import reviews_of  # noqa: PLC0415  label-studio-sdk takes a second

    waiting = Counter(_language(task) for task in tasks if not task["annotations"])
    return ReviewedProject(title, reviews_of(tasks, f"project {title!r}").reviewed, waiting)


def _language(task: Mapping[str, Any]) -> str:
    given = str(task["data"].get("lang"))
    return normalised(given) or given


def read_export(folder: Path) -> ReviewedProject:
    """Read an export; CorpusError if `folder` is not one, or a line of it is damaged."""
    summary = folder / "summary.json"
    if not ((folder / REVIEWED).is_file() and summary.is_file()):
        raise CorpusError(
            str(folder), "is not an export folder", "Name one that `spanferry export` wrote"
        )
    title = parse_object(summary.read_text("utf-8"), str(summary)).get("title")
    return ReviewedProject(str(title or folder.name), read_reviews(folder))
