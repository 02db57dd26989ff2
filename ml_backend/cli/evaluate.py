"""`spanferry evaluate`: score models on gold data, and compare them."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

import typer
from rich.table import Table

from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from ml_backend.cli.options import AsJson, IgnoreLabel, LabelMap
from projection.errors import TrainingError

if TYPE_CHECKING:
    from training.data.rows import Rows
    from training.evaluation.error_analysis import Assessment, Difference

SCHEMA = 2
LANG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a tag of BCP 47


def evaluate(
    *,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL… DATA…",
            help="Models (folders or hub names), then IOB2 files or export folders; LANG=FILE says "
            "in which language one is.",
        ),
    ],
    trained_on: Annotated[
        list[Path] | None,
        typer.Option(
            "--trained-on",
            help="The training data, runs of `spanferry project` among them, to tell names the "
            "models have met from new ones; repeatable.",
        ),
    ] = None,
    rename: LabelMap = None,
    ignore: IgnoreLabel = None,
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
    as_json: AsJson = False,
) -> None:
    """Score models: strict entity precision, recall and F1 (seqeval, IOB2), and what went wrong.

    Several models are compared on the same sentences by the paired bootstrap. Of an export that
    was split the test part is read. Types are renamed
    first, then ignored, in the data and in the predictions alike.

    Example: spanferry evaluate models/de models/base dev.iob2 --map-label OTH=MISC
    """
    # Takes seconds to import, which `--help` should not.
    from training.data.pseudo_labels import read_tagged  # noqa: PLC0415
    from training.data.rows import LabelMap as Mapping  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415
    from training.evaluation.error_analysis import assess, better_by, names_in  # noqa: PLC0415
    from training.evaluation.tagging_scores import source_side as load_source_side  # noqa: PLC0415
    from training.evaluation.tagging_scores import tag_data  # noqa: PLC0415

    models, data = models_and_data(words)
    labels = Mapping.parse(rename, ignore)
    dataset = load_source_side([each.path for each in data]) if source_side else load_test(data)
    known = (
        names_in(row for path in trained_on for row in read_tagged(path, TRAIN).mapped(labels))
        if trained_on
        else None
    )
    assessments = {}
    for model in models:
        with progress(f"{model}: sentences tagged", len(dataset)) as advance:
            tagged = tag_data(model, dataset, labels=labels, on_progress=advance)
        assessments[model] = assess(tagged, known)
    differences = {
        (first, second): better_by(assessments[first], assessments[second])
        for first, second in combinations(assessments, 2)
    }
    answer = to_json(assessments, differences)
    if out is not None:
        from ml_backend.report.evaluation_page import write_evaluation  # noqa: PLC0415

        write_evaluation(out, answer, assessments)
    if as_json:
        print_json(answer)
    else:
        _print(assessments, differences)


class Data(NamedTuple):
    """Where data are, and in which language if that was said."""

    path: Path
    lang: str | None = None

    @classmethod
    def parse(cls, word: str) -> Self:
        """`dev.iob2` or `de=dev.iob2`; what is a file by its whole name is one."""
        lang, equals, rest = word.partition("=")
        if equals and LANG.fullmatch(lang) and not Path(word).exists():
            return cls(Path(rest), lang)
        return cls(Path(word))


def load_test(data: Sequence[Data]) -> "Rows":
    """All of it as one dataset; of what was split, the test part."""
    from training.data.dataset import read_rows  # noqa: PLC0415
    from training.data.rows import Rows  # noqa: PLC0415
    from training.data.splits import TEST  # noqa: PLC0415

    loaded = ((read_rows(each.path, TEST), each.lang) for each in data)
    return Rows.joined(*(rows if lang is None else rows.in_language(lang) for rows, lang in loaded))


def models_and_data(words: Sequence[str]) -> tuple[list[str], list[Data]]:
    """Part the words of the command line.

    A model is the first word, a folder with a config.json, or, before any data, a name that is no
    path: one on the hub.

    Raises:
        TrainingError: if there are no data.
    """
    models, data = list(words[:1]), list[Data]()
    for word in words[1:]:
        path, lang = Data.parse(word)
        on_the_hub = not data and lang is None and not path.exists() and not path.suffix
        if on_the_hub or (path / "config.json").is_file():
            models.append(word)
        else:
            data.append(Data(path, lang))
    if not data:
        raise TrainingError("evaluation data", "there are none", "Name files after the models")
    return list(dict.fromkeys(models)), data


def to_json(
    assessments: "dict[str, Assessment]", differences: "dict[tuple[str, str], Difference]"
) -> dict[str, object]:
    """The whole of a `--json` answer."""
    return {
        "schema": SCHEMA,
        "models": [{"model": model, **found.to_json()} for model, found in assessments.items()],
        "differences": [
            {"first": first, "second": second, **difference.to_json()}
            for (first, second), difference in differences.items()
        ],
    }


def _print(
    assessments: "dict[str, Assessment]", differences: "dict[tuple[str, str], Difference]"
) -> None:
    for model, assessment in assessments.items():
        if len(assessments) > 1:
            console.print(f"\n{model}", highlight=False, markup=False)
        _print_one(assessment)
    if differences:
        console.print(_comparison(differences))


def _print_one(assessment: "Assessment") -> None:
    from training.evaluation.error_analysis import KINDS  # noqa: PLC0415

    low, high = assessment.interval.low, assessment.interval.high
    lines = [
        str(assessment.scores),
        f"F1 with 95 % certainty from {100 * low:.2f} to {100 * high:.2f} (bootstrap)",
        *(
            f"{lang}: F1 {100 * scores.f1:.2f} on {scores.support} entities"
            for lang, scores in assessment.by_language.items()
            if len(assessment.by_language) > 1
        ),
        "mistakes: "
        + ", ".join(f"{len(assessment.mistakes_of(k))} {k.replace('_', ' ')}" for k in KINDS),
    ]
    if assessment.seen is not None and assessment.unseen is not None:
        parts = (("names met in training", assessment.seen), ("new names", assessment.unseen))
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
