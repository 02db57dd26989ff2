"""What is kept of an imported review, beside its task."""

from typing import Any

import pytest

from ml_backend.label_studio.imported import ImportedReview, imported_with, meta_of, restored
from projection.errors import ReviewError

REVIEW = ImportedReview("7", "2024-05-01T10:00:00Z", 1, ["a note"])


def test_what_is_kept_comes_back() -> None:
    first = ImportedReview("unknown", None, None, [])
    task = {"id": 1, "meta": meta_of([first, REVIEW])}
    assert imported_with(task, "task 1") == [first, REVIEW]


def test_annotations_are_linked_to_the_predictions_they_were_decided_on() -> None:
    annotations = [{"id": 50, "import_id": 0}, {"id": 51, "import_id": None}]
    task = {"predictions": [{"id": 9}, {"id": 8}], "annotations": annotations}
    linked = restored(task, [REVIEW])["annotations"]
    assert linked == [{**annotations[0], "parent_prediction": 9}, annotations[1]]
    gone = restored({**task, "predictions": [{"id": 8}]}, [REVIEW])["annotations"]
    assert gone == annotations


def test_what_somebody_changed_beside_a_task_is_named() -> None:
    task: dict[str, Any] = {"id": 1, "meta": meta_of([REVIEW])}
    task["meta"]["reviews"][0]["notes"] = "none"
    with pytest.raises(ReviewError, match=r"project 'x' task 1 meta\.reviews\[0\] notes"):
        imported_with(task, "project 'x' task 1")


@pytest.mark.parametrize("meta", [None, {}, {"other": 1}])
def test_tasks_of_a_run_have_no_imported_reviews(meta: object) -> None:
    assert imported_with({"meta": meta}, "task 1") == []


def test_a_time_that_is_none_is_named() -> None:
    task = {"id": 1, "meta": meta_of([REVIEW._replace(updated_at="yesterday")])}
    with pytest.raises(ReviewError, match="updated_at: 'yesterday' where an ISO 8601 time"):
        imported_with(task, "task 1")
