"""Experiment definitions: those that ship, and TOML files that are wrong."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from training.experiments.aligners import NUMBERS, decoding_of, numbers_of
from training.experiments.definition import (
    NAMES,
    ExperimentOptions,
    Reads,
    ReviewOrder,
    read_experiment,
)
from training.experiments.taggers import recipes


class TestShipped:
    def test_there_is_one_for_each_table_and_figure(self) -> None:
        assert {*NAMES} == {
            "transfer",
            "domains",
            "ablation",
            "recipe",
            "size",
            "frozen-layers",
            "gamma",
            "teachers",
            "review-effort",
            "review-effort-corpus",
            "aligners",
        }

    @pytest.mark.parametrize("name", NAMES)
    def test_rows_have_recipes_or_aligners_that_exist(self, name: str) -> None:
        experiment = read_experiment(name)
        rows = experiment.expand(("a", "b"))
        if experiment.reads is Reads.SILVER:
            assert numbers_of(experiment.set) == NUMBERS
            trained = [row for row in rows if row.preset in ("paper-pair", "context-joint")]
            assert len({decoding_of(row) for row in trained[3:]}) == 4
        elif experiment.reads is not Reads.GOLD:
            made = recipes(rows, ExperimentOptions(set=experiment.set))
            assert made.keys() == {row.name for row in rows}

    def test_the_ablation_has_the_paper_s_six_and_ours(self) -> None:
        rows = read_experiment("ablation").expand(())
        assert [row.name for row in rows if row.preset != "spanferry"] == [
            "sequential RW",
            "zero-transfer",
            "sequential CE",
            "skip English",
            "mixed CE",
            "mixed RW",
        ]

    def test_corpora_one_by_one_and_together(self) -> None:
        rows = read_experiment("domains").expand(("news", "talks"))
        assert [(row.name, row.corpus) for row in rows] == [
            ("news", "news"),
            ("talks", "talks"),
            ("together", None),
        ]

    @pytest.mark.parametrize("name", ["review-effort", "review-effort-corpus"])
    def test_minutes_to_review_in_each_order(self, name: str) -> None:
        first, *rows, last = read_experiment(name).expand((), at=(90, 2.5))
        assert [(row.minutes, row.order) for row in rows] == [
            (minutes, order) for order in ReviewOrder for minutes in (2.5, 90)
        ]
        assert all(row.name == f"{row.order.value}, {row.minutes:g} min" for row in rows)
        assert (first.minutes, last.minutes) == (0, math.inf)

    def test_sizes_are_numbers_of_sentences(self) -> None:
        rows = read_experiment("size").expand((), preset="unitrans", at=(8, 5_000))
        assert [(row.name, row.sentences, row.x, row.preset) for row in rows] == [
            ("8 sentences", 8, 8, "unitrans"),
            ("5,000 sentences", 5000, 5000, "unitrans"),
        ]

    def test_a_number_is_swept_in_the_last_stage(self) -> None:
        rows = read_experiment("gamma").expand((), at=(1, 2.5))
        presets = recipes(rows, ExperimentOptions())
        assert [presets[row.name].stages[-1].settings.gamma for row in rows] == [1.0, 2.5]
        assert [row.x for row in rows] == [1, 2.5]

    def test_layers_are_frozen_in_all_stages(self) -> None:
        rows = read_experiment("frozen-layers").expand(())
        presets = recipes(rows, ExperimentOptions())
        frozen = [{s.settings.freeze for s in presets[row.name].stages} for row in rows]
        assert frozen == [{0}, {3}, {6}]

    def test_aligners_of_the_data_are_never_the_best(self) -> None:
        rows = read_experiment("aligners").expand(("mini",))
        assert [(row.name, row.preset) for row in rows if row.apart] == [
            ("mini (trained longer)", "mini")
        ]
        assert len(read_experiment("aligners").expand(())) == len(rows) - 1

    def test_rows_that_are_recipes_take_no_other(self) -> None:
        with pytest.raises(TrainingError, match="recipes themselves"):
            read_experiment("transfer").expand((), preset="plain")

    @pytest.mark.parametrize("name", ["transfer", "domains", "teachers"])
    def test_places_without_an_axis(self, name: str) -> None:
        with pytest.raises(TrainingError, match=f"{name} has no axis"):
            read_experiment(name).expand((), at=(1,))


MINE = "title = 'Mine'\nreads = 'corpora'\n"


class TestFile:
    def test_rows_of_your_own(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        row = "{name = '{preset} on {name}', corpus = '{name}', set = {'target.epochs' = 2}}"
        path.write_text(f"{MINE}preset = 'plain'\nrows = [{row}]", "utf-8")
        experiment = read_experiment(str(path))
        assert (experiment.name, experiment.title, experiment.seeds) == ("mine", "Mine", 3)
        (row_,) = experiment.expand(("news",))
        assert (row_.name, row_.corpus, row_.set) == ("plain on news", "news", {"target.epochs": 2})
        (other,) = experiment.expand(("news",), preset="li2021")
        assert other == replace(row_, name="li2021 on news", preset="li2021")

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            pytest.param("title = ", r"mine\.toml: is not TOML", id="no TOML"),
            pytest.param("title = 3", "title: 3: Input should be a valid string", id="no text"),
            pytest.param("title = 'a'", "reads: missing", id="missing key"),
            pytest.param(
                "title = 'a'\nrows = []\nreads = 'books'",
                "reads: 'books': Input should be 'corpora', 'teachers'",
                id="no source",
            ),
            pytest.param(
                f"{MINE}rows = []\nrow = 3",
                r"row: no such key\. Did you mean rows\? See docs",
                id="other key",
            ),
            pytest.param(
                f"{MINE}rows = []\nat = 3", "at: 3: Input should be a valid array", id="no places"
            ),
            pytest.param(f"{MINE}rows = []\nseeds = 0", "seeds: 0 is not above 0", id="no seeds"),
            pytest.param(
                f"{MINE}preset = 'li2021'\nrows = [{{name = 'a', apart = 'yes'}}]",
                r"rows\[0\] apart: 'yes': Input should be a valid boolean",
                id="no flag",
            ),
            pytest.param(
                f"{MINE}rows = [{{name = 'a'}}]", r"rows\[0\]: names no preset", id="no recipe"
            ),
            pytest.param(
                f"{MINE}preset = 'li2021'\nrows = [{{name = 'a', sise = 3}}]",
                r"rows\[0\] sise: no such key",
                id="other key of a row",
            ),
            pytest.param(
                f"{MINE}preset = 'li2021'\nrows = [{{name = 'a'}}, {{name = 'a'}}]",
                r"rows\[1\] name: two rows are named 'a'",
                id="one name twice",
            ),
            pytest.param(
                f"{MINE}preset = 'li2021'\nrows = [{{name = '{{corpus}}'}}]",
                r"cannot be filled in \('corpus'\). Placeholders are {name}",
                id="other placeholder",
            ),
            pytest.param(
                f"{MINE}preset = 'li2021'\nrows = [{{name = 'a', minutes = -2}}]",
                "minutes: -2.* is below 0",
                id="no time",
            ),
            pytest.param(
                f"{MINE}preset = 'li2021'\nours = 'b'\nrows = [{{name = 'a'}}]",
                "ours: no row 'b'. There are a",
                id="no row of ours",
            ),
            pytest.param(
                f"{MINE}rows = []\npublished = [{{column = 'de'}}]",
                r"published\[0\]\.f1: missing",
                id="half a published score",
            ),
        ],
    )
    def test_what_is_not_valid(self, tmp_path: Path, text: str, complaint: str) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(TrainingError, match=complaint):
            read_experiment(str(path))

    def test_no_such_experiment(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"tranfer: no such .* or name a TOML"):
            read_experiment("tranfer")
        with pytest.raises(TrainingError, match="no such file"):
            read_experiment(str(tmp_path / "mine.toml"))


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "reproducing.md").read_text("utf-8")
    (example,) = (part for part in text.split("```toml\n")[1:] if part.startswith("title"))
    path = tmp_path / "mine.toml"
    path.write_text(example.partition("```")[0], "utf-8")
    rows = read_experiment(str(path)).expand(("news", "talks"))
    assert [row.name for row in rows] == [
        "1 epochs",
        "2 epochs",
        "4 epochs",
        "news alone",
        "talks alone",
        "li2021",
    ]
    assert recipes(rows, ExperimentOptions())["2 epochs"].stages[-1].settings.epochs == 2
