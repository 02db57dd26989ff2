"""The Markdown page of an experiment."""

from dataclasses import replace

from tests.training.experiments.test_results import cell, results_of
from training.experiments.table import lines_of, markdown


def test_a_line_has_f1_precision_and_recall_and_the_best_is_bold() -> None:
    results = results_of(
        cell("spanferry", "nl", 0.50, 0.52),
        cell("a | b", "nl", 0.4, 0.4),
        cell("c", "nl", 0.9, 0.9, apart=True),
    )
    lines = markdown(results).splitlines()
    assert "|  | nl |" in lines
    assert "| spanferry | **51.00 ± 1.41** (51.00 / 51.00) |" in lines
    assert "| a \\| b | 40.00 ± 0.00 (40.00 / 40.00) |" in lines
    assert "| c | 90.00 ± 0.00 (90.00 / 90.00) |" in lines
    assert lines_of(results)[:2] == [["", "nl"], ["spanferry", "51.00 ± 1.41"]]


def test_a_lead_is_beyond_chance_or_within() -> None:
    text = markdown(
        results_of(
            cell("spanferry", "nl", 0.60, 0.62, 0.64),
            cell("li2021", "nl", 0.45, 0.45, 0.48),
            cell("zero-transfer", "nl", 0.58, 0.62, 0.60),
        )
    )
    chance = "beyond chance (95 % interval +13.52 to +18.48)"
    assert f"- nl: +16.00 ± 1.00 over li2021, {chance}" in text
    chance = "within chance (95 % interval -2.97 to +6.97)"
    assert f"- nl: +2.00 ± 2.00 over zero-transfer, {chance}" in text


def test_of_one_seed_nothing_is_said_of_chance() -> None:
    text = markdown(results_of(cell("spanferry", "nl", 0.5), cell("li2021", "nl", 0.4)))
    assert "- nl: +10.00 over li2021\n" in text
    assert "chance" not in text


def test_published_scores_stand_apart() -> None:
    measured, published = markdown(results_of(cell("spanferry", "nl", 0.5))).split(
        "## Published elsewhere"
    )
    assert "79.7" not in measured
    assert "| 79.7 | Li, He & Xu (2021)" in published
    other = results_of(cell("spanferry", "xx", 0.5), columns=("xx",))
    assert "Published" not in markdown(other)


def test_ceilings_are_the_last_line() -> None:
    made = cell("a", "news", 0.4)
    made.runs[0]["scores"]["ceiling"] = 0.953
    results = results_of(made, cell("a", "talks", 0.5), columns=("news", "talks"))
    assert lines_of(results)[-1] == ["ceiling: a perfect aligner", "95.30", "–"]


def test_what_is_missing_has_a_reason() -> None:
    results = replace(
        results_of(cell("a", "nl", 0.4), columns=("nl", "de")), skipped={"a, de": "no data"}
    )
    text = markdown(results)
    assert "| a | **40.00** (40.00 / 40.00) | – |" in text
    assert "- a, de was skipped: no data" in text
    assert "- a, nl: target 1,000 pseudo (30 steps)" in text
