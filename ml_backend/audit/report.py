"""Report what the review of an audit's sample says about the tasks nobody has reviewed.

Figures are about entities, exact in span and label. They assume that reviewers are not anchored by
the proposals, that all of the sample is reviewed, and that a threshold is looked for once
(docs/audit.md).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from ml_backend.audit.estimates import (
    LEVEL,
    PRECISION,
    RECALL,
    UNUSABLE,
    Counts,
    Estimate,
    ReviewedStratum,
    ThresholdTest,
    ThresholdVerdict,
    estimate,
    fixed_sequence,
    sentences_needed,
)
from ml_backend.audit.members import Member, member_of
from ml_backend.audit.sample import Stratum, audit_of
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.tasks import Obstacle, Task, score_of
from ml_backend.review.pull import accepted_unseen, readable
from projection.errors import ReviewError
from projection.records import ReviewedSentence, UnreadableReview
from projection.text.wording import counted
from training.data.adjudication import marks_of

SCHEMA = 1
_METHOD = (
    "Stratified ratio estimates of what remains unreviewed, by target language and confidence; "
    "95 % intervals in sentences, with one more that is all wrong (Fay & Feuer 1997; "
    "Clopper & Pearson 1934 where sentences weigh the same and are right or wrong as a whole); "
    "threshold by fixed sequence testing from the strictest (Angelopoulos et al. 2021, "
    "Learn then Test), one-sided, 5 % for all thresholds together."
)
ANCHORING = "Reviewers saw the proposals before they decided, which flatters these figures"


@dataclass(frozen=True, slots=True)
class StratumReport:
    """A stratum. Numbers count tasks (`size` when it was drawn from), the last three entities."""

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
    """The result of an audit. Estimates are of the `remaining` tasks, with their `entities`.

    `drawn = reviewed + waiting + skipped + foreign + propagated`: `foreign` were reviewed against
    another model version than the `model_version` they were drawn for, or against no prediction;
    `propagated` were changed by `spanferry propagate` since, as were `propagated_others`, which
    would remain otherwise. `disagreements` are among the reviewed. `current` is true if the project
    still shows predictions of this version. Open tasks among the `unreadable` do not remain;
    annotations of the sample among them count as not there.
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
    unreadable: tuple[UnreadableReview, ...]

    @property
    def accepted(self) -> ThresholdTest | None:
        """The lowest threshold above which the target precision holds, or None."""
        holding = [test for test in self.thresholds if test.verdict is ThresholdVerdict.HOLDS]
        return min(holding, key=lambda test: test.threshold, default=None)

    def to_json(self) -> dict[str, object]:
        """The content of `audit.json`."""
        accepted, above = self.accepted, None
        if accepted:
            above = {"tasks": accepted.tasks, "entities": accepted.entities}
        return {
            "schema": SCHEMA,
            **asdict(self),
            "unreadable": len(self.unreadable),
            "threshold": accepted and accepted.threshold,
            "above_threshold": above,
            "level": LEVEL,
            "method": _METHOD,
            "notes": [*self.notes(), ANCHORING],
        }

    def notes(self) -> list[str]:
        """Return what limits the figures, a sentence each."""
        thin = [s.name for s in self.strata if s.remaining and s.reviewed < 2]
        notes = (
            (
                self.waiting,
                f"{self.waiting} of the sample not reviewed yet: the figures are preliminary",
            ),
            (self.skipped, f"{self.skipped} of the sample skipped, and counted as not reviewed"),
            (
                self.foreign,
                f"{self.foreign} of the sample left out: not reviewed against predictions of "
                f"{self.model_version}, for which it was drawn",
            ),
            (
                self.propagated or self.propagated_others,
                f"After the draw `spanferry propagate` changed {self.propagated} of the sample and "
                f"{counted(self.propagated_others, 'other task')}: left out, not accepted unseen",
            ),
            (
                self.disagreements,
                f"Annotators disagree on {self.disagreements} of the sample: the latest decision "
                "counts",
            ),
            (
                not self.current,
                f"The project no longer shows predictions of {self.model_version}, which these "
                "figures are about: draw a new audit",
            ),
            (
                self.unreadable,
                f"{len(self.unreadable)} cannot be read: left out, and not accepted unseen",
            ),
            (not self.remaining, "Nothing remains that would be accepted unseen"),
            (
                thin and self.reviewed,
                f"Fewer than two reviewed, so taken together with neighbours: {', '.join(thin)}",
            ),
        )
        found = [note for applies, note in notes if applies]
        if all(test.verdict is ThresholdVerdict.NOT_TESTED for test in self.thresholds):
            needed = sentences_needed(self.target_precision, level=2 * LEVEL - 1)
            found.append(
                f"To show a precision of {100 * self.target_precision:g} % takes at least {needed} "
                "reviewed sentences with entities even if all are right, and more if little "
                "remains or some have far more entities than others"
            )
        return found


def audit_report(
    project: Project,
    tasks: Sequence[Task],
    name: str | None = None,
    *,
    target_precision: float = 0.95,
) -> AuditReport:
    """Report on an audit from all tasks of its project, with predictions in full.

    Without a name, the project must have just one audit. ReviewError is raised if there is no such
    audit, or if no task of its sample can be read.
    """
    where, version = f"project {project.title!r}", project.model_version
    name = _known_audit(tasks, name, where)
    unreadable: list[UnreadableReview] = []
    drawn = (task for task in tasks if audit_of(task) == name)
    read_member = partial(member_of, shown=version, where=where, unreadable=unreadable)
    everyone = [member for _, member in readable(drawn, read_member, unreadable)]
    if not everyone:
        raise ReviewError(where, f"no task of the audit {name!r} can be read", unreadable[0].reason)
    members: defaultdict[Stratum, list[Member]] = defaultdict(list)
    for member in everyone:
        members[member.stratum].append(member)
    audited, threshold = everyone[0].version, min(member.threshold for member in everyone)
    # How many entities are proposed in each task nobody has reviewed.
    remaining: defaultdict[Stratum, list[int]] = defaultdict(list)
    propagated_others = 0
    accept = partial(accepted_unseen, version=audited, threshold=threshold, where=where)
    for task, accepted in readable(tasks, accept, unreadable):
        if isinstance(accepted, ReviewedSentence):
            score = score_of(task, audited)
            stratum = Stratum.of(accepted.sentence.target_lang, score, threshold)
            remaining[stratum].append(len(accepted.entities))
        elif accepted is Obstacle.PROPAGATED:
            propagated_others += audit_of(task) != name
    strata = sorted({*remaining, *members}, key=lambda s: (-s.low, s.lang))
    sampled = [
        ReviewedStratum(
            name=str(stratum),
            band=stratum.low,
            remaining=len(remaining[stratum]),
            counts=tuple(_counts(each.review) for each in members[stratum] if each.review),
            entities=sum(remaining[stratum]),
        )
        for stratum in strata
    ]
    states = Counter(member.state for member in everyone)
    return AuditReport(
        project=project.title,
        name=name,
        model_version=audited,
        current=audited == version,
        drawn=len(everyone),
        reviewed=states["reviewed"],
        waiting=states["waiting"],
        skipped=states["skipped"],
        foreign=states["foreign"],
        propagated=states["propagated"],
        propagated_others=propagated_others,
        unusable=sum(each.unusable for stratum in sampled for each in stratum.counts),
        disagreements=sum(m.disagreement and m.review is not None for m in everyone),
        remaining=sum(stratum.remaining for stratum in sampled),
        entities=sum(stratum.entities for stratum in sampled),
        precision=estimate(sampled, PRECISION),
        recall=estimate(sampled, RECALL),
        unusable_share=estimate(sampled, UNUSABLE),
        target_precision=target_precision,
        thresholds=fixed_sequence(sampled, target_precision),
        strata=tuple(
            _stratum_report(each, members[stratum])
            for stratum, each in zip(strata, sampled, strict=True)
        ),
        unreadable=tuple(unreadable),
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


def _counts(decision: ReviewedSentence) -> Counts:
    if not decision.usable:
        return Counts(0, 0, 0, unusable=True)
    proposed, true = marks_of(decision.predicted), marks_of(decision.entities)
    return Counts(len(proposed), len(true), len(proposed & true))


def _stratum_report(sampled: ReviewedStratum, members: Sequence[Member]) -> StratumReport:
    counts = sampled.counts
    return StratumReport(
        name=sampled.name,
        size=max((member.size for member in members), default=0),
        drawn=len(members),
        reviewed=len(counts),
        unusable=sum(each.unusable for each in counts),
        remaining=sampled.remaining,
        proposed=sum(each.proposed for each in counts),
        true=sum(each.true for each in counts),
        right=sum(each.right for each in counts),
    )
