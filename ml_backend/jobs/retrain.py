"""A training job: learn from the reviews, and serve the model that is better beyond chance.

One model serves all projects. So a job also learns from the reviews that the last jobs of other
projects with the same entity types fetched. It trains a tagger of the target language, whose
entities are added to the projected ones, and a teacher, which labels the English side instead of
the one in use.

A fifth of the reviewed documents, always the same ones, is held out, and pre-annotated with each
new model and by what is in use. A new one may be served if it gains strict F1 on the job's project
beyond chance (the 95 % interval of the paired bootstrap lies above 0) and loses none on all
projects together. The best of those is; else they are only stored.
"""

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar

from label_config.labeling_config import labels_of
from ml_backend.jobs.gain import Answered, Gain
from ml_backend.jobs.queue import Job, JobQueue, State
from ml_backend.label_studio.client import ReviewServer, UnreachableError
from ml_backend.propagation.memory import Memory
from ml_backend.review.pull import fetch_reviewed
from ml_backend.serving.engine import Load
from ml_backend.serving.model_store import TEACHER, ModelStore
from projection.errors import TrainingError
from projection.io.files import atomic_write, json_line, read_object, write_json
from projection.io.folders import new_folder, recover
from projection.io.gold import GoldSentence
from projection.io.records_json import encode
from projection.records import ReviewedSentence
from training.data.adjudication import adjudicate
from training.data.dataset import SUMMARY
from training.data.reviewed import REVIEWED, read_reviews
from training.data.rows import Rows, row_of
from training.data.splits import TRAIN, Shares, split
from training.tagger.preset_changes import changed
from training.tagger.presets import DEFAULT, PRESETS, Preset
from training.tagger.recipe_runner import train_preset
from training.tagger.teacher import source_rows, teach
from training.tagger.training_data import TrainingData
from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

T = TypeVar("T")

HELD_OUT = Shares(train=0.8, validation=0.2, test=0.0)
LEAST_HELD_OUT = 10  # sentences, and entities in them: fewer say nothing
FEW, EPOCHS_OF_FEW = 1000, 12  # reviews: a recipe's number of passes is meant for a corpus
TAUGHT_FROM = 100  # reviews to learn from
EXPORT, MODEL, NEW_TEACHER = "export", "model", "teacher"  # in a job's folder
_CALLED = {MODEL: "tagger", NEW_TEACHER: "teacher"}
# Label Studio takes minutes to start if a new version changes its database.
PAUSES = (5.0, 10.0, 20.0, 30.0, *[60.0] * 8)

Reviews = list[ReviewedSentence]


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
class Candidate:
    """A new model, and its gain on each project, the job's own first, and on all `together`."""

    kind: str
    version: str
    gains: Sequence[Gain]
    together: Gain

    @property
    def better(self) -> bool:
        """True if it may be served."""
        return self.gains[0].beyond_chance and self.together.after >= self.together.before

    def to_json(self) -> dict[str, object]:
        """Return its version and the gain on the job's project."""
        return {"version": self.version, **asdict(self.gains[0])}


@dataclass(frozen=True, slots=True)
class Retraining:
    """The work of a job. Fewer reviews than `FEW` are trained on for `epochs_of_few` epochs.

    `memory` is the folder of what each project has corrected. A new teacher starts from `teacher`;
    without that, or fewer reviews than `taught_from`, none is trained.
    """

    connect: Callable[[], ReviewServer]
    load: Load
    store: ModelStore
    memory: Path
    teacher: str | Path | None = None
    preset: Preset = PRESETS[DEFAULT]
    epochs_of_few: float = EPOCHS_OF_FEW
    taught_from: int = TAUGHT_FROM
    on_progress: OnProgress = lambda _what, _done, _total: None
    pauses: Sequence[float] = PAUSES

    def __call__(self, job: Job, folder: Path) -> Job:
        """Fetch, train, compare, and perhaps serve. An interrupted training is continued."""
        if not (folder / EXPORT).is_dir():  # once it is there, an interruption changes nothing
            self._fetch(job).write(folder / EXPORT)
        own = ProjectReviews.read(job.project, folder / EXPORT)
        Memory.of(own.reviewed).write(self.memory, job.project)
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
        self._teach(material, parts[0][1], own.labels, folder / NEW_TEACHER)
        found = self._compare(folder, [held_out for _, held_out in parts])
        best = max(found, key=lambda each: (each.better, each.gains[0].after))
        if best.better:
            self.store.activate(best.version)
        result = {**best.to_json(), "learned_from": len(material)}
        result["candidates"] = {each.kind: each.to_json() for each in found}
        if len(projects) > 1:
            others = zip(projects[1:], best.gains[1:], strict=True)
            result["others"] = {str(each.project): asdict(gain) for each, gain in others}
            result["together"] = asdict(best.together)
        state = State.SERVED if best.better else State.KEPT
        _remove_older_reviews(job, folder)
        return replace(job, state=state, said=_said(found, best), result=result)

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

    def _teach(
        self,
        material: Sequence[ReviewedSentence],
        held_out: Sequence[ReviewedSentence],
        labels: Collection[str],
        out: Path,
    ) -> None:
        """Train a teacher, if there is one to start from and enough to learn."""
        # Where the corpus has source entities of its own, no teacher is asked.
        asked = [review for review in material if review.sentence.entities is None]
        if self.teacher is None or len(asked) < self.taught_from or out.exists():
            return
        find_source = self.load(self.store.active()).link
        rows, others = (source_rows(each, labels, find_source) for each in (asked, held_out))
        made = out.with_name(f"{out.name}-untested")
        teach(rows, others, self.teacher, made, on_progress=self.on_progress)
        write_json(made / TEACHER, {"sentences": len(rows)})
        made.rename(out)

    def _compare(self, folder: Path, held_out: Sequence[Reviews]) -> list[Candidate]:
        """Compare the models in the job's folder with what is in use, and store them."""
        before = self._answers(self.store.active(), held_out)
        found = []
        for kind in (MODEL, NEW_TEACHER):
            if (model := folder / kind).is_dir():
                after = self._answers(model, held_out)
                gains = [*map(Gain.of, before, after)]
                together = Gain.of([*chain(*before)], [*chain(*after)])
                found.append(Candidate(kind, self.store.add(model), gains, together))
        for each in found:
            shutil.rmtree(folder / each.kind)
        return found

    def _answers(self, model: Path | None, held_out: Sequence[Reviews]) -> list[list[Answered]]:
        """Pre-annotate the held-out sentences of each project."""
        projector, answered = self.load(model), []
        for part in held_out:
            gold = [GoldSentence(r.sentence, r.entities) for r in part]
            fitting = [each for each in gold if projector.fits(each.sentence)]
            found = projector.project([each.sentence for each in fitting])
            pairs = zip(fitting, found, strict=True)
            answered.append([(each, one.entities) for each, one in pairs])
        return answered


def _said(found: Sequence[Candidate], best: Candidate) -> str:
    """Return the outcome in a line: the gain of each new model, and which is served."""
    gains = []
    for each in found:
        kind = f"with the {_CALLED[each.kind]} " if len(found) > 1 else ""
        all_of_them = f", {each.together} of all projects" if len(each.gains) > 1 else ""
        gains.append(f"{kind}{each.gains[0]}{all_of_them}")
    if best.better:
        outcome = f"{best.version} is served"
    else:
        beyond_chance = any(each.gains[0].beyond_chance for each in found)
        why = "worse on all projects together" if beyond_chance else "no gain beyond chance"
        outcome = f"{why}, so {'none is' if len(found) > 1 else 'it is not'} served"
    return f"F1 of pre-annotations {'; '.join(gains)}: {outcome}"


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


def _remove_older_reviews(job: Job, folder: Path) -> None:
    """Remove what earlier jobs of the project have fetched: nobody reads that any more."""
    queue = JobQueue(folder.parent)
    for other in queue.jobs():
        if other.project == job.project and other.id != job.id and other.ended:
            shutil.rmtree(queue.folder(other) / EXPORT, ignore_errors=True)


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
