"""What is fetched of a project, from a server that lives in memory."""

from collections.abc import Callable, Sequence

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.tasks import Obstacle
from ml_backend.review.pull import Pulled, fetch, fetch_reviewed
from projection.records import Entity, LabelOrigin, ReviewStatus, Span
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


def damaged_annotation() -> Task:
    damaged = reviewed(task(7))
    damaged["annotations"][0]["result"][0]["value"]["end"] = 900
    return damaged


def damaged_texts() -> Task:
    damaged = reviewed(task(7))
    damaged["data"]["target"] = "another text"
    return damaged


def damaged_import() -> Task:
    return {**reviewed(task(7)), "meta": {"reviews": [3]}}


@pytest.mark.parametrize("accept_above", [None, 0.9])
@pytest.mark.parametrize("damage", [damaged_annotation, damaged_texts, damaged_import])
def test_a_review_that_contradicts_its_task_is_named_and_the_rest_fetched(
    accept_above: float | None, damage: Callable[[], Task], caplog: pytest.LogCaptureFixture
) -> None:
    found = pulled(FixedServer([damage(), reviewed(task(8))]), accept_above)
    assert [review.task_id for review in found.reviewed] == [8]
    [bad] = found.unreadable
    assert (bad.task_id, bad.annotation_id) == (7, 70)
    assert bad.reason.startswith("project 'News' task 7 ")
    assert caplog.messages == [
        "project 'News': 1 annotation left out, unreadable: task 7 annotation 70. "
        "`spanferry export` writes the reasons to losses.jsonl"
    ]


def test_a_task_that_could_be_accepted_but_not_read_is_named() -> None:
    damaged = task(2)
    damaged["predictions"][0]["result"][0]["value"]["end"] = 900
    found = pulled(FixedServer([damaged, task(3)]), 0.9)
    assert [review.task_id for review in found.reviewed] == [3]
    assert [(bad.task_id, bad.annotation_id) for bad in found.unreadable] == [(2, None)]


def test_labels_that_the_project_does_not_offer_are_read() -> None:
    odd = Entity(Span(2, 6), "Company, Inc", 0.99)
    given = task(1, entities=[odd])
    found = pulled(FixedServer([reviewed(given), task(2, entities=[odd])]), 0.9)
    assert not found.unreadable
    assert [r.entities[0].label for r in found.reviewed] == ["Company, Inc"] * 2
