"""Adjudication: one decision a sentence where annotators disagree, by a policy.

Where the policy has no answer (a tie, or the reviewer has not decided) the latest decision holds,
and the disagreement stays open.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from projection.errors import TrainingError
from projection.records import Entity, Provenance, ReviewedSentence, ReviewStatus, Span

Mark = tuple[Span, str]


class AdjudicationPolicy(StrEnum):
    """Which decision holds where annotators disagree."""

    LATEST = "latest"  # who decided last
    MAJORITY = "majority"  # more than half, label by label
    REVIEWER = "reviewer"  # a named person


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sentence whose annotators disagree, and a text that says who has what.

    If not `settled` the policy had no answer, and the latest decision holds.
    """

    sentence_id: str
    origin: str
    task_id: int | None
    annotators: tuple[str, ...]
    differs: str
    settled: bool


class Adjudicated(NamedTuple):
    """One review a sentence, in the order sentences first appear, and the disagreements."""

    sentences: tuple[ReviewedSentence, ...]
    disagreements: tuple[Disagreement, ...]


def adjudicate(
    reviewed: Iterable[ReviewedSentence],
    policy: AdjudicationPolicy = AdjudicationPolicy.LATEST,
    *,
    reviewer: str | None = None,
) -> Adjudicated:
    """Decide every sentence: by agreement, else by `policy`, else by the latest decision.

    The newest decision of each annotator counts. Two agree if both call the sentence unusable, or
    both have the same spans and labels. A skipped sentence is no decision.

    Under `majority` the annotators first vote on whether the sentence is usable; then a label holds
    if more than half of those who found it usable have it. At half the latest of them decides, and
    `notes` say so. If nobody has the result, `annotator` joins all with `+`.

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
        # What is compared between annotators; None is unusable.
        if len({marks_of(v.entities) if v.usable else None for v in voices}) <= 1:
            sentences.append(max(group, key=_decisiveness))
            continue
        answer, settled = _settle(voices, policy, reviewer)
        sentences.append(answer)
        by_name = sorted(voices, key=lambda voice: voice.annotator)
        names = tuple(voice.annotator for voice in by_name)
        pair, differs = answer.sentence, " | ".join(_differences(by_name))
        task = voices[0].task_id
        disagreements.append(Disagreement(pair.id, pair.origin, task, names, differs, settled))
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
    groups: defaultdict[tuple[str, str, str], list[ReviewedSentence]] = defaultdict(list)
    for review in reviewed:
        pair = review.sentence
        groups[pair.id, pair.origin, pair.target].append(review)
    return list(groups.values())


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
) -> tuple[ReviewedSentence, bool]:
    """Return the decision, and whether it is the policy's. `voices` are oldest first."""
    latest = voices[-1]
    if policy is AdjudicationPolicy.MAJORITY:
        return _majority(voices)
    if policy is AdjudicationPolicy.REVIEWER:
        for voice in voices:
            if voice.annotator == reviewer:
                return voice, True
        return _noted(latest, f"not decided by {reviewer}: the latest decision holds"), False
    return latest, False


def _majority(voices: Sequence[ReviewedSentence]) -> tuple[ReviewedSentence, bool]:
    usable = [voice for voice in voices if voice.usable]
    unusable = [voice for voice in voices if not voice.usable]
    if len(usable) == len(unusable):
        return _noted(voices[-1], "usable for half of the annotators: the latest holds"), False
    if len(unusable) > len(usable):
        return unusable[-1], True
    votes = Counter(mark for voice in usable for mark in marks_of(voice.entities))
    split = {mark for mark, count in votes.items() if 2 * count == len(usable)}
    latest = usable[-1]
    kept = {mark for mark, count in votes.items() if 2 * count > len(usable)}
    kept |= split & marks_of(latest.entities)
    answer = _with_marks(usable, kept)
    if not split:
        return answer, True
    shown = ", ".join(_shown(mark, latest.sentence.target) for mark in sorted(split))
    return _noted(answer, f"marked by half of the annotators: {shown}; the latest decides"), False


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


def _noted(review: ReviewedSentence, note: str) -> ReviewedSentence:
    return replace(review, notes=(*review.notes, note))


def _differences(voices: Sequence[ReviewedSentence]) -> Iterator[str]:
    """Yield for every place where annotators differ a text of who has what."""
    if len({voice.usable for voice in voices}) == 2:
        yield _who_has((v.annotator, "usable" if v.usable else "unusable") for v in voices)
    usable = [voice for voice in voices if voice.usable]
    text = voices[0].sentence.target
    marked = [marks_of(voice.entities) for voice in usable]
    shared = frozenset[Mark].intersection(*marked or [frozenset()])
    for place in _places(frozenset[Mark]().union(*marked) - shared):
        yield _who_has(
            (voice.annotator, ", ".join(_shown(m, text) for m in place if m in marks) or "nothing")
            for voice, marks in zip(usable, marked, strict=True)
        )


def _places(marks: Iterable[Mark]) -> list[list[Mark]]:
    """Group overlapping marks, in the order of the text."""
    places: list[list[Mark]] = []
    end = 0
    for mark in sorted(marks):
        if places and mark[0].start < end:
            places[-1].append(mark)
        else:
            places.append([mark])
        end = max(end, mark[0].end)
    return places


def _who_has(answers: Iterable[tuple[str, str]]) -> str:
    people: defaultdict[str, list[str]] = defaultdict(list)
    for annotator, has in answers:
        people[has].append(annotator)
    return "; ".join(f"{' and '.join(who)}: {has}" for has, who in people.items())


def _shown(mark: Mark, text: str) -> str:
    span, label = mark
    words = span.of(text)
    place = f" {span}" if text.count(words) > 1 else ""
    return f"{label} “{words}”{place}"


def _decisiveness(review: ReviewedSentence) -> tuple[int, datetime, int, str]:
    """Sort key of the reviews of a sentence: the highest is the decision that holds."""
    is_decision = review.judged or review.status is ReviewStatus.UNUSABLE
    # Who looked and left it undecided still outweighs a machine that nobody looked at.
    rank = 2 if is_decision else int(review.status is ReviewStatus.SKIPPED)
    return rank, moment(review), review.annotation_id or 0, review.annotator


def moment(review: ReviewedSentence) -> datetime:
    """Return when the review was last changed; the least time if unknown."""
    if review.updated_at is None:
        return datetime.min.replace(tzinfo=UTC)
    found = datetime.fromisoformat(review.updated_at)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
