"""Annotations of Label Studio's export as reviewed sentences, and decisions as annotations."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from label_config import regions
from label_config.labeling_config import UNUSABLE
from label_config.tasks import record_of
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import (
    Entity,
    LabelOrigin,
    ProjectedSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

_FIX = "Export the project as JSON, with full annotations and predictions"


def reviewed_of(
    exported_task: Mapping[str, Any], labels: Collection[str], where: str = "export"
) -> list[ReviewedSentence]:
    """Return one record for every annotation of an exported task, in Label Studio's order.

    The entities are what the annotator left, sorted by span, without scores; overlaps are kept and
    named in `notes`. Without a prediction to compare with, an annotation counts as corrected. A
    region drawn in the place of a deleted prediction with the same label takes its source.
    ReviewError if anything is missing, unknown, or contradicts the record of the task.
    """
    export = Fields(exported_task, where, ReviewError, _FIX)
    task = replace(export, where=f"{where} task {export.integer_or_none('id')}")
    record = record_of(task.row, task.where)
    return [
        _reviewed(task, record, annotation, labels) for annotation in task.children("annotations")
    ]


def annotation_of(
    entities: Iterable[Entity],
    target_text: str,
    status: ReviewStatus,
    provenance: Sequence[Provenance] = (),
) -> list[dict[str, Any]]:
    """Return the `result` list of an annotation with these entities, without scores.

    `provenance` goes with `entities`, one for one, and comes back from `reviewed_of` unchanged.
    That a task was skipped (`was_cancelled`) is not part of the result.
    """
    plain = [Entity(entity.span, entity.label) for entity in entities]
    ids = (
        regions.region_id("", None, entity.span, entity.label, n) for n, entity in enumerate(plain)
    )
    result = [regions.region_of(*each, target_text) for each in zip(ids, plain, strict=True)]
    if provenance:
        result = [regions.with_provenance(*each) for each in zip(result, provenance, strict=True)]
    if status is ReviewStatus.UNUSABLE:
        result.append(regions.choice_of("review-unusable", UNUSABLE))
    return result


def _reviewed(
    task: Fields, record: ProjectedSentence, submitted: Fields, labels: Collection[str]
) -> ReviewedSentence:
    sentence = record.sentence
    annotation_id = submitted.integer_or_none("id")
    annotation = replace(submitted, where=f"{task.where} annotation {annotation_id}")
    left, answer, notes = regions.read_result(annotation, sentence, labels)
    prediction, note = _prediction(task, annotation)
    predicted = None if prediction is None else regions.read_result(prediction, sentence, labels)[0]
    same = predicted is not None and _marks(predicted) == _marks(left)
    return ReviewedSentence(
        sentence=sentence,
        entities=tuple(Entity(r.entity.span, r.entity.label) for r in left),
        status=_status(annotation, answer, as_predicted=same),
        annotator=_annotator(annotation),
        lead_time=annotation.number_or_none("lead_time"),
        predicted=None if predicted is None else tuple(region.entity for region in predicted),
        conflicts=record.conflict_kinds,
        model_version=None if prediction is None else prediction.text_or_none("model_version"),
        task_id=task.integer_or_none("id"),
        annotation_id=annotation_id,
        updated_at=annotation.text_or_none("updated_at"),
        notes=(*note, *notes),
        provenance=tuple(_provenance(left, predicted or ())),
        teacher_entities=record.source_entities if sentence.entities is None else None,
    )


def _provenance(
    left: Sequence[regions.Region], predicted: Sequence[regions.Region]
) -> Iterator[Provenance]:
    kept = {region.identity for region in left}
    gone = [region for region in predicted if region.identity not in kept]
    for region in left:
        replaced = None if region.origin else _replaced(region.entity, gone)
        if replaced is None:
            yield Provenance(region.origin or LabelOrigin.PERSON, region.source)
        else:
            same = replaced.entity.span == region.entity.span
            origin = LabelOrigin.PROJECTED if same else LabelOrigin.CHANGED
            yield Provenance(origin, region.source or replaced.source)


def _replaced(entity: Entity, gone: Sequence[regions.Region]) -> regions.Region | None:
    """Find the predicted region deleted to draw this one: the same span and label, or the only
    overlapping one with the label.
    """
    alike = [r for r in gone if r.entity.label == entity.label]
    same = [r for r in alike if r.entity.span == entity.span]
    near = same[:1] or [r for r in alike if r.entity.span.overlaps(entity.span)]
    return near[0] if len(near) == 1 else None


def _status(annotation: Fields, answer: str | None, *, as_predicted: bool) -> ReviewStatus:
    cancelled = annotation.row.get("was_cancelled", False)
    if not isinstance(cancelled, bool):
        raise annotation.error("was_cancelled", f"{cancelled!r} is neither true nor false")
    if cancelled:
        return ReviewStatus.SKIPPED
    if answer == UNUSABLE:
        return ReviewStatus.UNUSABLE
    return ReviewStatus.ACCEPTED if as_predicted else ReviewStatus.CORRECTED


def _marks(found: Iterable[regions.Region]) -> Counter[tuple[Span, str]]:
    return Counter((region.entity.span, region.entity.label) for region in found)


def _prediction(task: Fields, annotation: Fields) -> tuple[Fields | None, tuple[str, ...]]:
    """Find the prediction the annotator started from, and a note where that is a guess."""
    seen = annotation.integer_or_none("parent_prediction")
    # Label Studio lists bare ids unless asked for full predictions, but keeps a copy of the one
    # that was submitted from in the annotation itself.
    listed = task.row.get("predictions")
    given = [*(listed if isinstance(listed, list) else ()), annotation.row.get("prediction")]
    *others, copy = [p if isinstance(p, dict) and "result" in p else None for p in given]
    full = [prediction for prediction in others if prediction is not None]
    same = [p for p in (*full, copy) if p and seen is not None and p.get("id") == seen]
    found = same[0] if same else newest(full)
    if found is None:
        return None, ()
    note = f"prediction {seen}, which the annotator saw, is gone: compared to the newest"
    prediction = replace(task, row=found, where=f"{task.where} prediction {found.get('id')}")
    return prediction, () if same or seen is None else (note,)


def newest(predictions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the prediction made last; of the same moment, the one with the highest id."""
    made = ((str(p.get("created_at") or ""), p.get("id") or 0, p) for p in predictions)
    return max(made, key=lambda each: each[:2], default=(None, 0, None))[2]


def _annotator(annotation: Fields) -> str:
    nested = isinstance(annotation.row.get("completed_by"), dict)
    holder, key = (
        (annotation.child("completed_by"), "id") if nested else (annotation, "completed_by")
    )
    person = holder.integer_or_none(key)
    return "unknown" if person is None else str(person)  # Label Studio may not know any more
