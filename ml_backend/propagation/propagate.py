"""Propagate corrections to the open sentences in which the same mistake was made.

Predictions are changed in place: another one beside them would need another model version, and
Label Studio shows the predictions of one version only. A region keeps what it was in its meta,
under `was`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import write_fields
from ml_backend.label_studio.tasks import is_touched
from ml_backend.propagation.apply import TaskChange, corrected, open_sentence, propagated, read_open
from ml_backend.review.corrections import Correction, Evidence, LeftOut, Rules, Selection, weigh
from ml_backend.review.pull import readable, reviews_of
from projection.errors import ReviewError
from projection.records import ProjectedSentence, ReviewedSentence, UnreadableReview


@dataclass(frozen=True, slots=True)
class Finding:
    """A correction, and how many open tasks it changes, or would change if it were not left out."""

    evidence: Evidence
    tasks: int
    left_out: LeftOut | None

    def to_json(self) -> dict[str, object]:
        """Return a flat object."""
        evidence = asdict(self.evidence)
        correction = {**evidence.pop("correction"), "kind": self.evidence.correction.kind}
        return {**correction, **evidence, "tasks": self.tasks, "left_out": self.left_out}


@dataclass(frozen=True, slots=True)
class Propagation:
    """What would be propagated. `reviewed` counts annotations, `open` untouched tasks.

    Of the `unreadable` annotations and open tasks nothing is taken, and nothing is changed in them.
    """

    findings: tuple[Finding, ...]
    changes: tuple[TaskChange, ...]
    reviewed: int
    open: int
    unreadable: tuple[UnreadableReview, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return what was found, and which tasks would change."""
        return {
            "reviewed": self.reviewed,
            "open": self.open,
            "unreadable": len(self.unreadable),
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
    """Find the corrections in a project and the open tasks they apply to. Writes nothing."""
    where = f"project {project.title!r}"
    tasks = server.tasks(project, with_predictions=True)
    reviewed, unreadable = reviews_of(filter(is_touched, tasks), where)
    untouched = [task for task in tasks if not is_touched(task)]
    read = readable(untouched, partial(read_open, model_version=project.model_version), unreadable)
    sentences = [sentence for _, sentence in read if sentence is not None]
    evidence, left_out = _weighed(reviewed, selection)
    chosen = {e.correction: e.sentences for e in evidence if left_out[e.correction] is None}
    rules, others = Rules(chosen), Rules(left_out.keys() - chosen.keys())
    changes = [c for sentence in sentences if (c := corrected(sentence, rules, chosen))]
    tasks_of = Counter(correction for change in changes for correction in change.corrections)
    for sentence in sentences:
        found = others.occurrences(sentence.pair, sentence.entities)
        tasks_of.update({occurrence.correction for occurrence in found})
    findings = (Finding(e, tasks_of[e.correction], left_out[e.correction]) for e in evidence)
    counts = (len(reviewed), len(untouched))
    return Propagation(tuple(findings), tuple(changes), *counts, tuple(unreadable))


def propagated_in(
    reviewed: Sequence[ReviewedSentence], unseen: Sequence[ProjectedSentence]
) -> list[ProjectedSentence]:
    """Return unseen sentences of no project as `propagate --apply` would leave them in one."""
    evidence, left_out = _weighed(reviewed, Selection())
    chosen = {e.correction: e.sentences for e in evidence if left_out[e.correction] is None}
    rules, found = Rules(chosen), []
    for record in unseen:
        change = corrected(open_sentence(record), rules, chosen)
        found.append(record if change is None else propagated(record, change.changes))
    return found


def _weighed(
    reviewed: Sequence[ReviewedSentence], selection: Selection
) -> tuple[list[Evidence], dict[Correction, LeftOut | None]]:
    """Return the corrections that the selection is about, and why some are left out."""
    evidence = [each for each in weigh(reviewed) if selection.about(each.correction)]
    return evidence, {each.correction: selection.against(each) for each in evidence}


def carry_out(
    server: ReviewServer, plan: Propagation, *, on_progress: Callable[[int], None] = lambda _: None
) -> Propagated:
    """Change the planned tasks that are still untouched and as they were.

    A task's data is written before its prediction, so that what an interruption leaves half done is
    found again and finished.
    """
    changed = 0
    for change in plan.changes:
        still, shown = partial(_is_as_planned, change), change.prediction
        with suppress(ReviewError):  # the record was damaged meanwhile
            if write_fields(server, change.task_id, change.fields, if_still=still):
                server.update_prediction(shown["id"], change.result, shown["score"])
                changed += 1
        on_progress(1)
    return Propagated(changed, meanwhile=len(plan.changes) - changed)


def _is_as_planned(change: TaskChange, task: Mapping[str, Any]) -> bool:
    shown = [(prediction["id"], prediction["result"]) for prediction in task["predictions"]]
    return not is_touched(task) and (change.prediction["id"], change.prediction["result"]) in shown
