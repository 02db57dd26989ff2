"""An aligner run on gold sentences: its scores, its mistakes, its speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from projection.evaluation.matching import EXACT, MISTAKES, Outcome
from projection.evaluation.scores import Interval, ProjectionScores, bootstrap, matches_of, score
from projection.io.gold import GoldSentence
from projection.io.records_json import Json, encode_entity
from projection.protocols import Aligns
from projection.records import Entity, ParallelSentence, Projection

BATCH = 64  # sentences handed to an aligner at a time
EXAMPLES = 3  # of each kind of mistake


@dataclass(frozen=True, slots=True)
class Mistake:
    """A gold entity that was not found, a projection that is wrong, or a pair of both."""

    outcome: Outcome
    sentence: ParallelSentence
    gold: Entity | None
    predicted: Projection | None

    def to_json(self) -> Json:
        """Both texts, and the entities: gold, predicted, and its source."""
        source, target, found = self.sentence.source, self.sentence.target, self.predicted
        entity = found.entity if found is not None else None
        return {
            "id": self.sentence.id,
            "origin": self.sentence.origin,
            "source": source,
            "target": target,
            "gold": None if self.gold is None else encode_entity(self.gold, target),
            "predicted": None if entity is None else encode_entity(entity, target),
            "projected_from": None if found is None else encode_entity(found.source, source),
        }


@dataclass(frozen=True, slots=True)
class ProjectionReport:
    """The result of `evaluate_aligner`."""

    aligner: str  # its version
    scores: ProjectionScores
    interval: Interval
    mistakes: tuple[Mistake, ...]  # in the order of the gold
    seconds: float  # spent in the aligner
    too_long: int  # sentences that it aligned but could not read whole

    @property
    def sentences_per_second(self) -> float:
        """The aligner's speed, or 0."""
        return self.scores.sentences / self.seconds if self.seconds else 0.0

    def mistakes_of(self, outcome: Outcome) -> list[Mistake]:
        """The mistakes of one kind, in the order of the gold."""
        return [mistake for mistake in self.mistakes if mistake.outcome is outcome]

    def to_json(self, examples: int = EXAMPLES) -> Json:
        """The report with the first `examples` of each kind of mistake."""
        found = {outcome.value: self.mistakes_of(outcome) for outcome in MISTAKES}
        return {
            **self.scores.to_json(),
            "f1_interval": self.interval.to_json(),
            "mistakes": {
                kind: {"count": len(all_), "examples": [m.to_json() for m in all_[:examples]]}
                for kind, all_ in found.items()
            },
            "aligner": self.aligner,
            "too_long": self.too_long,
            "seconds": self.seconds,
            "sentences_per_second": self.sentences_per_second,
        }


def evaluate_aligner(
    aligner: Aligns,
    gold: Sequence[GoldSentence],
    batch: int = BATCH,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ProjectionReport:
    """Project the gold source entities and compare them with the gold of the target.

    `on_progress` is called with the number of sentences aligned since the last call.
    """
    found: list[list[Projection]] = []
    seconds = 0.0
    for start in range(0, len(gold), batch):
        sentences = [g.sentence for g in gold[start : start + batch]]
        began = time.perf_counter()
        answers = aligner.align(sentences)
        seconds += time.perf_counter() - began
        found += [[p for p in answer if p.target is not None] for answer in answers]
        on_progress(len(sentences))
    entities = [[e for p in each if (e := p.entity) is not None] for each in found]
    matches = matches_of(gold, entities)
    counts = [
        (sum(m.outcome in EXACT for m in each), len(predicted), len(g.target_entities))
        for g, predicted, each in zip(gold, entities, matches, strict=True)
    ]
    return ProjectionReport(
        aligner=aligner.version,
        scores=score(gold, entities, matches),
        interval=bootstrap(np.array(counts, dtype=np.int64)),
        mistakes=tuple(
            Mistake(
                match.outcome,
                g.sentence,
                None if match.gold is None else g.target_entities[match.gold],
                None if match.predicted is None else projections[match.predicted],
            )
            for g, projections, each in zip(gold, found, matches, strict=True)
            for match in each
            if match.outcome not in EXACT
        ),
        seconds=seconds,
        too_long=sum(not aligner.fits(g.sentence) for g in gold),
    )
