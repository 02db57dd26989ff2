"""A comparison of aligners as a Markdown table and as a picture."""

import io
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from projection.text.wording import points
from training.evaluation.reliability import INK, check_plot
from training.experiments.aligner_experiment import Comparison, Family, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {
    Family.BASELINE: "#6b7280",
    Family.PAPER_PAIR: "#c2410c",
    Family.CONTEXT_JOINT: "#1f6feb",
    Family.TRAINED_LONGER: "#15803d",
}
PANELS = 3  # side by side at most
ROOM = 15  # per cent that figures beside a dot, or the word ceiling, take up
CEILING = "what a perfect aligner could reach"


def speed(row: Row) -> str:
    """Sentences per second, in figures that are worth reading."""
    return f"{row.sentences_per_second:,.0f}"


def best(comparison: Comparison, column: int) -> float:
    """The best F1 on one gold file among the rows that this run trained, or that need none."""
    return max(
        row.reports[column].scores.f1
        for row in comparison.rows
        if row.family is not Family.TRAINED_LONGER
    )


def markdown(comparison: Comparison) -> str:
    """The table, what its figures are, and what they were measured with."""
    return "\n".join([*_table(comparison), "", *_notes(comparison)]) + "\n"


def _table(comparison: Comparison) -> Iterator[str]:
    yield _line("", *(gold.name for gold in comparison.gold), "sentences/s")
    yield _line(":--", *("--:" for _ in comparison.gold), "--:")
    for row in comparison.rows:
        cells = [_cell(comparison, row, column) for column in range(len(comparison.gold))]
        yield _line(row.name, *cells, speed(row))
    yield _line(f"ceiling: {CEILING}", *map(points, comparison.ceilings), "")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _cell(comparison: Comparison, row: Row, column: int) -> str:
    scores = row.reports[column].scores
    f1 = points(scores.f1)
    shown = f"**{f1}**" if f1 == points(best(comparison, column)) else f1
    return f"{shown} ({points(scores.precision)} / {points(scores.recall)})"


def _notes(comparison: Comparison) -> Iterator[str]:
    yield (
        "F1 (precision / recall) in per cent, span and label both exact; bold: the best without "
        "longer training. Each + adds to the row above. Sentences/s: all gold files, the pass "
        "through the model included; for eflomal, all pairs aligned together."
    )
    for name, reason in comparison.skipped.items():
        yield f"\n{name} was skipped: {reason}"
    yield ""
    for taken in comparison.trainings:
        yield (
            f"- {taken.preset}: {taken.sentences:,} sentences, {taken.steps:,} steps of "
            f"{taken.batch_size}, {taken.seconds:,.0f} s"
        )
    for alignment in comparison.word_alignments:
        yield (
            f"- eflomal, {alignment.lang}: {alignment.gold:,} gold and {alignment.silver:,} silver "
            f"pairs, {alignment.seconds:,.0f} s"
        )
    gold = (f"{len(gold.sentences):,} of {gold.name}" for gold in comparison.gold)
    yield f"- gold sentences: {', '.join(gold)}"
    made = comparison.machine
    yield f"- machine: {made['cpu']}, {made['threads']} threads, torch {made['libraries']['torch']}"


def aligner_plot(comparison: Comparison, path: Path) -> None:
    """Draw the F1 of every row, a panel for each gold file, with the ceiling of each.

    Raises:
        TrainingError: if the suffix is unknown or matplotlib is not installed.
    """
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    lines = math.ceil(len(comparison.gold) / PANELS)
    columns = math.ceil(len(comparison.gold) / lines)
    height = 0.9 + 0.27 * len(comparison.rows)
    picture = io.BytesIO()
    # A fixed salt and no date: the same figures give the same file.
    with rc_context({"svg.hashsalt": "spanferry", "font.size": 9, "axes.edgecolor": INK}):
        figure = Figure(
            figsize=(2.6 + 3 * columns, height * lines + 0.3),
            layout="constrained",
            facecolor="white",
        )
        panels = figure.subplots(lines, columns, sharex=True, squeeze=False).flat
        for column, axes in enumerate(panels):
            if column >= len(comparison.gold):
                axes.set_axis_off()
                continue
            _draw_panel(axes, comparison, column)
            _dress(axes, comparison, names=column % columns == 0)
        figure.supxlabel("F1, span and label both exact (whiskers: 95 % of resamplings)", size=9)
        kind = path.suffix.lower().removeprefix(".")
        dated = {"Date": None} if kind == "svg" else None
        figure.savefig(picture, format=kind, dpi=200, metadata=dated)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture.getvalue())


def _draw_panel(axes: "Axes", comparison: Comparison, column: int) -> None:
    ceiling = comparison.ceilings[column]
    axes.axvline(100 * ceiling, color=INK, linestyle="--", linewidth=1, zorder=1)
    for place, row in enumerate(comparison.rows):
        report = row.reports[column]
        f1, color = 100 * report.scores.f1, COLORS[row.family]
        low, high = 100 * report.interval.low, 100 * report.interval.high
        axes.plot((low, high), (place, place), "|-", color=color, alpha=0.6, zorder=2)
        axes.plot(f1, place, "o", color=color, markersize=5, zorder=3)
        right = low < ROOM
        axes.annotate(
            f"{f1:.1f}",
            (high if right else low, place),
            xytext=(5 if right else -5, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=8,
            color=color,
        )
    axes.set_title(comparison.gold[column].name, loc="left", color=INK, fontsize=10, pad=14)
    axes.annotate(
        f"ceiling {points(ceiling)}",
        (100 * ceiling, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right" if 100 * ceiling > ROOM else "left",
        fontsize=8,
        color=INK,
    )


def _dress(axes: "Axes", comparison: Comparison, *, names: bool) -> None:
    rows = comparison.rows
    axes.set(xlim=(_lowest(comparison), 101), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [row.name if names else "" for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(COLORS[row.family])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.8)
    for place, (above, below) in enumerate(pairwise(rows)):
        if above.family is not below.family:
            axes.axhline(place + 0.5, color="#e5e7eb", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _lowest(comparison: Comparison) -> float:
    """Where the axis begins: a multiple of ten with room for the figures to the left of dots."""
    lowest = min(report.interval.low for row in comparison.rows for report in row.reports)
    return max(-2.0, math.floor(10 * lowest - ROOM / 10) * 10.0)
