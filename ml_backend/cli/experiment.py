"""`spanferry experiment`: methods compared in one run under the same conditions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import bars, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import AsJson
from ml_backend.cli.train import changes_of
from projection.io.files import atomic_write, write_json
from training.experiments.definition import NAMES, ExperimentOptions, read_experiment

if TYPE_CHECKING:
    from training.experiments.results import Results

PLOTS = ("plot.png", "plot.svg")


def experiment(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE.toml",
            help=f"One of {', '.join(NAMES)}; or a TOML file with rows of your own.",
        ),
    ],
    *,
    data: Annotated[Path, typer.Option(help="The data: a TOML file, see docs/reproducing.md.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the results; an interrupted experiment continues.")
    ],
    base: Annotated[
        str | None,
        typer.Option(
            help="Start from: a folder, a hub name, or mini, the bundled tagger. [default: each "
            "recipe's; needed for aligners]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Models of each row, from --seed on. [default: 3; aligners 1]"),
    ] = None,
    sentences: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Draw at most so many sentences of the English, of the translated and of the "
            "pseudo-labelled ones, in all rows; of silver data, of each language.",
        ),
    ] = None,
    scored: Annotated[
        int | None, typer.Option(min=1, help="Score on so many sentences. [default: all]")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="A language or a gold file in the data; repeatable. [default: all]"),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(help="A row, by name; repeatable. [default: all]"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="The recipe of all rows, where rows are no recipes themselves."),
    ] = None,
    at: Annotated[
        list[float] | None,
        typer.Option(help="A place on the axis; repeatable. [default: the experiment's]"),
    ] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any number of the recipes, of all stages or of one: english.epochs=3; of "
            "aligners: steps=835; repeatable.",
        ),
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(help="Keep models that several rows use here. [default: in --out]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare recipes or aligners under the same conditions.

    Every row is trained with every seed, from the same base. Finished runs are kept: the same
    command continues where it was interrupted. Writes results.json, table.md, plot.png and
    plot.svg.

    Example:

        spanferry experiment transfer --data data.toml --base models/encoder \\
            --sentences 3000 --out experiments/transfer
    """
    # torch takes seconds to import, which `--help` should not.
    from training.evaluation.reliability import check_plot  # noqa: PLC0415
    from training.experiments.config import read_config  # noqa: PLC0415
    from training.experiments.runner import run_experiment  # noqa: PLC0415

    check_plot(out / PLOTS[0])
    definition = read_experiment(name)
    options = ExperimentOptions(
        seeds=tuple(range(seed, seed + (seeds or definition.seeds))),
        base=base,
        sentences=sentences,
        scored=scored,
        set=changes_of(numbers or ()),
        preset=preset,
        at=tuple(at or ()),
        columns=tuple(column or ()),
        rows=tuple(row or ()),
    )
    config = read_config(data)
    with bars() as on_progress:
        results = run_experiment(
            definition, config, options, out, stages=stages, on_progress=on_progress
        )
    write_results(results, out)
    if as_json:
        print_json(results.to_json())
    else:
        show(results, out)


def write_results(results: "Results", out: Path) -> None:
    """Write the results, each file whole or not at all."""
    from training.experiments.plot import experiment_plot  # noqa: PLC0415  see above
    from training.experiments.table import markdown  # noqa: PLC0415

    write_json(out / "results.json", results.to_json())
    with atomic_write(out / "table.md") as text:
        text.write(markdown(results))
    for name in PLOTS:
        experiment_plot(results, out / name)


def show(results: "Results", out: Path) -> None:
    """Print the measured scores."""
    from training.experiments import table  # noqa: PLC0415  see above

    made = Table(*table.head(results), box=None, pad_edge=False, header_style="bold")
    for column in made.columns[1:]:
        column.justify = "right"
    for row in [
        *(table.cells_of(results, row) for row in results.rows),
        *table.ceiling_line(results),
    ]:
        made.add_row(*row)
    console.print(made)
    lines = [*map(table.comparison_line, results.comparisons)]
    lines += [f"{name} was skipped: {reason}" for name, reason in results.skipped.items()]
    lines += [f"F1 in per cent. Precision, recall and published scores: {out / 'table.md'}"]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
