"""Phrases that a person marks on one side of a sentence pair, found on the other side.

An entity marked in the source is projected like all others. In the other direction, the source is
the words that the aligner links to those of the marked phrase.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from projection.aligners.decoding import best_place
from projection.aligners.joint_decoding import Beliefs
from projection.protocols import Aligns, Link
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import span_of_words, word_spans, words_touched

# Chosen among four values each on the bundled sample.
_LINKED = 0.15  # least strength of a source word's link to the phrase
_MOSTLY = 0.5  # least overlap (IoU) of the linked words with a known entity

Ties = list[list[float]]  # source words × target words, each in [0, 1]


@runtime_checkable
class GivesBeliefs(Protocol):
    """An aligner with beliefs about every target word, such as the joint one."""

    def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
        """For each sentence, the beliefs about each of its entities."""


def project_marked(
    aligner: Aligns, sentence: ParallelSentence, marked: Sequence[Entity]
) -> list[tuple[Projection, ...]]:
    """The projections of entities that a person marked in the source; none if not found.

    The sentence's other entities, which must be known, compete for words as usual; those that
    overlap a marked one are ignored.
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
    """The source spans of phrases that a person marked in the target; None if linked to nothing.

    It is the entity that the aligner puts exactly there, else the entity that mostly covers the
    words linked to the phrase, else those words.
    """
    (known,) = aligner.align([sentence])
    ties = word_ties(aligner, sentence)
    return [_exact(sentence, known, span) or _linked(sentence, ties, span) for span in marked]


def word_ties(aligner: Aligns, sentence: ParallelSentence) -> Ties:
    """The strength of the link of every source word to every target word.

    Each word is aligned like an entity. Without beliefs, its score counts at its one place.
    """
    source = word_spans(sentence.source, sentence.source_lang)
    alone = replace(sentence, entities=tuple(Entity(word, "word") for word in source))
    if isinstance(aligner, GivesBeliefs):
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
    """The most probable of the entities that the aligner puts on exactly these words."""
    words = word_spans(sentence.target, sentence.target_lang)
    meant = words_touched(words, marked)
    there = [p for p in known if p.target and meant and words_touched(words, p.target) == meant]
    surest = max(there, key=lambda p: p.score, default=None)
    return None if surest is None else Link(surest.source.span, surest.score)


def _linked(sentence: ParallelSentence, ties: Ties, marked: Span) -> Link | None:
    """The source words linked to the marked ones, or the known entity that mostly covers them."""
    source = word_spans(sentence.source, sentence.source_lang)
    meant = words_touched(word_spans(sentence.target, sentence.target_lang), marked)
    strengths = [max(row[slice(*meant)], default=0.0) if meant else 0.0 for row in ties]
    place = best_place([strength - _LINKED for strength in strengths])
    if place is None:
        return None
    runs = {words_touched(source, e.span): e.span for e in sentence.entities or ()}
    near = {run: _overlap(run, place.run) for run in runs if run is not None}
    best = max(near, key=lambda run: near[run], default=None)
    run = best if best is not None and near[best] >= _MOSTLY else place.run
    span = runs.get(run) or span_of_words(source, *run)
    inside = strengths[slice(*run)]
    return Link(span, sum(inside) / len(inside))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The intersection of two runs of words over what they cover together."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0, common) / (max(one[1], other[1]) - min(one[0], other[0]))
