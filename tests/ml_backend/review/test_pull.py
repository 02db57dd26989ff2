"""What is fetched of a project, from a server that lives in memory."""

from collections.abc import Sequence

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.tasks import Obstacle
from ml_backend.review.pull import Pulled, fetch, fetch_reviewed
from projection.errors import ReviewError
from projection.records import LabelOrigin, ReviewStatus
from tests.ml_backend.audit.tasks import LABELS, VERSION, Task, reviewed, task

TASKS = [
    reviewed(task(1)),
    task(2, 0.95),
    task(3, 0.5),
    task(4, conflict=True),
    task(5, drafts=[9]),
]


class FixedServer:
    """The part of ReviewServer that fetching needs."""

    def __init__(self, tasks: Sequence[Task] = TASKS) -> None:
        self.held = [*tasks]
        self.project = Project(1, "News", build_config(LABELS), VERSION, len(tasks), 0, 0)

    def tasks(
        self, _: Project, *, with_predictions: bool, only_annotated: bool = False
    ) -> list[Task]:
        assert with_predictions
        return [each for each in self.held if each["annotations"] or not only_annotated]


def pulled(server: FixedServer, accept_above: float | None) -> Pulled:
    return fetch(server, server.project, accept_above)  # type: ignore[arg-type]


def test_without_a_threshold_only_reviews_are_fetched() -> None:
    server = FixedServer()
    found = pulled(server, None)
    assert [review.task_id for review in found.reviewed] == [1]
    assert found.left_open == {}
    assert fetch_reviewed(server, server.project) == found.reviewed  # type: ignore[arg-type]


def test_a_threshold_adds_what_could_be_accepted_and_counts_the_rest_by_reason() -> None:
    found = pulled(FixedServer(), 0.9)

    assert [(r.task_id, r.status) for r in found.reviewed] == [
        (1, ReviewStatus.ACCEPTED),
        (2, ReviewStatus.UNSEEN),
    ]
    unseen = found.reviewed[1]
    assert unseen.entities == unseen.predicted
    assert (unseen.annotator, unseen.model_version) == ("", VERSION)
    assert {each.origin for each in unseen.provenance} == {LabelOrigin.PROJECTED}
    reasons = (Obstacle.UNSURE, Obstacle.CONFLICT, Obstacle.TOUCHED)
    assert found.left_open == dict.fromkeys(reasons, 1)


@pytest.mark.parametrize("accept_above", [None, 0.9])
def test_a_review_that_contradicts_its_task_is_named(accept_above: float | None) -> None:
    damaged = reviewed(task(7))
    damaged["annotations"][0]["result"][0]["value"]["end"] = 900
    with pytest.raises(ReviewError, match="project 'News' task 7"):
        pulled(FixedServer([damaged]), accept_above)
