"""A training job: learn from the reviews, and serve the model if it is better beyond chance.

One model serves all projects. So a job also learns from the reviews that the last jobs of other
projects with the same entity types fetched.

A fifth of the reviewed documents, always the same ones, is held out, and pre-annotated by the new
model and the one in use. The new one is served if it gains strict F1 on the job's project beyond
chance (the 95 % interval of the paired bootstrap lies above 0) and loses none on all projects
together; else it is only stored.
"""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from label_config.labeling_config import labels_of
from ml_backend.jobs.queue import Job, JobQueue, State
from ml_backend.label_studio.client import ReviewServer, UnreachableError
from ml_backend.review.pull import fetch_reviewed
from ml_backend.serving.engine import Load
from ml_backend.serving.model_store import ModelStore
from projection.errors import TrainingError
from projection.evaluation.scores import f1_of, interval_of, resampled
from projection.io.files import atomic_write, json_line, read_object, write_json
from projection.io.folders import new_folder, recover
from projection.io.gold import GoldSentence
from projection.io.records_json import encode
from projection.records import Entity, ReviewedSentence
from training.data.adjudication import adjudicate
from training.data.dataset import SUMMARY
from training.data.reviewed import REVIEWED, read_reviews
from training.data.rows import Rows, row_of
from training.data.splits import TRAIN, Shares, split
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
# Label Studio takes minutes to start if a new version changes its database.
PAUSES = (5.0, 10.0, 20.0, 30.0, *[60.0] * 8)

Answered = tuple[GoldSentence, tuple[Entity, ...]]
Reviews = list[ReviewedSentence]


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


@dataclass(frozen=True, slots=True)
class ProjectReviews:
    """The reviews of a project, as a job has fetched them."""

    project: int
    title: str
    labels: tuple[str, ...]
    reviewed: Reviews

    @classmethod
    def read(cls, project: int, folder: Path) -> Self:
        """Read what a job has written."""
        summary = read_object(folder / SUMMARY)
        return cls(project, summary["title"], tuple(summary["labels"]), read_reviews(folder))

    def write(self, out: Path) -> None:
        """Write the reviews to a new folder, whole or not at all."""
        with new_folder(out) as folder:
            with atomic_write(folder / REVIEWED) as text:
                text.writelines(json_line(encode(review)) for review in self.reviewed)
            write_json(folder / SUMMARY, {"title": self.title, "labels": [*self.labels]})


@dataclass(frozen=True, slots=True)
class Retraining:
    """The work of a job. Fewer reviews than `FEW` are trained on for `epochs_of_few` epochs."""

    connect: Callable[[], ReviewServer]
    load: Load
    store: ModelStore
    preset: Preset = PRESETS[DEFAULT]
    epochs_of_few: float = 12
    on_progress: OnProgress = lambda _what, _done, _total: None
    pauses: Sequence[float] = PAUSES

    def __call__(self, job: Job, folder: Path) -> Job:
        """Fetch, train, compare, and perhaps serve. An interrupted training is continued."""
        if not (folder / EXPORT).is_dir():  # once it is there, an interruption changes nothing
            self._fetch(job).write(folder / EXPORT)
        own = ProjectReviews.read(job.project, folder / EXPORT)
        projects = [own, *_fetched_by_others(job, folder)]
        parts = parted([each.reviewed for each in projects])
        _require_enough(own, *parts[0])
        material = [
            review
            for each, (learned, _) in zip(projects, parts, strict=True)
            if {*each.labels} == {*own.labels}  # else unmarked entities would count as absent
            for review in learned
        ]
        self._train(material, own.labels, folder / MODEL)
        gains, together = self._compare(folder / MODEL, [held_out for _, held_out in parts])
        version = self.store.add(folder / MODEL)
        shutil.rmtree(folder / MODEL)
        result = {"version": version, "learned_from": len(material), **asdict(gains[0])}
        said = f"F1 of pre-annotations {gains[0]}"
        if len(projects) > 1:
            others = zip(projects[1:], gains[1:], strict=True)
            result["others"] = {str(each.project): asdict(gain) for each, gain in others}
            result["together"] = asdict(together)
            said += f", {together} of all projects"
        if gains[0].low <= 0:
            said += ": no gain beyond chance, so it is not served"
        elif together.after < together.before:
            said += ": worse on all projects together, so it is not served"
        else:
            self.store.activate(version)
            said += f": {version} is served"
            return replace(job, state=State.SERVED, said=said, result=result)
        return replace(job, state=State.KEPT, said=said, result=result)

    def _fetch(self, job: Job) -> ProjectReviews:
        def fetch() -> ProjectReviews:
            with self.connect() as server:
                project = server.project(job.project)
                reviewed = fetch_reviewed(server, project)
            labels = tuple(labels_of(project.label_config))
            return ProjectReviews(job.project, project.title, labels, reviewed)

        return patiently(fetch, self.pauses)

    def _train(
        self, material: Sequence[ReviewedSentence], labels: Collection[str], out: Path
    ) -> None:
        recover(out)
        if out.exists():
            return
        few = {"epochs": self.epochs_of_few} if len(material) < FEW else {}
        rows = [row for row, _ in map(row_of, material) if row.tokens]
        data = TrainingData(reviewed=Rows.of(rows, labels))
        train_preset(changed(self.preset, few), data, out, on_progress=self.on_progress)

    def _compare(self, model: Path, held_out: Sequence[Reviews]) -> tuple[list[Gain], Gain]:
        """Return the gain of `model` on the held-out sentences of each project, and of all."""

        def answers(target: Path | None) -> list[list[Answered]]:
            projector, answered = self.load(target), []
            for part in held_out:
                gold = [GoldSentence(r.sentence, r.entities) for r in part]
                fitting = [each for each in gold if projector.fits(each.sentence)]
                found = projector.project([each.sentence for each in fitting])
                pairs = zip(fitting, found, strict=True)
                answered.append([(each, one.entities) for each, one in pairs])
            return answered

        before, after = answers(self.store.active()), answers(model)
        return [*map(Gain.of, before, after)], Gain.of([*chain(*before)], [*chain(*after)])


def _fetched_by_others(job: Job, folder: Path) -> list[ProjectReviews]:
    """Return the reviews that the last finished job of each other project has fetched."""
    queue = JobQueue(folder.parent)
    found: dict[int, Path] = {}
    for other in queue.jobs():
        export = queue.folder(other) / EXPORT
        finished = other.state in (State.SERVED, State.KEPT)
        if finished and other.project != job.project and export.is_dir():
            found.setdefault(other.project, export)
    return [ProjectReviews.read(project, export) for project, export in found.items()]


def parted(projects: Iterable[Iterable[ReviewedSentence]]) -> list[tuple[Reviews, Reviews]]:
    """Split reviews by documents: (to learn from, held out) of each project, without overlap."""
    decided = [[r for r in adjudicate(each).sentences if r.judged] for each in projects]
    sentences = [review.sentence for each in decided for review in each]
    parts = iter(split(sentences, HELD_OUT, lasting=True).of)
    found: list[tuple[Reviews, Reviews]] = [([], []) for _ in decided]
    for each, (learned, held_out) in zip(decided, found, strict=True):
        for review in each:
            (learned if next(parts) == TRAIN else held_out).append(review)
    return found


def patiently(ask: Callable[[], T], pauses: Iterable[float]) -> T:
    """Return `ask()`; while Label Studio does not answer, try again after each pause."""
    for pause in pauses:
        try:
            return ask()
        except UnreachableError as error:
            log.warning("%s. Trying again in %.0f s", error, pause)
            time.sleep(pause)
    return ask()


def _require_enough(own: ProjectReviews, learned: Reviews, held_out: Reviews) -> None:
    """Raise TrainingError if there is too little to learn from, or to compare models on."""
    entities = sum(len(review.entities) for review in held_out)
    if min(len(held_out), entities) < LEAST_HELD_OUT or not learned:
        what = (
            f"of {len(own.reviewed)} reviews {len(held_out)} sentences with {entities} entities "
            "are held out, too few to tell whether a model is better"
        )
        fix = f"Review more: about {5 * LEAST_HELD_OUT}, from several documents"
        raise TrainingError(f"project {own.title!r}", what, fix)
