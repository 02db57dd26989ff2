"""How much of what was proposed people left as it was, cut in several ways."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

from ml_backend.report.ledger import PROPOSED, Change, Entry, entries_of
from ml_backend.report.shares import Share
from projection.io.records_json import Json
from projection.records import ConflictKind, ReviewedSentence, ReviewStatus
from training.evaluation.reliability import THRESHOLDS, Reliability, reliability

NO_CONFLICT = "none"
NO_CONFIDENCE = "no confidence given"


class Reviewed(NamedTuple):
    """A review with its entries in the ledger."""

    review: ReviewedSentence
    entries: Sequence[Entry]

    @property
    def answered(self) -> bool:
        """Whether a person decided about a proposal."""
        return self.review.judged and self.review.predicted is not None


def with_entries(reviewed: Iterable[ReviewedSentence]) -> list[Reviewed]:
    """Every review with its entries."""
    return [Reviewed(review, entries_of(review)) for review in reviewed]


@dataclass(frozen=True, slots=True)
class Group:
    """What became of some proposals.

    `accepted` are decisions that left a sentence as proposed, of all that found it usable and came
    with a prediction; None where the group is made of entities. `changes` counts entities. Where
    several people decided about a sentence, each of them counts.
    """

    name: str
    accepted: Share | None
    changes: Mapping[Change, int]

    @property
    def corrected(self) -> Share | None:
        """The decisions that changed something."""
        whole = self.accepted
        return None if whole is None else Share(whole.whole - whole.part, whole.whole)

    @property
    def kept(self) -> Share:
        """The entities left unchanged, of those that were proposed."""
        proposed = sum(self.changes.get(change, 0) for change in PROPOSED)
        return Share(self.changes.get(Change.KEPT, 0), proposed)

    def to_json(self) -> Json:
        """Shares with their intervals, and the counts."""
        sentences = {
            name: share.to_json()
            for name, share in (("accepted", self.accepted), ("corrected", self.corrected))
            if share is not None
        }
        changes = {change.value: self.changes.get(change, 0) for change in Change}
        return {"name": self.name, **sentences, "kept": self.kept.to_json(), "changes": changes}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of the proposals, over all and by groups.

    A sentence with several kinds of conflict counts under each. `unaided` decisions are about
    sentences that came without a prediction, so there was nothing to accept.
    """

    overall: Group
    by_conflict: tuple[Group, ...]
    by_language: tuple[Group, ...]
    by_model: tuple[Group, ...]
    by_type: tuple[Group, ...]
    by_confidence: tuple[Group, ...]
    unaided: int

    @classmethod
    def of(cls, reviewed: Sequence[Reviewed]) -> Self:
        """Count."""
        answered = [each for each in reviewed if each.answered]
        entries = [entry for each in answered for entry in each.entries]
        return cls(
            overall=_group("all", answered),
            by_conflict=tuple(_sentence_groups(answered, conflicts_of)),
            by_language=tuple(
                _sentence_groups(answered, lambda review: [review.sentence.target_lang])
            ),
            by_model=tuple(
                _sentence_groups(answered, lambda review: [review.model_version or "unknown"])
            ),
            by_type=tuple(_entity_groups(entries, _type)),
            by_confidence=tuple(_entity_groups(entries, _band, (*BANDS, NO_CONFIDENCE))),
            unaided=sum(each.review.judged for each in reviewed) - len(answered),
        )

    def to_json(self) -> Json:
        """All groups."""
        cuts = {
            "by_conflict": self.by_conflict,
            "by_language": self.by_language,
            "by_model": self.by_model,
            "by_type": self.by_type,
            "by_confidence": self.by_confidence,
        }
        return {
            "overall": self.overall.to_json(),
            **{name: [group.to_json() for group in groups] for name, groups in cuts.items()},
            "unaided": self.unaided,
        }


def conflicts_of(review: ReviewedSentence) -> Sequence[str]:
    """The kinds of conflict a sentence was sent with, `none` where there were none."""
    return [kind.value for kind in review.conflicts] or [NO_CONFLICT]


def in_order(names: Iterable[str]) -> list[str]:
    """By the alphabet, but kinds of conflict in their order, none of them first."""
    kinds = [NO_CONFLICT, *(kind.value for kind in ConflictKind)]
    return sorted(names, key=lambda name: (kinds.index(name) if name in kinds else 0, name))


def _sentence_groups(
    answered: Iterable[Reviewed], names: Callable[[ReviewedSentence], Sequence[str]]
) -> Iterator[Group]:
    members: defaultdict[str, list[Reviewed]] = defaultdict(list)
    for each in answered:
        for name in names(each.review):
            members[name].append(each)
    for name in in_order(members):
        yield _group(name, members[name])


def _group(name: str, answered: Sequence[Reviewed]) -> Group:
    accepted = sum(each.review.status is ReviewStatus.ACCEPTED for each in answered)
    changes = Counter(entry.change for each in answered for entry in each.entries if entry.change)
    return Group(name, Share(accepted, len(answered)), changes)


def _entity_groups(
    entries: Iterable[Entry], name_of: Callable[[Entry], str | None], order: Sequence[str] = ()
) -> Iterator[Group]:
    changes: defaultdict[str, Counter[Change]] = defaultdict(Counter)
    for entry in entries:
        name = name_of(entry)
        if entry.change is not None and name is not None:
            changes[name][entry.change] += 1
    for name in [name for name in order if name in changes] if order else sorted(changes):
        yield Group(name, None, changes[name])


def _type(entry: Entry) -> str | None:
    """The type that was proposed; of what was added, the type it was given."""
    entity = entry.predicted or entry.corrected
    return None if entity is None else entity.label


BANDS = (
    f"below {100 * THRESHOLDS[0]:.0f} %",
    *(f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in pairwise(THRESHOLDS)),
    f"{100 * THRESHOLDS[-1]:.0f} % and above",
)


def _band(entry: Entry) -> str | None:
    if entry.predicted is None:
        return None
    score = entry.predicted.score
    return NO_CONFIDENCE if score is None else BANDS[sum(score >= low for low in THRESHOLDS)]


def calibration_of(reviewed: Iterable[Reviewed]) -> Reliability | None:
    """How far the confidence of a proposal says how likely it is kept; None without proposals."""
    judged = [
        (entry.predicted.score, entry.change is Change.KEPT)
        for each in reviewed
        for entry in each.entries
        if entry.change is not None
        and entry.predicted is not None
        and entry.predicted.score is not None
    ]
    return reliability(*zip(*judged, strict=True)) if judged else None
