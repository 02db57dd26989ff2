"""Strict, relaxed and reachable scores of projected entities, and intervals by resampling.

A projected entity is right if its label and both its borders are (the strict scoring of CoNLL,
micro-averaged), in relaxed scores if its label is and it overlaps.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from projection.evaluation.matching import EXACT, RELAXED, Match, Outcome, compare
from projection.io.gold import GoldSentence
from projection.io.records_json import Json
from projection.records import Entity

LEVEL, DRAWS, SEED = 0.95, 1000, 0


@dataclass(frozen=True, slots=True)
class Scores:
    """Fractions in [0, 1]; 0 if undefined (nothing predicted, no gold), as in seqeval."""

    precision: float
    recall: float
    f1: float
    support: int  # gold entities


@dataclass(frozen=True, slots=True)
class ScoresByType(Scores):
    """Scores over all entities, and by label."""

    by_type: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class ProjectionScores(ScoresByType):
    """Exact scores, relaxed scores, and a ceiling.

    `ceiling` is the F1 of an oracle that projects every gold source entity to the right place
    without relabelling. It is below 1 if the two sides were annotated differently.
    """

    relaxed: ScoresByType
    ceiling: float
    sentences: int

    @property
    def of_ceiling(self) -> float:
        """F1 by the ceiling; above 1 if source entities without gold targets were not projected."""
        return self.f1 / self.ceiling if self.ceiling else 0.0

    def to_json(self) -> Json:
        """The fields and `of_ceiling`."""
        return {**asdict(self), "of_ceiling": self.of_ceiling}


def matches_of(
    gold: Iterable[GoldSentence], predicted: Iterable[Sequence[Entity]]
) -> list[list[Match]]:
    """Match the predictions of every sentence with its gold."""
    return [compare(g.target_entities, found) for g, found in zip(gold, predicted, strict=True)]


def score(
    gold: Sequence[GoldSentence],
    predicted: Sequence[Sequence[Entity]],
    matches: Sequence[Sequence[Match]] | None = None,
) -> ProjectionScores:
    """Score predicted target entities, one sequence a gold sentence, in order.

    `matches` are those of `matches_of`, if known.
    """
    known = matches_of(gold, predicted) if matches is None else matches
    exact = _by_type(gold, predicted, known, EXACT)
    return ProjectionScores(
        *(exact.precision, exact.recall, exact.f1, exact.support, exact.by_type),
        relaxed=_by_type(gold, predicted, known, RELAXED),
        ceiling=_ceiling(gold),
        sentences=len(gold),
    )


def _by_type(
    gold: Sequence[GoldSentence],
    predicted: Sequence[Sequence[Entity]],
    matches: Sequence[Sequence[Match]],
    right: Collection[Outcome],
) -> ScoresByType:
    hits = Counter(
        g.target_entities[match.gold].label
        for g, found in zip(gold, matches, strict=True)
        for match in found
        if match.outcome in right and match.gold is not None
    )
    guesses = Counter(entity.label for found in predicted for entity in found)
    truths = Counter(entity.label for g in gold for entity in g.target_entities)
    overall = _scores(hits.total(), guesses.total(), truths.total())
    labels = sorted(guesses.keys() | truths.keys())
    by_type = {label: _scores(hits[label], guesses[label], truths[label]) for label in labels}
    return ScoresByType(**asdict(overall), by_type=by_type)


def _ceiling(gold: Iterable[GoldSentence]) -> float:
    """F1 of the oracle described in `ProjectionScores`, from the labels of both sides alone."""
    hits = guesses = truths = 0
    for sentence in gold:
        source = Counter(entity.label for entity in sentence.sentence.entities or ())
        target = Counter(entity.label for entity in sentence.target_entities)
        hits += (source & target).total()
        guesses += source.total()
        truths += target.total()
    return _scores(hits, guesses, truths).f1


def _scores(hits: int, guesses: int, truths: int) -> Scores:
    return Scores(
        precision=hits / guesses if guesses else 0.0,
        recall=hits / truths if truths else 0.0,
        f1=2 * hits / (guesses + truths) if guesses + truths else 0.0,
        support=truths,
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """The central `LEVEL` of a figure over `DRAWS` resamplings of the sentences, as fractions."""

    low: float
    high: float

    def to_json(self) -> Json:
        """The fields and the settings."""
        return {**asdict(self), "level": LEVEL, "draws": DRAWS, "seed": SEED}


def bootstrap(counts: NDArray[np.int64]) -> Interval:
    """The percentile interval of F1, sentences drawn with replacement (Efron 1979).

    `counts` (sentences, 3) are the right, predicted and gold entities of each.
    """
    return interval_of(f1_of(resampled(counts))) if len(counts) else Interval(0.0, 0.0)


def resampled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(draws, columns): sums of (sentences, columns) over sentences drawn with replacement."""
    rng = np.random.default_rng(SEED)
    # One draw at a time, because all at once would take draws × sentences of memory.
    sums = [counts[rng.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(DRAWS)]
    return np.array(sums)


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,): F1 of each row of right, predicted and gold entities (n, 3)."""
    right, predicted, gold = counts.T
    f1: NDArray[np.float64] = 2 * right / np.maximum(predicted + gold, 1)
    return f1


def interval_of(draws: NDArray[np.float64]) -> Interval:
    """The central `LEVEL` of the draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
