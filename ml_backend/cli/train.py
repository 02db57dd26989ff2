"""`spanferry train`: a tagger by one of the recipes, from exports, projections and gold."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ml_backend.cli.console import bars, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import AsJson, IgnoreLabel, LabelMap
from projection.errors import TrainingError
from projection.io.folders import is_main_process
from training.tagger.presets import DEFAULT, PRESETS
from training.tagger.request import Order, carry_out
from training.trainer.settings import LossName, Tracker

if TYPE_CHECKING:
    from training.tagger.recipe_runner import Trained
    from training.tagger.seeds import Seeds


def train(
    *,
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Export folders, reviewed.jsonl, IOB2 files, `spanferry project` runs."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for the model, which must not exist yet; or for --seeds.")
    ],
    preset: Annotated[str, typer.Option(help=f"The recipe: {', '.join(PRESETS)}.")] = DEFAULT,
    english: Annotated[
        list[Path] | None,
        typer.Option(help="English gold: an IOB2 file; repeatable."),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            help="Target-language text without labels, .txt or IOB2; repeatable. [default: that of "
            "the other data]"
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(help="Its language. [default: that of the data]"),
    ] = None,
    lexicon: Annotated[
        list[Path] | None,
        typer.Option(
            help="For translated words: silver files, or two columns; repeatable. [default: the "
            "bundled aligner's]"
        ),
    ] = None,
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            help="Reviewed data that say when to stop; the best checkpoint is kept. Repeatable."
        ),
    ] = None,
    dev_share: Annotated[
        float,
        typer.Option(help="Without --dev: hold out this share of what was reviewed."),
    ] = 0.0,
    eval_on: Annotated[
        list[Path] | None,
        typer.Option("--eval", help="Score on this afterwards; repeatable."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Start from: a folder, a hub name, or mini, the bundled tagger. [default: the "
            "recipe's]"
        ),
    ] = None,
    loss: Annotated[
        LossName | None,
        typer.Option(
            help="Of the last stage: rw and gce for noisy labels, focal for hard tokens, ce all "
            "alike."
        ),
    ] = None,
    gamma: Annotated[float | None, typer.Option(help="Its strength.")] = None,
    through_weight: Annotated[
        bool,
        typer.Option(
            "--through-weight",
            help="rw: let the gradient flow through the weight, too (a new head then stalls).",
        ),
    ] = False,
    epochs: Annotated[
        float | None,
        typer.Option(help="Times the last stage goes through its data."),
    ] = None,
    freeze: Annotated[
        int | None,
        typer.Option(min=0, help="Lower encoder layers to leave as they are."),
    ] = None,
    freeze_embeddings: Annotated[
        bool | None,
        typer.Option(help="With frozen layers, leave the embeddings as they are, too."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Sentences a step.")] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(min=1, help="Batches to one optimiser step."),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    max_length: Annotated[
        int | None,
        typer.Option(help="Subwords at once; longer is windowed."),
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    numbers: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any number, of all stages or of one: warmup=0.2, english.epochs=3; repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(help="Train this many models, from --seed on; mean and deviation of all."),
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(help="Keep the stages' models here: trainings that begin alike share them."),
    ] = None,
    log: Annotated[
        Tracker | None,
        typer.Option(help="Follow the training there. [default: tensorboard, if installed]"),
    ] = None,
    push_to_hub: Annotated[
        str | None, typer.Option(help="Upload the model to this repository.")
    ] = None,
    rename: LabelMap = None,
    ignore: IgnoreLabel = None,
    as_json: AsJson = False,
) -> None:
    """Train a tagger on what people reviewed, and on what was projected.

    An interrupted training goes on where it was when the same command is run again.

    Example: spanferry train reviewed/ runs/news --english conll.iob2 --out models/de --seeds 5
    """
    given = {
        "base": base,
        "loss": loss,
        "gamma": gamma,
        "through_weight": through_weight or None,
        "epochs": epochs,
        "freeze": freeze,
        "freeze_embeddings": freeze_embeddings,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "learning_rate": learning_rate,
        "max_length": max_length,
        "bf16": bf16 or None,
    }
    order = Order(
        data=tuple(data),
        out=out,
        preset=preset,
        changes={k: v for k, v in given.items() if v is not None} | changes_of(numbers or ()),
        english=tuple(english or ()),
        unlabelled=tuple(unlabelled or ()),
        lang=lang,
        lexicon=tuple(lexicon or ()),
        dev=tuple(dev or ()),
        dev_share=dev_share,
        held_out=tuple(eval_on or ()),
        renames=tuple(rename or ()),
        ignore=tuple(ignore or ()),
        seed=seed,
        seeds=seeds,
        stages=stages,
        tracker=log,
        push_to=push_to_hub,
    )
    if not is_main_process():
        carry_out(order, lambda _what, _done, _total: None)
        return
    with bars() as on_progress:
        result = carry_out(order, on_progress)
    report(result, as_json=as_json)


def changes_of(numbers: Iterable[str]) -> dict[str, Any]:
    """`[STAGE.]NAME=VALUE` texts as the changes of a preset.

    Raises:
        TrainingError: at a text that is not of that form.
    """
    changes = {}
    for text in numbers:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise TrainingError(f"--set {text}", "is not NAME=VALUE", "Such as target.epochs=2")
        changes[name] = value
    return changes


def report(result: "Trained | Seeds", *, as_json: bool) -> None:
    """What was made, as one object or for people."""
    if as_json:
        print_json(result.to_json())
    else:
        console.print(str(result), highlight=False, markup=False, soft_wrap=True)
