"""What a training job does: learn from the reviews, and serve the model if it is no worse.

One model serves all projects. So a job learns from the reviews of its project and, as far as they
have the same entity types, from those that the last jobs of the other projects exported.

The gate: a fifth of the reviewed documents is held out, always the same ones. On their sentences
the new model and the one in use each pre-annotate as they would for an annotator. If the new one's
strict F1 against what people decided is at least that of the old one, on the sentences of the job's
project and on those of all projects together, it is served; else it is kept and the old one goes on
answering. A project whose jobs are removed no longer counts.
"""

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar

from label_config.labeling_config import labels_of
from ml_backend.jobs.queue import Job, JobQueue, Outcome, State
from ml_backend.label_studio.client import ReviewServer, UnreachableError
from ml_backend.review.pull import fetch_reviewed
from ml_backend.serving.engine import Load
from ml_backend.serving.model_store import ModelStore
from projection.errors import TrainingError
from projection.evaluation.scores import score
from projection.io.files import parse_object
from projection.io.gold import GoldSentence
from projection.records import Entity, ReviewedSentence
from training.data.adjudication import adjudicate
from training.data.dataset import SUMMARY
from training.data.reviewed import read_reviews
from training.data.rows import Row, Rows, row_of
from training.data.splits import TRAIN, Shares, split
from training.export.export import ExportSettings, write_export
from training.tagger.presets import DEFAULT, PRESETS, Preset, changed
from training.tagger.recipe_runner import train_preset
from training.tagger.training_data import TrainingData
from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

T = TypeVar("T")

HELD_OUT = Shares(train=0.8, validation=0.2, test=0.0)
LEAST_HELD_OUT = 10  # sentences, and entities in them: fewer say nothing
FEW = 1000  # reviews: a recipe's number of passes is meant for a corpus
EXPORT, MODEL = "export", "model"  # in a job's folder
# Label Studio takes minutes to start where a new version changes its database.
PAUSES = (5.0, 10.0, 20.0, 30.0, *[60.0] * 8)

Answered = tuple[GoldSentence, tuple[Entity, ...]]
Reviews = list[ReviewedSentence]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Strict F1 of pre-annotations on held-out sentences, as fractions."""

    before: float
    after: float
    sentences: int
    entities: int

    @property
    def worse(self) -> bool:
        """Whether the new model is."""
        return self.after < self.before

    def __str__(self) -> str:
        return (
            f"{100 * self.before:.1f} → {100 * self.after:.1f} "
            f"on {self.sentences} held-out sentences"
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """Both models on the job's project, on each of the `others`, and on all of them together."""

    own: Comparison
    others: dict[int, Comparison]
    together: Comparison

    @property
    def passed(self) -> bool:
        """Whether the new model is no worse."""
        return not (self.own.worse or self.together.worse)

    def to_json(self) -> dict[str, Any]:
        """The figures of the job's project, and beside them those of the others, if any."""
        if not self.others:
            return asdict(self.own)
        others = {str(project): asdict(each) for project, each in self.others.items()}
        return {**asdict(self.own), "others": others, "together": asdict(self.together)}

    def __str__(self) -> str:
        together = f", {self.together} of all projects" if self.others else ""
        return f"F1 of pre-annotations {self.own}{together}"


@dataclass(frozen=True, slots=True)
class Export:
    """The reviews of a project, as a job has exported them."""

    project: int
    title: str
    labels: tuple[str, ...]
    reviewed: Reviews

    @classmethod
    def read(cls, project: int, folder: Path) -> Self:
        """Read an export folder.

        Raises:
            CorpusError: naming the file that is damaged.
        """
        summary = parse_object((folder / SUMMARY).read_text("utf-8"), str(folder / SUMMARY))
        return cls(project, summary["title"], tuple(summary["labels"]), read_reviews(folder))


@dataclass(frozen=True, slots=True)
class Retraining:
    """The work of a job.

    `connect` reaches Label Studio; where it does not answer, it is asked again after each of the
    `pauses`. `load` makes the projector with a target model or, for None, without one. Fewer
    reviews than `FEW` are gone through `epochs_of_few` times.
    """

    connect: Callable[[], ReviewServer]
    load: Load
    store: ModelStore
    preset: Preset = PRESETS[DEFAULT]
    epochs_of_few: float = 12
    on_progress: OnProgress = lambda _what, _done, _total: None
    pauses: Sequence[float] = PAUSES

    def __call__(self, job: Job, folder: Path) -> Outcome:
        """Export, train, compare, and perhaps serve. An interrupted training goes on.

        Raises:
            ServerError: if Label Studio cannot be reached.
            TrainingError: if there are too few reviews to hold some out.
        """
        if not (folder / EXPORT).is_dir():  # once it is there, an interruption changes nothing
            self._export(job, folder / EXPORT)
        own = Export.read(job.project, folder / EXPORT)
        exports = [own, *exported_by_others(job, folder)]
        parts = parted([export.reviewed for export in exports])
        _require_enough(own, *parts[0])
        material = [
            review
            for export, (learned, _) in zip(exports, parts, strict=True)
            if {*export.labels} == {*own.labels}  # what it does not mark is not absent elsewhere
            for review in learned
        ]
        self._train(material, own.labels, folder / MODEL)
        gate = self._compare(folder / MODEL, exports, [held_out for _, held_out in parts])
        version = self.store.add(folder / MODEL)
        shutil.rmtree(folder / MODEL)  # it is in the store now
        result = {"version": version, "learned_from": len(material), **gate.to_json()}
        if not gate.passed:
            return Outcome(State.KEPT, f"{gate}: worse, so it is not served", result)
        self.store.activate(version)
        return Outcome(State.SERVED, f"{gate}: {version} is served", result)

    def _export(self, job: Job, out: Path) -> None:
        def fetch() -> None:
            with self.connect() as server:
                project = server.project(job.project)
                reviewed = fetch_reviewed(server, project)
            labels = labels_of(project.label_config)
            settings = ExportSettings(shares=HELD_OUT)
            write_export(reviewed, out, title=project.title, labels=labels, settings=settings)

        patiently(fetch, self.pauses)

    def _train(
        self, material: Sequence[ReviewedSentence], labels: Collection[str], out: Path
    ) -> None:
        if not out.exists():
            data = TrainingData(reviewed=Rows.of(_rows(material), labels))
            train_preset(self._recipe(len(material)), data, out, on_progress=self.on_progress)

    def _recipe(self, sentences: int) -> Preset:
        return (
            changed(self.preset, {"epochs": self.epochs_of_few}) if sentences < FEW else self.preset
        )

    def _compare(self, model: Path, exports: Sequence[Export], held_out: Sequence[Reviews]) -> Gate:
        gold = [[GoldSentence(r.sentence, r.entities) for r in part] for part in held_out]
        before, after = (self._answers(target, gold) for target in (self.store.active(), model))
        own, *rest = map(_compared, before, after)
        others = {e.project: c for e, c in zip(exports[1:], rest, strict=True)}
        together = _compared([*chain(*before)], [*chain(*after)])
        return Gate(own, others, together)

    def _answers(
        self, target: Path | None, gold: Sequence[Sequence[GoldSentence]]
    ) -> list[list[Answered]]:
        """What the sentences of each project, as far as they can be read, would come with."""
        projector = self.load(target)

        def answered(part: Iterable[GoldSentence]) -> list[Answered]:
            fitting = [each for each in part if projector.fits(each.sentence)]
            found = projector.project([each.sentence for each in fitting])
            return [(each, one.entities) for each, one in zip(fitting, found, strict=True)]

        return [answered(part) for part in gold]


def exported_by_others(job: Job, folder: Path) -> list[Export]:
    """What the last finished job of each other project has exported, the newest first."""
    queue = JobQueue(folder.parent)
    found: dict[int, Path] = {}
    for other in queue.jobs():
        export = queue.folder(other) / EXPORT
        finished = other.state in (State.SERVED, State.KEPT)
        if finished and other.project != job.project and export.is_dir():
            found.setdefault(other.project, export)
    return [Export.read(project, export) for project, export in found.items()]


def parted(projects: Iterable[Iterable[ReviewedSentence]]) -> list[tuple[Reviews, Reviews]]:
    """What to learn from and what is held out, of each project, by whole documents.

    What is held out of one is not learned from in another, nor is anything much like it.
    """
    decided = [[r for r in adjudicate(each).sentences if r.judged] for each in projects]
    parts = iter(split([review.sentence for each in decided for review in each], HELD_OUT).of)
    found = []
    for each in decided:
        of = [next(parts) for _ in each]
        learned = [review for review, part in zip(each, of, strict=True) if part == TRAIN]
        held_out = [review for review, part in zip(each, of, strict=True) if part != TRAIN]
        found.append((learned, held_out))
    return found


def patiently(ask: Callable[[], T], pauses: Iterable[float]) -> T:
    """What `ask` returns; as long as Label Studio does not answer, it asks again after each pause.

    Raises:
        UnreachableError: if it does not answer after the last of them either.
    """
    for pause in pauses:
        try:
            return ask()
        except UnreachableError as error:
            log.warning("%s. Trying again in %.0f s", error, pause)
            time.sleep(pause)
    return ask()


def _require_enough(export: Export, learned: Reviews, held_out: Reviews) -> None:
    """There must be something to learn from, and to compare models on.

    Raises:
        TrainingError: if it is too little.
    """
    entities = sum(len(review.entities) for review in held_out)
    if min(len(held_out), entities) < LEAST_HELD_OUT or not learned:
        raise TrainingError(
            f"project {export.title!r}",
            f"of {len(export.reviewed)} reviews {len(held_out)} sentences with {entities} entities "
            "are held out, too few to tell whether a model is better",
            f"Review more: about {5 * LEAST_HELD_OUT}, from several documents",
        )


def _compared(before: Sequence[Answered], after: Sequence[Answered]) -> Comparison:
    first, second = (
        score(*zip(*each, strict=True)).f1 if each else 0.0 for each in (before, after)
    )
    entities = sum(len(gold.target_entities) for gold, _ in before)
    return Comparison(first, second, len(before), entities)


def _rows(reviewed: Iterable[ReviewedSentence]) -> list[Row]:
    return [row for row, _ in map(row_of, reviewed) if row.tokens]
