"""`spanferry train`: fine-tune a tagger on reviewed sentences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml_backend.cli.console import bars, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import AsJson
from projection import bundled
from training.recipe import FineTune, LossName

if TYPE_CHECKING:
    from training.finetune import TrainingResult


def train(
    *,
    data: Annotated[
        list[Path], typer.Argument(help="Export folders, reviewed.jsonl or IOB2 files.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model; it must not exist yet.")],
    base: Annotated[
        str, typer.Option(help="Start from: a folder, a hub name, or mini, the bundled tagger.")
    ] = bundled.NAME,
    eval_on: Annotated[
        list[Path] | None, typer.Option("--eval", help="Score on this afterwards; repeatable.")
    ] = None,
    loss: Annotated[
        LossName,
        typer.Option(help="rw trusts easy tokens (noisy labels), focal hard ones, ce all alike."),
    ] = LossName.RW,
    gamma: Annotated[
        float | None, typer.Option(help="Strength of the weighting; rw 4, focal 2.")
    ] = None,
    through_weight: Annotated[
        bool,
        typer.Option(
            "--through-weight",
            help="rw: let the gradient flow through the weight, too (a new head then stalls).",
        ),
    ] = False,
    freeze: Annotated[
        int, typer.Option(min=0, help="Lower encoder layers to leave as they are.")
    ] = 0,
    freeze_embeddings: Annotated[
        bool, typer.Option(help="With --freeze, leave the embeddings as they are, too.")
    ] = True,
    epochs: Annotated[float, typer.Option(help="Times to go through the data.")] = 3.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences a step.")] = 16,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches to one optimiser step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 5e-5,
    max_length: Annotated[int, typer.Option(help="Subwords at once; longer is windowed.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    rename: Annotated[
        list[str] | None, typer.Option("--map-labels", help="OLD=NEW entity type; repeatable.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore-type", help="Type or pattern to read as no entity; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a tagger on what people reviewed.

    An interrupted training goes on where it was when the same command is run again.

    Example: spanferry train reviewed/ --out models/de --freeze 2 --eval dev.iob2
    """
    # Take seconds to import, which `--help` should not.
    from training.dataset import load_all, map_labels, parse_label_map  # noqa: PLC0415
    from training.finetune import fine_tune  # noqa: PLC0415

    labels = parse_label_map(rename or (), ignore or ())
    settings = FineTune(
        base=base,
        loss=loss,
        gamma=gamma,
        through_weight=through_weight,
        freeze=freeze,
        freeze_embeddings=freeze_embeddings,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        learning_rate=learning_rate,
        max_length=max_length,
        seed=seed,
        bf16=bf16,
    )
    dataset = map_labels(load_all(data), labels)
    held_out = map_labels(load_all(eval_on), labels) if eval_on else None
    with bars() as on_progress:
        result = fine_tune(dataset, settings, out, held_out, on_progress)
    if as_json:
        print_json(result.to_json())
    else:
        _report(result, out)


def _report(result: "TrainingResult", out: Path) -> None:
    lines = [
        f"{out}: {result.steps} steps on {result.sentences} sentences, "
        f"{result.entities} entities, mean loss {result.loss:.4f}",
        f"{result.windowed} sentences longer than what is read at once, read in windows; "
        f"{result.lost_entities} entities lost ({result.lost_share:.1%})",
        f"head: {len(result.head.kept)} tags kept, {len(result.head.new)} new, "
        f"{len(result.head.dropped)} dropped",
        *([] if result.scores is None else [str(result.scores)]),
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
