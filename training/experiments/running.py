"""Training and scoring every row of an experiment with every seed.

What a run found is kept under a hash of all that shaped it, so that an interrupted experiment goes
on where it was, and one that is asked for more does only what is new.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from projection.errors import TrainingError
from projection.io.files import parse_object, write_json
from projection.models.checkpoints import device_name
from training.data.rows import Rows
from training.experiments.config import DataConfig, Language
from training.experiments.definition import Experiment, Reads, Row
from training.experiments.language_data import LanguageData
from training.experiments.results import Cell, Results, Settings
from training.experiments.reviewing import Reviews
from training.tagger.presets import (
    OF_THE_LAST_STAGE,
    Draw,
    Part,
    Preset,
    changed,
    concerns,
    preset_named,
)
from training.tagger.recipe_runner import RECORD, Trained, plan_of, train_preset
from training.tagger.training_data import TrainingData
from training.trainer.trainer import OnProgress

CELLS, STAGES = "cells", "stages"


def run_experiment(
    experiment: Experiment,
    config: DataConfig,
    settings: Settings,
    out: Path,
    *,
    stages: Path | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Results:
    """Run what has not been run yet, and gather what was found.

    Args:
        experiment: one of `definition.EXPERIMENTS`.
        config: the data.
        settings: what is the same for all rows.
        out: folder of the results; finished runs are kept in it.
        stages: folder for models that several rows begin with; None keeps them in `out`. What
            shares it shares them.
        on_progress: hears what is being done.

    Raises:
        SpanferryError: if data or settings cannot be used, told before anything is trained; or if
            no row can be run at all.
    """
    languages = config.of(settings.langs)
    rows = _rows(experiment, languages, settings)
    presets = recipes(rows, settings)
    data = [
        LanguageData(experiment.reads, config, each, settings.scored, on_progress)
        for each in languages
    ]
    planned, skipped = _planned(rows, presets, data)
    if not planned:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise TrainingError(f"experiment {experiment.name}", reasons or "has no rows")
    beginnings = {start for preset in presets.values() for start in _beginnings(preset)}
    bench = _Bench(out, stages or out / STAGES, beginnings, on_progress)
    cells = [bench.cell(row, each, presets[row.name], settings.seeds) for row, each in planned]
    langs = tuple(language.lang for language in languages)
    return Results(experiment, settings, langs, tuple(cells), skipped, config.file.name)


def _rows(
    experiment: Experiment, languages: Sequence[Language], settings: Settings
) -> tuple[Row, ...]:
    names = _names(experiment, languages)
    rows = experiment.rows(names, settings.preset, settings.at)
    for name in settings.rows:
        if name not in {row.name for row in rows}:
            fix = f"There are {', '.join(row.name for row in rows)}"
            raise TrainingError(f"--row {name}", f"{experiment.name} has no such row", fix)
    return tuple(row for row in rows if not settings.rows or row.name in settings.rows)


def _planned(
    rows: Sequence[Row], presets: Mapping[str, Preset], data: Sequence[LanguageData]
) -> tuple[list[tuple[Row, LanguageData]], dict[str, str]]:
    """The rows that can be run on each language, its data read, and why others cannot."""
    planned, skipped = [], {}
    for each in data:
        for row in rows:
            if reason := each.reason_against(row, presets[row.name]):
                skipped[f"{row.name}, {each.lang}"] = reason
            else:
                each.check(row)
                planned.append((row, each))
    return planned, skipped


def recipes(rows: Sequence[Row], settings: Settings) -> dict[str, Preset]:
    """The recipe of each row by its name, with the numbers that are asked for.

    A base that is not the recipe's gets the learning rate that suits its width, unless one is
    asked for.

    Raises:
        TrainingError: at a change that no row can hold.
    """
    presets = {row.name: preset_named(row.preset) for row in rows}
    for key in settings.changes:
        if key in OF_THE_LAST_STAGE and not _end_alike(presets.values()):
            fix = f"Say of which stage, such as target.{key}"
            raise TrainingError(f"--set {key}", "the rows end in different stages", fix)
        if not any(concerns(preset, key) for preset in presets.values()):
            stages = {stage.name for preset in presets.values() for stage in preset.stages}
            what = f"no row has a stage or part {key.rpartition('.')[0]}"
            raise TrainingError(f"--set {key}", what, f"Stages are {', '.join(sorted(stages))}")
    return {row.name: _recipe(presets[row.name], row, settings) for row in rows}


def _end_alike(presets: Iterable[Preset]) -> bool:
    """Whether the last stages are the same but for the recipe's numbers."""
    last = [preset.stages[-1] for preset in presets]
    return len({(stage.name, stage.settings.loss) for stage in last}) == 1


def _recipe(preset: Preset, row: Row, settings: Settings) -> Preset:
    asked = {k: v for k, v in settings.changes.items() if concerns(preset, k)}
    based = {} if settings.base is None else {"base": settings.base, "learning_rate": "none"}
    gold, pseudo = settings.sentences, row.sentences or settings.sentences
    limits = {Part.ENGLISH: gold, Part.TRANSLATED: gold}
    if row.reviewed is None:  # else how many there are is what the row is about
        limits |= {Part.PSEUDO: pseudo, Part.UNLABELLED: pseudo}
    return changed(_sized(preset, limits), {**based, **asked, **row.changes})


def _sized(preset: Preset, limits: Mapping[Part, int | None]) -> Preset:
    """The preset drawing so many sentences of each part, in its own way."""

    def sized(draw: Draw, limit: int | None) -> Draw:
        return draw if limit is None else replace(draw, sentences=limit)

    stages = (
        replace(
            stage,
            uses=tuple(
                replace(use, draw=sized(use.draw, limits.get(use.part))) for use in stage.uses
            ),
        )
        for stage in preset.stages
    )
    return replace(preset, stages=tuple(stages))


def _names(experiment: Experiment, languages: Sequence[Language]) -> tuple[str, ...]:
    """The corpora or teachers of all languages."""
    if experiment.reads is Reads.REVIEWS:
        return ()
    named = [getattr(language, experiment.reads.value) for language in languages]
    if experiment.reads is Reads.TEACHERS and not any(named):
        fix = "Add [languages.de.teachers]: projections of one text by several teachers"
        raise TrainingError(f"experiment {experiment.name}", "the data name no teachers", fix)
    return tuple(dict.fromkeys(name for corpora in named for name in corpora))


def _beginnings(preset: Preset) -> set[str]:
    """The stages whose models others begin with or learn from."""
    return {name for stage in preset.stages for name in (stage.start, *stage.teachers)}


def _named(name: str, on_progress: OnProgress) -> OnProgress:
    """Says of which run the steps are."""
    return lambda what, done, total: on_progress(f"{name}: {what}", done, total)


def _place(row: Row, runs: Mapping[int, Mapping[str, Any]]) -> float | None:
    """On the axis: how many sentences were reviewed, or what the row says."""
    reviews = next(iter(runs.values()))["reviews"]
    return row.x if reviews is None else float(reviews["seen"])


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where runs are made and kept. Only models that others begin with outlive their run."""

    out: Path
    stages: Path
    beginnings: set[str]
    on_progress: OnProgress

    def cell(self, row: Row, data: LanguageData, preset: Preset, seeds: Sequence[int]) -> Cell:
        """A row in a language, with every seed."""
        runs = {}
        for seed in seeds:
            said = _named(f"{row.name}, {data.lang}, seed {seed}", self.on_progress)
            runs[seed] = replace(self, on_progress=said).run(row, data, preset, seed)
        return Cell(row, data.lang, _place(row, runs), runs)

    def run(self, row: Row, data: LanguageData, preset: Preset, seed: int) -> Mapping[str, Any]:
        """What a run found; kept from an earlier call, or found now."""
        given, reviews = data.training(row, seed)
        key = _key(preset, given, data.test, seed)
        file = self.out / CELLS / f"{key}.json"
        if not file.is_file():
            write_json(file, self._train(preset, given, data.test, seed, key))
        record = parse_object(file.read_text("utf-8"), str(file))
        return {**record, "reviews": None if reviews is None else _counts(reviews)}

    def _train(
        self, preset: Preset, given: TrainingData, test: Rows, seed: int, key: str
    ) -> dict[str, Any]:
        (self.out / CELLS).mkdir(parents=True, exist_ok=True)
        model = self.out / CELLS / f"{key}.model"
        shutil.rmtree(model, ignore_errors=True)  # of a call that was interrupted
        began, cpu_began = time.perf_counter(), time.process_time()
        trained = train_preset(
            preset, given, model,
            seed=seed, eval=test, stages=self.stages, on_progress=self.on_progress,
        )  # fmt: skip
        assert trained.scores is not None  # noqa: S101  there is test data
        for old in self._done_with(trained):
            shutil.rmtree(old)
        return {
            "preset": preset.name,
            "base": preset.base,
            "seed": seed,
            "scores": trained.scores.to_json(),
            "learned_from": {each.name: dict(each.learned_from) for each in trained.stages},
            "steps": {each.name: each.record["steps"] for each in trained.stages},
            "device": device_name(),
            "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(time.process_time() - cpu_began, 1),
        }

    def _done_with(self, trained: Trained) -> Iterator[Path]:
        """The folders of a model that no other begins with."""
        yield trained.model
        last = trained.stages[-1]
        for folder in (
            self.stages.glob(f"{last.name}-*") if last.name not in self.beginnings else ()
        ):
            record = parse_object((folder / RECORD).read_text("utf-8"), str(folder / RECORD))
            if record["model_version"] == last.record["model_version"]:
                yield folder


def _key(preset: Preset, given: TrainingData, test: Rows, seed: int) -> str:
    """Everything that shapes a run, as sixteen hex digits."""
    shaped_by = [plan_of(preset, given), test.fingerprint, seed]
    return hashlib.sha256(json.dumps(shaped_by).encode()).hexdigest()[:16]


def _counts(reviews: Reviews) -> dict[str, int]:
    return {"seen": reviews.seen, "corrected": reviews.corrected, "labels": reviews.labels}
