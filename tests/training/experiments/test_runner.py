"""The engine: what is kept, what is chosen, and where an interruption leaves off."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from training.experiments.config import DataConfig
from training.experiments.definition import ExperimentOptions, read_experiment
from training.experiments.runner import run_experiment

Made = tuple[DataConfig, ExperimentOptions]


class TestRunner:
    def test_what_is_done_is_kept(self, bench: Made, tmp_path: Path) -> None:
        config, settings = bench
        one = replace(settings, seeds=(0,))
        before = run_experiment(read_experiment("transfer"), config, one, tmp_path)
        heard: list[str] = []

        def listen(what: str, _done: int, _total: int) -> None:
            heard.append(what)

        again = run_experiment(
            read_experiment("transfer"), config, one, tmp_path, on_progress=listen
        )
        assert again.to_json() == before.to_json()
        assert heard == []
        more = run_experiment(
            read_experiment("transfer"), config, settings, tmp_path, on_progress=listen
        )
        assert {what.partition(":")[0].rpartition(" ")[2] for what in heard} == {"1"}
        for old, new in zip(before.cells, more.cells, strict=True):
            assert new.runs[0] == old.runs[0]
            assert new.spread().deviation is not None

    def test_some_rows_only(self, bench: Made, tmp_path: Path) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), rows=("li2021",))
        results = run_experiment(read_experiment("transfer"), config, settings, tmp_path)
        assert [*results.rows] == ["li2021"]
        assert results.comparisons == []
        wrong = replace(settings, rows=("zero-transfer", "lee2021"))
        with pytest.raises(TrainingError, match=r"no such row. There are zero-transfer, li2021"):
            run_experiment(read_experiment("transfer"), config, wrong, tmp_path)

    def test_an_interrupted_run_is_done_again(self, bench: Made, tmp_path: Path) -> None:
        config, settings = bench

        def stop(what: str, done: int, _total: int) -> None:
            if "li2021" in what and "target: training" in what and done == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_experiment(
                read_experiment("transfer"), config, settings, tmp_path, on_progress=stop
            )
        kept = {*(tmp_path / "cells").glob("*.json")}
        assert len(kept) == 2  # zero-transfer's
        results = run_experiment(read_experiment("transfer"), config, settings, tmp_path)
        assert len(results.cells) == 3
        assert kept < {*(tmp_path / "cells").glob("*.json")}

    def test_nothing_that_could_be_run(self, bench: Made, tmp_path: Path) -> None:
        config, settings = bench
        with pytest.raises(TrainingError, match="the data give only"):
            run_experiment(read_experiment("size"), config, settings, tmp_path)
