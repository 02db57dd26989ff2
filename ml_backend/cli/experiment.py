"""`spanferry experiment`: what is better, measured in one run under the same conditions."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import bars, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import AsJson
from projection.files import atomic_write, write_json

if TYPE_CHECKING:
    from training.aligner_experiment import Comparison

app = typer.Typer(
    help="Compare methods under the same conditions.", no_args_is_help=True, rich_markup_mode=None
)

PLOTS = ("plot.png", "plot.svg")


@app.command()
def aligners(
    silver: Annotated[list[Path], typer.Argument(help="Silver files of `spanferry aligner data`.")],
    *,
    base: Annotated[str, typer.Option(help="Encoder: a folder or a name on the hub.")],
    gold: Annotated[
        list[Path],
        typer.Option(help="JSON Lines with gold entities on both sides; repeatable."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for results and models; an interrupted run goes on.")
    ],
    steps: Annotated[
        int,
        typer.Option(
            min=1,
            help="Training steps of context-joint; paper-pair goes through as many sentences.",
        ),
    ] = 600,
    per_language: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Silver sentences of each language to draw. [default: those of one pass]",
        ),
    ] = None,
    pair_learning_rate: Annotated[
        float,
        typer.Option(
            min=0,
            help="Of paper-pair. The published 5e-5 is meant for large encoders; this is that of "
            "context-joint.",
        ),
    ] = 5e-4,
    eflomal_sentences: Annotated[
        int,
        typer.Option(min=0, help="Silver pairs of each language to align along with the gold."),
    ] = 50_000,
    aligner: Annotated[
        str | None,
        typer.Option(help="Score this one too: a folder, a name on the hub, or `mini`."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Score so many sentences of each gold file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Set the published aligner, ours, and those without a model side by side.

    paper-pair and context-joint are trained on the same silver sentences from the same encoder,
    then scored with every way to decode. Both models stay in the folder, and are not trained again.
    Writes results.json, table.md, plot.png and plot.svg.

    Example:

        spanferry experiment aligners silver/*.jsonl --base models/encoder \\
            --gold gold.en-de.jsonl --gold gold.en-zh.jsonl --out experiments/aligners
    """
    # torch takes seconds to import, which `--help` should not.
    from training.aligner_experiment import Gold, compare_aligners  # noqa: PLC0415
    from training.reliability import check_plot  # noqa: PLC0415
    from training.side_by_side import Settings  # noqa: PLC0415
    from training.silver import read_silver  # noqa: PLC0415

    check_plot(out / PLOTS[0])
    settings = Settings(
        base=base,
        steps=steps,
        per_language=per_language,
        pair_learning_rate=pair_learning_rate,
        eflomal_sentences=eflomal_sentences,
        aligner=aligner,
        seed=seed,
    )
    files = [Gold.read(path, limit) for path in gold]
    with bars() as on_progress:
        on_progress("silver files read", 0, len(silver))
        sentences = list(chain.from_iterable(map(read_silver, silver)))
        on_progress("silver files read", len(silver), len(silver))
        comparison = compare_aligners(sentences, files, settings, out, on_progress=on_progress)
    write(comparison, out, [*silver, *gold])
    if as_json:
        print_json(comparison.to_json())
        return
    console.print(f1_table(comparison))
    for name, reason in comparison.skipped.items():
        console.print(f"{name} was skipped: {reason}", highlight=False, markup=False)
    console.print(
        f"\nPrecision and recall are in {out / 'table.md'}, everything in {out / 'results.json'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def write(comparison: "Comparison", out: Path, files: Sequence[Path]) -> None:
    """Write the results, each file whole or not at all; `files` were read for them."""
    from training.aligner_table import aligner_plot, markdown  # noqa: PLC0415

    write_json(out / "results.json", {**comparison.to_json(), "files": [str(f) for f in files]})
    with atomic_write(out / "table.md") as text:
        text.write(markdown(comparison))
    for name in PLOTS:
        aligner_plot(comparison, out / name)


def f1_table(comparison: "Comparison") -> Table:
    """F1 of every row on every gold file, and how fast it is."""
    from training.aligner_table import percent, speed  # noqa: PLC0415

    made = Table(box=None, pad_edge=False)
    made.add_column("F1, %", vertical="bottom", no_wrap=True)
    for name in (*(gold.name.replace(".", "\n") for gold in comparison.gold), "sentences\n/s"):
        made.add_column(name, justify="right", vertical="bottom", overflow="fold")
    for row in comparison.rows:
        scores = (percent(report.scores.f1) for report in row.reports)
        made.add_row(row.name, *scores, speed(row))
    made.add_row("ceiling", *map(percent, comparison.ceilings), "")
    return made
