"""How long the model takes for sentences."""

from projection.records import ParallelSentence

TURN_SECONDS = 0.15  # of work in a turn, whose end an annotator has to wait for
SENTENCE_COST = 100  # of a sentence, beside its characters
FIRST_COST = 1000  # of a turn before it is known how long one takes
KEPT = 0.9  # of what is known of the pace, at each turn


class Pace:
    """How long the model takes for sentences, by its last turns."""

    def __init__(self) -> None:
        self._cost = self._seconds = 0.0

    def learn(self, cost: float, seconds: float) -> None:
        """Take a turn into account."""
        self._cost = KEPT * self._cost + cost
        self._seconds = KEPT * self._seconds + seconds

    def seconds(self, cost: float) -> float:
        """Return the seconds that work takes; 0 before the first turn."""
        return cost * self._seconds / self._cost if self._cost else 0.0

    def fits(self, cost: float) -> bool:
        """Return whether a turn may have this cost."""
        return self.seconds(cost) <= TURN_SECONDS if self._cost else cost <= FIRST_COST


def cost_of(sentence: ParallelSentence) -> int:
    """Return what a sentence costs the models, about in characters."""
    return SENTENCE_COST + len(sentence.source) + len(sentence.target)
