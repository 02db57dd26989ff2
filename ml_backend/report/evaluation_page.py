"""The folder that `spanferry evaluate --out` writes.

index.html         the page
evaluation.json    its figures
mistakes.jsonl     every mistake of every model, with its sentence
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.report import plots
from ml_backend.report.page import PAGE, make_folder, render
from projection.io.files import atomic_write, json_line, write_json
from projection.io.records_json import Json
from projection.records import ReviewStatus
from projection.text.wording import in_words
from training.evaluation.error_analysis import EXAMPLES, KINDS, ErrorAnalysis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES, MISTAKES = "evaluation.json", "mistakes.jsonl"

_STATUSES = (ReviewStatus.CORRECTED, ReviewStatus.SKIPPED, ReviewStatus.UNUSABLE)
_SHADES = (*(plots.COLORS[status] for status in _STATUSES), plots.ACCENT)  # in the order of KINDS
_MEANINGS = {
    "wrong_border": "the type is right, but it begins or ends elsewhere",
    "wrong_label": "there is an entity, but of another type",
    "missing": "nothing was found there",
    "spurious": "there is no entity, or it was found already",
}


def write_evaluation(
    out: Path, figures: Mapping[str, object], assessments: Mapping[str, ErrorAnalysis]
) -> None:
    """Write all three files, the page last; each replaces an older one as a whole.

    `figures` is the answer of `spanferry evaluate --json`, computed from `assessments` (by model).
    """
    make_folder(out)
    write_json(out / FIGURES, figures)
    with atomic_write(out / MISTAKES) as file:
        file.writelines(map(json_line, _mistakes(assessments)))
    page = render(
        "evaluation.html",
        assessments=assessments,
        figures=figures,
        kinds=KINDS,
        meanings=_MEANINGS,
        examples=EXAMPLES,
        plots=_plots(assessments) if plots.can_plot() else {},
        files=(FIGURES, MISTAKES),
    )
    with atomic_write(out / PAGE) as file:
        file.write(page)


def _mistakes(assessments: Mapping[str, ErrorAnalysis]) -> Iterator[Json]:
    for model, assessment in assessments.items():
        for mistake in assessment.mistakes:
            yield {"model": model, "kind": mistake.outcome.value, **mistake.to_json()}


def _plots(assessments: Mapping[str, ErrorAnalysis]) -> dict[str, str]:
    groups = list(dict.fromkeys(name for each in assessments.values() for name in _f1_of(each)))
    height = 0.34 * len(assessments)
    drawn = {"scores": (0.9 + height, _draw_scores), "mistakes": (1.2 + height, _draw_mistakes)}
    if len(groups) > 1:
        drawn["groups"] = (1.2 + 0.3 * len(groups), partial(_draw_groups, groups=groups))
    return {
        name: plots.svg(name, (7.6, high), partial(draw, assessments=assessments))
        for name, (high, draw) in drawn.items()
    }


def _f1_of(found: ErrorAnalysis) -> dict[str, float]:
    """F1 of each type and, if there are several, of each language, in percent."""
    f1 = {label: 100 * scores.f1 for label, scores in found.scores.by_type.items()}
    if len(found.by_language) > 1:
        f1 |= {lang: 100 * scores.f1 for lang, scores in found.by_language.items()}
    return f1


def _draw_groups(
    figure: "Figure", assessments: Mapping[str, ErrorAnalysis], groups: list[str]
) -> None:
    axes = _rows(figure, groups, "F1 of each type and language")
    for (model, found), mark in zip(assessments.items(), cycle("osD^v"), strict=False):
        f1 = _f1_of(found)
        axes.plot(
            [f1.get(name, float("nan")) for name in groups], range(len(groups)), mark,
            color=plots.ACCENT, label=_short(model), fillstyle="none", markeredgewidth=1.2,
        )  # fmt: skip
    if len(assessments) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.3), ncols=2)


def _draw_mistakes(figure: "Figure", assessments: Mapping[str, ErrorAnalysis]) -> None:
    axes = _rows(figure, list(assessments), "mistakes")
    starts = [0] * len(assessments)
    for kind, color in zip(KINDS, _SHADES, strict=True):
        counts = [len(each.mistakes_of(kind)) for each in assessments.values()]
        axes.barh(range(len(counts)), counts, 0.6, starts, color=color, label=in_words(kind.value))
        starts = [start + count for start, count in zip(starts, counts, strict=True)]
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(KINDS))


def _draw_scores(figure: "Figure", assessments: Mapping[str, ErrorAnalysis]) -> None:
    axes = _rows(figure, list(assessments), "F1, with 95 % interval")
    f1 = [100 * each.scores.f1 for each in assessments.values()]
    intervals = [(100 * e.interval.low, 100 * e.interval.high) for e in assessments.values()]
    axes.errorbar(
        f1, range(len(f1)), xerr=plots.bars(f1, intervals), color=plots.ACCENT, marker="o",
        linestyle="", capsize=3,
    )  # fmt: skip


def _rows(figure: "Figure", names: list[str], label: str) -> "Axes":
    """Return axes with a row for each name."""
    axes: Axes = figure.subplots()
    axes.set_yticks(range(len(names)), map(_short, names))
    axes.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    return axes


def _short(name: str) -> str:
    """Return a name that leaves room for the plot beside it."""
    return name if len(name) <= 40 else f"{name[:20]}…{name[-19:]}"
