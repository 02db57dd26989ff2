"""What a training job does: learn from the reviews, and serve the model if it is no worse.

The gate: a fifth of the reviewed documents is held out, always the same one. On its sentences the
new model and the one in use each pre-annotate as they would for an annotator. If the new one's
strict F1 against what people decided is at least that of the old one, it is served; else it is kept
and the old one goes on answering.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from label_config.config import labels_of
from ml_backend.engine import Load
from ml_backend.jobs import Job, Outcome, State
from ml_backend.label_studio import ReviewServer
from ml_backend.pull import fetch_reviewed
from ml_backend.store import ModelStore
from projection.errors import TrainingError
from projection.records import ReviewedSentence
from projection.scoring import GoldSentence, score
from training.adjudication import adjudicate
from training.dataset import Row, dataset_of, row_of
from training.export import ExportSettings, write_export
from training.loop import OnProgress
from training.presets import DEFAULT, PRESETS, Preset, changed
from training.splits import TRAIN, Shares, split
from training.transfer import TrainingData, train_preset

HELD_OUT = Shares(train=0.8, validation=0.2, test=0.0)
LEAST_HELD_OUT = 10  # sentences: fewer say nothing
FEW = 1000  # reviews: a recipe's number of passes is meant for a corpus


@dataclass(frozen=True, slots=True)
class Gate:
    """Strict F1 of pre-annotations on the held-out sentences, as fractions."""

    before: float
    after: float
    sentences: int
    entities: int

    @property
    def passed(self) -> bool:
        """Whether the new model is no worse."""
        return self.after >= self.before

    def __str__(self) -> str:
        return (
            f"F1 of pre-annotations {100 * self.before:.1f} → {100 * self.after:.1f} "
            f"on {self.sentences} held-out sentences"
        )


@dataclass(frozen=True, slots=True)
class Retraining:
    """The work of a job.

    `connect` reaches Label Studio, `load` makes the projector with a target model or, for None,
    without one. Fewer reviews than `FEW` are gone through `epochs_of_few` times.
    """

    connect: Callable[[], ReviewServer]
    load: Load
    store: ModelStore
    preset: Preset = PRESETS[DEFAULT]
    epochs_of_few: float = 12
    on_progress: OnProgress = lambda _what, _done, _total: None

    def __call__(self, job: Job, folder: Path) -> Outcome:
        """Export, train, compare, and perhaps serve. An interrupted training goes on.

        Raises:
            ServerError: if Label Studio cannot be reached.
            TrainingError: if there are too few reviews to hold some out.
        """
        with self.connect() as server:
            project = server.project(job.project)
            reviewed = fetch_reviewed(server, project)
        labels = labels_of(project.label_config)
        learned, held_out = parted(reviewed, f"project {project.title!r}")
        export = ExportSettings(shares=HELD_OUT)
        write_export(
            reviewed, folder / "export", title=project.title, labels=labels, settings=export
        )
        model = folder / "model"
        if not model.exists():
            data = TrainingData(reviewed=dataset_of(_rows(learned), labels))
            train_preset(self._recipe(len(learned)), data, model, on_progress=self.on_progress)
        gate = self._compare(model, held_out)
        version = self.store.add(model)
        result = {"version": version, "learned_from": len(learned), **asdict(gate)}
        if not gate.passed:
            return Outcome(State.KEPT, f"{gate}: worse, so it is not served", result)
        self.store.activate(version)
        return Outcome(State.SERVED, f"{gate}: {version} is served", result)

    def _recipe(self, sentences: int) -> Preset:
        return (
            changed(self.preset, {"epochs": self.epochs_of_few}) if sentences < FEW else self.preset
        )

    def _compare(self, model: Path, held_out: Sequence[ReviewedSentence]) -> Gate:
        gold = [GoldSentence(review.sentence, review.entities) for review in held_out]
        before, after = (self._f1(target, gold) for target in (self.store.active(), model))
        entities = sum(len(each.target_entities) for each in gold)
        return Gate(before, after, len(gold), entities)

    def _f1(self, target: Path | None, gold: Sequence[GoldSentence]) -> float:
        projector = self.load(target)
        fitting = [each for each in gold if projector.fits(each.sentence)]
        found = projector.project([each.sentence for each in fitting])
        return score(fitting, [each.entities for each in found]).f1


def parted(
    reviewed: Collection[ReviewedSentence], where: str
) -> tuple[list[ReviewedSentence], list[ReviewedSentence]]:
    """What to learn from, and what is held out, by whole documents.

    Raises:
        TrainingError: if that leaves too few to compare models on, or none to learn from.
    """
    decided = [review for review in adjudicate(reviewed).sentences if review.judged]
    parts = split([review.sentence for review in decided], HELD_OUT).of
    learned = [r for r, part in zip(decided, parts, strict=True) if part == TRAIN]
    held_out = [r for r, part in zip(decided, parts, strict=True) if part != TRAIN]
    if len(held_out) < LEAST_HELD_OUT or not learned:
        raise TrainingError(
            where,
            f"of {len(decided)} reviewed sentences {len(held_out)} are held out, too few to tell "
            "whether a model is better",
            f"Review more: about {5 * LEAST_HELD_OUT}, from several documents",
        )
    return learned, held_out


def _rows(reviewed: Sequence[ReviewedSentence]) -> list[Row]:
    return [row for row, _ in map(row_of, reviewed) if row.tokens]
