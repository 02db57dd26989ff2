"""What Label Studio forgets of an imported review, carried beside it in the task's `meta`.

An import keeps the result, the time taken, whether it was skipped, and the number we give an
annotation. It replaces who decided, if it does not know them, and when, and forgets which
prediction it was decided on. All that holds until somebody changes the annotation there. The ids of
tasks and annotations are the server's: they are not carried.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import ReviewedSentence

KEY = "reviews"  # in `meta`

_FIX = "Push the export again, to a new project"


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes with one annotation; `prediction` counts the task's from 0, None is none."""

    annotator: str
    updated_at: str | None
    prediction: int | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, review: ReviewedSentence, prediction: int | None) -> Self:
        """What is to be carried of a review."""
        return cls(review.annotator, review.updated_at, prediction, review.notes)

    def to_json(self) -> dict[str, object]:
        """As it stands in the task."""
        return {
            "annotator": self.annotator,
            "updated_at": self.updated_at,
            "prediction": self.prediction,
            "notes": [*self.notes],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """What `to_json` wrote.

        Raises:
            ReviewError: if it is something else.
        """
        return cls(
            fields.text("annotator"),
            fields.text_or_none("updated_at"),
            fields.integer_or_none("prediction"),
            fields.texts("notes"),
        )


def meta_of(carried: Iterable[Carried]) -> dict[str, object]:
    """The `meta` of a task, whose annotations are numbered (`id`) from 0 in this order."""
    return {KEY: [each.to_json() for each in carried]}


def carried_by(task: Mapping[str, Any], where: str) -> tuple[Carried, ...]:
    """What a task carries; nothing, unless it comes from an export.

    Raises:
        ReviewError: if somebody changed it.
    """
    meta = Fields(task.get("meta") or {}, f"{where} meta", ReviewError, _FIX)
    return tuple(map(Carried.read, meta.children(KEY))) if meta.has(KEY) else ()


def restored(task: Mapping[str, Any], carried: Sequence[Carried]) -> dict[str, Any]:
    """The task with its annotations linked to the predictions they were decided on."""
    predictions: list[int] = sorted(prediction["id"] for prediction in task["predictions"])
    annotations = [
        {**annotation, **_link(_of(annotation, carried), predictions)}
        for annotation in task["annotations"]
    ]
    return {**task, "annotations": annotations}


def _link(found: Carried | None, predictions: Sequence[int]) -> dict[str, int]:
    seen = None if found is None else found.prediction
    if seen is None or seen >= len(predictions):
        return {}
    return {"parent_prediction": predictions[seen]}


def as_decided(
    reviews: Sequence[ReviewedSentence], task: Mapping[str, Any], carried: Sequence[Carried]
) -> list[ReviewedSentence]:
    """The reviews of a restored task with who decided and when, unless they were changed since."""
    return [
        _as_decided(review, annotation, _of(annotation, carried))
        for review, annotation in zip(reviews, task["annotations"], strict=True)
    ]


def _as_decided(
    review: ReviewedSentence, annotation: Mapping[str, Any], found: Carried | None
) -> ReviewedSentence:
    if found is None or annotation.get("updated_by"):
        return review
    return replace(
        review, annotator=found.annotator, updated_at=found.updated_at, notes=found.notes
    )


def _of(annotation: Mapping[str, Any], carried: Sequence[Carried]) -> Carried | None:
    number = annotation.get("import_id")
    return carried[number] if isinstance(number, int) and number < len(carried) else None
