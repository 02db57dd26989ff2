"""Carries what people corrected over to the open sentences in which the same mistake was made.

Predictions are changed where they are. Another one beside them would have to be of another model
version to be told apart, and Label Studio shows the predictions of one version only. What a region
was before stays in its meta, under `was`; what a person did to it is told from the region as it was
carried over.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from label_config.labeling_config import labels_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import write_fields
from ml_backend.label_studio.tasks import is_touched
from ml_backend.propagation.apply import OpenSentence, TaskChange, corrected, read_open
from ml_backend.review.corrections import (
    Correction,
    Evidence,
    Rules,
    composed,
    is_too_short,
    outvoted,
    weigh,
)
from ml_backend.review.pull import reviews_of

# One correction may be a slip, or be right in its own sentence only; two speak of the phrase.
ENOUGH = 2
ENOUGH_BY_NAME = 1  # whoever names the phrase has thought about it


class LeftOut(StrEnum):
    """Why a correction is not carried over."""

    CONTESTED = "contested"  # in other sentences people decided otherwise
    TOO_FEW = "too few"  # fewer sentences say so than asked for
    TOO_SHORT = "too short"  # one character of a language without spaces


@dataclass(frozen=True, slots=True)
class Selection:
    """Which corrections to carry over: those of `phrase`, those of `lang`, and made often enough.

    `at_least` counts reviewed sentences; by default two, or one where a phrase is named. `overrule`
    takes what was decided otherwise, too, of the phrase that is named: of corrections that
    contradict each other the one that was made most often.
    """

    phrase: str | None = None
    lang: str | None = None
    at_least: int | None = None
    overrule: bool = False

    @property
    def enough(self) -> int:
        """In how many reviewed sentences a correction must have been made."""
        if self.at_least is not None:
            return self.at_least
        return ENOUGH if self.phrase is None else ENOUGH_BY_NAME

    def about(self, correction: Correction) -> bool:
        """Whether the correction is one of those asked for."""
        phrases = (correction.phrase, correction.new_phrase)
        return self.lang in (None, correction.lang) and (
            self.phrase is None or composed(self.phrase) in phrases
        )

    def against(self, evidence: Evidence, weaker: Collection[Correction] = ()) -> LeftOut | None:
        """Why a correction is left out, or None; `weaker` are those that others outvote."""
        if is_too_short(evidence.correction):
            return LeftOut.TOO_SHORT
        overruled = self.overrule and self.phrase is not None
        if evidence.correction in weaker if overruled else evidence.otherwise:
            return LeftOut.CONTESTED
        return LeftOut.TOO_FEW if evidence.sentences < self.enough else None


@dataclass(frozen=True, slots=True)
class Finding:
    """A correction, and how many open tasks it changes, or would change if it were not left out."""

    evidence: Evidence
    tasks: int
    left_out: LeftOut | None

    def to_json(self) -> dict[str, object]:
        """A flat object."""
        evidence = asdict(self.evidence)
        correction = evidence.pop("correction")
        kind = self.evidence.correction.kind
        return {
            **correction,
            "kind": kind,
            **evidence,
            "tasks": self.tasks,
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be carried over. `reviewed` counts annotations, `open` untouched tasks."""

    findings: tuple[Finding, ...]
    changes: tuple[TaskChange, ...]
    reviewed: int
    open: int

    def to_json(self) -> dict[str, object]:
        """What was found, and which tasks would change."""
        return {
            "reviewed": self.reviewed,
            "open": self.open,
            "tasks": len(self.changes),
            "corrections": [finding.to_json() for finding in self.findings],
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Propagated:
    """What was done. Numbers count tasks; `meanwhile` were touched or changed after planning."""

    changed: int
    meanwhile: int

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return asdict(self)


def plan(server: ReviewServer, project: Project, selection: Selection) -> Plan:
    """Find out what people corrected, and where else in the project that applies. Writes nothing.

    Raises:
        ReviewError: if a task is not one that was pushed, or what it has contradicts it.
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
    weaker = outvoted(evidence)
    left_out = {e.correction: selection.against(e, weaker) for e in evidence}
    chosen = {e.correction: e.sentences for e in evidence if left_out[e.correction] is None}
    rules = Rules(chosen)
    changes = [c for sentence in sentences if (c := corrected(sentence, rules, chosen))]
    tasks_of = Counter(correction for change in changes for correction in change.corrections)
    others = Rules(e.correction for e in evidence if e.correction not in chosen)
    tasks_of.update(c for sentence in sentences for c in _applying(others, sentence))
    findings = (Finding(e, tasks_of[e.correction], left_out[e.correction]) for e in evidence)
    return Plan(tuple(findings), tuple(changes), reviewed=len(reviewed), open=len(untouched))


def carry_out(
    server: ReviewServer, plan: Plan, *, on_progress: Callable[[int], None] = lambda _: None
) -> Propagated:
    """Do what was planned, to the tasks that still are as they were then, and nobody has begun.

    A task says what was carried over before its prediction shows it: so whatever an interruption
    leaves half done is found again, and finished.

    Raises:
        ReviewError: if a task is not one that was pushed.
        ServerError: if Label Studio refuses something or goes away.
    """
    changed = 0
    for change in plan.changes:
        still = partial(_is_as_planned, change)
        if write_fields(server, change.task_id, change.data, if_still=still):
            prediction = change.prediction
            server.update_prediction(prediction["id"], change.result, prediction["score"])
            changed += 1
        on_progress(1)
    return Propagated(changed, meanwhile=len(plan.changes) - changed)


def _applying(rules: Rules, sentence: OpenSentence) -> set[Correction]:
    return {place.correction for place in rules.places(sentence.marked)}


def _is_as_planned(change: TaskChange, task: Mapping[str, Any]) -> bool:
    planned = change.prediction
    return not is_touched(task) and any(
        shown["id"] == planned["id"] and shown["result"] == planned["result"]
        for shown in task["predictions"]
    )
