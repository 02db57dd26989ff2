"""From Label Studio's tasks to its predictions: one answer per task, in order, whatever the task.

Label Studio pairs answers with tasks by position and throws all of them away on an error, so a
task that is not ours, or cannot be projected, is answered with nothing, and counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from label_config.tasks import sentence_of, to_prediction
from ml_backend.wire import Json, Prediction, PredictRequest
from projection.errors import SpanferryError
from projection.records import ParallelSentence, ProjectedSentence, Span

Project = Callable[[Sequence[ParallelSentence]], Sequence[ProjectedSentence | None]]


class Reason(StrEnum):
    """Why a task got no answer."""

    NOT_OURS = "not_ours"  # its data has no sentence pair we can read
    EMPTY = "empty"  # a side without text
    TOO_LONG = "too_long"  # more than the models read at once


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that cannot be projected: `what` says which and why."""

    reason: Reason
    what: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What goes back, one entry per task, and what could not be answered."""

    results: list[Prediction | list[Prediction]]
    refused: tuple[Refused, ...]
    projected: int


def answer(request: PredictRequest, model_version: str, project: Project) -> Answers:
    """Project every task that can be; `project` gives None for a sentence that is too long.

    When an annotator is drawing, regions that meet what is on the screen already are left out.
    """
    read = [read_sentence(task) for task in request.tasks]
    sentences = [each for each in read if isinstance(each, ParallelSentence)]
    projected = iter(project(sentences))
    results: list[Prediction | list[Prediction]] = []
    refused: list[Refused] = []
    for task, each in zip(request.tasks, read, strict=True):
        outcome = each if isinstance(each, Refused) else next(projected) or _too_long(task)
        if isinstance(outcome, Refused):
            refused.append(outcome)
            results.append(_nothing(request, model_version))
        else:
            results.append(_prediction(request, task, outcome))
    return Answers(results, tuple(refused), projected=len(read) - len(refused))


def read_sentence(task: Json) -> ParallelSentence | Refused:
    """The sentence pair of a task, or why it cannot be projected."""
    where = f"task {task.get('id')}"
    try:
        sentence = sentence_of(task, where)
        (sentence.source + sentence.target).encode()
    except SpanferryError as error:
        return Refused(Reason.NOT_OURS, str(error))
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair, which is no character and breaks tokenizers.
        return Refused(Reason.NOT_OURS, f"{where}: {error.reason}")
    if not sentence.source.strip() or not sentence.target.strip():
        return Refused(Reason.EMPTY, f"{where}: a side of the sentence pair is empty")
    return sentence


def _too_long(task: Json) -> Refused:
    return Refused(Reason.TOO_LONG, f"task {task.get('id')}: longer than the models can read")


def _prediction(request: PredictRequest, task: Json, projected: ProjectedSentence) -> Prediction:
    made = cast(Prediction, to_prediction(projected))
    return made if request.drawn is None else beside(made, on_screen(request.drawn, task))


def on_screen(drawn: Iterable[Json], task: Json) -> tuple[Json, ...]:
    """The regions an annotator has before them: just drawn, saved, or predicted earlier.

    Label Studio overwrites a region when one with its id comes back, and adds it when it was
    deleted. Proposing any of these again would undo corrections.
    """
    earlier = (
        region
        for kind in ("drafts", "annotations", "predictions")
        for work in _dicts(task.get(kind))
        for region in _dicts(work.get("result"))
    )
    return (*drawn, *earlier)


def beside(prediction: Prediction, drawn: Iterable[Json]) -> Prediction:
    """The prediction without regions that are, or share a character with, a region in `drawn`."""
    drawn = tuple(drawn)
    ids = {region.get("id") for region in drawn}
    spans = [span for span in map(_span, drawn) if span]

    def free(region: Mapping[str, Any]) -> bool:
        span = _span(region)
        met = span is not None and any(span.overlaps(other) for other in spans)
        return region.get("id") not in ids and not met

    return {**prediction, "result": [region for region in prediction["result"] if free(region)]}


def _nothing(request: PredictRequest, model_version: str) -> Prediction | list[Prediction]:
    """No prediction. Label Studio reads `.result` of the answer while someone is annotating."""
    if request.drawn is None:
        return []
    return {"model_version": model_version, "score": 0.0, "result": []}


def _dicts(value: object) -> Iterator[Json]:
    """The objects in a list that Label Studio sends along; anything else is not for us."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _span(region: Json) -> Span | None:
    """Where a text region lies; None for choices, relations and whatever else has no offsets."""
    value = region.get("value")
    if not isinstance(value, dict):
        return None
    start, end = value.get("start"), value.get("end")
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end:
        return Span(start, end)
    return None
