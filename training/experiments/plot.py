"""The results of an experiment as a picture: curves where there is an axis, else dots by row."""

import io
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.evaluation.reliability import INK, check_plot
from training.experiments.results import Cell, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#6b7280", "#c2410c", "#1f6feb", "#15803d", "#7c3aed")
OURS = "#1f6feb"
GRID = "#e5e7eb"
PANELS = 3  # side by side at most
F1 = "F1, % (whiskers: one deviation over the seeds; of one seed 95 % of resamplings, if drawn)"


def experiment_plot(results: Results, path: Path) -> None:
    """Draw the F1 of all rows, a panel for each column, with the ceiling where there is one.

    Published scores are not drawn: they were measured elsewhere.

    Raises:
        TrainingError: if the suffix is unknown or matplotlib is not installed.
    """
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    curves = bool(results.experiment.axis)
    lines = math.ceil(len(results.columns) / PANELS)
    across = math.ceil(len(results.columns) / lines)
    width, height = (4.6, 3.6) if curves else (3.4, 0.9 + 0.3 * len(results.rows))
    picture = io.BytesIO()
    # A fixed salt and no date: the same results give the same file.
    with rc_context({"svg.hashsalt": "spanferry", "font.size": 9, "axes.edgecolor": INK}):
        figure = Figure(
            figsize=(width * across + (0 if curves else 2.2), height * lines + 0.3),
            layout="constrained",
            facecolor="white",
        )
        panels = figure.subplots(lines, across, squeeze=False).flat
        for number, axes in enumerate(panels):
            if number >= len(results.columns):
                axes.set_axis_off()
                continue
            column = results.columns[number]
            if curves:
                _draw_curves(axes, results, column)
            else:
                _draw_rows(axes, results, column, names=number % across == 0)
            axes.set_title(column, loc="left", color=INK, fontsize=10)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        figure.supxlabel(F1, size=8)
        kind = path.suffix.lower().removeprefix(".")
        dated = {"Date": None} if kind == "svg" else None
        figure.savefig(picture, format=kind, dpi=200, metadata=dated)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.getvalue())


def _around(cells: Sequence[Cell]) -> list[list[float]]:
    """Return the lengths of the whiskers below and above each mean, in per cent."""
    pairs = [(cell.spread().mean, *cell.whiskers) for cell in cells]
    return [
        [100 * max(0.0, mean - low) for mean, low, _ in pairs],
        [100 * max(0.0, high - mean) for mean, _, high in pairs],
    ]


def _draw_curves(axes: "Axes", results: Results, column: str) -> None:
    for color, (name, cells) in zip(COLORS[::-1], _series(results, column).items(), strict=False):
        axes.errorbar(
            [cell.x or 0 for cell in cells],
            [100 * cell.spread().mean for cell in cells],
            yerr=_around(cells),
            label=name,
            color=color,
            marker="o",
            markersize=4,
            elinewidth=0.8,
            capsize=2,
        )
    axes.set(xlabel=results.experiment.axis)
    axes.grid(color=GRID, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8)


def _series(results: Results, column: str) -> dict[str, list[Cell]]:
    """Return the cells of each curve along the axis; cells of no series and place are in all."""
    cells = [cell for cell in results.cells if cell.column == column]
    common = [cell for cell in cells if not cell.row.series and cell.row.x is None]
    found: defaultdict[str, list[Cell]] = defaultdict(lambda: [*common])
    for cell in cells:
        if cell not in common:
            found[cell.row.series or cell.row.preset].append(cell)
    return {name: sorted(curve, key=lambda cell: cell.x or 0) for name, curve in found.items()}


def _draw_rows(axes: "Axes", results: Results, column: str, *, names: bool) -> None:
    series = list(dict.fromkeys(cell.row.series for cell in results.cells))
    for place, row in enumerate(results.rows):
        cell = results.cell(row, column)
        if cell is None:
            continue
        mean = 100 * cell.spread().mean
        color = COLORS[series.index(cell.row.series) % len(COLORS)]
        if row == results.experiment.ours:
            color = OURS
        axes.errorbar(
            mean, place, xerr=_around([cell]), color=color, marker="o", markersize=5, capsize=3
        )
        axes.annotate(
            f"{mean:.1f}",
            (mean, place),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=color,
        )
    if (ceiling := results.ceilings.get(column)) is not None:
        axes.axvline(100 * ceiling, color=INK, linestyle="--", linewidth=1, zorder=1)
        axes.annotate(
            f"ceiling {100 * ceiling:.1f}",
            (100 * ceiling, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=INK,
        )
    axes.set_yticks(range(len(results.rows)), results.rows if names else [""] * len(results.rows))
    axes.set_ylim(len(results.rows) - 0.4, -0.7)
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
