"""Pictures of an experiment."""

from pathlib import Path

import pytest

from projection.errors import TrainingError
from tests.training.experiments.test_results import cell, results_of
from training.experiments.plot import experiment_plot

pytest.importorskip("matplotlib", reason="comes with spanferry[plots]")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_rows_on_an_axis_and_off_it(tmp_path: Path, kind: str) -> None:
    rows = results_of(cell("spanferry", "nl", 0.5, 0.6), cell("li2021", "nl", 0.4, 0.45))
    experiment_plot(rows, tmp_path / "new" / f"rows.{kind}")
    cells = [cell(f"γ = {n}", "nl", 0.5, 0.6, x=n, series="li2021") for n in (1.0, 2.0)]
    experiment_plot(results_of(*cells, name="gamma"), tmp_path / "new" / f"axis.{kind}")
    for name in ("rows", "axis"):
        assert (tmp_path / "new" / f"{name}.{kind}").stat().st_size > 5000


@pytest.mark.parametrize("panels", [1, 2, 4])
def test_columns_with_ceilings(tmp_path: Path, panels: int) -> None:
    cells = [cell("a", f"gold {n}", 0.5, series="paper-pair") for n in range(panels)]
    for each in cells:
        each.runs[0]["scores"] |= {"ceiling": 0.95, "f1_interval": {"low": 0.45, "high": 0.6}}
    results = results_of(*cells, columns=tuple(each.column for each in cells))
    experiment_plot(results, tmp_path / "a.svg")
    experiment_plot(results, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_format_we_do_not_draw(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Name it \.png or \.svg"):
        experiment_plot(results_of(cell("a", "nl", 0.5)), tmp_path / "plot.gif")
