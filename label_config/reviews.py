"""What people decided, read back from Label Studio's export; and decisions as annotations."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from label_config.config import OK, UNUSABLE
from label_config.fields import Json, id_at, list_at, number_at, object_of, text_at
from label_config.regions import Result, choice_of, read_result, region_id, region_of
from label_config.tasks import conflicts_of, sentence_of
from projection.errors import ReviewError
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
    task = object_of(exported_task, where, _MEND)
    task_id = id_at(task, "id", where, _MEND)
    here = f"{where} task {task_id}"
    if not isinstance(task.get("data"), dict):
        raise ReviewError(here, "'data' is missing", _MEND)
    sentence = sentence_of(task, here)
    return [
        _reviewed(task, sentence, object_of(annotation, here, _MEND), labels, here)
        for annotation in list_at(task, "annotations", here, _MEND)
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
    task: Json, sentence: ParallelSentence, annotation: Json, labels: Collection[str], where: str
) -> ReviewedSentence:
    annotation_id = id_at(annotation, "id", where, _MEND)
    here = f"{where} annotation {annotation_id}"
    result = _read(annotation, sentence, labels, here)
    entities = tuple(Entity(entity.span, entity.label) for entity in result.entities)
    prediction, note = _prediction(task, annotation, where)
    predicted, model_version = _predicted(prediction, sentence, labels, where)
    return ReviewedSentence(
        sentence=sentence,
        entities=entities,
        status=_status(annotation, result, predicted, here),
        annotator=_annotator(annotation, here),
        lead_time=number_at(annotation, "lead_time", here, _MEND),
        predicted=predicted,
        conflicts=conflicts_of(task, where),
        model_version=model_version,
        task_id=id_at(task, "id", where, _MEND),
        annotation_id=annotation_id,
        updated_at=_text_or_none(annotation, "updated_at", here),
        notes=(*note, *result.notes),
    )


def _read(record: Json, sentence: ParallelSentence, labels: Collection[str], where: str) -> Result:
    return read_result(list_at(record, "result", where, _MEND), sentence.target, labels, where)


def _status(
    annotation: Json, result: Result, predicted: Sequence[Entity] | None, where: str
) -> ReviewStatus:
    cancelled = annotation.get("was_cancelled", False)
    if not isinstance(cancelled, bool):
        raise ReviewError(where, f"'was_cancelled' is neither true nor false: {cancelled!r}", _MEND)
    if cancelled:
        return ReviewStatus.SKIPPED
    if result.answer == UNUSABLE:
        return ReviewStatus.UNUSABLE
    same = predicted is not None and _marks(predicted) == _marks(result.entities)
    return ReviewStatus.ACCEPTED if same else ReviewStatus.CORRECTED


def _marks(entities: Iterable[Entity]) -> list[tuple[object, str]]:
    # Read results are sorted, so equal lists are equal multisets.
    return [(entity.span, entity.label) for entity in entities]


def _prediction(task: Json, annotation: Json, where: str) -> tuple[Json | None, tuple[str, ...]]:
    """What the annotator started from, and a note where that is a guess."""
    # Label Studio lists bare ids unless asked for full predictions, but keeps a copy of the one
    # that was submitted from in the annotation itself.
    full = [p for p in task.get("predictions") or () if isinstance(p, dict) and "result" in p]
    seen = id_at(annotation, "parent_prediction", where, _MEND)
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
    prediction: Json | None, sentence: ParallelSentence, labels: Collection[str], where: str
) -> tuple[tuple[Entity, ...] | None, str | None]:
    if prediction is None:
        return None, None
    here = f"{where} prediction {prediction.get('id')}"
    result = _read(prediction, sentence, labels, here)
    return result.entities, _text_or_none(prediction, "model_version", here)


def _annotator(annotation: Json, where: str) -> str:
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = id_at(person, "id", f"{where} completed_by", _MEND)
    else:
        person = id_at(annotation, "completed_by", where, _MEND)
    return NOBODY if person is None else str(person)


def _text_or_none(record: Json, key: str, where: str) -> str | None:
    return None if record.get(key) is None else text_at(record, key, where, _MEND)
