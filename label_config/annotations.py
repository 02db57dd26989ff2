"""Annotations of Label Studio's export as reviewed sentences, and decisions as annotations."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from label_config import regions
from label_config.labeling_config import AS_MARKED, SETTLED, UNUSABLE, VERSIONS
from label_config.results import phrases_in, read_prediction, read_result
from label_config.tasks import record_of, versions_in
from projection.errors import ReviewError, SpanferryError
from projection.io.json_fields import Fields
from projection.records import (
    Entity,
    LabelOrigin,
    ProjectedSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
    UnreadableReview,
)

_FIX = "Export the project as JSON, with full annotations and predictions"
_FIX_ANNOTATION = "Open the task in Label Studio, and submit it again"


class Reviews(NamedTuple):
    """The reviews of some tasks, and the annotations that cannot be read."""

    reviewed: list[ReviewedSentence]
    unreadable: list[UnreadableReview]


def reviewed_of(exported_task: Mapping[str, Any], where: str = "export") -> Reviews:
    """Return one record for every annotation of an exported task, in Label Studio's order.

    The entities are what the annotator left, sorted by span, without scores; overlaps are kept and
    named in `notes`. Without a prediction to compare with, an annotation counts as corrected. A
    region drawn in the place of a deleted prediction with the same label takes its source. An
    annotation in which anything is missing, unknown, or contradicts the record of the task is
    unreadable; what cannot be read of a prediction is not compared with.

    The annotation that somebody picked, last, where annotators disagreed is `final`.
    """
    export = Fields(exported_task, where, ReviewError, _FIX)
    found = Reviews([], [])
    picks = list[tuple[str, int]]()
    try:
        task = replace(export, where=f"{where} task {export.integer_or_none('id')}")
        record = record_of(task.row, task.where)
        annotations = [*task.children("annotations")]
    except SpanferryError as error:
        return Reviews([], unreadable_of(exported_task, error))
    for annotation in annotations:
        try:
            review, holds = _reviewed(task, record, annotation)
            found.reviewed.append(review)
            if (picked := _picked(review, holds, versions_in(task.row))) is not None:
                picks.append((review.updated_at or "", picked))
        except SpanferryError as error:
            found.unreadable.append(_unreadable(exported_task, annotation.row, error))
    if picks:
        _, last = max(picks)
        found.reviewed[:] = [replace(r, final=r.annotation_id == last) for r in found.reviewed]
    return found


def _picked(review: ReviewedSentence, holds: str | None, versions: Sequence[int]) -> int | None:
    """Return the id of the annotation that the answer to SETTLED names, if the task asks that."""
    if not versions or holds is None:
        return None
    if holds == AS_MARKED:
        return review.annotation_id
    number = VERSIONS.index(holds)
    return versions[number] if number < len(versions) else None


def unreadable_of(
    exported_task: Mapping[str, Any], error: SpanferryError
) -> list[UnreadableReview]:
    """Return each annotation of a task that cannot be read, or the task if it has none."""
    given = exported_task.get("annotations")
    annotations = given if isinstance(given, list) and given else [{}]
    return [_unreadable(exported_task, annotation, error) for annotation in annotations]


def _unreadable(
    task: Mapping[str, Any], annotation: object, error: SpanferryError
) -> UnreadableReview:
    data, work = (each if isinstance(each, dict) else {} for each in (task.get("data"), annotation))
    person = work.get("completed_by")
    person = person.get("id") if isinstance(person, dict) else person
    task_id, number = (
        each if isinstance(each, int) else None for each in (task.get("id"), work.get("id"))
    )
    return UnreadableReview(
        task_id=task_id,
        annotation_id=number,
        annotator=str(person) if isinstance(person, int) else "unknown",
        sentence_id=str(data.get("pair_id") or ""),
        origin=str(data.get("origin") or ""),
        reason=str(error),
    )


def annotation_of(
    entities: Iterable[Entity],
    target_text: str,
    status: ReviewStatus,
    provenance: Sequence[Provenance] = (),
    *,
    final: bool = False,
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
    if final:
        result.append(regions.choice_of("settled-as-marked", AS_MARKED, SETTLED))
    return result


def _reviewed(
    task: Fields, record: ProjectedSentence, submitted: Fields
) -> tuple[ReviewedSentence, str | None]:
    """Return the review, and the answer to SETTLED."""
    sentence = record.sentence
    annotation_id = submitted.integer_or_none("id")
    where = f"{task.where} annotation {annotation_id}"
    annotation = replace(submitted, where=where, fix=_FIX_ANNOTATION)
    _refuse_half_characters(annotation)
    proposals = _proposals(task, annotation)
    phrases = {phrase for each in proposals for phrase in phrases_in(each["result"])}
    left, answer, notes, holds = read_result(annotation, sentence, phrases)
    prediction, remarks = _seen(annotation, proposals)
    predicted = None
    if prediction is not None:
        predicted, unread = read_prediction(replace(task, row=prediction), sentence)
        if unread:
            said = f"{unread} region(s) of prediction {prediction.get('id')} cannot be read"
            remarks = [*remarks, f"{said}: not compared to them"]
    same = predicted is not None and _marks(predicted) == _marks(left)
    version = None if prediction is None else prediction.get("model_version")
    review = ReviewedSentence(
        sentence=sentence,
        entities=tuple(Entity(r.entity.span, r.entity.label) for r in left),
        status=_status(annotation, answer, as_predicted=same),
        annotator=_annotator(annotation),
        lead_time=annotation.number_or_none("lead_time"),
        predicted=None if predicted is None else tuple(region.entity for region in predicted),
        conflicts=record.conflict_kinds,
        model_version=version if isinstance(version, str) else None,
        task_id=task.integer_or_none("id"),
        annotation_id=annotation_id,
        updated_at=annotation.time_or_none("updated_at"),
        notes=(*remarks, *notes),
        provenance=tuple(_provenance(left, predicted or ())),
        teacher_entities=record.source_entities if sentence.entities is None else None,
    )
    return review, holds


def _refuse_half_characters(annotation: Fields) -> None:
    try:
        json.dumps(annotation.row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise annotation.error_here("half of a surrogate pair (\\ud8xx)") from error


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


def _proposals(task: Fields, annotation: Fields) -> list[Mapping[str, Any]]:
    """Return the predictions of a task with their results; the annotation's own copy is last."""
    # Label Studio lists bare ids unless asked for full predictions, but keeps a copy of the one
    # that was submitted from in the annotation itself.
    listed = task.row.get("predictions")
    given = [*(listed if isinstance(listed, list) else ()), annotation.row.get("prediction")]
    return [each for each in given if isinstance(each, dict) and "result" in each]


def _seen(
    annotation: Fields, proposals: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any] | None, list[str]]:
    """Find the prediction the annotator started from, and a note where that is a guess."""
    seen = annotation.integer_or_none("parent_prediction")
    if same := [p for p in proposals if seen is not None and p.get("id") == seen]:
        return same[0], []
    copy = annotation.row.get("prediction")
    found = newest(each for each in proposals if each is not copy)
    if found is None or seen is None:
        return found, []
    return found, [f"prediction {seen}, which the annotator saw, is gone: compared to the newest"]


def newest(predictions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the prediction made last; of the same moment, the one with the highest id."""

    def made(prediction: Mapping[str, Any]) -> tuple[str, int]:
        number = prediction.get("id")
        written = str(prediction.get("created_at") or "")
        return written, number if isinstance(number, int) else 0

    return max(predictions, key=made, default=None)


def _annotator(annotation: Fields) -> str:
    nested = isinstance(annotation.row.get("completed_by"), dict)
    holder, key = (
        (annotation.child("completed_by"), "id") if nested else (annotation, "completed_by")
    )
    person = holder.integer_or_none(key)
    return "unknown" if person is None else str(person)  # Label Studio may not know any more
