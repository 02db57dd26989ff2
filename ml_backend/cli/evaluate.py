"""`spanferry evaluate`: score models on gold data, and compare them."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from typer import Argument, Option

from ml_backend.cli.console import print_result, progress, table
from ml_backend.cli.options import AsJson, IgnoreLabel, Paths, RenameLabel, TagColumn, TokenColumn
from projection.addresses import path_or_address
from projection.io.conll import FOUND, TagColumns
from projection.languages import language_tag
from projection.text.wording import in_words
from training.data.rows import LabelMap, Rows

if TYPE_CHECKING:
    from training.evaluation.error_analysis import Difference, ErrorAnalysis

SCHEMA = 2
LANG = re.compile(r"[A-Za-z]+([-_][A-Za-z0-9]+)*")  # a language tag, or what was meant as one


def evaluate(
    *,
    data: Annotated[
        list[str],
        Argument(
            metavar="DATA…", help="CoNLL files or export folders; LANG=FILE names a language."
        ),
    ],
    model: Annotated[list[str], Option(help="A model: a folder or a hub name; repeatable.")],
    trained_on: Annotated[
        Paths,
        Option(parser=path_or_address, help="Data whose names count as seen; repeatable."),
    ] = None,
    rename: RenameLabel = None,
    ignore: IgnoreLabel = None,
    token_column: TokenColumn = None,
    tag_column: TagColumn = None,
    source_side: Annotated[bool, Option("--source-side", help="Score on its source.")] = False,
    out: Annotated[Path | None, Option(help="Also write figures and a page here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score models: strict entity precision, recall and F1 (seqeval, IOB2), and the mistakes.

    With --trained-on, which takes runs, too, recall is also given for names seen and new. --out
    writes evaluation.json, mistakes.jsonl and index.html. Several models are compared on the same
    sentences by the paired bootstrap. Of an export that was split the test part is read; with
    --source-side DATA is gold of score-projection. Types are renamed first, then ignored, in the
    data and in the predictions.

    Example: spanferry evaluate dev.iob2 --model models/de --model models/base --map-label OTH=MISC
    """
    # Takes seconds to import, which `--help` should not.
    from training.data.pseudo_labels import read_tagged  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415
    from training.evaluation.error_analysis import assess, better_by, names_in  # noqa: PLC0415
    from training.evaluation.tagging_scores import source_side as read_source_side  # noqa: PLC0415
    from training.evaluation.tagging_scores import tag_data  # noqa: PLC0415

    labels, columns = LabelMap.parse(rename, ignore), TagColumns(token_column, tag_column)
    gold = (
        read_source_side([*map(path_or_address, data)]) if source_side else read_test(data, columns)
    )
    learned = (read_tagged(path, TRAIN, columns).mapped(labels) for path in trained_on or ())
    known = names_in(chain.from_iterable(learned)) if trained_on else None
    analyses = {}
    for name in dict.fromkeys(model):
        with progress(f"{name}: sentences tagged", len(gold)) as advance:
            tagged = tag_data(name, gold, labels=labels, on_progress=advance)
        analyses[name] = assess(tagged, known)
    differences = {
        (first, second): better_by(analyses[first], analyses[second])
        for first, second in combinations(analyses, 2)
    }
    answer: dict[str, object] = {
        "schema": SCHEMA,
        "models": [{"model": name, **found.to_json()} for name, found in analyses.items()],
        "differences": [
            {"first": first, "second": second, **difference.to_json()}
            for (first, second), difference in differences.items()
        ],
    }
    if out is not None:
        from ml_backend.report.evaluation_page import write_evaluation  # noqa: PLC0415

        write_evaluation(out, answer, analyses)
    print_result(answer, _shown(analyses, differences), as_json=as_json)


def read_test(data: Sequence[str], columns: TagColumns = FOUND) -> Rows:
    """Read files, some as `LANG=FILE`, as one; of exports that were split, the test part."""
    from training.data.dataset import read_rows  # noqa: PLC0415  takes seconds
    from training.data.splits import TEST  # noqa: PLC0415

    parts = []
    for word in data:
        lang, equals, rest = word.partition("=")
        if equals and LANG.fullmatch(lang) and not Path(word).exists():
            tag = language_tag(lang, word)
            parts.append(read_rows(path_or_address(rest), TEST, columns).in_language(tag))
        else:
            parts.append(read_rows(path_or_address(word), TEST, columns))
    return Rows.joined(*parts)


def _shown(
    analyses: "dict[str, ErrorAnalysis]", differences: "dict[tuple[str, str], Difference]"
) -> Iterator[Table | str]:
    for model, analysis in analyses.items():
        if len(analyses) > 1:
            yield f"\n{model}"
        yield from _shown_one(analysis)
    if differences:
        rows = []
        for models, found in differences.items():
            low, high = 100 * found.interval.low, 100 * found.interval.high
            figures = (f"{100 * found.f1:+.2f}", f"{low:+.2f} to {high:+.2f}", f"{found.p:.3f}")
            rows.append((*models, *figures))
        yield "\nPaired bootstrap"
        yield table(("model", "against", "F1", "95 % interval", "p"), rows, text=(0, 1))


def _shown_one(analysis: "ErrorAnalysis") -> Iterator[str]:
    from training.evaluation.error_analysis import KINDS  # noqa: PLC0415

    yield str(analysis.scores)
    low, high = 100 * analysis.interval.low, 100 * analysis.interval.high
    yield f"F1 with 95 % certainty from {low:.2f} to {high:.2f} (bootstrap)"
    if len(analysis.by_language) > 1:
        for lang, scores in analysis.by_language.items():
            yield f"{lang}: F1 {100 * scores.f1:.2f} on {scores.support} entities"
    counts = (f"{len(analysis.mistakes_of(kind))} {in_words(kind.value)}" for kind in KINDS)
    yield f"mistakes: {', '.join(counts)}"
    for what, recall in (("names met in training", analysis.seen), ("new names", analysis.unseen)):
        if recall is not None:
            share = 100 * recall.share
            yield f"recall of {what}: {share:.2f} ({recall.found} of {recall.of})"
