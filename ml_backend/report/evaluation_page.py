"""The folder `spanferry evaluate --out` writes: figures, every mistake, and a page to look at.

index.html         the page
evaluation.json    the figures of it
mistakes.jsonl     every mistake of every model, with its sentence
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ml_backend.report import plots
from ml_backend.report.folder import PAGE, make_folder
from ml_backend.report.page import environment
from projection.io.files import atomic_write, json_line, write_json
from projection.io.records_json import Json
from projection.records import ReviewStatus
from training.evaluation.error_analysis import EXAMPLES, KINDS, ErrorAnalysis, TaggingMistake

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES, MISTAKES = "evaluation.json", "mistakes.jsonl"
MARKS = "osD^v"
SHADES = (  # in the order of KINDS
    plots.COLORS[ReviewStatus.CORRECTED],
    plots.COLORS[ReviewStatus.SKIPPED],
    plots.COLORS[ReviewStatus.UNUSABLE],
    plots.ACCENT,
)

MEANINGS = {
    "wrong_border": "the type is right, but it begins or ends elsewhere",
    "wrong_label": "there is an entity, but of another type",
    "missing": "nothing was found there",
    "spurious": "there is no entity, or it was found already",
}


def write_evaluation(
    out: Path, figures: Mapping[str, object], assessments: Mapping[str, ErrorAnalysis]
) -> None:
    """Write all three files, the page last; each replaces an older one as a whole.

    Args:
        out: the folder.
        figures: the answer of `spanferry evaluate --json`.
        assessments: by the model's name, what the figures were made of.

    Raises:
        CorpusError: if `out` cannot be a folder.
    """
    make_folder(out)
    write_json(out / FIGURES, figures)
    with atomic_write(out / MISTAKES) as file:
        file.writelines(map(json_line, _mistakes(assessments)))
    with atomic_write(out / PAGE) as file:
        file.write(page(figures, assessments))


def page(figures: Mapping[str, object], assessments: Mapping[str, ErrorAnalysis]) -> str:
    """The whole page, with a plot if matplotlib is installed. What comes from data is escaped."""
    made = environment().get_template("evaluation.html")
    return made.render(
        assessments=assessments,
        figures=figures,
        kinds=KINDS,
        meanings=MEANINGS,
        examples=EXAMPLES,
        plots=_plots(assessments),
        install=None if plots.can_plot() else plots.INSTALL,
        marked=marked,
        files=(FIGURES, MISTAKES),
    )


def marked(mistake: TaggingMistake) -> Markup:
    """The sentence with the gold entity underlined and the predicted one shaded."""
    words = []
    for place, token in enumerate(mistake.row.tokens):
        text = Markup("<bdi>{}</bdi>").format(token)
        for entity, element in ((mistake.gold, "u"), (mistake.predicted, "mark")):
            if entity is not None and entity.span.start <= place < entity.span.end:
                text = Markup("<{0}>{1}</{0}>").format(Markup(element), text)  # noqa: S704  ours
        words.append(text)
    return Markup(" ").join(words)


def _mistakes(assessments: Mapping[str, ErrorAnalysis]) -> Iterator[Json]:
    for model, assessment in assessments.items():
        for mistake in assessment.mistakes:
            yield {"model": model, "kind": mistake.outcome.value, **mistake.to_json()}


def _plots(assessments: Mapping[str, ErrorAnalysis]) -> dict[str, Markup]:
    if not plots.can_plot():
        return {}

    groups = _groups(assessments)
    height = 0.34 * len(assessments)
    drawn = {
        "scores": ((7.6, 0.9 + height), _draw_scores),
        "mistakes": ((7.6, 1.2 + height), _draw_mistakes),
        **({"groups": ((7.6, 1.2 + 0.3 * len(groups)), _draw_groups)} if len(groups) > 1 else {}),
    }
    # Drawn by us; matplotlib escapes the texts in it.
    return {
        name: Markup(plots.svg(name, size, partial(draw, assessments=assessments)))  # noqa: S704
        for name, (size, draw) in drawn.items()
    }


def _f1_of(found: ErrorAnalysis) -> dict[str, float]:
    """F1 of each type and, where there are several, of each language."""
    by_type = {label: scores.f1 for label, scores in found.scores.by_type.items()}
    by_language = {lang: scores.f1 for lang, scores in found.by_language.items()}
    return by_type | (by_language if len(by_language) > 1 else {})


def _groups(assessments: Mapping[str, ErrorAnalysis]) -> list[str]:
    """The types, then the languages, that any of the models was judged on."""
    return list(dict.fromkeys(name for each in assessments.values() for name in _f1_of(each)))


def _draw_groups(figure: "Figure", assessments: Mapping[str, ErrorAnalysis]) -> None:
    """A mark of its own for each model."""
    axes: Axes = figure.subplots()
    groups = _groups(assessments)
    for (model, found), mark in zip(assessments.items(), cycle(MARKS), strict=False):
        f1 = [100 * _f1_of(found).get(name, float("nan")) for name in groups]
        axes.plot(
            f1, range(len(groups)), mark, color=plots.ACCENT, label=model, fillstyle="none",
            markeredgewidth=1.2,
        )  # fmt: skip
    axes.set_yticks(range(len(groups)), groups)
    axes.set(xlabel="F1 of each type and language", ylim=(len(groups) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    if len(assessments) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.3), ncols=2)


def _draw_mistakes(figure: "Figure", assessments: Mapping[str, ErrorAnalysis]) -> None:
    """How many mistakes of each kind, one bar a model."""
    axes: Axes = figure.subplots()
    starts = [0] * len(assessments)
    for kind, color in zip(KINDS, SHADES, strict=True):
        counts = [len(each.mistakes_of(kind)) for each in assessments.values()]
        rows = range(len(counts))
        axes.barh(rows, counts, 0.6, starts, color=color, label=kind.value.replace("_", " "))
        starts = [start + count for start, count in zip(starts, counts, strict=True)]
    axes.set_yticks(range(len(assessments)), list(assessments))
    axes.set(xlabel="mistakes", ylim=(len(assessments) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(KINDS))


def _draw_scores(figure: "Figure", assessments: Mapping[str, ErrorAnalysis]) -> None:
    axes: Axes = figure.subplots()
    rows = range(len(assessments))
    f1 = [100 * each.scores.f1 for each in assessments.values()]
    ends: Any = [
        [
            score - 100 * each.interval.low
            for score, each in zip(f1, assessments.values(), strict=True)
        ],
        [
            100 * each.interval.high - score
            for score, each in zip(f1, assessments.values(), strict=True)
        ],
    ]
    ends = [[max(0.0, length) for length in side] for side in ends]
    axes.errorbar(f1, rows, xerr=ends, color=plots.ACCENT, marker="o", linestyle="", capsize=3)
    axes.set_yticks(rows, list(assessments))
    axes.set(xlabel="F1, with 95 % interval", ylim=(len(assessments) - 0.5, -0.5))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
