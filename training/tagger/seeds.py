"""One recipe with several seeds: a model each, and mean and deviation of their scores."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from projection.errors import TrainingError
from projection.io.files import read_object, write_json
from projection.io.folders import is_main_process
from projection.io.records_json import Json
from training.data.rows import Rows
from training.tagger.presets import Preset
from training.tagger.recipe_runner import RECORD, plan_of, prefixed, train_preset
from training.tagger.training_data import TrainingData
from training.trainer.card import table
from training.trainer.settings import NOWHERE, Tracking
from training.trainer.trainer import OnProgress, wait_for_everyone

SCHEMA = 1
SUMMARY = "summary.json"
MEASURES = ("f1", "precision", "recall")


class SeedSpread(NamedTuple):
    """Mean and sample deviation (n - 1; None for one value) of a measure over the seeds."""

    mean: float
    deviation: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "SeedSpread":
        """Return the spread of at least one value."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, tuple(values))

    def to_json(self) -> Json:
        """Return a JSON object."""
        return {**self._asdict(), "values": [*self.values]}

    def __str__(self) -> str:
        around = "" if self.deviation is None else f" ± {100 * self.deviation:.2f}"
        return f"{100 * self.mean:.2f}{around}"


@dataclass(frozen=True, slots=True)
class Seeds:
    """The records of several seeds, and the spread of their scores."""

    folder: Path
    preset: str
    records: Mapping[int, Json]  # by seed

    @property
    def spreads(self) -> dict[str, SeedSpread]:
        """F1, precision and recall on the held-out data; empty without any."""
        scores = [record["scores"] for record in self.records.values()]
        if not scores or None in scores:
            return {}
        return {name: SeedSpread.of([score[name] for score in scores]) for name in MEASURES}

    @property
    def by_type(self) -> dict[str, SeedSpread]:
        """F1 of each entity type, 0 for a seed that did not see or predict it."""
        if not self.spreads:
            return {}
        scores = [record["scores"]["by_type"] for record in self.records.values()]
        kinds = sorted({kind for each in scores for kind in each})
        zero = {"f1": 0.0}
        return {kind: SeedSpread.of([s.get(kind, zero)["f1"] for s in scores]) for kind in kinds}

    def to_json(self) -> Json:
        """Return the content of `summary.json`; scores are fractions."""
        return {
            "schema": SCHEMA,
            "preset": self.preset,
            "seeds": [*self.records],
            "scores": {name: spread.to_json() for name, spread in self.spreads.items()},
            "by_type": {kind: spread.to_json() for kind, spread in self.by_type.items()},
            "models": {f"seed-{s}": record["model_version"] for s, record in self.records.items()},
        }

    def __str__(self) -> str:
        lines = [f"{self.folder}: {len(self.records)} seeds of {self.preset}"]
        lines += [f"{name:10}{spread!s:>16}" for name, spread in self.spreads.items()]
        lines += [f"F1 {kind:7}{spread!s:>16}" for kind, spread in self.by_type.items()]
        return "\n".join(lines)


def train_seeds(
    preset: Preset,
    data: TrainingData,
    out: Path,
    seeds: Sequence[int],
    *,
    eval: Rows | None = None,  # noqa: A002  the word everyone looks for
    stages: Path | None = None,
    tracking: Tracking = NOWHERE,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Seeds:
    """Train a model for each seed in `out/seed-N`, and write `out/summary.json`.

    Finished seeds are kept, and an interrupted one is resumed; more seeds may be added later. The
    arguments are those of `train_preset`. Raises TrainingError if `out` holds models of another
    recipe or other data.
    """
    if not seeds or len({*seeds}) < len(seeds):
        raise TrainingError("seeds", f"{[*seeds]} are none, or not all different")
    scored = None if eval is None else eval.fingerprint
    _claim(out, plan_of(preset, data) | {"eval": scored})
    records = {}
    for place, seed in enumerate(seeds, start=1):
        model = out / f"seed-{seed}"
        if not model.exists():
            train_preset(
                preset, data, model, seed=seed, eval=eval, stages=stages,
                tracking=tracking.part(model.name),
                on_progress=prefixed(on_progress, f"{place} of {len(seeds)}"),
            )  # fmt: skip
        records[seed] = read_object(model / RECORD)
    found = Seeds(out, preset.name, records)
    if is_main_process():
        write_json(out / SUMMARY, found.to_json())
        rows = [(name, str(spread)) for name, spread in found.spreads.items()]
        rows += [(f"F1 of {kind}", str(spread)) for kind, spread in found.by_type.items()]
        scores = table(["measure", "mean ± deviation, per cent"], rows) if rows else "Not scored."
        made_by = f"{len(records)} models by the recipe `{preset.name}`, one a seed."
        (out / "README.md").write_text(f"# {out.name}\n\n{made_by}\n\n{scores}\n", "utf-8")
    wait_for_everyone()
    return found


def _claim(out: Path, plan: Mapping[str, Any]) -> None:
    """Write the plan to a new folder, or compare it with that of an old one."""
    if not is_main_process():
        return
    file = out / "plan.json"
    if file.is_file():
        # As JSON returns it: without tuples.
        if read_object(file) != json.loads(json.dumps(plan)):
            raise TrainingError(
                str(out), "holds models of another recipe or other data", "Choose another folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")
    else:
        out.mkdir(parents=True, exist_ok=True)
        write_json(file, plan)
