"""What Label Studio forgets of an imported review, kept beside it in the task's `meta`.

On import Label Studio replaces the time and an annotator it does not know, and forgets which
prediction the decision was about. These are restored until somebody changes the annotation there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from label_config.results import WRITTEN
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import ReviewedSentence

KEY = "reviews"  # in `meta`

_FIX = "Push the export again, to a new project"


class ImportedReview(NamedTuple):
    """What is kept of one annotation; `prediction` is an index into the task's, None is none.

    Without `notes`, those that are read from the annotation hold.
    """

    annotator: str
    updated_at: str | None
    prediction: int | None
    notes: list[str] | None


def meta_of(imported: Iterable[ImportedReview]) -> dict[str, object]:
    """Return the `meta` of a task, whose annotations are numbered (`id`) from 0 in this order."""
    return {KEY: [each._asdict() for each in imported]}


def imported_with(task: Mapping[str, Any], where: str) -> list[ImportedReview]:
    """Read the `meta` of a task, empty unless it comes from an export; ReviewError if changed."""
    given = task.get("meta")
    meta = Fields(given if isinstance(given, dict) else {}, f"{where} meta", ReviewError, _FIX)
    return [
        ImportedReview(
            fields.text("annotator"),
            fields.time_or_none("updated_at"),
            fields.integer_or_none("prediction"),
            [*fields.texts("notes")] if fields.has("notes") else None,
        )
        for fields in (meta.children(KEY) if meta.has(KEY) else ())
    ]


def restored(task: Mapping[str, Any], imported: Sequence[ImportedReview]) -> dict[str, Any]:
    """Return the task with its annotations linked to the predictions they were decided on."""
    predictions: list[int] = sorted(prediction["id"] for prediction in task["predictions"])
    annotations = []
    for annotation in task["annotations"]:
        found = _found(annotation, imported)
        seen = None if found is None else found.prediction
        annotations.append(dict(annotation))
        if seen is not None and seen < len(predictions):
            annotations[-1]["parent_prediction"] = predictions[seen]
    return {**task, "annotations": annotations}


def as_decided(
    reviews: Sequence[ReviewedSentence], task: Mapping[str, Any], imported: Sequence[ImportedReview]
) -> Iterator[ReviewedSentence]:
    """Yield the reviews of a restored task with annotator and time, unless changed since.

    What people wrote on regions is kept in any case.
    """
    annotations = {annotation["id"]: annotation for annotation in task["annotations"]}
    for review in reviews:
        annotation = annotations[review.annotation_id]
        found = _found(annotation, imported)
        if found is None:
            yield review
        elif annotation.get("updated_by"):
            written = [note for note in found.notes or () if note.startswith(WRITTEN)]
            yield replace(review, notes=tuple(dict.fromkeys([*review.notes, *written])))
        else:
            who, when, _, notes = found
            kept = review.notes if notes is None else tuple(notes)
            yield replace(review, annotator=who, updated_at=when, notes=kept)


def kept_of(task: Mapping[str, Any], where: str) -> list[ImportedReview]:
    """Return what an import of the task would lose of each annotation."""
    try:
        imported = imported_with(task, where)
    except ReviewError:  # damaged: what the annotations themselves say is kept
        imported = []
    kept: list[ImportedReview] = []
    order: list[int] = sorted(prediction["id"] for prediction in task["predictions"])
    for annotation in restored(task, imported)["annotations"]:
        seen = annotation.get("parent_prediction")
        index = order.index(seen) if seen in order else None
        found = _found(annotation, imported)
        if found is not None and not annotation.get("updated_by"):
            kept.append(found._replace(prediction=index))
        else:
            who, when = annotation.get("completed_by"), annotation.get("updated_at")
            kept.append(ImportedReview("" if who is None else str(who), when, index, None))
    return kept


def _found(
    annotation: Mapping[str, Any], imported: Sequence[ImportedReview]
) -> ImportedReview | None:
    number = annotation.get("import_id")
    return imported[number] if isinstance(number, int) and number < len(imported) else None
