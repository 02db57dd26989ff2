"""`spanferry experiment`: what is better, measured in one run under the same conditions."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import bars, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import AsJson
from ml_backend.cli.train import changes_of
from projection.io.files import atomic_write, write_json
from projection.text.wording import points
from training.experiments.definition import EXPERIMENTS, Experiment

if TYPE_CHECKING:
    from training.experiments.aligner_experiment import Comparison
    from training.experiments.results import Results

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
    from training.aligner.silver import read_silver  # noqa: PLC0415
    from training.evaluation.reliability import check_plot  # noqa: PLC0415
    from training.experiments.aligner_experiment import Gold, compare_aligners  # noqa: PLC0415
    from training.experiments.side_by_side import Settings  # noqa: PLC0415

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
    from training.experiments.aligner_table import aligner_plot, markdown  # noqa: PLC0415

    write_json(out / "results.json", {**comparison.to_json(), "files": [str(f) for f in files]})
    with atomic_write(out / "table.md") as text:
        text.write(markdown(comparison))
    for name in PLOTS:
        aligner_plot(comparison, out / name)


def f1_table(comparison: "Comparison") -> Table:
    """F1 of every row on every gold file, and how fast it is."""
    from training.experiments.aligner_table import speed  # noqa: PLC0415

    made = Table(box=None, pad_edge=False)
    made.add_column("F1, %", vertical="bottom", no_wrap=True)
    for name in (*(gold.name.replace(".", "\n") for gold in comparison.gold), "sentences\n/s"):
        made.add_column(name, justify="right", vertical="bottom", overflow="fold")
    for row in comparison.rows:
        scores = (points(report.scores.f1) for report in row.reports)
        made.add_row(row.name, *scores, speed(row))
    made.add_row("ceiling", *map(points, comparison.ceilings), "")
    return made


HELP = """{title}{repeats}.

    Every row is trained with every seed, from the same base. What is done is kept: the same command
    goes on where it was interrupted. Writes results.json, table.md, plot.png and plot.svg.

    Example:

        spanferry experiment {name} --data data.toml --base models/encoder \\
            --sentences 3000 --seeds 3 --out experiments/{name}
"""


def verb_of(experiment: Experiment) -> Callable[..., None]:
    """The function behind `spanferry experiment NAME`."""

    def run(
        *,
        data: Annotated[
            Path, typer.Option(help="Which data: a TOML file, see docs/reproducing.md.")
        ],
        out: Annotated[
            Path, typer.Option(help="Folder for the results; an interrupted experiment goes on.")
        ],
        base: Annotated[
            str | None,
            typer.Option(
                help="Start from: a folder, a hub name, or mini, the bundled tagger. [default: "
                "each recipe's]"
            ),
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
        seeds: Annotated[int, typer.Option(min=1, help="Models of each row, from --seed on.")] = 3,
        sentences: Annotated[
            int | None,
            typer.Option(
                min=1,
                help="Draw at most so many sentences of the English, of the translated and of the "
                "pseudo-labelled ones, in all rows.",
            ),
        ] = None,
        scored: Annotated[
            int | None, typer.Option(min=1, help="Score on so many sentences. [default: all]")
        ] = None,
        lang: Annotated[
            list[str] | None,
            typer.Option(help="Of the languages in the data; repeatable. [default: all]"),
        ] = None,
        row: Annotated[
            list[str] | None,
            typer.Option(help="Of the rows, by name; repeatable. [default: all]"),
        ] = None,
        preset: Annotated[
            str | None,
            typer.Option(
                help=f"The recipe of all rows. [default: {experiment.preset}]",
                hidden=experiment.preset is None,
            ),
        ] = None,
        at: Annotated[
            list[float] | None,
            typer.Option(
                help=f"Places on the axis, {experiment.axis}; repeatable. [default: "
                f"{', '.join(f'{place:g}' for place in experiment.at)}]",
                hidden=not experiment.at,
            ),
        ] = None,
        numbers: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                help="Any number of the recipes, of all stages or of one: english.epochs=3; "
                "repeatable.",
            ),
        ] = None,
        stages: Annotated[
            Path | None,
            typer.Option(help="Keep models that several rows begin with here. [default: in --out]"),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        # torch takes seconds to import, which `--help` should not.
        from training.evaluation.reliability import check_plot  # noqa: PLC0415
        from training.experiments.config import read_config  # noqa: PLC0415
        from training.experiments.results import Settings  # noqa: PLC0415
        from training.experiments.running import run_experiment  # noqa: PLC0415

        check_plot(out / PLOTS[0])
        settings = Settings(
            seeds=tuple(range(seed, seed + seeds)),
            base=base,
            sentences=sentences,
            scored=scored,
            changes=changes_of(numbers or ()),
            preset=preset,
            at=tuple(at or ()),
            langs=tuple(lang or ()),
            rows=tuple(row or ()),
        )
        config = read_config(data)
        with bars() as on_progress:
            results = run_experiment(
                experiment, config, settings, out, stages=stages, on_progress=on_progress
            )
        write_results(results, out)
        show(results, out, as_json=as_json)

    repeats = f" ({experiment.repeats} of Li, He & Xu, 2021)" if experiment.repeats else ""
    run.__doc__ = HELP.format(name=experiment.name, title=experiment.title, repeats=repeats)
    return run


def write_results(results: "Results", out: Path) -> None:
    """Write the results, each file whole or not at all."""
    from training.experiments.plot import experiment_plot  # noqa: PLC0415
    from training.experiments.table import markdown  # noqa: PLC0415

    write_json(out / "results.json", results.to_json())
    with atomic_write(out / "table.md") as text:
        text.write(markdown(results))
    for name in PLOTS:
        experiment_plot(results, out / name)


def show(results: "Results", out: Path, *, as_json: bool) -> None:
    """What was found, as one object or for people."""
    from training.experiments.table import cells_of, head, verdict_line  # noqa: PLC0415

    if as_json:
        print_json(results.to_json())
        return
    made = Table(*head(results), box=None, pad_edge=False, header_style="bold")
    for column in made.columns[1:]:
        column.justify = "right"
    for row in results.rows:
        made.add_row(*cells_of(results, row))
    console.print(made)
    lines = [verdict_line(verdict) for verdict in results.verdicts]
    lines += [f"{name} was skipped: {reason}" for name, reason in results.skipped.items()]
    lines += [f"F1 in per cent. Sizes and published figures are in {out / 'table.md'}"]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


for _experiment in EXPERIMENTS.values():
    app.command(_experiment.name)(verb_of(_experiment))
