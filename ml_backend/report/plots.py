"""The plots of a report as inline SVG in the colours of the page: light, dark or printed."""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.report.figures import Report
from projection.records import ReviewStatus
from training.evaluation.reliability import FIRM, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'spanferry[plots]'"
_MOST_BARS = 60  # a longer review is drawn by the week
_MOST_DATES = 7  # under the bars

# matplotlib needs numbers; in the SVG each is replaced by a variable of the style sheet.
_INK, _LINE, ACCENT = "#010101", "#020202", "#030303"
COLORS = {
    ReviewStatus.ACCEPTED: "#040404",
    ReviewStatus.CORRECTED: "#050505",
    ReviewStatus.UNUSABLE: "#060606",
    ReviewStatus.SKIPPED: "#070707",
}
_VARIABLES = {
    _INK: "--soft",
    _LINE: "--line",
    ACCENT: "--accent",
    **{color: f"--{status.value}" for status, color in COLORS.items()},
}
_STYLE: dict[Any, Any] = {  # rcParams
    "svg.fonttype": "none",  # text stays text: it can be selected, and has the page's font
    "text.parse_math": False,  # a label with $ is no formula
    "font.size": 8.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}
# The element takes the width of its place, and the colours and the font of the page.
_FOR_A_PAGE = (
    (r'(<svg[^>]*?) width="[^"]*"', r"\1"),
    (r' height="[0-9.]+pt"', ""),
    (r"<metadata>.*</metadata>", ""),
    (r'<g id="[^"]*"', "<g"),
    (r"font: ([0-9.]+px)[^;\"]*", r"font-size: \1"),
    *((color, f"var({variable})") for color, variable in _VARIABLES.items()),
)


def can_plot() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_all(report: Report) -> dict[str, str]:
    """Draw `days` and `calibration`, as far as there are figures; needs matplotlib."""
    plots = {}
    if days := report.progress.by_day:
        plots["days"] = svg("days", (7.6, 2.6), lambda figure: _draw_days(figure, days))
    if (found := report.calibration) is not None:
        plots["calibration"] = svg(
            "calibration", (5.6, 4.8), lambda figure: _draw_calibration(figure, found)
        )
    return plots


def svg(name: str, size: tuple[float, float], draw: "Callable[[Figure], None]") -> str:
    """Return what `draw` draws on a figure of `size` inches as an SVG element.

    Needs matplotlib, which escapes the texts. `name` must differ among the plots of a page.
    """
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    picture = io.StringIO()
    # The salt makes the ids of this plot differ from those of others.
    with rc_context({**_STYLE, "svg.hashsalt": f"spanferry {name}"}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None})
    drawn = picture.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for pattern, replacement in _FOR_A_PAGE:
        drawn = re.sub(pattern, replacement, drawn, flags=re.DOTALL)
    return drawn.strip()


def _draw_days(figure: "Figure", by_day: Mapping[date, Mapping[ReviewStatus, int]]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  an extra

    axes: Axes = figure.subplots()
    weekly = (max(by_day) - min(by_day)).days >= _MOST_BARS
    counts: defaultdict[date, Counter[ReviewStatus]] = defaultdict(Counter)
    for day, found in by_day.items():  # those of a week under its Monday
        counts[day - timedelta(days=day.weekday() if weekly else 0)].update(found)
    days = sorted(counts)
    places = [day.toordinal() for day in days]
    below = [0] * len(days)
    for status, color in COLORS.items():
        heights = [counts[day][status] for day in days]
        if any(heights):
            width = 5.6 if weekly else 0.8
            axes.bar(places, heights, width, below, color=color, label=status.value)
            below = [low + height for low, height in zip(below, heights, strict=True)]
    first, last = places[0], places[-1]
    dates = range(first, last + 1, max(7 if weekly else 1, -(-(last - first) // _MOST_DATES)))
    axes.set_xticks(dates, [date.fromordinal(place).isoformat() for place in dates])
    margin = max(4.0 if weekly else 0.7, 4 - (last - first) / 2)
    axes.set_xlim(first - margin, last + margin)
    axes.set(ylabel="a week" if weekly else "a day")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper left", ncols=len(COLORS))


def _draw_calibration(figure: "Figure", found: Reliability) -> None:
    shares, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    shares.plot((0, 1), (0, 1), color=_INK, linestyle=":", linewidth=1)
    firm = [group for group in found.bins if group.n >= FIRM]
    pale = [group for group in found.bins if group.n < FIRM]
    for bins, line, alpha in ((firm, "-", 1.0), (pale, "", 0.4)):
        right = [group.right for group in bins]
        shares.errorbar(
            [group.confidence for group in bins], right,
            yerr=bars(right, [group.interval for group in bins]), color=ACCENT, marker="o",
            markersize=5, linestyle=line, linewidth=1.4, alpha=alpha, elinewidth=1, capsize=2,
        )  # fmt: skip
    shares.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share kept unchanged")
    shares.grid()
    centres = [(group.low + group.high) / 2 for group in found.bins]
    columns = counts.bar(centres, [group.n for group in found.bins], 0.08, color=ACCENT, alpha=0.55)
    counts.bar_label(columns, fontsize=7, color=_INK, padding=1)
    counts.set(xlabel="predicted confidence", ylabel="entities", yticks=[])
    counts.margins(y=0.25)
    counts.spines["left"].set_visible(False)
    for axes in (shares, counts):
        axes.xaxis.set_major_formatter(_per_cent)
    shares.yaxis.set_major_formatter(_per_cent)


def bars(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the lengths of error bars; rounding may put an end of an interval inside the value."""
    ends = np.array(intervals, dtype=float).reshape(-1, 2).T
    return np.maximum(0, [values - ends[0], ends[1] - values])


def _per_cent(fraction: float, _: int | None = None) -> str:
    return f"{100 * fraction:.0f} %"
