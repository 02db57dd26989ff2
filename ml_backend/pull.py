"""Brings home what people decided in a Label Studio project."""

from label_config.config import labels_of
from label_config.reviews import reviewed_of
from ml_backend.label_studio import Project, ReviewServer
from projection.records import ReviewedSentence


def fetch_reviewed(server: ReviewServer, project: Project) -> list[ReviewedSentence]:
    """Every annotation of the project, skipped ones included, in the order of the tasks.

    Raises:
        ReviewError: naming the task and annotation, if one contradicts what was pushed.
        ServerError: if Label Studio cannot be reached.
    """
    where = f"project {project.title!r}"
    labels = labels_of(project.label_config, where)
    return [
        reviewed
        for task in server.tasks(project, with_predictions=True, only_annotated=True)
        for reviewed in reviewed_of(task, labels, where)
    ]
