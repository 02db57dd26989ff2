"""Rows of recipes: taggers trained and scored, a column for each language."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from projection.errors import TrainingError
from projection.io.files import read_object
from projection.io.records_json import Json
from training.data.rows import Rows
from training.experiments.config import DataConfig
from training.experiments.definition import Experiment, ExperimentOptions, ExperimentRow, Reads
from training.experiments.reviewing import ReviewPool, read_pool
from training.experiments.sources import read_labelled, read_pseudo, read_unlabelled
from training.tagger.preset_changes import OF_THE_LAST_STAGE, changed, concerns
from training.tagger.presets import Part, Preset, Use, preset_named
from training.tagger.recipe_runner import RECORD, plan_of, train_preset
from training.tagger.sampling import drawn
from training.tagger.training_data import TrainingData
from training.trainer.trainer import OnProgress


class TaggerBench:
    """Trains taggers and scores them. Only models that others start from outlive their run."""

    def __init__(
        self,
        config: DataConfig,
        experiment: Experiment,
        options: ExperimentOptions,
        stages: Path,
        on_progress: OnProgress,
    ) -> None:
        self.experiment, self.options, self.stages = experiment, options, stages
        self.columns = config.chosen(config.languages, options.columns, "language")
        self.data = {
            lang: LanguageData(experiment.reads, config, lang, options.scored, on_progress)
            for lang in self.columns
        }
        self.presets: dict[str, Preset] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The corpora or teachers of all languages; TrainingError if teachers are missing."""
        names = dict.fromkeys(name for data in self.data.values() for name in data.corpora)
        if self.experiment.reads is Reads.TEACHERS and not names:
            where = f"experiment {self.experiment.name}"
            fix = "Add [languages.de.teachers]: projections of one text by several teachers"
            raise TrainingError(where, "the data name no teachers", fix)
        return tuple(names)

    def prepare(self, rows: Sequence[ExperimentRow]) -> None:
        """Make the recipe of each row; raises TrainingError at a change that no row can hold."""
        changes = {**self.experiment.set, **self.options.set}
        self.presets = recipes(rows, replace(self.options, set=changes))

    def reason_against(self, row: ExperimentRow, column: str) -> str | None:
        """Return why the row cannot be run on these data; read what it needs.

        Raises SpanferryError if something cannot be read, or there is no test data.
        """
        data = self.data[column]
        if row.corpus is not None and row.corpus not in data.corpora:
            return f"{column} has no {row.corpus}"
        if row.sentences is not None:
            uses = [use for stage in self.presets[row.name].stages for use in stage.uses]
            drawing = [use for use in uses if use.part is Part.PSEUDO] or [Use(Part.PSEUDO)]
            found = drawn(data.pseudo(row).rows, drawing[0], 0)
            if len(found) < row.sentences:
                return f"the data give only {len(found):,} sentences"
        data.training(row, 0)
        _ = data.test
        return None

    def key(self, row: ExperimentRow, column: str, seed: int) -> object:
        """Return recipe, training data, simulated reviews and test data."""
        given, reviews = self.data[column].training(row, seed)
        plan = plan_of(self.presets[row.name], given)
        return [plan, self.data[column].test.fingerprint, seed, reviews]

    def run(self, row: ExperimentRow, column: str, seed: int, on_progress: OnProgress) -> Json:
        """Train by the row's recipe and score the result."""
        preset, (given, reviews) = self.presets[row.name], self.data[column].training(row, seed)
        self.stages.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.stages) as scratch:
            trained = train_preset(
                preset, given, Path(scratch) / "model",
                seed=seed, eval=self.data[column].test, stages=self.stages, on_progress=on_progress,
            )  # fmt: skip
        stages = trained.record["stages"]
        self._remove(stages[-1])
        return {
            "base": preset.base,
            "scores": trained.record["scores"],
            "learned_from": {stage["name"]: stage["learned_from"] for stage in stages},
            "steps": {stage["name"]: stage["steps"] for stage in stages},
            "reviews": reviews,
        }

    def _remove(self, last: Json) -> None:
        """Delete the model of a stage that no other starts from or learns from."""
        stages = [stage for preset in self.presets.values() for stage in preset.stages]
        if any(last["name"] in (stage.start, *stage.teachers) for stage in stages):
            return
        for folder in self.stages.glob(f"{last['name']}-*"):
            record = read_object(folder / RECORD)
            if record["model_version"] == last["model_version"]:
                shutil.rmtree(folder)


@dataclass(eq=False)
class LanguageData:
    """The data of a language; pseudo-labels, reviews and test are read when they are needed."""

    reads: Reads
    config: DataConfig
    lang: str
    scored: int | None
    on_progress: OnProgress

    def __post_init__(self) -> None:
        config = self.config
        self.labels, self.kept = config.labels, Path(config.projected)
        self.language = language = config.languages[self.lang]
        self.corpora = language.teachers if self.reads is Reads.TEACHERS else language.corpora
        self._english = read_labelled(config.english, "en", self.labels)
        self._dev = read_labelled(language.dev, self.lang, self.labels)
        self._unlabelled = read_unlabelled(language.unlabelled, self.lang)

    def training(
        self, row: ExperimentRow, seed: int
    ) -> tuple[TrainingData, dict[str, float] | None]:
        """Return what a row learns from, and the counts of simulated reviews."""
        reviewed, counts = Rows(), None
        if row.minutes is None:
            pseudo = self.pseudo(row)
        else:
            pseudo, reviewed, counts = self._pool[0].rows(row.minutes, row.order, seed)
        given = TrainingData(
            self._english, pseudo, reviewed, self._unlabelled, self._dev or None, lang=self.lang
        )
        return given, counts

    def pseudo(self, row: ExperimentRow) -> Rows:
        """Return the pseudo-labelled sentences of the row's corpus, or of all.

        Raises TrainingError if there is no corpus.
        """
        if not self.corpora:
            where = f"{self.config.file} languages.{self.lang} corpora"
            raise TrainingError(where, "none is named", 'Such as news = "runs/news-de"')
        names = [*self.corpora] if row.corpus is None else [row.corpus]
        return Rows.joined(*map(self._corpus, names))

    @cache  # noqa: B019  as long as the experiment runs
    def _corpus(self, name: str) -> Rows:
        return read_pseudo(self.corpora[name], self.lang, self.labels, self.kept, self.on_progress)

    @cached_property
    def test(self) -> Rows:
        """What rows are scored on; TrainingError if there is nothing."""
        found = self._pool[1] if self.reads is Reads.REVIEWS else Rows()
        found = found or read_labelled(self.language.test, self.lang, self.labels)
        if not found:
            where = f"{self.config.file} languages.{self.lang} test"
            raise TrainingError(where, "no test data", 'Add test = "FILE"')
        return Rows(found.rows[: self.scored], found.labels)

    @cached_property
    def _pool(self) -> tuple[ReviewPool, Rows]:
        return read_pool(self.language, self.labels, self.kept, self.on_progress)


def recipes(rows: Sequence[ExperimentRow], options: ExperimentOptions) -> dict[str, Preset]:
    """Return the recipe of each row by its name, with the numbers that are asked for.

    A base that is not the recipe's gets the learning rate that suits its width, unless one is
    asked for. Raises TrainingError at a change that no row can hold.
    """
    presets = {row.name: preset_named(row.preset) for row in rows}
    last = [preset.stages[-1] for preset in presets.values()]
    end_alike = len({(stage.name, stage.settings.loss) for stage in last}) == 1
    for key in options.set:
        if key in OF_THE_LAST_STAGE and not end_alike:
            fix = f"Say of which stage, such as target.{key}"
            raise TrainingError(f"--set {key}", "the rows end in different stages", fix)
        if not any(concerns(preset, key) for preset in presets.values()):
            stages = {stage.name for preset in presets.values() for stage in preset.stages}
            what = f"no row has a stage or part {key.rpartition('.')[0]}"
            raise TrainingError(f"--set {key}", what, f"Stages are {', '.join(sorted(stages))}")
    return {row.name: _recipe(presets[row.name], row, options) for row in rows}


def _recipe(preset: Preset, row: ExperimentRow, options: ExperimentOptions) -> Preset:
    based = {} if options.base is None else {"base": options.base, "learning_rate": "none"}
    gold, pseudo = options.sentences, row.sentences or options.sentences
    drawn = {Part.ENGLISH: gold, Part.TRANSLATED: gold}
    if row.minutes is None:  # else how many there are is what the row is about
        drawn |= {Part.PSEUDO: pseudo, Part.UNLABELLED: pseudo}
    limits = {f"{part}.sentences": n for part, n in drawn.items() if n is not None}
    asked = {k: v for k, v in {**limits, **options.set}.items() if concerns(preset, k)}
    return changed(preset, {**based, **asked, **row.set})
