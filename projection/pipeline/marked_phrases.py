"""What a person marks in one sentence of a pair, found in the other, while they look on.

An entity marked in the source is projected as all others are. The other way round nothing has been
trained for; but the aligner ties single words to each other, and what is tied to the words of a
marked phrase is where it comes from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from projection.aligners.decoding import best_place
from projection.aligners.joint_decoding import Beliefs
from projection.protocols import Aligns, Link
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import span_of_words, word_spans, words_touched

# A source word belongs to the phrase if it is tied to one of its words at least so strongly. Chosen
# on the bundled sample, with `MOSTLY`, among four values each; ±0.05 costs half a point.
TIED = 0.15
# A known entity is meant if it shares so much of all its words and those found with them.
MOSTLY = 0.5

Ties = list[list[float]]  # source words × target words, each in [0, 1]


@runtime_checkable
class Believes(Protocol):
    """Knows for every target word how far both directions agree on it, as a joint aligner does."""

    def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
        """For each sentence, what it believes of each of its entities."""


def project_marked(
    aligner: Aligns, sentence: ParallelSentence, marked: Sequence[Entity]
) -> list[tuple[Projection, ...]]:
    """Where entities that a person marked in the source went.

    The others of the sentence lay claim to their words as well, but for those that share characters
    with a marked one: the person knows better.

    Args:
        aligner: to ask.
        sentence: with its `entities` known (not None).
        marked: in its source.

    Returns:
        For each of `marked`, in order, its projections; none if it was not found.
    """
    others = [
        e for e in sentence.entities or () if not any(e.span.overlaps(m.span) for m in marked)
    ]
    asked = sorted(dict.fromkeys([*marked, *others]), key=lambda e: (e.span, e.label))
    (found,) = aligner.align([replace(sentence, entities=tuple(asked))])
    return [tuple(p for p in found if p.source == mark and p.target) for mark in marked]


def link_marked(
    aligner: Aligns, sentence: ParallelSentence, marked: Sequence[Span]
) -> list[Link | None]:
    """Where phrases that a person marked in the target come from.

    A known entity comes first: the one that the aligner puts exactly there, else the one that
    mostly is what the ties of the words lead to. Without one, it is what they lead to.

    Args:
        aligner: to ask.
        sentence: with its `entities` known (not None).
        marked: in its target.

    Returns:
        One link for each of `marked`, in order; None for one that is tied to nothing.
    """
    (known,) = aligner.align([sentence])
    ties = word_ties(aligner, sentence)
    return [_exact(sentence, known, span) or _tied(sentence, ties, span) for span in marked]


def word_ties(aligner: Aligns, sentence: ParallelSentence) -> Ties:
    """How strongly every source word is tied to every target word, asked as if each were an entity.

    An aligner that cannot tell gives each word one place at most, and its score there.
    """
    source = word_spans(sentence.source, sentence.source_lang)
    alone = replace(sentence, entities=tuple(Entity(word, "word") for word in source))
    if isinstance(aligner, Believes):
        (beliefs,) = aligner.beliefs([alone])
        return [belief.agreed for belief in beliefs]
    target = word_spans(sentence.target, sentence.target_lang)
    ties = {word: [0.0] * len(target) for word in source}
    (found,) = aligner.align([alone])
    for projection in found:
        place = words_touched(target, projection.target) if projection.target else None
        for word in range(*place or (0, 0)):
            ties[projection.source.span][word] = projection.score
    return list(ties.values())


def _exact(sentence: ParallelSentence, known: Iterable[Projection], marked: Span) -> Link | None:
    """The surest of the entities that the aligner puts on exactly these words."""
    words = word_spans(sentence.target, sentence.target_lang)
    meant = words_touched(words, marked)
    there = [p for p in known if p.target and meant and words_touched(words, p.target) == meant]
    surest = max(there, key=lambda p: p.score, default=None)
    return None if surest is None else Link(surest.source.span, surest.score)


def _tied(sentence: ParallelSentence, ties: Ties, marked: Span) -> Link | None:
    """The source words that the marked ones are tied to, as a known entity if they mostly are."""
    source = word_spans(sentence.source, sentence.source_lang)
    meant = words_touched(word_spans(sentence.target, sentence.target_lang), marked)
    strengths = [max(row[slice(*meant)], default=0.0) if meant else 0.0 for row in ties]
    place = best_place([strength - TIED for strength in strengths])
    if place is None:
        return None
    runs = {words_touched(source, e.span): e.span for e in sentence.entities or ()}
    near = {run: _shared(run, place.run) for run in runs if run is not None}
    best = max(near, key=lambda run: near[run], default=None)
    run = best if best is not None and near[best] >= MOSTLY else place.run
    span = runs.get(run) or span_of_words(source, *run)
    inside = strengths[slice(*run)]
    return Link(span, sum(inside) / len(inside))


def _shared(one: tuple[int, int], other: tuple[int, int]) -> float:
    """What two runs of words have in common, of all that they have."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, common) / (max(one[1], other[1]) - min(one[0], other[0]))
