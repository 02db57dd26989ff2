"""The plots of a report as inline SVG, whose colours the page decides: light, dark or printed."""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ml_backend.report.figures import Report
from ml_backend.report.timing import Spread
from ml_backend.report.words import in_words
from projection.records import ReviewStatus
from training.evaluation.reliability import FIRM, Bin, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'spanferry[plots]'"
MOST_BARS = 60  # a longer review is drawn by the week
MOST_DATES = 7  # under the bars

# matplotlib wants numbers; in the SVG each becomes the variable of the style sheet it stands for.
INK, LINE, ACCENT = "#010101", "#020202", "#030303"
COLORS = {
    ReviewStatus.ACCEPTED: "#040404",
    ReviewStatus.CORRECTED: "#050505",
    ReviewStatus.UNUSABLE: "#060606",
    ReviewStatus.SKIPPED: "#070707",
}
VARIABLES = {
    INK: "--soft",
    LINE: "--line",
    ACCENT: "--accent",
    **{color: f"--{status.value}" for status, color in COLORS.items()},
}
STYLE: dict[Any, Any] = {  # rcParams
    "svg.fonttype": "none",  # text stays text: it can be selected, and has the page's font
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
}

_ELEMENT = re.compile(r"<svg.*</svg>", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"| height="[0-9.]+pt"')
_FONT = re.compile(r"font: ([0-9.]+px)[^;\"]*")
_GROUP = re.compile(r'<g id="[^"]*"')
_METADATA = re.compile(r"<metadata>.*</metadata>", re.DOTALL)


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_all(report: Report) -> dict[str, str]:
    """The plots there are figures for, by name: `days`, `calibration` and `times`.

    Needs matplotlib.
    """
    plots = {}
    if days := report.progress.by_day:
        plots["days"] = svg("days", (7.6, 2.6), lambda figure: _draw_days(figure, days))
    if (found := report.calibration) is not None:
        plots["calibration"] = svg(
            "calibration", (5.6, 4.8), lambda figure: _draw_calibration(figure, found)
        )
    if report.times.overall is not None:
        spreads = [report.times.overall, *report.times.by_decision, *report.times.by_conflict]
        plots["times"] = svg(
            "times", (7.6, 0.8 + 0.28 * len(spreads)), lambda figure: _draw_times(figure, spreads)
        )
    return plots


def svg(name: str, size: tuple[float, float], draw: "Callable[[Figure], None]") -> str:
    """What `draw` makes of a figure of `size` inches, as an element for a page.

    Needs matplotlib. `name` must be another for each plot of a page.
    """
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    picture = io.StringIO()
    # The salt goes into the ids: no two plots of a page may share one.
    with rc_context({**STYLE, "svg.hashsalt": f"spanferry {name}"}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None})
    return _for_a_page(picture.getvalue())


def _for_a_page(drawn: str) -> str:
    """The bare element: as wide as its place, in the colours and the font of the page."""
    found = _ELEMENT.search(drawn)
    svg = found[0] if found else drawn
    svg = _SIZE.sub(lambda match: match[1] or "", svg)
    svg = _METADATA.sub("", svg)
    svg = _GROUP.sub("<g", svg)
    svg = _FONT.sub(r"font-size: \1", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg


ByDay = Mapping[date, Mapping[ReviewStatus, int]]


def _draw_days(figure: "Figure", by_day: ByDay) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  an extra

    axes: Axes = figure.subplots()
    weekly = (max(by_day) - min(by_day)).days >= MOST_BARS
    counts = _by_week(by_day) if weekly else by_day
    days = sorted(counts)
    places = [day.toordinal() for day in days]
    below = [0] * len(days)
    for status, color in COLORS.items():
        heights = [counts[day].get(status, 0) for day in days]
        if any(heights):
            width = 5.6 if weekly else 0.8
            axes.bar(places, heights, width, below, color=color, label=status.value)
            below = [low + height for low, height in zip(below, heights, strict=True)]
    first, last = places[0], places[-1]
    dates = range(first, last + 1, max(7 if weekly else 1, -(-(last - first) // MOST_DATES)))
    axes.set_xticks(dates, [date.fromordinal(place).isoformat() for place in dates])
    margin = max(4.0 if weekly else 0.7, 4 - (last - first) / 2)
    axes.set_xlim(first - margin, last + margin)
    axes.set(ylabel="a week" if weekly else "a day")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper left", ncols=len(COLORS))


def _by_week(by_day: ByDay) -> dict[date, Counter[ReviewStatus]]:
    """The same by the Monday of each week."""
    weeks: defaultdict[date, Counter[ReviewStatus]] = defaultdict(Counter)
    for day, counts in by_day.items():
        weeks[day - timedelta(days=day.weekday())].update(counts)
    return dict(weeks)


def _draw_calibration(figure: "Figure", found: Reliability) -> None:
    shares, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    shares.plot((0, 1), (0, 1), color=INK, linestyle=":", linewidth=1)
    firm = [group for group in found.bins if group.n >= FIRM]
    _draw_bins(shares, firm, 1.0)
    shares.plot([b.confidence for b in firm], [b.right for b in firm], color=ACCENT, linewidth=1.4)
    _draw_bins(shares, [group for group in found.bins if group.n < FIRM], 0.4)
    shares.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share kept unchanged")
    shares.grid()
    centres = [(group.low + group.high) / 2 for group in found.bins]
    bars = counts.bar(centres, [group.n for group in found.bins], 0.08, color=ACCENT, alpha=0.55)
    counts.bar_label(bars, fontsize=7, color=INK, padding=1)
    counts.set(xlabel="predicted confidence", ylabel="entities", yticks=[])
    counts.margins(y=0.25)
    counts.spines["left"].set_visible(False)
    for axes in (shares, counts):
        axes.xaxis.set_major_formatter(_per_cent)
    shares.yaxis.set_major_formatter(_per_cent)


def _draw_bins(axes: "Axes", bins: Sequence[Bin], alpha: float) -> None:
    axes.errorbar(
        [group.confidence for group in bins],
        [group.right for group in bins],
        # Rounding may put the end of an interval a hair inside the share.
        yerr=(
            [max(0.0, group.right - group.interval[0]) for group in bins],
            [max(0.0, group.interval[1] - group.right) for group in bins],
        ),
        color=ACCENT,
        marker="o",
        markersize=5,
        linestyle="",
        alpha=alpha,
        elinewidth=1,
        capsize=2,
    )


def _per_cent(fraction: float, _: int | None = None) -> str:
    return f"{100 * fraction:.0f} %"


def _draw_times(figure: "Figure", spreads: Sequence[Spread]) -> None:
    axes: Axes = figure.subplots()
    rows = range(len(spreads))
    lower, upper = [each.lower for each in spreads], [each.upper for each in spreads]
    axes.hlines(rows, lower, upper, color=ACCENT, linewidth=7, alpha=0.35)
    axes.plot([each.median for each in spreads], rows, linestyle="", marker="|", color=ACCENT,
              markersize=13, markeredgewidth=2.5)  # fmt: skip
    axes.set_yticks(rows, [f"{in_words(each.name)} ({each.n:,})" for each in spreads])
    axes.set(xlabel="seconds: median and middle half", ylim=(len(spreads) - 0.5, -0.5))
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
