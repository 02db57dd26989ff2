"""One recipe with several seeds, on tiny models and the small language."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from tests.training.tagger.test_recipe_runner import Base, Data, Stopped, quick
from training.data.rows import NO_ROWS
from training.evaluation.tagging_scores import evaluate
from training.tagger.preset_changes import changed
from training.tagger.presets import PRESETS
from training.tagger.seeds import Seeds, SeedSpread, train_seeds
from training.tagger.training_data import TrainingData


class TestSeeds:
    def test_a_folder_a_seed_and_the_spread_of_all(
        self, base: Base, data: TrainingData, made_data: Data, tmp_path: Path
    ) -> None:
        preset, held_out = quick("plain", base("bert")), made_data(30, 9)
        out = tmp_path / "seeds"
        made = train_seeds(preset, data, out, range(3), eval=held_out)
        each = [evaluate(out / f"seed-{seed}", held_out).f1 for seed in range(3)]
        assert made.spreads["f1"].values == tuple(each)
        summary = json.loads((out / "summary.json").read_text())
        assert summary == made.to_json()
        mean = sum(each) / 3
        deviation = (sum((f1 - mean) ** 2 for f1 in each) / 2) ** 0.5
        assert summary["scores"]["f1"]["mean"] == pytest.approx(mean)
        assert summary["scores"]["f1"]["deviation"] == pytest.approx(deviation)
        assert set(summary["by_type"]) == {"LOC", "ORG", "PER"}
        assert len({*summary["models"].values()}) == 3
        assert f"{100 * mean:.2f} ± {100 * deviation:.2f}" in (out / "README.md").read_text()

    def test_finished_seeds_are_kept(self, base: Base, data: TrainingData, tmp_path: Path) -> None:
        preset, out = quick("plain", base("bert")), tmp_path / "seeds"
        seen: list[str] = []

        def stop(what: str, done: int, _total: int) -> None:
            if what.startswith("2 of 2") and done == 3:
                raise Stopped

        with pytest.raises(Stopped):
            train_seeds(preset, data, out, [0, 1], on_progress=stop)
        stamp = (out / "seed-0" / "model.safetensors").stat().st_mtime_ns
        train_seeds(preset, data, out, range(3), on_progress=lambda what, _d, _t: seen.append(what))
        assert (out / "seed-0" / "model.safetensors").stat().st_mtime_ns == stamp
        assert {*seen} == {f"{i} of 3: target: training steps" for i in (2, 3)}
        assert not train_seeds(preset, data, out, range(3)).spreads

    def test_another_recipe_or_other_data_are_refused(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        preset, out = quick("plain", base("bert")), tmp_path / "seeds"
        train_seeds(preset, data, out, [0])
        for other, some in (
            (changed(preset, {"epochs": 2}), data),
            (preset, replace(data, english=NO_ROWS)),
        ):
            with pytest.raises(TrainingError, match="another recipe or other data"):
                train_seeds(other, some, out, [0])
        shutil.rmtree(out / "seed-0")
        (out / "plan.json").unlink()
        (out / "mine.txt").write_text("x")
        with pytest.raises(TrainingError, match="exists already"):
            train_seeds(preset, data, out, [0])

    @pytest.mark.parametrize("seeds", [[], [1, 1]])
    def test_seeds_are_some_and_different(
        self, seeds: Iterable[int], data: TrainingData, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError, match="none, or not all different"):
            train_seeds(PRESETS["plain"], data, tmp_path / "seeds", [*seeds])

    def test_one_seed_has_no_deviation(self) -> None:
        assert str(SeedSpread.of([0.5])) == "50.00"
        assert str(SeedSpread.of([0.5, 0.6])) == "55.00 ± 7.07"

    def test_a_type_one_seed_never_met_counts_nothing_there(self) -> None:
        scores = [
            {"f1": 1.0, "precision": 1.0, "recall": 1.0, "by_type": t}
            for t in ({}, {"PER": {"f1": 1.0}})
        ]
        seeds = Seeds(Path("x"), "plain", {i: {"scores": s} for i, s in enumerate(scores)})
        assert seeds.by_type["PER"].values == (0.0, 1.0)
