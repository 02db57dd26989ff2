"""An aligner or a projector run on gold sentences: scores, mistakes, flags, speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from projection.evaluation.matching import EXACT, MISTAKES, Outcome
from projection.evaluation.scores import Interval, ProjectionScores, bootstrap, matches_of, score
from projection.io.gold import GoldSentence
from projection.io.records_json import Json, encode_entity
from projection.protocols import Aligns, ProjectsSentences
from projection.records import Entity, ParallelSentence, Projection

BATCH = 64  # sentences handed to an aligner at a time
EXAMPLES = 3  # of each kind of mistake

Answer = TypeVar("Answer")


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
class FlagReport:
    """Counts of sentences: all, flagged with a conflict, wrong, and wrong without a flag.

    A sentence is wrong if its entities are not exactly those of the gold.
    """

    sentences: int
    flagged: int
    wrong: int
    missed: int

    @property
    def flagged_share(self) -> float:
        """The share of the sentences that are flagged, or 0."""
        return self.flagged / self.sentences if self.sentences else 0.0

    @property
    def missed_share(self) -> float | None:
        """The share of the wrong sentences that carry no flag; None if none is wrong."""
        return self.missed / self.wrong if self.wrong else None

    def to_json(self) -> Json:
        """The counts, and both shares as fractions."""
        return {
            "sentences": self.sentences,
            "flagged": self.flagged,
            "wrong": self.wrong,
            "wrong_unflagged": self.missed,
            "flagged_share": self.flagged_share,
            "wrong_unflagged_share": self.missed_share,
        }


@dataclass(frozen=True, slots=True)
class ProjectionReport:
    """The result of `evaluate_aligner` or `evaluate_projector`, which alone has `flags`."""

    aligner: str  # its version, or that of the projector
    scores: ProjectionScores
    interval: Interval
    mistakes: tuple[Mistake, ...]  # in the order of the gold
    seconds: float  # spent in the aligner
    too_long: int  # sentences that it aligned but could not read whole
    flags: FlagReport | None = None

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
            "flags": None if self.flags is None else self.flags.to_json(),
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
    answers, seconds = _timed(aligner.align, [g.sentence for g in gold], batch, on_progress)
    return _report(gold, answers, aligner.version, aligner.fits, seconds)


def evaluate_projector(
    projector: ProjectsSentences,
    gold: Sequence[GoldSentence],
    batch: int = BATCH,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ProjectionReport:
    """Project from the text alone, as in a corpus, and compare with the gold of the target.

    The gold of the source is not looked at. `on_progress` is as for `evaluate_aligner`.
    """
    texts = [replace(g.sentence, entities=None) for g in gold]
    projected, seconds = _timed(projector.project, texts, batch, on_progress)
    answers = [each.projections for each in projected]
    report = _report(gold, answers, projector.model_version, projector.fits, seconds)
    wrong = {mistake.sentence for mistake in report.mistakes}
    missed = sum(
        not each.conflicts for g, each in zip(gold, projected, strict=True) if g.sentence in wrong
    )
    flagged = sum(bool(each.conflicts) for each in projected)
    count = sum(g.sentence in wrong for g in gold)
    return replace(report, flags=FlagReport(len(gold), flagged, count, missed))


def _timed(
    ask: Callable[[Sequence[ParallelSentence]], Sequence[Answer]],
    sentences: Sequence[ParallelSentence],
    batch: int,
    on_progress: Callable[[int], None],
) -> tuple[list[Answer], float]:
    """The answers about all sentences, asked for in batches, and the seconds they took."""
    answers: list[Answer] = []
    seconds = 0.0
    for start in range(0, len(sentences), batch):
        asked = sentences[start : start + batch]
        began = time.perf_counter()
        answers += ask(asked)
        seconds += time.perf_counter() - began
        on_progress(len(asked))
    return answers, seconds


def _report(
    gold: Sequence[GoldSentence],
    answers: Sequence[Sequence[Projection]],
    version: str,
    fits: Callable[[ParallelSentence], bool],
    seconds: float,
) -> ProjectionReport:
    found = [[p for p in answer if p.target is not None] for answer in answers]
    entities = [[e for p in each if (e := p.entity) is not None] for each in found]
    matches = matches_of(gold, entities)
    counts = [
        (sum(m.outcome in EXACT for m in each), len(predicted), len(g.target_entities))
        for g, predicted, each in zip(gold, entities, matches, strict=True)
    ]
    return ProjectionReport(
        aligner=version,
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
        too_long=sum(not fits(g.sentence) for g in gold),
    )
