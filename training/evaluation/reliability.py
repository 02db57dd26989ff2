"""Reliability of confidences: calibration error, Brier score, precision by threshold, plot."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from projection.errors import TrainingError
from projection.io.files import writing
from projection.io.records_json import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)
PLOTS = (".png", ".svg")
FIRM = 10  # projections; bins with fewer are drawn pale, and no line leads through them
INK = "#30363d"


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the share of `right` in `n` independent cases (Wilson, 1927)."""
    from scipy.stats import binomtest  # noqa: PLC0415  takes long to import

    interval = binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


class Bin(NamedTuple):
    """The projections with a confidence in [low, high), the last bin with 1: means of both."""

    low: float
    high: float
    n: int
    confidence: float
    right: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `right`."""
        return wilson(round(self.right * self.n), self.n)


class Kept(NamedTuple):
    """The share of projections from `threshold` on, and their precision (None without any)."""

    threshold: float
    share: float
    precision: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidences compared with what was right; `bins` are a tenth wide, empty ones left out."""

    bins: tuple[Bin, ...]
    brier: float
    kept: tuple[Kept, ...]

    @property
    def n(self) -> int:
        """The number of projections."""
        return sum(group.n for group in self.bins)

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and share of right projections, over all projections."""
        return sum(group.n * abs(group.confidence - group.right) for group in self.bins) / self.n

    def to_json(self) -> Json:
        """Return a JSON object of fractions."""
        bins, kept = ([each._asdict() for each in side] for side in (self.bins, self.kept))
        ece = self.expected_calibration_error
        return {"ece": ece, "bins": bins, "brier": self.brier, "kept": kept}


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> Reliability:
    """Compare probabilities with what was right.

    Raises ValueError if there are none, not as many of both, or one is not in [0, 1].
    """
    if not confidences or not all(0.0 <= confidence <= 1.0 for confidence in confidences):
        raise ValueError("needs confidences, all in [0, 1]")
    judged = list(zip(confidences, right, strict=True))
    return Reliability(
        bins=tuple(_bins(judged)),
        brier=sum((confidence - is_right) ** 2 for confidence, is_right in judged) / len(judged),
        kept=tuple(_kept(judged, threshold) for threshold in THRESHOLDS),
    )


def _bins(judged: Sequence[tuple[float, bool]]) -> Iterator[Bin]:
    for low, high in pairwise(border / BINS for border in range(BINS + 1)):
        inside = [each for each in judged if low <= each[0] < high or each[0] == high == 1.0]
        if inside:
            confidences, right = zip(*inside, strict=True)
            yield Bin(low, high, len(inside), fmean(confidences), fmean(right))


def _kept(judged: Sequence[tuple[float, bool]], threshold: float) -> Kept:
    kept = [is_right for confidence, is_right in judged if confidence >= threshold]
    return Kept(threshold, len(kept) / len(judged), sum(kept) / len(kept) if kept else None)


class Recalibration(NamedTuple):
    """Reliability before and after calibration (cross-validated) on the same projections."""

    before: Reliability
    after: Reliability

    def to_json(self) -> Json:
        """Return a JSON object of fractions."""
        return {"before": self.before.to_json(), "after": self.after.to_json()}


def check_plot(path: Path) -> None:
    """Raise TrainingError if a plot's suffix is unknown or matplotlib is not installed."""
    if path.suffix.lower() not in PLOTS:
        raise TrainingError(str(path), "no picture format we draw", "Name it .png or .svg")
    if find_spec("matplotlib") is None:
        raise TrainingError(str(path), "plots need matplotlib", "pip install 'spanferry[plots]'")


def save_plot(path: Path, size: tuple[float, float], draw: "Callable[[Figure], None]") -> None:
    """Draw a figure of `size` inches to a file; raises TrainingError as `check_plot`."""
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    picture, kind = io.BytesIO(), path.suffix.lower().removeprefix(".")
    # A fixed salt and no date: the same figures give the same file.
    dated = {"Date": None} if kind == "svg" else None
    with rc_context({"svg.hashsalt": "spanferry", "font.size": 9, "axes.edgecolor": INK}):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        draw(figure)
        figure.savefig(picture, format=kind, dpi=200, metadata=dated)
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path):
        path.write_bytes(picture.getvalue())


def reliability_plot(assessment: Recalibration, path: Path) -> None:
    """Draw the share of right projections over the confidence, and below their number."""

    def draw(figure: "Figure") -> None:
        curves, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        _draw_curves(curves, assessment)
        _draw_counts(counts, assessment)
        figure.legend(loc="outside upper left", frameon=False)

    save_plot(path, (5.2, 6.4), draw)


# Name, color, marker, and the shift of the bars in bar widths.
_BEFORE = ("before", "#9a9fa8", "s", -0.5)
_AFTER = ("calibrated", "#1f6feb", "o", 0.5)


def _draw_curves(axes: "Axes", assessment: Recalibration) -> None:
    axes.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1, zorder=1)
    looks = ((_BEFORE, assessment.before), (_AFTER, assessment.after))
    for (name, color, marker, _), figures in looks:
        firm = [group for group in figures.bins if group.n >= FIRM]
        pale = [group for group in figures.bins if group.n < FIRM]
        for bins, line, alpha in ((firm, "-", 1.0), (pale, "", 0.35)):
            axes.errorbar(
                [group.confidence for group in bins],
                [group.right for group in bins],
                # Rounding may put the end of an interval a hair inside the share.
                yerr=(
                    [max(0.0, group.right - group.interval[0]) for group in bins],
                    [max(0.0, group.interval[1] - group.right) for group in bins],
                ),
                color=color,
                marker=marker,
                linestyle=line,
                alpha=alpha,
                elinewidth=0.8,
                capsize=2,
            )
        error = 100 * figures.expected_calibration_error
        label = f"{name}: ECE {error:.1f} %, Brier {figures.brier:.3f}"
        axes.plot([], [], color=color, marker=marker, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share exactly right")
    axes.set_title(f"{assessment.after.n:,} projected entities", loc="left", color=INK)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_counts(axes: "Axes", assessment: Recalibration) -> None:
    width = 0.4 / BINS
    for (_, color, _, side), figures in ((_BEFORE, assessment.before), (_AFTER, assessment.after)):
        centres = [(group.low + group.high) / 2 + side * width for group in figures.bins]
        bars = axes.bar(centres, [group.n for group in figures.bins], width, color=color)
        axes.bar_label(bars, fontsize=6, color=INK, padding=1)
    axes.set(xlabel="confidence (whiskers: 95 % certainty)", ylabel="entities")
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
