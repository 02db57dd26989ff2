"""`spanferry evaluate`: score models on gold data, and compare them."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli import options
from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from training.data.rows import LabelMap, Rows

if TYPE_CHECKING:
    from training.evaluation.error_analysis import Difference, ErrorAnalysis

SCHEMA = 2
LANG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a tag of BCP 47


def evaluate(
    *,
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA…",
            help="IOB2 files or export folders; LANG=FILE says in which language one is.",
        ),
    ],
    model: Annotated[
        list[str], typer.Option(help="Model to score: a folder or a name on the hub; repeatable.")
    ],
    trained_on: Annotated[
        list[Path] | None,
        typer.Option(
            "--trained-on",
            help="The training data, runs of `spanferry project` among them: recall is then also "
            "given for names that are in it and for new ones; repeatable.",
        ),
    ] = None,
    rename: options.LabelMap = None,
    ignore: options.IgnoreLabel = None,
    source_side: Annotated[
        bool,
        typer.Option(
            "--source-side",
            help="The data are projection gold, as for score-projection: score on its source side.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write evaluation.json, mistakes.jsonl and index.html here."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Score models: strict entity precision, recall and F1 (seqeval, IOB2), and the mistakes.

    Several models are compared on the same sentences by the paired bootstrap. Of an export that was
    split the test part is read. Types are renamed first, then ignored, in the data and in the
    predictions.

    Example: spanferry evaluate dev.iob2 --model models/de --model models/base --map-label OTH=MISC
    """
    # Takes seconds to import, which `--help` should not.
    from training.data.pseudo_labels import read_tagged  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415
    from training.evaluation.error_analysis import assess, better_by, names_in  # noqa: PLC0415
    from training.evaluation.tagging_scores import source_side as read_source_side  # noqa: PLC0415
    from training.evaluation.tagging_scores import tag_data  # noqa: PLC0415

    labels = LabelMap.parse(rename, ignore)
    gold = read_source_side([Path(each) for each in data]) if source_side else read_test(data)
    learned = (row for path in trained_on or () for row in read_tagged(path, TRAIN).mapped(labels))
    known = names_in(learned) if trained_on else None
    analyses = {}
    for name in dict.fromkeys(model):
        with progress(f"{name}: sentences tagged", len(gold)) as advance:
            tagged = tag_data(name, gold, labels=labels, on_progress=advance)
        analyses[name] = assess(tagged, known)
    differences = {
        (first, second): better_by(analyses[first], analyses[second])
        for first, second in combinations(analyses, 2)
    }
    answer = to_json(analyses, differences)
    if out is not None:
        from ml_backend.report.evaluation_page import write_evaluation  # noqa: PLC0415

        write_evaluation(out, answer, analyses)
    if as_json:
        print_json(answer)
    else:
        _print(analyses, differences)


def read_test(data: Sequence[str]) -> Rows:
    """Read files, some as `LANG=FILE`, as one; of exports that were split, the test part."""
    from training.data.dataset import read_rows  # noqa: PLC0415  takes seconds
    from training.data.splits import TEST  # noqa: PLC0415

    parts = []
    for word in data:
        lang, equals, rest = word.partition("=")
        if equals and LANG.fullmatch(lang) and not Path(word).exists():
            parts.append(read_rows(Path(rest), TEST).in_language(lang))
        else:
            parts.append(read_rows(Path(word), TEST))
    return Rows.joined(*parts)


def to_json(
    analyses: "dict[str, ErrorAnalysis]", differences: "dict[tuple[str, str], Difference]"
) -> dict[str, object]:
    """The whole of a `--json` answer."""
    return {
        "schema": SCHEMA,
        "models": [{"model": model, **found.to_json()} for model, found in analyses.items()],
        "differences": [
            {"first": first, "second": second, **difference.to_json()}
            for (first, second), difference in differences.items()
        ],
    }


def _print(
    analyses: "dict[str, ErrorAnalysis]", differences: "dict[tuple[str, str], Difference]"
) -> None:
    for model, analysis in analyses.items():
        if len(analyses) > 1:
            console.print(f"\n{model}", highlight=False, markup=False)
        _print_one(analysis)
    if differences:
        console.print(_comparison(differences))


def _print_one(analysis: "ErrorAnalysis") -> None:
    from training.evaluation.error_analysis import KINDS  # noqa: PLC0415

    low, high = analysis.interval.low, analysis.interval.high
    lines = [
        str(analysis.scores),
        f"F1 with 95 % certainty from {100 * low:.2f} to {100 * high:.2f} (bootstrap)",
        *(
            f"{lang}: F1 {100 * scores.f1:.2f} on {scores.support} entities"
            for lang, scores in analysis.by_language.items()
            if len(analysis.by_language) > 1
        ),
        "mistakes: "
        + ", ".join(f"{len(analysis.mistakes_of(k))} {k.replace('_', ' ')}" for k in KINDS),
    ]
    if analysis.seen is not None and analysis.unseen is not None:
        parts = (("names met in training", analysis.seen), ("new names", analysis.unseen))
        lines += [
            f"recall of {what}: {100 * r.share:.2f} ({r.found} of {r.of})" for what, r in parts
        ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _comparison(differences: "dict[tuple[str, str], Difference]") -> Table:
    table = Table(title="Paired bootstrap")
    for column in ("model", "against", "F1", "95 % interval", "p"):
        table.add_column(column, overflow="fold")
    for (first, second), found in differences.items():
        low, high = 100 * found.interval.low, 100 * found.interval.high
        table.add_row(
            first, second, f"{100 * found.f1:+.2f}", f"{low:+.2f} to {high:+.2f}", f"{found.p:.3f}"
        )
    return table
