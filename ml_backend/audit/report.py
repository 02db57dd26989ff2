"""What the review of an audit's sample says about the tasks nobody has reviewed.

Figures are about entities, exact in span and label, against what the reviewers left. Three things
they rest on, which no figure here can check:

- Reviewers saw what was proposed before they decided, and people let pass what is shown to them
  (anchoring). True precision and recall may be lower; a second review of a part of the sample from
  scratch would show how much.
- The tasks of the sample that were reviewed are like those of their stratum that were not. Review
  all of a sample. Skipping the hard ones makes the rest look better than it is.
- A threshold is looked for once, when the sample is reviewed. Looking again after every few reviews
  and stopping when a threshold holds finds one by chance.

Sentences marked unusable count no entities. Accepted unseen they would go into training; their
share is estimated beside the other figures.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from label_config.labeling_config import labels_of
from ml_backend.audit.estimates import (
    LEVEL,
    PRECISION,
    RECALL,
    UNUSABLE,
    Counts,
    Estimate,
    Reviewed,
    ThresholdTest,
    Verdict,
    estimate,
    fixed_sequence,
    sentences_needed,
)
from ml_backend.audit.sample import Stratum, Task, audit_of, proposals_of, stratum_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tasks import Obstacle, is_propagated, obstacle, score_of
from ml_backend.review.pull import reviews_of
from projection.errors import ReviewError
from projection.records import ReviewedSentence, ReviewStatus
from projection.text.wording import counted
from training.data.adjudication import adjudicate, marks_of

SCHEMA = 1
TARGET_PRECISION = 0.95
METHOD = (
    "Stratified ratio estimates of what remains unreviewed, by target language and confidence; "
    "95 % intervals in sentences, with one more that is all wrong (Fay & Feuer 1997; "
    "Clopper & Pearson 1934 where sentences weigh the same and are right or wrong as a whole); "
    "threshold by fixed sequence testing from the strictest (Angelopoulos et al. 2021, "
    "Learn then Test), one-sided, 5 % for all thresholds together."
)
ANCHORING = "Reviewers saw the proposals before they decided, which flatters these figures"


@dataclass(frozen=True, slots=True)
class StratumReport:
    """A stratum of an audit. Numbers count tasks, the last three entities of reviewed ones.

    `size` is how many tasks it had when it was drawn from (0 if none were drawn), `remaining` how
    many nobody has looked at now.
    """

    name: str
    size: int
    drawn: int
    reviewed: int
    unusable: int
    remaining: int
    proposed: int
    true: int
    right: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found. Estimates are of the `remaining` tasks, with their `entities`.

    `drawn = reviewed + waiting + skipped + foreign + propagated`: `foreign` were reviewed, but
    against another model version than the `model_version` they were drawn for, or against no
    prediction; `propagated` were changed by `spanferry propagate` since, and so were
    `propagated_others`, which else would remain. Several people decided differently on
    `disagreements` of the reviewed; the latest decision counts. `current` is whether the project
    still shows predictions of this version.
    """

    project: str
    name: str
    model_version: str
    current: bool
    drawn: int
    reviewed: int
    waiting: int
    skipped: int
    foreign: int
    propagated: int
    propagated_others: int
    unusable: int
    disagreements: int
    remaining: int
    entities: int
    precision: Estimate
    recall: Estimate
    unusable_share: Estimate
    target_precision: float
    thresholds: tuple[ThresholdTest, ...]
    strata: tuple[StratumReport, ...]

    @property
    def accepted(self) -> ThresholdTest | None:
        """The lowest threshold above which the target precision holds, or None."""
        holding = [test for test in self.thresholds if test.verdict is Verdict.HOLDS]
        return min(holding, key=lambda test: test.threshold, default=None)

    def to_json(self) -> dict[str, object]:
        """The content of `audit.json`."""
        accepted = self.accepted
        return {
            "schema": SCHEMA,
            **asdict(self),
            "threshold": accepted and accepted.threshold,
            "above_threshold": accepted
            and {"tasks": accepted.tasks, "entities": accepted.entities},
            "level": LEVEL,
            "method": METHOD,
            "notes": [*self.notes(), ANCHORING],
        }

    def notes(self) -> Iterator[str]:
        """What to know before believing the figures, in plain words."""
        yield from self._of_the_sample()
        if not self.current:
            yield (
                f"The project no longer shows predictions of {self.model_version}, which these "
                "figures are about: draw a new audit"
            )
        if not self.remaining:
            yield "Nothing remains that would be accepted unseen"
        thin = [s.name for s in self.strata if s.remaining and s.reviewed < 2]
        if thin and self.reviewed:
            yield f"Fewer than two reviewed, so taken together with neighbours: {', '.join(thin)}"
        if not any(test.verdict is not Verdict.NOT_TESTED for test in self.thresholds):
            needed = sentences_needed(self.target_precision, level=2 * LEVEL - 1)
            yield (
                f"To show a precision of {100 * self.target_precision:g} % takes at least {needed} "
                "reviewed sentences with entities even if all are right, and more if little "
                "remains or some have far more entities than others"
            )

    def _of_the_sample(self) -> Iterator[str]:
        if self.waiting:
            yield f"{self.waiting} of the sample not reviewed yet: the figures are preliminary"
        if self.skipped:
            yield f"{self.skipped} of the sample skipped, and counted as not reviewed"
        if self.foreign:
            yield (
                f"{self.foreign} of the sample left out: not reviewed against predictions of "
                f"{self.model_version}, for which it was drawn"
            )
        if self.propagated or self.propagated_others:
            yield (
                f"After the draw `spanferry propagate` changed {self.propagated} of the sample and "
                f"{counted(self.propagated_others, 'other task')}: left out, not accepted unseen"
            )
        if self.disagreements:
            yield f"{self.disagreements} of the sample disputed: the latest decision counts"


class _Fate(StrEnum):
    """What has become of a task of the sample. Each is in one of these."""

    PROPAGATED = "propagated"
    WAITING = "waiting"
    SKIPPED = "skipped"
    FOREIGN = "foreign"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class _Member:
    """A task of the sample, what it was drawn for, and the one decision on it, if there is any."""

    stratum: Stratum
    size: int
    version: str
    threshold: float
    propagated: bool
    decision: ReviewedSentence | None
    disputed: bool

    @property
    def fate(self) -> _Fate:
        if self.propagated:
            return _Fate.PROPAGATED
        if self.decision is None:
            return _Fate.WAITING
        if self.decision.status is ReviewStatus.SKIPPED:
            return _Fate.SKIPPED
        seen = None if self.decision.predicted is None else self.decision.model_version
        return _Fate.REVIEWED if seen == self.version else _Fate.FOREIGN

    @property
    def review(self) -> ReviewedSentence | None:
        """The decision, if it counts."""
        return self.decision if self.fate is _Fate.REVIEWED else None


def audit_report(
    server: ReviewServer,
    project: Project,
    name: str | None = None,
    *,
    target_precision: float = TARGET_PRECISION,
) -> AuditReport:
    """Read a project and report on one of its audits; without a name, on the only one.

    Raises:
        ReviewError: if `report_of` does.
        ServerError: if Label Studio cannot be reached.
    """
    where = f"project {project.title!r}"
    return report_of(
        server.tasks(project, with_predictions=True),
        labels_of(project.label_config, where),
        name,
        title=project.title,
        version=project.model_version,
        target_precision=target_precision,
    )


def report_of(
    tasks: Sequence[Task],
    labels: Collection[str],
    name: str | None,
    *,
    title: str,
    version: str,
    target_precision: float = TARGET_PRECISION,
) -> AuditReport:
    """What the tasks of a project say about an audit.

    Args:
        tasks: all of the project, with annotations and predictions in full.
        labels: those of its labeling config.
        name: of the audit, or None for the only one.
        title: of the project.
        version: of the model whose predictions the project shows.
        target_precision: to look for a threshold for, between 0 and 1.

    Raises:
        ReviewError: if there is no such audit, several and no name, or a task contradicts what was
            pushed.
    """
    where = f"project {title!r}"
    name = _known_audit(tasks, name, where)
    members = [_member(task, labels, version, where) for task in tasks if audit_of(task) == name]
    audited, threshold = members[0].version, min(member.threshold for member in members)
    obstacles = [obstacle(task, audited, threshold) for task in tasks]
    remaining = _remaining(tasks, obstacles, audited, threshold)
    strata = sorted({*remaining, *(m.stratum for m in members)}, key=lambda s: (-s.low, s.lang))
    sampled = [_reviewed(stratum, members, remaining[stratum]) for stratum in strata]
    fates = Counter(member.fate for member in members)
    return AuditReport(
        project=title,
        name=name,
        model_version=audited,
        current=audited == version,
        drawn=len(members),
        reviewed=fates[_Fate.REVIEWED],
        waiting=fates[_Fate.WAITING],
        skipped=fates[_Fate.SKIPPED],
        foreign=fates[_Fate.FOREIGN],
        propagated=fates[_Fate.PROPAGATED],
        propagated_others=sum(
            why is Obstacle.PROPAGATED and audit_of(task) != name
            for task, why in zip(tasks, obstacles, strict=True)
        ),
        unusable=sum(each.unusable for stratum in sampled for each in stratum.counts),
        disagreements=sum(m.disputed and m.review is not None for m in members),
        remaining=sum(stratum.remaining for stratum in sampled),
        entities=sum(stratum.entities for stratum in sampled),
        precision=estimate(sampled, PRECISION),
        recall=estimate(sampled, RECALL),
        unusable_share=estimate(sampled, UNUSABLE),
        target_precision=target_precision,
        thresholds=fixed_sequence(sampled, target_precision),
        strata=tuple(
            _stratum_report(each, [m for m in members if m.stratum == stratum])
            for stratum, each in zip(strata, sampled, strict=True)
        ),
    )


def _known_audit(tasks: Iterable[Task], name: str | None, where: str) -> str:
    names = sorted({audit_of(task) for task in tasks} - {""})
    if name is None and len(names) == 1:
        return names[0]
    if name in names:
        return name
    if not names:
        raise ReviewError(where, "has no audit", "Draw one with `spanferry audit draw`")
    what = "has several audits" if name is None else f"has no audit {name!r}"
    raise ReviewError(where, what, f"Give as --name one of: {', '.join(names)}")


def _member(task: Task, labels: Collection[str], shown: str, where: str) -> _Member:
    found = adjudicate(reviews_of([task], labels, where))
    stratum, data = stratum_of(task), task["data"]
    return _Member(
        stratum=stratum,
        size=int(data.get("audit_stratum_size") or 0),
        # An older spanferry did not say what it had drawn for.
        version=str(data.get("audit_model_version") or shown),
        threshold=float(data.get("audit_threshold") or stratum.low),
        propagated=is_propagated(task),
        decision=found.sentences[0] if found.sentences else None,
        disputed=bool(found.disagreements),
    )


def _remaining(
    tasks: Iterable[Task], obstacles: Iterable[Obstacle | None], version: str, threshold: float
) -> defaultdict[Stratum, list[int]]:
    """How many entities are proposed in each task nobody has looked at, by stratum."""
    found: defaultdict[Stratum, list[int]] = defaultdict(list)
    for task, why in zip(tasks, obstacles, strict=True):
        if why is None:
            score = score_of(task, version) or 0.0
            stratum = Stratum.of(str(task["data"]["lang"]), score, threshold)
            found[stratum].append(proposals_of(task, version))
    return found


def _reviewed(stratum: Stratum, members: Iterable[_Member], remaining: Sequence[int]) -> Reviewed:
    counts = tuple(
        _counts(member.review)
        for member in members
        if member.stratum == stratum and member.review is not None
    )
    return Reviewed(str(stratum), stratum.low, len(remaining), counts, sum(remaining))


def _counts(decision: ReviewedSentence) -> Counts:
    if not decision.usable:
        return Counts(0, 0, 0, unusable=True)
    proposed, true = marks_of(decision.predicted), marks_of(decision.entities)
    return Counts(len(proposed), len(true), len(proposed & true))


def _stratum_report(reviewed: Reviewed, members: Sequence[_Member]) -> StratumReport:
    counts: Mapping[str, Any] = {
        part: sum(getattr(each, part) for each in reviewed.counts)
        for part in ("unusable", "proposed", "true", "right")
    }
    return StratumReport(
        name=reviewed.name,
        size=max((member.size for member in members), default=0),
        drawn=len(members),
        reviewed=len(reviewed.counts),
        remaining=reviewed.remaining,
        **counts,
    )
