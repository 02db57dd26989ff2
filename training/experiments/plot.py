"""The results of an experiment as a picture: a dot for each row, a panel for each column."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from training.evaluation.reliability import INK, save_plot
from training.experiments.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#6b7280", "#c2410c", "#7c3aed", "#15803d")  # by series
OURS = "#1f6feb"
PANELS = 3  # side by side at most
F1 = "F1, % (whiskers: one deviation over the seeds; of one seed 95 % of resamplings, if drawn)"


def experiment_plot(results: Results, path: Path) -> None:
    """Draw the F1 of all rows, and the ceiling of a column that has one.

    Published scores are not drawn: they were measured elsewhere. Raises TrainingError as
    `training.evaluation.reliability.check_plot`.
    """
    lines = math.ceil(len(results.columns) / PANELS)
    across = math.ceil(len(results.columns) / lines)

    def draw(figure: "Figure") -> None:
        panels = [*figure.subplots(lines, across, squeeze=False).flat]
        for number, (axes, column) in enumerate(zip(panels, results.columns, strict=False)):
            _draw_rows(axes, results, column, names=number % across == 0)
        for axes in panels[len(results.columns) :]:
            axes.set_axis_off()
        figure.supxlabel(F1, size=8)

    size = 3.4 * across + 2.2, (0.9 + 0.3 * len(results.rows)) * lines + 0.3
    save_plot(path, size, draw)


def _draw_rows(axes: "Axes", results: Results, column: str, *, names: bool) -> None:
    series = list(dict.fromkeys(cell.row.series for cell in results.cells))
    for place, row in enumerate(results.rows):
        cell = results.cell(row, column)
        if cell is None:
            continue
        mean, (low, high) = 100 * cell.spread().mean, cell.whiskers
        around = [max(0.0, mean - 100 * low)], [max(0.0, 100 * high - mean)]
        color = COLORS[series.index(cell.row.series) % len(COLORS)]
        if row == results.experiment.ours:
            color = OURS
        axes.errorbar(mean, place, xerr=around, color=color, marker="o", markersize=5, capsize=3)
        axes.annotate(
            f"{mean:.1f}", (mean, place), xytext=(0, 5), textcoords="offset points",
            ha="center", fontsize=8, color=color,
        )  # fmt: skip
    if (ceiling := results.ceilings.get(column)) is not None:
        axes.axvline(100 * ceiling, color=INK, linestyle="--", linewidth=1, zorder=1)
        axes.set_title(f"ceiling {100 * ceiling:.1f}", loc="right", color=INK, fontsize=8)
    axes.set_title(column, loc="left", color=INK, fontsize=10)
    axes.set_yticks(range(len(results.rows)), results.rows if names else [""] * len(results.rows))
    axes.set_ylim(len(results.rows) - 0.4, -0.7)
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
