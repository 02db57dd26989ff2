"""What is doubtful about a projected sentence: pure checks that say why, and the two policies.

The first three checks are the rules by which Li et al. (2021, §3.2) discard sentences.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import combinations

from projection.records import Conflict, ConflictKind, Entity, ParallelSentence, Projection, Span

Check = Callable[[ParallelSentence, Sequence[Projection]], Iterator[Conflict]]

# Below this, 40 to 55 % of the bundled aligner's phrases were right (on Europarl-NER de, UNER-PUD
# de and xSID nl); from 0.95 on, 92 to 94 %.
LOW_CONFIDENCE = 0.8


class Policy(StrEnum):
    """What happens to a sentence with conflicts."""

    DROP = "drop"  # as in the paper
    FLAG = "flag"  # a person looks at it


def failed_mapping(
    sentence: ParallelSentence, projections: Sequence[Projection]
) -> Iterator[Conflict]:
    """Every source entity must have found a place."""
    for projection in projections:
        if projection.target is None:
            name = _quoted(projection.source.span, sentence.source)
            reason = f"{name} ({projection.source.label}) was not found in the translation"
            yield Conflict(ConflictKind.FAILED_MAPPING, reason, (projection,))


def overlapping(
    sentence: ParallelSentence, projections: Sequence[Projection]
) -> Iterator[Conflict]:
    """No two projections may share a target character."""
    for a, b in combinations(projections, 2):
        if a.target is not None and b.target is not None and a.target.overlaps(b.target):
            shared = Span(max(a.target.start, b.target.start), min(a.target.end, b.target.end))
            phrase = _quoted(shared, sentence.target)
            reason = f"{phrase} is claimed {_claimants(a.source, b.source, sentence.source)}"
            yield Conflict(ConflictKind.OVERLAP, reason, (a, b), _spans((a, b)))


def one_to_many(
    sentence: ParallelSentence, projections: Sequence[Projection]
) -> Iterator[Conflict]:
    """Several phrases for one source entity are kept only if all are the same text.

    Two mentions of the same name are two entities, and each may have its own phrase.
    """
    # A dict, not a set: sources stay in the order they were found.
    for source in dict.fromkeys(projection.source for projection in projections):
        found = tuple(p for p in projections if p.source == source and p.target is not None)
        spans = _spans(found)
        if len({span.of(sentence.target) for span in spans}) > 1:
            name = _quoted(source.span, sentence.source)
            phrases = " and ".join(dict.fromkeys(_quoted(span, sentence.target) for span in spans))
            reason = f"{name} was found as different phrases: {phrases}"
            yield Conflict(ConflictKind.ONE_TO_MANY, reason, found, spans)


def low_confidence(threshold: float) -> Check:
    """A check that reports phrases whose probability is below `threshold`."""

    def check(sentence: ParallelSentence, projections: Sequence[Projection]) -> Iterator[Conflict]:
        for projection in projections:
            if projection.target is not None and projection.score < threshold:
                phrase = _quoted(projection.target, sentence.target)
                name = _quoted(projection.source.span, sentence.source)
                reason = f"only {100 * projection.score:.0f} % sure that {phrase} is {name}"
                yield Conflict(
                    ConflictKind.LOW_CONFIDENCE, reason, (projection,), (projection.target,)
                )

    return check


PAPER_CHECKS: tuple[Check, ...] = (failed_mapping, overlapping, one_to_many)
CHECKS: tuple[Check, ...] = (*PAPER_CHECKS, low_confidence(LOW_CONFIDENCE))


def find_conflicts(
    sentence: ParallelSentence,
    projections: Sequence[Projection],
    checks: Sequence[Check] = CHECKS,
) -> tuple[Conflict, ...]:
    """Everything the checks have to say, in their order.

    Raises:
        SpanError: if a projection reaches past its text.
    """
    return tuple(conflict for check in checks for conflict in check(sentence, projections))


def _claimants(a: Entity, b: Entity, source: str) -> str:
    first, second = _quoted(a.span, source), _quoted(b.span, source)
    if a == b:
        return f"twice by {first}"
    if first == second:
        return f"by two mentions of {first}"
    return f"by both {first} and {second}"


def _spans(projections: Sequence[Projection]) -> tuple[Span, ...]:
    return tuple(sorted({p.target for p in projections if p.target is not None}))


def _quoted(span: Span, text: str) -> str:
    return f"“{span.of(text)}”"
