"""From the joint aligner's beliefs about every word to projections."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from projection.aligners.confidence import Calibration, Signals
from projection.aligners.decoding import (
    Decoding,
    ScoredRun,
    best_place,
    other_places,
    phrases,
    place_all,
)
from projection.records import ParallelSentence, Projection
from projection.text.words import span_of_words, word_spans


class Beliefs(NamedTuple):
    """The model's beliefs about one entity, a number in [0, 1] for every target word."""

    inside: list[float]  # probability that the word belongs to the entity
    agreed: list[float]  # the geometric mean of both alignment directions


MOST_ALTERNATIVES = 3  # few enough to decide between
Answer = tuple[Projection, Signals | None]


def answers_of(
    sentence: ParallelSentence,
    beliefs: Sequence[Beliefs],
    decoding: Decoding,
    calibration: Calibration,
) -> list[Answer]:
    """The projection of each entity, with the signals of its confidence, in order.

    `beliefs` are one an entity. An entity that was not found has no signals, but alternatives if
    others took its places. Entities of the same words with two labels share a place.
    """
    words = word_spans(sentence.target, sentence.target_lang)
    rows = [_decoded(belief, decoding) for belief in beliefs]
    entities = sentence.entities or ()
    of_span = {entity.span: row for entity, row in zip(entities, rows, strict=True)}
    places = dict(zip(of_span, place_all([*of_span.values()], decoding), strict=True))
    answers: list[Answer] = []
    for entity, belief, row in zip(entities, beliefs, rows, strict=True):
        place = places[entity.span]
        others = islice(other_places(row, place, decoding), MOST_ALTERNATIVES)
        signals = None if place is None else _signals(belief, place)
        projection = Projection(
            source=entity,
            target=None if place is None else span_of_words(words, *place.run),
            score=0.0 if signals is None else calibration.probability(signals),
            alternatives=tuple(span_of_words(words, *other.run) for other in others),
        )
        answers.append((projection, signals))
    return answers


def word_by_word(
    sentence: ParallelSentence, beliefs: Sequence[Beliefs], decoding: Decoding
) -> Iterator[Projection]:
    """The projections of each entity, in order: one for every run of probable words."""
    words = word_spans(sentence.target, sentence.target_lang)
    for entity, belief in zip(sentence.entities or (), beliefs, strict=True):
        found = phrases(_decoded(belief, decoding), words, sentence.target, decoding)
        if not found:
            yield Projection(entity, None, 0.0)
        for span, score in found:
            yield Projection(entity, span, score)


def _decoded(belief: Beliefs, decoding: Decoding) -> list[float]:
    if not decoding.both_directions:
        return belief.inside
    return [(a + b) / 2 for a, b in zip(*belief, strict=True)]


def _signals(belief: Beliefs, place: ScoredRun) -> Signals:
    inside, (start, end) = belief.inside, place.run
    beside = [inside[i] for i in (start - 1, end) if 0 <= i < len(inside)]
    others = [p if not start <= i < end else 0.0 for i, p in enumerate(inside)]
    rival = best_place([p - 0.25 for p in others])
    return Signals(
        inside=_mean(inside[start:end]),
        weakest=min(inside[start:end]),
        outside=max(beside, default=0.0),
        agreement=_mean(belief.agreed[start:end]),
        runner_up=0.0 if rival is None else _mean(others[slice(*rival.run)]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
