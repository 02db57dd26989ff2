"""Aligners that ask their model once and decode the answer as often as they are told to."""

from collections.abc import Sequence
from typing import Any

from projection.aligners.joint import JointAligner
from projection.aligners.joint_decoding import Beliefs
from projection.aligners.pair import PairAligner, Query, queries_of
from projection.records import ParallelSentence


class RememberingPair(PairAligner):
    """A pair aligner; `decoding` may be exchanged between questions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._memory: dict[Query, list[float]] = {}

    def remember(self, sentences: Sequence[ParallelSentence]) -> None:
        """Ask the model about sentences that it will be asked to align."""
        self.probabilities([query for s in sentences for query in queries_of(s)])

    def probabilities(self, queries: Sequence[Query]) -> list[list[float]]:
        """As `PairAligner`; the model is asked for what it was not asked before."""
        new = [query for query in dict.fromkeys(queries) if query not in self._memory]
        self._memory.update(zip(new, super().probabilities(new), strict=True))
        return [self._memory[query] for query in queries]


class RememberingJoint(JointAligner):
    """A joint aligner; `decoding` may be exchanged between questions, also for word by word."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._memory: dict[ParallelSentence, list[Beliefs]] = {}

    def remember(self, sentences: Sequence[ParallelSentence]) -> None:
        """Ask the model about sentences that it will be asked to align."""
        self.beliefs(sentences)

    def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
        """As `JointAligner`; the model is asked for what it was not asked before."""
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._memory]
        self._memory.update(zip(new, super().beliefs(new), strict=True))
        return [self._memory[sentence] for sentence in sentences]


Remembering = RememberingPair | RememberingJoint
