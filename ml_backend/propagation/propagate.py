"""Propagate corrections to the open sentences in which the same mistake was made.

Predictions are changed in place: another one beside them would need another model version, and
Label Studio shows the predictions of one version only. A region keeps what it was in its meta,
under `was`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from label_config.labeling_config import labels_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tasks import is_touched
from ml_backend.propagation.apply import TaskChange, corrected, read_open
from ml_backend.review.corrections import (
    Correction,
    Evidence,
    Rules,
    composed,
    is_too_short,
    weigh,
)
from ml_backend.review.pull import reviews_of

# One correction may be a slip, or be right in its own sentence only.
ENOUGH = 2
ENOUGH_BY_NAME = 1  # where the user names the phrase


class LeftOut(StrEnum):
    """The reason why a correction is not propagated."""

    CONTESTED = "contested"  # somebody decided otherwise in another sentence
    TOO_FEW = "too few"  # made in fewer sentences than asked for
    TOO_SHORT = "too short"  # one character of a language without spaces


@dataclass(frozen=True, slots=True)
class Selection:
    """The corrections to propagate: of `phrase`, of `lang`, and made in `at_least` sentences.

    By default these are two reviewed sentences, or one where a phrase is named.
    """

    phrase: str | None = None
    lang: str | None = None
    at_least: int | None = None

    @property
    def enough(self) -> int:
        """In how many reviewed sentences a correction must have been made."""
        if self.at_least is not None:
            return self.at_least
        return ENOUGH if self.phrase is None else ENOUGH_BY_NAME

    def about(self, correction: Correction) -> bool:
        """Return whether the correction is of the phrase and language."""
        phrases = (correction.phrase, correction.new_phrase)
        return self.lang in (None, correction.lang) and (
            self.phrase is None or composed(self.phrase) in phrases
        )

    def against(self, evidence: Evidence) -> LeftOut | None:
        """Return why a correction is left out, or None."""
        if is_too_short(evidence.correction):
            return LeftOut.TOO_SHORT
        if evidence.otherwise:
            return LeftOut.CONTESTED
        return LeftOut.TOO_FEW if evidence.sentences < self.enough else None


@dataclass(frozen=True, slots=True)
class Finding:
    """A correction, and how many open tasks it changes, or would change if it were not left out."""

    evidence: Evidence
    tasks: int
    left_out: LeftOut | None

    def to_json(self) -> dict[str, object]:
        """Return a flat object."""
        evidence = asdict(self.evidence)
        kind = {"kind": self.evidence.correction.kind}
        found = {"tasks": self.tasks, "left_out": self.left_out}
        return {**evidence.pop("correction"), **kind, **evidence, **found}


@dataclass(frozen=True, slots=True)
class Propagation:
    """What would be propagated. `reviewed` counts annotations, `open` untouched tasks."""

    findings: tuple[Finding, ...]
    changes: tuple[TaskChange, ...]
    reviewed: int
    open: int

    def to_json(self) -> dict[str, object]:
        """Return what was found, and which tasks would change."""
        return {
            "reviewed": self.reviewed,
            "open": self.open,
            "tasks": len(self.changes),
            "corrections": [finding.to_json() for finding in self.findings],
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Propagated:
    """How many tasks were changed; `meanwhile` were touched or changed after planning."""

    changed: int
    meanwhile: int


def plan(server: ReviewServer, project: Project, selection: Selection) -> Propagation:
    """Find the corrections in a project and the open tasks they apply to. Writes nothing.

    Raises:
        ReviewError: if a task holds no record, or its annotations or predictions contradict it.
        ServerError: if Label Studio cannot be reached.
    """
    where = f"project {project.title!r}"
    labels = labels_of(project.label_config, where)
    tasks = server.tasks(project, with_predictions=True)
    reviewed = list(reviews_of(tasks, labels, where))
    untouched = [task for task in tasks if not is_touched(task)]
    read = (read_open(task, project.model_version) for task in untouched)
    sentences = [sentence for sentence in read if sentence is not None]
    evidence = [each for each in weigh(reviewed) if selection.about(each.correction)]
    left_out = {each.correction: selection.against(each) for each in evidence}
    chosen = {e.correction: e.sentences for e in evidence if left_out[e.correction] is None}
    rules, others = Rules(chosen), Rules(left_out.keys() - chosen.keys())
    changes = [c for sentence in sentences if (c := corrected(sentence, rules, chosen))]
    tasks_of = Counter(correction for change in changes for correction in change.corrections)
    tasks_of.update(c for sentence in sentences for c in sentence.applying(others))
    findings = (Finding(e, tasks_of[e.correction], left_out[e.correction]) for e in evidence)
    return Propagation(tuple(findings), tuple(changes), len(reviewed), len(untouched))


def carry_out(
    server: ReviewServer, plan: Propagation, *, on_progress: Callable[[int], None] = lambda _: None
) -> Propagated:
    """Change the planned tasks that are still untouched and as they were.

    A task's data is written before its prediction, so that what an interruption leaves half done is
    found again and finished.

    Raises:
        ReviewError: if a task holds no record.
        ServerError: if Label Studio refuses something or goes away.
    """
    changed = 0
    for change in plan.changes:
        changed += _write(server, change)
        on_progress(1)
    return Propagated(changed, meanwhile=len(plan.changes) - changed)


def _write(server: ReviewServer, change: TaskChange) -> bool:
    """Change a task, unless it is not as planned any more."""
    now, planned = server.task(change.task_id), change.prediction
    if is_touched(now) or not _shows(now, planned):
        return False
    server.update_task_data(change.task_id, {**now["data"], **change.fields(now)})
    server.update_prediction(planned["id"], change.result, planned["score"])
    return True


def _shows(task: Mapping[str, Any], planned: Mapping[str, Any]) -> bool:
    return any(
        shown["id"] == planned["id"] and shown["result"] == planned["result"]
        for shown in task["predictions"]
    )
