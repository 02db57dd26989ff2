"""Adjudication: one decision a sentence where annotators disagree, by a person or a policy.

A disagreement that neither settles stays open, and its sentence has no decision.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from projection.errors import TrainingError
from projection.records import Entity, Provenance, ReviewedSentence, ReviewStatus, Span

Mark = tuple[Span, str]
SentenceKey = tuple[str, str, str]


class AdjudicationPolicy(StrEnum):
    """Which decision holds where annotators disagree, and no person has settled it."""

    OPEN = "open"  # none
    LATEST = "latest"  # who decided last
    MAJORITY = "majority"  # more than half, label by label
    REVIEWER = "reviewer"  # a named person


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sentence whose annotators disagree, what each has, and whether that is settled."""

    sentence_id: str
    origin: str
    task_id: int | None
    versions: tuple["DisputedVersion", ...]
    settled: bool

    @property
    def annotators(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted(who for version in self.versions for who in version.annotators))

    @property
    def differs(self) -> str:
        """Who has what, in a line."""
        return "; ".join(f"{' and '.join(v.annotators)}: {v.has}" for v in self.versions)


class DisputedVersion(NamedTuple):
    """What some annotators have made of a sentence, and their annotations, oldest first.

    `has` lists the labels that not all have: the others agree on the rest.
    """

    annotators: tuple[str, ...]
    has: str
    annotation_ids: tuple[int, ...]


class Adjudicated(NamedTuple):
    """One review a sentence, in the order sentences first appear, and the disagreements.

    Sentences of open disagreements are not among `sentences`.
    """

    sentences: tuple[ReviewedSentence, ...]
    disagreements: tuple[Disagreement, ...]


def adjudicate(
    reviewed: Iterable[ReviewedSentence],
    policy: AdjudicationPolicy = AdjudicationPolicy.OPEN,
    *,
    reviewer: str | None = None,
) -> Adjudicated:
    """Decide sentences: by agreement, else by who settled them (`final`), else by `policy`.

    The newest decision of each annotator counts. Two agree if both call the sentence unusable, or
    both have the same spans and labels. A skipped sentence is no decision.

    Under `majority` the annotators first vote on whether the sentence is usable; then a label holds
    if more than half of those who found it usable have it. At half the sentence stays open. If
    nobody has the result, `annotator` joins all with `+`.

    `reviewer`, the annotator whose decisions hold, is for the policy `reviewer` only. Raises
    TrainingError if a reviewer is missing, needless, or has decided nothing though there is
    something to decide.
    """
    if (reviewer is None) is (policy is AdjudicationPolicy.REVIEWER):
        raise TrainingError(
            f"policy {policy}",
            "needs a reviewer" if reviewer is None else f"knows no reviewer ({reviewer})",
            "Name the annotator with the policy `reviewer`, and only with that",
        )
    sentences: list[ReviewedSentence] = []
    disagreements: list[Disagreement] = []
    everybody: set[str] = set()
    for group in by_sentence(reviewed):
        voices = opinions(group)
        everybody.update(voice.annotator for voice in voices)
        versions = _versions(voices)
        if len(versions) < 2:
            sentences.append(max(group, key=_decisiveness))
            continue
        if answer := _settle(voices, policy, reviewer):
            sentences.append(answer)
        pair, task = group[0].sentence, voices[0].task_id
        settled = answer is not None
        disagreements.append(Disagreement(pair.id, pair.origin, task, versions, settled))
    if reviewer is not None and disagreements and reviewer not in everybody:
        raise TrainingError(
            f"reviewer {reviewer!r}",
            f"has decided nothing; annotators are {', '.join(sorted(everybody))}",
            "Give the number Label Studio knows the reviewer by",
        )
    return Adjudicated(tuple(sentences), tuple(disagreements))


def newest_decisions(reviewed: Iterable[ReviewedSentence]) -> list[ReviewedSentence]:
    """Return the newest decision on each sentence, in order of first appearance.

    A skipped sentence counts only where nobody decided.
    """
    return [max(group, key=_decisiveness) for group in by_sentence(reviewed)]


def by_sentence(reviewed: Iterable[ReviewedSentence]) -> list[list[ReviewedSentence]]:
    """Group reviews by id, origin and target of their sentence, in order of first appearance."""
    groups: defaultdict[SentenceKey, list[ReviewedSentence]] = defaultdict(list)
    for review in reviewed:
        groups[sentence_key(review)].append(review)
    return list(groups.values())


def sentence_key(review: ReviewedSentence) -> SentenceKey:
    """Return what tells the sentence of a review from others: id, origin and target."""
    return review.sentence.id, review.sentence.origin, review.sentence.target


def opinions(group: Iterable[ReviewedSentence]) -> list[ReviewedSentence]:
    """Return the newest decision of each annotator of one sentence, oldest first.

    Skipped and unseen sentences are no decisions.
    """
    newest: dict[str, ReviewedSentence] = {}
    for review in group:
        if review.judged or review.status is ReviewStatus.UNUSABLE:
            before = newest.get(review.annotator, review)
            newest[review.annotator] = max(before, review, key=_decisiveness)
    return sorted(newest.values(), key=_decisiveness)


def decisions(reviewed: Iterable[ReviewedSentence]) -> list[ReviewedSentence]:
    """Return the newest decision of each annotator on each sentence."""
    return [voice for group in by_sentence(reviewed) for voice in opinions(group)]


def marks_of(entities: Iterable[Entity] | None) -> frozenset[Mark]:
    """Return spans and labels, without scores."""
    return frozenset((entity.span, entity.label) for entity in entities or ())


def _settle(
    voices: Sequence[ReviewedSentence], policy: AdjudicationPolicy, reviewer: str | None
) -> ReviewedSentence | None:
    """Return the decision that holds, if any. `voices` are oldest first."""
    if final := [voice for voice in voices if voice.final]:
        return final[-1]
    match policy:
        case AdjudicationPolicy.OPEN:
            return None
        case AdjudicationPolicy.LATEST:
            return voices[-1]
        case AdjudicationPolicy.MAJORITY:
            return _majority(voices)
    return next((voice for voice in voices if voice.annotator == reviewer), None)


def _majority(voices: Sequence[ReviewedSentence]) -> ReviewedSentence | None:
    usable = [voice for voice in voices if voice.usable]
    unusable = [voice for voice in voices if not voice.usable]
    if len(unusable) >= len(usable):
        return unusable[-1] if len(unusable) > len(usable) else None
    votes = Counter(mark for voice in usable for mark in marks_of(voice.entities))
    if any(2 * count == len(usable) for count in votes.values()):
        return None
    return _with_marks(usable, {mark for mark, count in votes.items() if 2 * count > len(usable)})


def _with_marks(usable: Sequence[ReviewedSentence], marks: set[Mark]) -> ReviewedSentence:
    """Return the newest review with exactly these marks, or one made from all."""
    for voice in reversed(usable):
        if marks_of(voice.entities) == marks:
            return voice
    latest = usable[-1]
    ordered = sorted(marks)
    same = latest.predicted is not None and marks_of(latest.predicted) == marks
    return replace(
        latest,
        entities=tuple(Entity(span, label) for span, label in ordered),
        provenance=_provenance(usable, ordered),
        status=ReviewStatus.ACCEPTED if same else ReviewStatus.CORRECTED,
        annotator="+".join(sorted(voice.annotator for voice in usable)),
        annotation_id=None,
        lead_time=None,
        notes=(*latest.notes, f"majority of {len(usable)} annotators, label by label"),
    )


def _provenance(
    usable: Sequence[ReviewedSentence], marks: Sequence[Mark]
) -> tuple[Provenance, ...]:
    """Return the provenance of each mark in the newest review; empty if one is unknown."""
    known: dict[Mark, Provenance] = {}
    for voice in usable:
        # Reviews of older exports have none.
        for entity, provenance in zip(voice.entities, voice.provenance, strict=False):
            known[entity.span, entity.label] = provenance
    return tuple(known[mark] for mark in marks) if known.keys() >= set(marks) else ()


def _versions(voices: Sequence[ReviewedSentence]) -> tuple[DisputedVersion, ...]:
    """Return the different decisions among `voices` (oldest first), by annotators."""
    alike: defaultdict[frozenset[Mark] | None, list[ReviewedSentence]] = defaultdict(list)
    for voice in voices:
        # All who find a sentence unusable agree, whatever is marked in it.
        alike[marks_of(voice.entities) if voice.usable else None].append(voice)
    marked = [marks for marks in alike if marks is not None]
    shared = frozenset[Mark].intersection(*marked or [frozenset()])
    found = []
    for marks, agreed in alike.items():
        if marks is None:
            has = "unusable"
        elif len(marked) == 1:
            has = "usable"
        else:
            text = agreed[0].sentence.target
            has = ", ".join(_shown(mark, text) for mark in sorted(marks - shared)) or "nothing"
        names = tuple(sorted(voice.annotator for voice in agreed))
        ids = tuple(voice.annotation_id for voice in agreed if voice.annotation_id is not None)
        found.append(DisputedVersion(names, has, ids))
    return tuple(sorted(found, key=lambda version: version.annotators))


def _shown(mark: Mark, text: str) -> str:
    span, label = mark
    words = span.of(text)
    place = f" {span}" if text.count(words) > 1 else ""
    return f"{label} “{words}”{place}"


def _decisiveness(review: ReviewedSentence) -> tuple[int, datetime, int, str]:
    """Sort key of the reviews of a sentence: the highest is the decision that holds."""
    is_decision = review.judged or review.status is ReviewStatus.UNUSABLE
    # Who looked and left it undecided still outweighs a machine that nobody looked at.
    rank = 2 + review.final if is_decision else int(review.status is ReviewStatus.SKIPPED)
    return rank, moment(review), review.annotation_id or 0, review.annotator


def moment(review: ReviewedSentence) -> datetime:
    """Return when the review was last changed; the least time if unknown."""
    if review.updated_at is None:
        return datetime.min.replace(tzinfo=UTC)
    found = datetime.fromisoformat(review.updated_at)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
