"""Tagger rows: their recipes, and tiny trainings on data in the small language."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from tests.training.experiments.conftest import QUICK
from training.experiments.config import DataConfig, read_config
from training.experiments.definition import (
    ExperimentOptions,
    ExperimentRow,
    ReviewOrder,
    read_experiment,
)
from training.experiments.runner import run_experiment
from training.experiments.table import markdown
from training.experiments.taggers import recipes
from training.tagger.presets import PRESETS, Part


class TestRecipes:
    LINES = (ExperimentRow("zero", "li2021-zero-transfer"), ExperimentRow("li", "li2021"))

    def test_all_draw_equally_many_in_their_own_way(self) -> None:
        preset = recipes(self.LINES, ExperimentOptions(sentences=50))["li"]
        english, pseudo = preset.stages[0].uses[0], preset.stages[1].uses[0]
        assert (english.sentences, pseudo.sentences) == (50, 50)
        assert pseudo.equal_corpora
        assert pseudo.nameless == 0.21

    def test_another_base_gets_the_rate_that_suits_it(self) -> None:
        preset = recipes(self.LINES, ExperimentOptions(base="models/small"))["li"]
        assert preset.base == "models/small"
        assert {stage.settings.learning_rate for stage in preset.stages} == {None}

    def test_unless_one_is_asked_for(self) -> None:
        asked = ExperimentOptions(base="models/small", set={"learning_rate": "1e-4"})
        preset = recipes(self.LINES, asked)["li"]
        assert {stage.settings.learning_rate for stage in preset.stages} == {1e-4}

    def test_without_a_base_recipes_keep_theirs(self) -> None:
        assert recipes(self.LINES, ExperimentOptions())["li"] == PRESETS["li2021"]

    def test_a_stage_that_only_some_rows_have(self) -> None:
        made = recipes(self.LINES, ExperimentOptions(set={"target.epochs": "3"}))
        assert made["zero"] == PRESETS["li2021-zero-transfer"]
        assert made["li"].stages[-1].settings.epochs == 3

    def test_a_number_of_the_last_stage_must_mean_the_same_in_all_rows(self) -> None:
        with pytest.raises(TrainingError, match=r"end in different stages\. .* target\.epochs"):
            recipes(self.LINES, ExperimentOptions(set={"epochs": "3"}))
        alike = read_experiment("size").expand((), at=(8, 16))
        made = recipes(alike, ExperimentOptions(set={"epochs": "3"}))
        assert {preset.stages[-1].settings.epochs for preset in made.values()} == {3.0}

    def test_a_part_of_the_data_may_be_used_otherwise(self) -> None:
        rows = read_experiment("recipe").expand(())
        made = recipes(rows, ExperimentOptions(sentences=50, set={"pseudo.weight": "2"}))
        uses = {name: preset.stages[-1].uses for name, preset in made.items()}
        drawn = {use.part: use.sentences for use in uses["without translated English"]}
        assert drawn == {
            Part.ENGLISH: 50, Part.PSEUDO: 50, Part.TRANSLATED: 0, Part.REVIEWED: None,
        }  # fmt: skip
        assert {use.weight for row in uses.values() for use in row if use.part is Part.PSEUDO} == {
            2
        }

    def test_a_stage_that_no_row_has(self) -> None:
        with pytest.raises(TrainingError, match="no row has a stage or part traget"):
            recipes(self.LINES, ExperimentOptions(set={"traget.epochs": "3"}))

    def test_what_is_translated_is_english_and_so_are_its_numbers(self) -> None:
        rows = read_experiment("size").expand((), preset="unitrans", at=(30,))
        stages = recipes(rows, ExperimentOptions(sentences=50))[rows[0].name].stages
        limits = {use.part: use.sentences for stage in stages for use in stage.uses}
        assert limits == {Part.ENGLISH: 50, Part.TRANSLATED: 50, Part.UNLABELLED: 30}

    def test_how_many_were_reviewed_is_not_cut(self) -> None:
        rows = read_experiment("review-effort").expand((), preset="plain")
        (stage,) = recipes(rows, ExperimentOptions(sentences=50))[rows[0].name].stages
        limits = {use.part: use.sentences for use in stage.uses}
        assert limits == {Part.ENGLISH: 50, Part.PSEUDO: None, Part.REVIEWED: None}


class TestTaggers:
    @pytest.mark.parametrize(
        ("name", "at", "rows"),
        [
            ("transfer", (), 3),
            ("domains", (), 3),
            ("recipe", (), 12),
            ("size", (8, 16), 2),
            ("frozen-layers", (0, 1), 2),
            ("gamma", (1, 4), 2),
            ("teachers", (), 2),
            ("review-effort", (0.5,), 5),
        ],
    )
    def test_each_of_them(
        self,
        bench: tuple[DataConfig, ExperimentOptions],
        tmp_path: Path,
        name: str,
        at: tuple[float, ...],
        rows: int,
    ) -> None:
        config, settings = bench
        changes = {k: v for k, v in QUICK.items() if k != "freeze" or name != "frozen-layers"}
        settings = replace(settings, seeds=(0,), at=at, set=changes)
        results = run_experiment(read_experiment(name), config, settings, tmp_path)
        assert len(results.rows) == rows
        assert not results.skipped
        assert all(0 <= cell.spread().mean <= 1 for cell in results.cells)
        assert all(name in markdown(results) for name in [*results.rows])
        if read_experiment(name).axis:
            assert all(cell.x is not None for cell in results.cells)

    def test_the_ablation_shares_its_english_stage(
        self, bench: tuple[DataConfig, ExperimentOptions], tmp_path: Path
    ) -> None:
        config, settings = bench
        heard: list[str] = []
        results = run_experiment(
            read_experiment("ablation"),
            config,
            settings,
            tmp_path,
            on_progress=lambda what, _done, _total: heard.append(what),
        )
        assert len(results.rows) == 7
        # Three of the paper's rows begin with its English model, and the first trains it.
        english = {what for what in heard if "english: training" in what}
        assert {what for what in english if not what.startswith("spanferry")} == {
            f"sequential RW, de, seed {seed}: english: training steps" for seed in (0, 1)
        }
        kept = [path.name for path in (tmp_path / "stages").iterdir() if path.is_dir()]
        assert {name.partition("-")[0] for name in kept} == {"english"}
        assert {path.suffix for path in (tmp_path / "cells").iterdir()} == {".json"}
        drawn = [
            sum(parts.values())
            for cell in results.cells
            for parts in cell.runs[0]["learned_from"].values()
        ]
        assert {*drawn} <= {16, 32}  # of one part, or of two

    def test_sizes_larger_than_the_data_are_skipped_and_said(
        self, bench: tuple[DataConfig, ExperimentOptions], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), at=(8, 5000))
        results = run_experiment(read_experiment("size"), config, settings, tmp_path)
        assert [*results.rows] == ["8 sentences"]
        assert [*results.skipped] == ["5,000 sentences, de"]
        assert "the data give only" in results.skipped["5,000 sentences, de"]
        assert "5,000 sentences, de was skipped" in markdown(results)

    def test_a_corpus_that_one_language_lacks(
        self, bench: tuple[DataConfig, ExperimentOptions], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), columns=("de", "nl"))
        results = run_experiment(read_experiment("domains"), config, settings, tmp_path)
        assert results.skipped == {"talks, nl": "nl has no talks"}
        (line,) = [line for line in markdown(results).splitlines() if line.startswith("| talks")]
        assert line.endswith("| – |")

    def test_corrections_are_counted(
        self, bench: tuple[DataConfig, ExperimentOptions], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), at=(0.5,))
        results = run_experiment(read_experiment("review-effort"), config, settings, tmp_path)
        reviews = {cell.row.name: cell.runs[0]["reviews"] for cell in results.cells}
        pool = reviews["all corrected"]["seen"]
        assert 0 < pool < 8  # some are held out
        assert reviews["pseudo-labels only"]["seen"] == 0
        for order in ReviewOrder:
            some = reviews[f"{order.value}, 0.5 min"]
            assert 0 < some["seen"] < pool
            assert 0 < some["minutes"] <= 0.5
        assert f"{pool} reviewed" in markdown(results)
        assert {each.over for each in results.comparisons} == {
            "random order, 0.5 min",
            "lowest confidence first, 0.5 min",
        }

    @pytest.mark.parametrize(
        ("text", "name", "complaint"),
        [
            ("[languages.de]\ncorpora = {a = 'news.iob2'}", "transfer", "no test data"),
            ("[languages.de]\ntest = 'test.iob2'", "transfer", "corpora: none is named"),
            ("[languages.de]\ntest = 'test.iob2'", "teachers", "the data name no teachers"),
            (
                "[languages.de]\ntest = 'gone.iob2'\ncorpora = {a = 'news.iob2'}",
                "transfer",
                "does not exist",
            ),
            (
                "[languages.de]\ntest = 'test.iob2'\ncorpora = {a = 'news.iob2'}\n"
                "[languages.nl]\ntest = 'test.iob2'\ncorpora = {a = 'gone.iob2'}",
                "transfer",
                "gone.iob2: does not exist",
            ),
        ],
    )
    def test_data_that_are_not_there(
        self,
        bench: tuple[DataConfig, ExperimentOptions],
        tmp_path: Path,
        text: str,
        name: str,
        complaint: str,
    ) -> None:
        config, settings = bench
        folder = config.file.parent
        broken = folder / f"{tmp_path.name}.toml"
        broken.write_text(f"english = 'english.iob2'\n{text}", "utf-8")
        settings = replace(settings, columns=())
        with pytest.raises(TrainingError, match=complaint):
            run_experiment(read_experiment(name), read_config(broken), settings, tmp_path)
        assert not (tmp_path / "cells").exists()
