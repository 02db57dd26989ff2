"""Rows of review orders: how right a corpus is after so many minutes, a column for each gold file.

Nothing is trained. Scored is the projected corpus, with the reviewed sentences corrected and their
corrections propagated to the others. Each seed draws half of the gold for its corpus.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from projection.errors import TrainingError
from projection.evaluation.scores import score
from projection.io.records_json import Json
from projection.models import bundled
from projection.models.checkpoints import load_config
from projection.models.tagger import tags_of
from projection.records import ProjectedSentence, ReviewedSentence
from projection.text.iob2 import labels_of
from training.experiments.aligners import read_gold_files
from training.experiments.config import DataConfig, files
from training.experiments.definition import Experiment, ExperimentOptions, ExperimentRow
from training.experiments.reviewing import ReviewPool, counts_of, project_gold
from training.trainer.trainer import OnProgress

Propagate = Callable[
    [Sequence[ReviewedSentence], Sequence[ProjectedSentence]], Sequence[ProjectedSentence]
]
"""Returns the sentences, in order, as the corrections of the reviews leave them."""


class CorpusBench:
    """Scores corpora that reviewers are simulated on; types that the gold lacks are not sought."""

    def __init__(
        self,
        config: DataConfig,
        experiment: Experiment,
        options: ExperimentOptions,
        propagate: Propagate,
        on_progress: OnProgress,
    ) -> None:
        self.experiment, self.options = experiment, options
        self.kept, self.propagate, self.on_progress = Path(config.projected), propagate, on_progress
        self.aligner = options.preset or experiment.preset
        self.paths = {path.stem: path for path in files(config.gold)}
        self.columns = config.chosen(self.paths, options.columns, "gold file")
        paths = [self.paths[column] for column in self.columns]
        self.gold = read_gold_files(paths, options.scored)
        self.names: tuple[str, ...] = ()
        self.pool = cache(self._pool)

    def prepare(self, rows: Sequence[ExperimentRow]) -> None:  # noqa: ARG002  the engine's
        """Raise TrainingError if numbers of a training are to be changed."""
        for name in {**self.experiment.set, **self.options.set}:
            raise TrainingError(f"--set {name}", f"{self.experiment.name} trains nothing")

    def reason_against(self, row: ExperimentRow, column: str) -> str | None:  # noqa: ARG002  the engine's
        """Project the gold; nothing stops a row."""
        self.pool(column)
        return None

    def key(self, row: ExperimentRow, column: str, seed: int) -> object:
        """Return the order, the minutes, and what is reviewed."""
        pool = self.pool(column).half(seed)
        versions = sorted({each.model_version for each in pool.sentences})
        reviews = pool.reviews(row.minutes or 0.0, row.order, seed)
        return [column, [each.sentence.id for each in pool.sentences], versions, [*reviews], seed]

    def run(self, row: ExperimentRow, column: str, seed: int, on_progress: OnProgress) -> Json:  # noqa: ARG002  the engine's
        """Review, propagate once, and score all of the corpus."""
        pool = self.pool(column).half(seed)
        reviews = pool.reviews(row.minutes or 0.0, row.order, seed)
        unseen = iter(self.propagate([*reviews.values()], pool.unseen(reviews)))
        found = [
            (reviews[place] if place in reviews else next(unseen)).entities
            for place in range(len(pool.sentences))
        ]
        scores = score(pool.gold, found)
        names = ("precision", "recall", "f1", "support", "sentences")
        return {
            "base": None,
            "scores": {name: getattr(scores, name) for name in names},
            "learned_from": {},
            "steps": {},
            "reviews": counts_of(reviews.values()),
        }

    def _pool(self, column: str) -> ReviewPool:
        gold = self.gold[column]
        used = {e.label for g in gold for e in (*g.target_entities, *(g.sentence.entities or ()))}
        teacher = labels_of(tags_of(load_config(bundled.path("tagger"))))
        pairs = project_gold(
            self.paths[column],
            gold,
            self.kept,
            self.on_progress,
            aligner=self.aligner,
            suppress=sorted(teacher - used) if used else (),
        )
        sentences, matching = zip(*pairs, strict=True)
        return ReviewPool(sentences, matching)
