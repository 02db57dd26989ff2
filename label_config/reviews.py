"""What people decided, read back from Label Studio's export; and decisions as annotations."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from label_config.config import OK, UNUSABLE
from label_config.regions import Result, choice_of, read_result, region_id, region_of
from label_config.tasks import Json, conflicts_of, sentence_of
from projection.errors import ReviewError
from projection.fields import Fields
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus

_MEND = "Export the project as JSON, with full annotations and predictions"
NOBODY = "unknown"  # the annotator, when Label Studio no longer knows


def reviewed_of(
    exported_task: Json, labels: Collection[str], where: str = "export"
) -> list[ReviewedSentence]:
    """One record for every annotation of an exported task, in Label Studio's order.

    The entities are what the person left, sorted by span, without scores. Overlapping ones are all
    kept, and named in `notes`. Without a prediction to compare with, what was submitted counts as
    corrected.

    Raises:
        ReviewError: naming task and annotation, if anything in it is missing, unknown, or
            contradicts the sentence that was sent.
    """
    export = Fields(exported_task, where, ReviewError, _MEND)
    task = replace(export, where=f"{where} task {export.integer_or_none('id')}")
    task.child("data")  # `sentence_of` would take a task without it for the data themselves
    sentence = sentence_of(task.row, task.where)
    return [
        _reviewed(task, sentence, annotation, labels) for annotation in task.children("annotations")
    ]


def annotation_of(
    entities: Iterable[Entity], target_text: str, status: ReviewStatus
) -> list[dict[str, Any]]:
    """The `result` list a person would submit who leaves these entities and decides `status`.

    Scores are not written: a person said so. A skipped task is one submitted with
    `was_cancelled`, which is beside the result, not in it.

    Raises:
        SpanError: if an entity reaches past `target_text`.
    """
    result = [
        region_of(
            region_id("", None, entity.span, entity.label, n),
            Entity(entity.span, entity.label),
            target_text,
        )
        for n, entity in enumerate(entities)
    ]
    if status is not ReviewStatus.SKIPPED:
        answer = UNUSABLE if status is ReviewStatus.UNUSABLE else OK
        result.append(choice_of(f"review-{answer}", answer))
    return result


def _reviewed(
    task: Fields, sentence: ParallelSentence, submitted: Fields, labels: Collection[str]
) -> ReviewedSentence:
    annotation_id = submitted.integer_or_none("id")
    annotation = replace(submitted, where=f"{task.where} annotation {annotation_id}")
    result = read_result(annotation, sentence.target, labels)
    entities = tuple(Entity(entity.span, entity.label) for entity in result.entities)
    prediction, note = _prediction(task, annotation)
    predicted, model_version = _predicted(prediction, sentence, labels)
    return ReviewedSentence(
        sentence=sentence,
        entities=entities,
        status=_status(annotation, result, predicted),
        annotator=_annotator(annotation),
        lead_time=annotation.number_or_none("lead_time"),
        predicted=predicted,
        conflicts=conflicts_of(task.row, task.where),
        model_version=model_version,
        task_id=task.integer_or_none("id"),
        annotation_id=annotation_id,
        updated_at=annotation.text_or_none("updated_at"),
        notes=(*note, *result.notes),
    )


def _status(annotation: Fields, result: Result, predicted: Sequence[Entity] | None) -> ReviewStatus:
    cancelled = annotation.row.get("was_cancelled", False)
    if not isinstance(cancelled, bool):
        raise annotation.error("was_cancelled", f"{cancelled!r} is neither true nor false")
    if cancelled:
        return ReviewStatus.SKIPPED
    if result.answer == UNUSABLE:
        return ReviewStatus.UNUSABLE
    same = predicted is not None and _marks(predicted) == _marks(result.entities)
    return ReviewStatus.ACCEPTED if same else ReviewStatus.CORRECTED


def _marks(entities: Iterable[Entity]) -> list[tuple[object, str]]:
    # Read results are sorted, so equal lists are equal multisets.
    return [(entity.span, entity.label) for entity in entities]


def _prediction(task: Fields, annotation: Fields) -> tuple[Fields | None, tuple[str, ...]]:
    """What the annotator started from, and a note where that is a guess."""
    found, note = _seen(task.row, annotation.row, annotation.integer_or_none("parent_prediction"))
    if found is None:
        return None, note
    return replace(task, row=found, where=f"{task.where} prediction {found.get('id')}"), note


def _seen(task: Json, annotation: Json, seen: int | None) -> tuple[Json | None, tuple[str, ...]]:
    # Label Studio lists bare ids unless asked for full predictions, but keeps a copy of the one
    # that was submitted from in the annotation itself.
    full = [p for p in task.get("predictions") or () if isinstance(p, dict) and "result" in p]
    if seen is not None:
        copy = annotation.get("prediction")
        candidates = [*full, copy] if isinstance(copy, dict) and "result" in copy else full
        for prediction in candidates:
            if prediction.get("id") == seen:
                return prediction, ()
    if not full:
        return None, ()
    newest = max(full, key=lambda p: (str(p.get("created_at") or ""), p.get("id") or 0))
    if seen is None:
        return newest, ()
    return newest, (f"prediction {seen}, which the annotator saw, is gone: compared to the newest",)


def _predicted(
    prediction: Fields | None, sentence: ParallelSentence, labels: Collection[str]
) -> tuple[tuple[Entity, ...] | None, str | None]:
    if prediction is None:
        return None, None
    result = read_result(prediction, sentence.target, labels)
    return result.entities, prediction.text_or_none("model_version")


def _annotator(annotation: Fields) -> str:
    if isinstance(annotation.row.get("completed_by"), dict):
        person = annotation.child("completed_by").integer_or_none("id")
    else:
        person = annotation.integer_or_none("completed_by")
    return NOBODY if person is None else str(person)
