"""`spanferry evaluate`: score a model on gold data."""

from pathlib import Path
from typing import Annotated

import typer

from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from ml_backend.cli.options import AsJson


def evaluate(
    *,
    model: Annotated[str, typer.Argument(help="Model folder or hub name.")],
    data: Annotated[list[Path], typer.Argument(help="IOB2 files or export folders.")],
    rename: Annotated[
        list[str] | None, typer.Option("--map-labels", help="OLD=NEW entity type; repeatable.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore-type", help="Type or pattern to read as no entity; repeatable."),
    ] = None,
    source_side: Annotated[
        bool,
        typer.Option(
            "--source-side",
            help="The data are projection gold, as for score-projection: score on its source side.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a model: strict entity precision, recall and F1 (seqeval, IOB2).

    Types are renamed first, then ignored, in the data and in the predictions alike.

    Example: spanferry evaluate models/de dev.iob2 --map-labels OTH=MISC --ignore-type '*deriv'
    """
    # Takes seconds to import, which `--help` should not.
    from training.dataset import load_all, parse_label_map  # noqa: PLC0415
    from training.evaluate import evaluate as score_model  # noqa: PLC0415
    from training.evaluate import source_side as load_source_side  # noqa: PLC0415

    labels = parse_label_map(rename or (), ignore or ())
    dataset = load_source_side(data) if source_side else load_all(data)
    with progress("sentences tagged", len(dataset)) as advance:
        scores = score_model(
            model,
            dataset,
            labels=labels,
            on_progress=advance,
        )
    if as_json:
        print_json(scores.to_json())
    else:
        console.print(str(scores), highlight=False, markup=False, soft_wrap=True)
