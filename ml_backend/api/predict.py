"""From Label Studio's tasks to its predictions: one answer per task, in order.

Label Studio pairs answers with tasks by position and drops all of them on an error, so a task that
cannot be projected is answered with nothing, and counted.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

from label_config.tasks import sentence_of, to_prediction
from ml_backend.api.wire import Prediction, PredictRequest
from projection.errors import SpanferryError
from projection.io.records_json import Json
from projection.records import ParallelSentence, ProjectedSentence

Project = Callable[[Sequence[ParallelSentence]], Sequence[ProjectedSentence | None]]


class RefusalReason(StrEnum):
    """Why a task, or a region drawn in it, got no answer."""

    NOT_OURS = "not_ours"  # its data has no sentence pair we can read
    EMPTY = "empty"  # a side without text
    TOO_LONG = "too_long"  # more than the models read at once
    BAD_REGION = "bad_region"  # drawn, but not of our labeling config or not where it says


LONGEST_TEXT = 10_000  # characters of a side: more would keep everybody else waiting


class Refused(NamedTuple):
    """A task, or a region of it, that cannot be answered.

    `where` names it by ids alone; `what` says why, and may quote its text.
    """

    reason: RefusalReason
    where: str
    what: str


class Answers(NamedTuple):
    """One result per task, and what could not be answered."""

    results: list[Prediction | list[Prediction]]
    refused: tuple[Refused, ...]
    projected: int
    conflicts: tuple[str, ...] = ()  # the kind of each


def answer(
    request: PredictRequest,
    project: Project,
    predict: Callable[[ProjectedSentence], dict[str, Any]] = to_prediction,
) -> Answers:
    """Project every task that can be; `project` gives None for a sentence that is too long.

    `predict` gives the prediction of a projected sentence, perhaps with corrections applied.
    """
    read = [read_sentence(task) for task in request.tasks]
    sentences = [each for each in read if isinstance(each, ParallelSentence)]
    projected = iter(project(sentences))
    results: list[Prediction | list[Prediction]] = []
    refused: list[Refused] = []
    conflicts: list[str] = []
    for task, each in zip(request.tasks, read, strict=True):
        outcome = each if isinstance(each, Refused) else next(projected)
        if outcome is None:
            what = "longer than the models can read"
            outcome = Refused(RefusalReason.TOO_LONG, name_of(task), what)
        if isinstance(outcome, Refused):
            refused.append(outcome)
            results.append([])
        else:
            results.append(cast(Prediction, predict(outcome)))
            conflicts += (conflict.kind for conflict in outcome.conflicts)
    return Answers(results, tuple(refused), len(read) - len(refused), tuple(conflicts))


def read_sentence(task: Json) -> ParallelSentence | Refused:
    """Return the sentence pair of a task, or why it cannot be projected."""
    where = name_of(task)
    data = task.get("data")
    sides = [data.get(side) for side in ("source", "target")] if isinstance(data, dict) else []
    if any(isinstance(side, str) and len(side) > LONGEST_TEXT for side in sides):
        what = f"a side has more than {LONGEST_TEXT} characters"
        return Refused(RefusalReason.TOO_LONG, where, what)
    try:
        sentence = sentence_of(task, where)
        (sentence.source + sentence.target).encode()
    except SpanferryError as error:
        return Refused(RefusalReason.NOT_OURS, where, str(error))
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair, which is no character and breaks tokenizers.
        return Refused(RefusalReason.NOT_OURS, where, error.reason)
    if not sentence.source.strip() or not sentence.target.strip():
        return Refused(RefusalReason.EMPTY, where, "a side of the sentence pair is empty")
    return sentence


def name_of(task: Json) -> str:
    """Return the name of a task for logs: by its id, if that is one."""
    ident = task.get("id")
    return f"task {ident}" if isinstance(ident, int) else "a task without an id"
