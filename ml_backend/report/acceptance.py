"""The share of proposals that people accepted, over all and by group."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

from ml_backend.report.ledger import PROPOSED, Change, Entry, entries_of
from projection.io.records_json import Json
from projection.records import ConflictKind, ReviewedSentence, ReviewStatus
from projection.text.wording import NO_CONFLICT
from training.evaluation.reliability import THRESHOLDS, Reliability, reliability, wilson

NO_CONFIDENCE = "no confidence given"
BANDS = (
    f"below {100 * THRESHOLDS[0]:.0f} %",
    *(f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in pairwise(THRESHOLDS)),
    f"{100 * THRESHOLDS[-1]:.0f} % and above",
)
_ORDER = (NO_CONFLICT, *(kind.value for kind in ConflictKind), *BANDS, NO_CONFIDENCE)


class Share(NamedTuple):
    """`part` of `whole` things."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The fraction, in [0, 1]; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the fraction (Wilson 1927), if cases are independent."""
        return wilson(self.part, self.whole) if self.whole else None

    def __str__(self) -> str:
        return f"{self.part:,} of {self.whole:,}"

    def to_json(self) -> Json:
        """Counts, fraction and interval."""
        return {**self._asdict(), "value": self.value, "interval": self.interval}


class Decision(NamedTuple):
    """One person's review of one sentence, with its ledger entries."""

    review: ReviewedSentence
    entries: Sequence[Entry]


def with_entries(reviewed: Iterable[ReviewedSentence]) -> list[Decision]:
    """Add the ledger entries to each review."""
    return [Decision(review, entries_of(review)) for review in reviewed]


class Group(NamedTuple):
    """The outcome of some proposals.

    `accepted` is the share of decisions that left a sentence as proposed, None in a group of
    entities. `changes` counts entities. If several people decided about a sentence, each counts.
    """

    name: str
    accepted: Share | None
    changes: Mapping[Change, int]

    @property
    def kept(self) -> Share:
        """The share of proposed entities that stayed unchanged."""
        proposed = sum(self.changes.get(change, 0) for change in PROPOSED)
        return Share(self.changes.get(Change.KEPT, 0), proposed)

    @property
    def corrected(self) -> Share | None:
        """The share of decisions that changed a sentence; None in a group of entities."""
        if self.accepted is None:
            return None
        return Share(self.accepted.whole - self.accepted.part, self.accepted.whole)

    def to_json(self) -> Json:
        """Shares with their intervals, and the counts."""
        shares = {"kept": self.kept, "accepted": self.accepted, "corrected": self.corrected}
        return {
            "name": self.name,
            **{name: share.to_json() for name, share in shares.items() if share is not None},
            "changes": {change.value: self.changes.get(change, 0) for change in Change},
        }


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The outcome of all proposals, and `by` conflict, language, model, type and confidence.

    A sentence with several kinds of conflict counts under each. `unaided` decisions are about
    sentences without a prediction: there was nothing to accept.
    """

    overall: Group
    by: Mapping[str, Sequence[Group]]
    unaided: int

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Self:
        """Count the outcome of `decisions`."""
        judged = [each for each in decisions if each.review.judged]
        answered = [each for each in judged if each.review.predicted is not None]
        return cls(
            overall=_group("all", answered),
            by={
                "conflict": _by_sentence(answered, conflicts_of),
                "language": _by_sentence(answered, lambda r: [r.sentence.target_lang]),
                "model": _by_sentence(answered, lambda r: [r.model_version or "unknown"]),
                "type": _by_entity(answered, _type),
                "confidence": _by_entity(answered, _band),
            },
            unaided=len(judged) - len(answered),
        )

    def to_json(self) -> Json:
        """All groups."""
        groups = {f"by_{name}": [g.to_json() for g in groups] for name, groups in self.by.items()}
        return {"overall": self.overall.to_json(), **groups, "unaided": self.unaided}


def conflicts_of(review: ReviewedSentence) -> Sequence[str]:
    """Return the kinds of conflict a sentence was sent with, `none` if there were none."""
    return [kind.value for kind in review.conflicts] or [NO_CONFLICT]


def in_order(names: Iterable[str]) -> list[str]:
    """Sort alphabetically, but conflicts and bands of confidence in their own order."""
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else 0, name))


def _group(name: str, answered: Iterable[Decision]) -> Group:
    accepted = [each.review.status is ReviewStatus.ACCEPTED for each in answered]
    changes = Counter(entry.change for each in answered for entry in each.entries if entry.change)
    return Group(name, Share(sum(accepted), len(accepted)), changes)


def _by_sentence(
    answered: Iterable[Decision], names: Callable[[ReviewedSentence], Sequence[str]]
) -> list[Group]:
    members: defaultdict[str, list[Decision]] = defaultdict(list)
    for each in answered:
        for name in names(each.review):
            members[name].append(each)
    return [_group(name, members[name]) for name in in_order(members)]


def _by_entity(answered: Iterable[Decision], name_of: Callable[[Entry], str | None]) -> list[Group]:
    changes: defaultdict[str, Counter[Change]] = defaultdict(Counter)
    for entry in (entry for each in answered for entry in each.entries):
        if entry.change is not None and (name := name_of(entry)) is not None:
            changes[name][entry.change] += 1
    return [Group(name, None, changes[name]) for name in in_order(changes)]


def _type(entry: Entry) -> str | None:
    """The proposed type; the given type of an added entity."""
    entity = entry.predicted or entry.corrected
    return None if entity is None else entity.label


def _band(entry: Entry) -> str | None:
    if entry.predicted is None:
        return None
    score = entry.predicted.score
    return NO_CONFIDENCE if score is None else BANDS[sum(score >= low for low in THRESHOLDS)]


def calibration_of(decisions: Iterable[Decision]) -> Reliability | None:
    """Compare the confidence of proposals with the share kept; None without scored proposals."""
    judged = [
        (entry.predicted.score, entry.change is Change.KEPT)
        for each in decisions
        for entry in each.entries
        if entry.change and entry.predicted is not None and entry.predicted.score is not None
    ]
    return reliability(*zip(*judged, strict=True)) if judged else None
