"""Two sentences corrected alike, and the third to which that was propagated."""

from pathlib import Path

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from ml_backend.label_studio.client import ReviewServer
from ml_backend.propagation.propagate import Selection, carry_out, plan
from ml_backend.review.push import push
from projection.records import Entity, ReviewStatus
from tests.label_studio.examples import LABELS, Example, FixedProjector, place
from tests.label_studio.pages import ReviewPage

AJAX = ("LOC", "Ajax", "Ajax", 0.62)  # the mistake
CORRECTED = (
    Example("lost", "de", "Ajax lost in Rotterdam.", "Ajax verlor in Rotterdam.", (AJAX,)),
    Example("won", "de", "Ajax won the cup.", "Ajax gewann den Pokal.", (AJAX,)),
)
OPEN = Example(
    "open",
    "de",
    "On Sunday Ajax plays against Feyenoord in Amsterdam.",
    "Am Sonntag spielt Ajax in Amsterdam gegen Feyenoord.",
    (
        AJAX,
        ("ORG", "Feyenoord", "Feyenoord", 0.97),
        ("LOC", "Amsterdam", "Amsterdam", 0.98),
    ),
)


def propagated_picture(page: ReviewPage, server: ReviewServer, folder: Path) -> None:
    """Take propagated.png with a project of its own."""
    project = server.ensure_project("The same correction everywhere", build_config(LABELS))
    examples = {example.id: example for example in (*CORRECTED, OPEN)}
    sentences = [example.sentence for example in examples.values()]
    push(server, project, FixedProjector(examples=examples).project(sentences))
    ids = {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}
    for example in CORRECTED:
        right = [Entity(place(example.target, "Ajax"), "ORG")]
        result = annotation_of(right, example.target, ReviewStatus.CORRECTED)
        server.annotate(ids[example.id], result)
    carry_out(server, plan(server, server.project(project.id), Selection()))
    page.open(server.task_url(project, ids[OPEN.id]))
    page.picture_of_task(folder / "propagated.png")
