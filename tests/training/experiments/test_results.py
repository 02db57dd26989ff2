"""Results of an experiment, with scores by hand."""

import json
from statistics import fmean, stdev
from typing import Any

import pytest
from scipy.stats import t

from training.experiments.definition import ExperimentOptions, ExperimentRow, read_experiment
from training.experiments.results import Cell, Results


def cell(name: str, column: str, *f1: float, **row: Any) -> Cell:
    """A cell with given scores, a seed each."""
    runs = {
        seed: {
            "base": "mini",
            "scores": {"f1": value, "precision": value, "recall": value, "sentences": 10},
            "learned_from": {"target": {"pseudo": 1000}},
            "steps": {"target": 30},
            "device": "CPU",
            "cpu_seconds": 60.0,
            "reviews": None,
        }
        for seed, value in enumerate(f1)
    }
    return Cell(ExperimentRow(name, name, **row), column, runs)


def results_of(*cells: Cell, columns: tuple[str, ...] = ("nl",), name: str = "transfer") -> Results:
    return Results(read_experiment(name), ExperimentOptions(), columns, cells, {}, "data.toml")


class TestComparisons:
    def test_a_lead_that_seeds_do_not_explain(self) -> None:
        results = results_of(
            cell("spanferry", "nl", 0.60, 0.62, 0.64), cell("li2021", "nl", 0.45, 0.45, 0.48)
        )
        (comparison,) = results.comparisons
        assert comparison.over == "li2021"
        assert comparison.lead.mean == pytest.approx(0.16)
        assert comparison.beyond_chance is True
        assert comparison.interval is not None
        low, high = comparison.interval
        assert 0 < low < 0.16 < high

    def test_a_series_of_ours_is_compared_at_each_place(self) -> None:
        places = {"doubtful phrases first": (0.6, 0.8), "random order": (0.5, 0.6)}
        results = results_of(
            cell("as projected", "nl", 0.3),
            *(
                cell(f"{series}, {x}", "nl", f1, series=series, x=float(x))
                for series, scores in places.items()
                for x, f1 in enumerate(scores)
            ),
            name="review-effort-corpus",
        )
        leads = {each.over: each.lead.mean for each in results.comparisons}
        assert leads == pytest.approx({"random order, 0": 0.1, "random order, 1": 0.2})

    def test_more_than_one_deviation_is_not_beyond_chance(self) -> None:
        """1.8 times the deviation of the difference, of three seeds: the interval has 0."""
        results = results_of(
            cell("spanferry", "nl", 0.50, 0.52, 0.54), cell("li2021", "nl", 0.443, 0.503, 0.503)
        )
        (comparison,) = results.comparisons
        assert comparison.lead.mean == pytest.approx(0.037)
        assert comparison.beyond_chance is False

    def test_a_row_of_ours_that_is_behind(self) -> None:
        (comparison,) = results_of(
            cell("spanferry", "nl", 0.30, 0.31, 0.32), cell("li2021", "nl", 0.60, 0.62, 0.61)
        ).comparisons
        assert comparison.lead.mean < 0
        assert comparison.beyond_chance is True

    def test_one_seed_says_nothing_of_chance(self) -> None:
        (found,) = results_of(cell("spanferry", "nl", 0.9), cell("li2021", "nl", 0.4)).comparisons
        assert (found.interval, found.beyond_chance) == (None, None)

    def test_seeds_that_all_score_alike_say_nothing_either(self) -> None:
        results = results_of(cell("spanferry", "nl", 0.5, 0.5), cell("li2021", "nl", 0.4, 0.4))
        assert results.comparisons[0].beyond_chance is None

    def test_the_interval_is_that_of_the_differences(self) -> None:
        """Seeds are paired: what a seed does to both rows is no doubt about the lead."""
        ours, other = (0.50, 0.58, 0.51), (0.44, 0.51, 0.46)
        leads = [one - two for one, two in zip(ours, other, strict=True)]
        half = t.ppf(0.975, 2) * stdev(leads) / 3**0.5
        rows = cell("spanferry", "nl", *ours), cell("li2021", "nl", *other)
        (found,) = results_of(*rows).comparisons
        assert found.lead.deviation == pytest.approx(stdev(leads))
        assert found.interval == pytest.approx((fmean(leads) - half, fmean(leads) + half))
        assert found.beyond_chance

    def test_without_a_row_of_ours_nothing_is_compared(self) -> None:
        assert results_of(cell("li2021", "nl", 0.5, 0.6)).comparisons == []


def test_the_json_has_published_scores_apart() -> None:
    written = results_of(cell("spanferry", "nl", 0.5)).to_json()
    assert json.loads(json.dumps(written, allow_nan=False)) == json.loads(json.dumps(written))
    assert "79.7" not in json.dumps(written["measured"])
    assert {each["column"] for each in written["published"]} == {"nl"}  # type: ignore[attr-defined]


def test_whiskers_are_a_deviation_or_the_interval_of_one_seed() -> None:
    assert cell("a", "nl", 0.4, 0.6).whiskers == pytest.approx(
        (0.5 - 0.2**0.5 / 10**0.5, 0.6414), abs=1e-4
    )
    one = cell("a", "nl", 0.4)
    assert one.whiskers == (0.4, 0.4)
    one.runs[0]["scores"]["f1_interval"] = {"low": 0.3, "high": 0.5}
    assert one.whiskers == (0.3, 0.5)
