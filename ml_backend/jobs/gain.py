"""How much better a model pre-annotates than another one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from projection.evaluation.scores import f1_of, interval_of, resampled
from projection.io.gold import GoldSentence
from projection.records import Entity

Answered = tuple[GoldSentence, tuple[Entity, ...]]


@dataclass(frozen=True, slots=True)
class Gain:
    """Strict F1 of two models on held-out sentences, and the 95 % interval of the difference."""

    before: float
    after: float
    low: float
    high: float
    sentences: int
    entities: int

    @classmethod
    def of(cls, before: Sequence[Answered], after: Sequence[Answered]) -> Self:
        """Compare two models on the same sentences by the paired bootstrap (Koehn, 2004)."""
        if not before:
            return cls(0.0, 0.0, 0.0, 0.0, 0, 0)
        old, new = (np.array([*map(_counts, answered)]) for answered in (before, after))
        f1 = f1_of(np.array([old.sum(axis=0), new.sum(axis=0)]))
        draws = resampled(np.hstack([old, new]))
        interval = interval_of(f1_of(draws[:, 3:]) - f1_of(draws[:, :3]))
        figures = (float(f1[0]), float(f1[1]), interval.low, interval.high)
        return cls(*figures, sentences=len(old), entities=int(old[:, 2].sum()))

    @property
    def beyond_chance(self) -> bool:
        """True if the interval lies above 0: a training at the backend asks for that."""
        return self.low > 0

    def __str__(self) -> str:
        return (
            f"{100 * self.before:.1f} → {100 * self.after:.1f} "
            f"({100 * (self.after - self.before):+.1f}, 95 % interval "
            f"{100 * self.low:+.1f} to {100 * self.high:+.1f}) "
            f"on {self.sentences} held-out sentences"
        )


def _counts(answered: Answered) -> tuple[int, int, int]:
    """Return how many entities are right, predicted, and in the gold."""
    gold, predicted = (
        Counter((each.span, each.label) for each in entities)
        for entities in (answered[0].target_entities, answered[1])
    )
    return (gold & predicted).total(), predicted.total(), gold.total()
