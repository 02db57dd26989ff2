"""How well entities were projected, measured against gold on both sides.

A projected entity is right if its label and both its borders are: the strict scoring of CoNLL,
micro-averaged over all entities. Relaxed scores ask for the label and one shared character.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    """Fractions in [0, 1]; 0 where undefined (nothing predicted, no gold), as seqeval has it.

    `support` is the number of gold entities.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ScoresByType(Scores):
    """The same over all entities and by label."""

    by_type: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class ProjectionScores(ScoresByType):
    """Exact scores, and beside them the relaxed ones and what could be reached.

    `ceiling` is the F1 of an oracle that projects every gold source entity, always to the right
    place, but can neither invent entities nor relabel them. It is below 1 where the two sides were
    annotated differently.
    """

    relaxed: ScoresByType
    ceiling: float
    sentences: int

    @property
    def of_ceiling(self) -> float:
        """F1 by the ceiling. Above 1 if what gold has on one side only was wisely not projected."""
        return self.f1 / self.ceiling if self.ceiling else 0.0

    def to_json(self) -> Json:
        """All of it, as fractions."""
        return {**asdict(self), "of_ceiling": self.of_ceiling}


def score(gold: Sequence[GoldSentence], predicted: Sequence[Sequence[Entity]]) -> ProjectionScores:
    """Score predicted target entities, one sequence for each gold sentence, in order.

    Raises:
        ValueError: if there are not as many predictions as gold sentences.
    """
    return scores_of([Judged.of(g, p) for g, p in zip(gold, predicted, strict=True)])


@dataclass(frozen=True, slots=True)
class Judged:
    """A gold sentence beside what was predicted for it."""

    gold: GoldSentence
    predicted: Sequence[Entity]
    matches: Sequence[Match]

    @classmethod
    def of(cls, gold: GoldSentence, predicted: Sequence[Entity]) -> "Judged":
        """Match the predictions of one sentence with its gold."""
        return cls(gold, predicted, compare(gold.target_entities, predicted))

    def labels_of(self, right: Collection[Outcome]) -> Iterator[str]:
        """The labels of the gold entities with such an outcome."""
        for match in self.matches:
            if match.outcome in right and match.gold is not None:
                yield self.gold.target_entities[match.gold].label

    def counts(self) -> tuple[int, int, int]:
        """How many are right, predicted, and in the gold."""
        right = sum(match.outcome in EXACT for match in self.matches)
        return right, len(self.predicted), len(self.gold.target_entities)


def scores_of(judged: Sequence[Judged]) -> ProjectionScores:
    """The scores over all sentences."""
    exact = _by_type(judged, EXACT)
    return ProjectionScores(
        precision=exact.precision,
        recall=exact.recall,
        f1=exact.f1,
        support=exact.support,
        by_type=exact.by_type,
        relaxed=_by_type(judged, RELAXED),
        ceiling=ceiling(each.gold for each in judged),
        sentences=len(judged),
    )


def _by_type(judged: Sequence[Judged], right: Collection[Outcome]) -> ScoresByType:
    hits = Counter(label for each in judged for label in each.labels_of(right))
    guesses = Counter(entity.label for each in judged for entity in each.predicted)
    truths = Counter(entity.label for each in judged for entity in each.gold.target_entities)
    overall = _scores(hits.total(), guesses.total(), truths.total())
    return ScoresByType(
        precision=overall.precision,
        recall=overall.recall,
        f1=overall.f1,
        support=overall.support,
        by_type={
            label: _scores(hits[label], guesses[label], truths[label])
            for label in sorted(guesses.keys() | truths.keys())
        },
    )


def ceiling(gold: Iterable[GoldSentence]) -> float:
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
    """Where a figure lies in `LEVEL` of `DRAWS` resamplings of the sentences, as fractions."""

    low: float
    high: float

    def to_json(self) -> Json:
        """With how it was drawn."""
        return {**asdict(self), "level": LEVEL, "draws": DRAWS, "seed": SEED}


def bootstrap(counts: NDArray[np.int64]) -> Interval:
    """The percentile interval of F1, sentences drawn with replacement (Efron 1979).

    Args:
        counts: (sentences, 3): right, predicted and gold entities of each.
    """
    if not len(counts):
        return Interval(0.0, 0.0)
    return interval_of(f1_of(resampled(counts)))


def resampled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(draws, columns): the columns' sums over as many sentences, drawn with replacement.

    Args:
        counts: (sentences, columns), at least one sentence.
    """
    rng = np.random.default_rng(SEED)
    # One draw at a time: all at once would take draws × sentences of memory.
    sums = [counts[rng.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(DRAWS)]
    return np.array(sums)


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,): F1 of each row of right, predicted and gold entities (n, 3)."""
    right, predicted, gold = counts.T
    f1: NDArray[np.float64] = 2 * right / np.maximum(predicted + gold, 1)
    return f1


def interval_of(draws: NDArray[np.float64]) -> Interval:
    """What lies between the outer quantiles of the draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
