"""The results of an experiment as a picture: curves where there is an axis, else dots by row."""

import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from training.evaluation.reliability import INK, check_plot
from training.experiments.results import Cell, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#1f6feb", "#c2410c", "#15803d", "#7c3aed", "#6b7280")
OURS, THEIRS = "#1f6feb", "#6b7280"
GRID = "#e5e7eb"


def experiment_plot(results: Results, path: Path) -> None:
    """Draw the F1 of all rows, a panel a language, with one deviation to either side.

    Published figures are not drawn: they were measured elsewhere.

    Raises:
        TrainingError: if the suffix is unknown or matplotlib is not installed.
    """
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    curves = bool(results.experiment.axis)
    width, height = (4.6, 3.6) if curves else (3.4, 0.9 + 0.3 * len(results.rows))
    picture = io.BytesIO()
    # A fixed salt and no date: the same figures give the same file.
    with rc_context({"svg.hashsalt": "spanferry", "font.size": 9, "axes.edgecolor": INK}):
        figure = Figure(
            figsize=(width * len(results.langs) + (0 if curves else 1.6), height),
            layout="constrained",
            facecolor="white",
        )
        panels = figure.subplots(1, len(results.langs), squeeze=False).flat
        for number, (axes, lang) in enumerate(zip(panels, results.langs, strict=True)):
            if curves:
                _draw_curves(axes, results, lang)
            else:
                _draw_rows(axes, results, lang, names=number == 0)
            axes.set_title(lang, loc="left", color=INK, fontsize=10)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        kind = path.suffix.lower().removeprefix(".")
        dated = {"Date": None} if kind == "svg" else None
        figure.savefig(picture, format=kind, dpi=200, metadata=dated)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.getvalue())


def _draw_curves(axes: "Axes", results: Results, lang: str) -> None:
    for color, (name, cells) in zip(COLORS, _series(results, lang).items(), strict=False):
        spreads = [cell.spread() for cell in cells]
        axes.errorbar(
            [cell.x or 0 for cell in cells],
            [100 * spread.mean for spread in spreads],
            yerr=[100 * (spread.deviation or 0) for spread in spreads],
            label=name,
            color=color,
            marker="o",
            markersize=4,
            elinewidth=0.8,
            capsize=2,
        )
    axes.set(xlabel=results.experiment.axis, ylabel="F1, % (whiskers: one deviation)")
    axes.grid(color=GRID, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8)


def _series(results: Results, lang: str) -> dict[str, list[Cell]]:
    """The cells of each curve along the axis; what has no series of its own is in all of them."""
    cells = [cell for cell in results.cells if cell.lang == lang]
    found: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.row.series:
            found[cell.row.series].append(cell)
    common = [cell for cell in cells if not cell.row.series]
    return {
        name: sorted([*mine, *common], key=lambda cell: cell.x or 0) for name, mine in found.items()
    }


def _draw_rows(axes: "Axes", results: Results, lang: str, *, names: bool) -> None:
    for place, row in enumerate(results.rows):
        cell = results.cell(row, lang)
        if cell is None:
            continue
        spread, color = cell.spread(), OURS if row == results.experiment.ours else THEIRS
        axes.errorbar(
            100 * spread.mean,
            place,
            xerr=100 * (spread.deviation or 0),
            color=color,
            marker="o",
            markersize=5,
            capsize=3,
        )
        axes.annotate(
            f"{100 * spread.mean:.1f}",
            (100 * spread.mean, place),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=color,
        )
    axes.set_yticks(range(len(results.rows)), results.rows if names else [""] * len(results.rows))
    axes.set(ylim=(len(results.rows) - 0.4, -0.7), xlabel="F1, % (whiskers: one deviation)")
    axes.margins(x=0.1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
