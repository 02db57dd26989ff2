"""Training and scoring every row of an experiment in every column with every seed.

A run's record is kept under a hash of everything that shaped it, so that an interrupted experiment
continues where it was, and a larger one does only what is new.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from projection.errors import TrainingError
from projection.io.files import read_object, write_json
from projection.models.computing import device_name
from training.aligner.silver import WordAligner
from training.experiments.aligners import INSTALLED, AlignerBench
from training.experiments.config import DataConfig
from training.experiments.corpora import CorpusBench, Propagate
from training.experiments.definition import Experiment, ExperimentOptions, ExperimentRow, Reads
from training.experiments.results import Cell, Results
from training.experiments.taggers import TaggerBench
from training.tagger.recipe_runner import prefixed
from training.trainer.trainer import OnProgress

CELLS, STAGES = "cells", "stages"

Bench = AlignerBench | CorpusBench | TaggerBench


def run_experiment(
    experiment: Experiment,
    config: DataConfig,
    options: ExperimentOptions,
    out: Path,
    *,
    stages: Path | None = None,
    word_aligner: WordAligner | None = INSTALLED,
    propagate: Propagate = lambda _reviews, unseen: unseen,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Results:
    """Run what has not been run yet, and collect the results.

    Records of finished runs are kept in `out`; so are the models that several rows use, unless the
    folder `stages` is named. `word_aligner` links words for `eflomal` rows; None skips them.
    `propagate` applies the corrections of simulated reviews to the sentences of a corpus.

    Raises SpanferryError, before anything is trained, if data or options cannot be used or no row
    can be run.
    """
    folder = stages or out / STAGES
    bench: Bench
    if experiment.reads is Reads.SILVER:
        bench = AlignerBench(config, experiment, options, folder, word_aligner)
    elif experiment.reads is Reads.GOLD:
        bench = CorpusBench(config, experiment, options, propagate, on_progress)
    else:
        bench = TaggerBench(config, experiment, options, folder, on_progress)
    rows = _rows(experiment, bench.names, options)
    bench.prepare(rows)
    planned, skipped = [], {}
    for column in bench.columns:
        for row in rows:
            if reason := bench.reason_against(row, column):
                skipped[f"{row.name}, {column}"] = reason
            else:
                planned.append((row, column))
    if not planned:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise TrainingError(f"experiment {experiment.name}", reasons or "has no rows")
    cells = []
    for row, column in planned:
        runs = {}
        for seed in options.seeds or range(experiment.seeds):
            said = prefixed(on_progress, f"{row.name}, {column}, seed {seed}")
            runs[seed] = _run(bench, row, column, seed, cells=out / CELLS, on_progress=said)
        cells.append(Cell(row, column, runs))
    return Results(experiment, options, bench.columns, tuple(cells), skipped, config.file.name)


def _rows(
    experiment: Experiment, names: Sequence[str], options: ExperimentOptions
) -> list[ExperimentRow]:
    rows = {row.name: row for row in experiment.expand(names, options.preset, options.at)}
    for name in options.rows:
        if name not in rows:
            fix = f"There are {', '.join(rows)}"
            raise TrainingError(f"--row {name}", f"{experiment.name} has no such row", fix)
    return [row for row in rows.values() if not options.rows or row.name in options.rows]


def _run(
    bench: Bench,
    row: ExperimentRow,
    column: str,
    seed: int,
    *,
    cells: Path,
    on_progress: OnProgress,
) -> Mapping[str, Any]:
    """Return the record of a run, kept from an earlier call or made now."""
    key = json.dumps(bench.key(row, column, seed))
    file = cells / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    if not file.is_file():
        began, cpu_began = time.perf_counter(), time.process_time()
        record = {
            "preset": row.preset,
            "seed": seed,
            **bench.run(row, column, seed, on_progress),
            "device": device_name(),
            "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(time.process_time() - cpu_began, 1),
        }
        cells.mkdir(parents=True, exist_ok=True)
        write_json(file, record)
    return read_object(file)
