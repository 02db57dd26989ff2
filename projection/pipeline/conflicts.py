"""Conflicts of a projected sentence: pure checks that give reasons, and the two policies.

The first three checks are the rules by which Li et al. (2021, §3.2) discard sentences, extended to
`Projection.alternatives`, the conflicts that an aligner has settled by itself. The other two are
about the doubts of the aligner and of the teacher.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from projection.records import Conflict, ConflictKind, Entity, ParallelSentence, Projection, Span

# Takes the sentence, its projections, and the teacher's alternatives, as in `Tagging`.
Find = Callable[[ParallelSentence, Sequence[Projection], Sequence[Entity]], Iterator[Conflict]]

# From this on, 98 % of the bundled aligner's phrases were right on the sample, cross-validated.
LOW_CONFIDENCE = 0.8
# Of 0.5, 0.8, 0.9, 0.95 and 0.97, and of 0.03, 0.05 and 0.1, those that find most wrong sentences
# while they flag at most 30 % on UNER-PUD (German, from the text alone, with the bundled models):
# 29 % are flagged, and 27 % of the wrong ones carry no flag. In text unlike the calibration's, near
# misses are entities far more often than their probability says.
LOW_TYPE_CONFIDENCE = 0.95
NEAR_MISS = 0.03


class Policy(StrEnum):
    """What happens to a sentence with conflicts."""

    DROP = "drop"  # as in the paper
    FLAG = "flag"  # a person looks at it


class Check(NamedTuple):
    """A rule that finds conflicts; `name`, with its settings, is part of the model version."""

    name: str
    find: Find

    def __call__(
        self,
        sentence: ParallelSentence,
        projections: Sequence[Projection],
        alternatives: Sequence[Entity] = (),
    ) -> Iterator[Conflict]:
        """The conflicts this rule finds in one sentence."""
        return self.find(sentence, projections, alternatives)


def failed_mapping(
    sentence: ParallelSentence,
    projections: Sequence[Projection],
    _alternatives: Sequence[Entity] = (),
) -> Iterator[Conflict]:
    """Every source entity must be found; the reason names the entities that have its place."""
    for lost in projections:
        if lost.target is not None:
            continue
        name = _quoted(lost.source.span, sentence.source)
        reason = f"{name} ({lost.source.label}) was not found in the translation"
        taken = []
        for place in lost.alternatives:
            for holder, has in _holders(place, lost.source, projections):
                other = _quoted(holder.span, sentence.source)
                by = f"another {name}" if other == name else other
                taken.append(f"{_quoted(_shared(place, has), sentence.target)} is taken by {by}")
        if taken:
            reason = f"{reason}: {' and '.join(taken)}"
        yield Conflict(ConflictKind.FAILED_MAPPING, reason, (lost,), _sorted(lost.alternatives))


def overlapping(
    sentence: ParallelSentence,
    projections: Sequence[Projection],
    _alternatives: Sequence[Entity] = (),
) -> Iterator[Conflict]:
    """No two projections may share target characters; alternatives count as well."""
    for a, b in combinations(projections, 2):
        if a.target is None or b.target is None:
            continue  # `failed_mapping` reports these
        if a.target.overlaps(b.target):
            wanted, found = [(a.target, b.target)], ""
        elif wanted := _wanted(a, b, sentence.source):
            found = f", found as {_listed((a.target, b.target), sentence.target)}"
        else:
            continue
        phrase = _quoted(_shared(*wanted[0]), sentence.target)
        reason = f"{phrase} is claimed {_claimants(a.source, b.source, sentence.source)}{found}"
        spans = _sorted((a.target, b.target, *(place for place, _ in wanted)))
        yield Conflict(ConflictKind.OVERLAP, reason, (a, b), spans)


def one_to_many(
    sentence: ParallelSentence,
    projections: Sequence[Projection],
    _alternatives: Sequence[Entity] = (),
) -> Iterator[Conflict]:
    """All phrases of one source entity must have the same text.

    Two mentions of a name are two entities. Alternatives count, unless another entity has them.
    """
    for source in dict.fromkeys(projection.source for projection in projections):
        found = tuple(p for p in projections if p.source == source and p.target is not None)
        spans = _sorted(p.target for p in found if p.target is not None)
        texts = {span.of(sentence.target) for span in spans}
        others = [
            place
            for p in found
            for place in p.alternatives
            if not any(_holders(place, source, projections))
            and place.of(sentence.target) not in texts
        ]
        if len(texts) > 1 or others:
            name = _quoted(source.span, sentence.source)
            phrases = _listed(spans, sentence.target)
            reason = f"{name} was found as different phrases: {phrases}"
            if others:
                possible = _listed(others, sentence.target, "or")
                reason = f"{name} was found as {phrases} but could also be {possible}"
            yield Conflict(ConflictKind.ONE_TO_MANY, reason, found, _sorted((*spans, *others)))


def low_confidence(threshold: float) -> Check:
    """A check that reports phrases whose place has a probability below `threshold`."""

    def find(
        sentence: ParallelSentence,
        projections: Sequence[Projection],
        _alternatives: Sequence[Entity] = (),
    ) -> Iterator[Conflict]:
        for p in projections:
            if p.target is not None and p.score < threshold:
                phrase = _quoted(p.target, sentence.target)
                name = _quoted(p.source.span, sentence.source)
                reason = f"only {100 * p.score:.0f} % sure that {phrase} is {name}"
                yield Conflict(ConflictKind.LOW_CONFIDENCE, reason, (p,), (p.target,))

    return Check(f"low_confidence({threshold:g})", find)


def type_unsure(threshold: float, near_miss: float) -> Check:
    """A check that reports what the teacher doubts, or may have missed.

    These are projected entities with a probability below `threshold`, and alternatives in no entity
    from `near_miss` on. Entities that came with the corpus have no probability.
    """

    def find(
        sentence: ParallelSentence,
        projections: Sequence[Projection],
        alternatives: Sequence[Entity] = (),
    ) -> Iterator[Conflict]:
        for source in dict.fromkeys(projection.source for projection in projections):
            found = tuple(p for p in projections if p.source == source and p.target is not None)
            if found and source.score is not None and source.score < threshold:
                others = [a for a in alternatives if a.span.overlaps(source.span)]
                perhaps = max(others, key=_score, default=None)
                reason = (
                    f"only {100 * source.score:.0f} % sure that "
                    f"{_quoted(source.span, sentence.source)} is {source.label}: "
                    f"perhaps {'no entity' if perhaps is None else perhaps.label}"
                )
                spans = _sorted(p.target for p in found if p.target is not None)
                yield Conflict(ConflictKind.TYPE_UNSURE, reason, found, spans)
        for missed in near_misses(projections, alternatives):
            if _score(missed) >= near_miss:
                name = _quoted(missed.span, sentence.source)
                sure = f"{100 * _score(missed):.0f} %"
                reason = f"{name} may be {missed.label} ({sure}): the teacher did not label it"
                yield Conflict(ConflictKind.TYPE_UNSURE, reason)

    return Check(f"type_unsure({threshold:g}, {near_miss:g})", find)


def near_misses(
    projections: Sequence[Projection], alternatives: Sequence[Entity]
) -> Iterator[Entity]:
    """The alternatives whose words are in no source entity."""
    for each in alternatives:
        if not any(each.span.overlaps(p.source.span) for p in projections):
            yield each


PAPER_CHECKS: tuple[Check, ...] = (
    Check("failed_mapping", failed_mapping),
    Check("overlapping", overlapping),
    Check("one_to_many", one_to_many),
)
CHECKS: tuple[Check, ...] = (
    *PAPER_CHECKS,
    low_confidence(LOW_CONFIDENCE),
    type_unsure(LOW_TYPE_CONFIDENCE, NEAR_MISS),
)


def find_conflicts(
    sentence: ParallelSentence,
    projections: Sequence[Projection],
    checks: Sequence[Check] = CHECKS,
    alternatives: Sequence[Entity] = (),
) -> tuple[Conflict, ...]:
    """The conflicts that the checks find, in their order.

    `projections` are as the aligner answered; `alternatives` are the teacher's.
    """
    return tuple(c for check in checks for c in check(sentence, projections, alternatives))


def _score(entity: Entity) -> float:
    return 0.0 if entity.score is None else entity.score


def _claimants(a: Entity, b: Entity, source: str) -> str:
    first, second = _quoted(a.span, source), _quoted(b.span, source)
    if a == b:
        return f"twice by {first}"
    if first == second:
        return f"by two mentions of {first}"
    return f"by both {first} and {second}"


def _holders(
    place: Span, wanted_by: Entity, projections: Sequence[Projection]
) -> Iterator[tuple[Entity, Span]]:
    """The other entities that have some of a place, and their targets."""
    for p in projections:
        if p.source != wanted_by and p.target is not None and p.target.overlaps(place):
            yield p.source, p.target


def _wanted(a: Projection, b: Projection, source: str) -> list[tuple[Span, Span]]:
    """Each alternative of one with the target of the other that it overlaps, left to right.

    Two mentions of one name have none: exchanging their places would change nothing.
    """
    if len({(p.source.label, p.source.span.of(source)) for p in (a, b)}) == 1:
        return []
    pairs = [
        (place, other.target)
        for one, other in ((a, b), (b, a))
        for place in one.alternatives
        if other.target is not None and other.target.overlaps(place)
    ]
    return sorted(pairs)


def _shared(a: Span, b: Span) -> Span:
    return Span(max(a.start, b.start), min(a.end, b.end))


def _listed(spans: Iterable[Span], text: str, word: str = "and") -> str:
    return f" {word} ".join(dict.fromkeys(_quoted(span, text) for span in spans))


def _sorted(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(sorted(set(spans)))


def _quoted(span: Span, text: str) -> str:
    return f"“{span.of(text)}”"
