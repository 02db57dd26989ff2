"""`spanferry experiment`: methods compared in one run under the same conditions."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from typer import Argument, Option

from ml_backend.cli.console import bars, print_result, table
from ml_backend.cli.options import AsJson, Strings
from ml_backend.cli.train import changes_of
from projection.io.files import atomic_write, write_json
from training.experiments.definition import NAMES, ExperimentOptions, read_experiment

if TYPE_CHECKING:
    from training.experiments.results import Results

PLOTS = ("plot.png", "plot.svg")


def experiment(
    name: Annotated[str, Argument(help=f"One of {', '.join(NAMES)}; or your own TOML file.")],
    *,
    data: Annotated[Path, Option(help="The data: a TOML file, see docs/reproducing.md.")],
    out: Annotated[Path, Option(help="Folder for the results; to continue, the same one.")],
    base: Annotated[str | None, Option(help="Start from a folder, a hub name, or mini.")] = None,
    seed: Annotated[int, Option(min=0, help="The first seed.")] = 0,
    seeds: Annotated[
        int | None, Option(min=1, help="Models a row. [default: 3; aligners: 1]")
    ] = None,
    sentences: Annotated[int | None, Option(min=1, help="Most sentences of each part.")] = None,
    scored: Annotated[int | None, Option(min=1, help="Most sentences to score on.")] = None,
    column: Annotated[Strings, Option(help="A language or gold file to use; repeatable.")] = None,
    row: Annotated[Strings, Option(help="A row, by name; repeatable. [default: all]")] = None,
    preset: Annotated[str | None, Option(help="The recipe of rows that name none.")] = None,
    at: Annotated[list[float] | None, Option(help="A place on the axis; repeatable.")] = None,
    numbers: Annotated[
        Strings, Option("--set", help="A number of all stages or one: epochs=3; repeatable.")
    ] = None,
    stages: Annotated[Path | None, Option(help="Keep shared models here, not in --out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare recipes or aligners under the same conditions.

    Every row is trained with every seed, from the same base. Finished runs are kept: the same
    command continues where it was interrupted. Writes results.json, table.md, plot.png and
    plot.svg.

    Example: spanferry experiment transfer --data data.toml --sentences 3000 --out runs/transfer
    """
    # torch takes seconds to import, which `--help` should not.
    from ml_backend.propagation.propagate import propagated_in  # noqa: PLC0415
    from training.evaluation.reliability import check_plot  # noqa: PLC0415
    from training.experiments.config import read_config  # noqa: PLC0415
    from training.experiments.plot import experiment_plot  # noqa: PLC0415
    from training.experiments.runner import run_experiment  # noqa: PLC0415
    from training.experiments.table import markdown  # noqa: PLC0415

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
            definition,
            config,
            options,
            out,
            stages=stages,
            propagate=propagated_in,
            on_progress=on_progress,
        )
    write_json(out / "results.json", results.to_json())
    with atomic_write(out / "table.md") as text:
        text.write(markdown(results))
    for plot in PLOTS:
        experiment_plot(results, out / plot)
    print_result(results.to_json(), _shown(results, out), as_json=as_json)


def _shown(results: "Results", out: Path) -> Iterator[Table | str]:
    from training.experiments.table import comparison_line, lines_of  # noqa: PLC0415  see above

    head, *rows = lines_of(results)
    yield table([name.replace(".", "\n") for name in head], rows)
    yield from map(comparison_line, results.comparisons)
    yield from (f"{name} was skipped: {reason}" for name, reason in results.skipped.items())
    yield f"F1 in per cent. Precision, recall and published scores: {out / 'table.md'}"
