"""`spanferry aligner data`: parallel corpora become silver training data for aligners."""

import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ml_backend.cli.console import Advance, err, progress
from projection.errors import TrainingError
from projection.io.corpus import read_moses
from projection.io.files import atomic_write, json_line
from projection.records import ParallelSentence

if TYPE_CHECKING:
    from training.aligner.pharaoh import GivenLinks
    from training.aligner.silver import SilverSentence

VERB = "aligner data"
EVERY_SECONDS = 10.0  # between signs of life where there is no terminal

T = TypeVar("T")
Linked = tuple[ParallelSentence, "GivenLinks | None"]
Reviewed = tuple[ParallelSentence, "SilverSentence"]


def data(
    corpora: Annotated[
        list[str] | None,
        typer.Argument(help="Moses prefixes: NEWS for NEWS.en and NEWS.de; NEWS:5000 samples."),
    ] = None,
    *,
    target_lang: Annotated[str, typer.Option(help="BCP 47 tag, and the target files' ending.")],
    out: Annotated[Path | None, typer.Option(help="Silver file to write, JSON Lines.")] = None,
    names: Annotated[
        Path | None, typer.Option(help="Name list to add: tab-separated, columns en and foreign.")
    ] = None,
    alignments: Annotated[
        list[Path] | None,
        typer.Option(
            help="Word links of any aligner instead of eflomal's, in Pharaoh format: a line for "
            "every line of the corpora. One file for each corpus, in their order, or one for all. "
            "They count the words that --write-tokens writes, from 0."
        ),
    ] = None,
    reverse_alignments: Annotated[
        list[Path] | None,
        typer.Option(
            help="The other direction's, if --alignments are not symmetrised; source-target, too."
        ),
    ] = None,
    write_tokens: Annotated[
        Path | None,
        typer.Option(
            help="Only write all corpora as word aligners read them: source ||| target "
            "(fast_align format), in this project's words, Chinese segmented by jieba."
        ),
    ] = None,
    reviews: Annotated[
        list[Path] | None,
        typer.Option(
            help="Annotators' corrections to add: reviewed.jsonl or export folders; repeatable."
        ),
    ] = None,
    review_weight: Annotated[
        float, typer.Option(help="How much a reviewed sentence counts beside others, which are 1.")
    ] = 5.0,
    gold: Annotated[
        list[Path] | None,
        typer.Option(
            help="Refuse sentences of this gold (.jsonl of pairs, or text, a sentence a line), on "
            "either side, or a run of 13 words of one; repeatable."
        ),
    ] = None,
    drop_contaminated: Annotated[
        bool, typer.Option("--drop-contaminated", help="Leave out what --gold would refuse.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Read phrase pairs off the word alignments of parallel corpora.

    Needs eflomal, an external tool: pip install 'spanferry[models]'.

    Example:

        spanferry aligner data corpora/news.en-de corpora/talks.en-de:20000 --target-lang de \\
            --out silver/de.jsonl

    With another word aligner:

        spanferry aligner data corpora/news.en-de --target-lang de --write-tokens news.txt

        fast_align -i news.txt -d -o -v > forward.txt; fast_align -i news.txt -d -o -v -r > back.txt

        spanferry aligner data corpora/news.en-de --target-lang de --alignments forward.txt \\
            --reverse-alignments back.txt --out silver/de.jsonl
    """
    files = (alignments or [], reverse_alignments or [])
    if write_tokens is not None:
        tokens_written(write_tokens, corpora or [], target_lang)
        return
    path = checked(out, corpora or [], files, something_else=bool(names or reviews))
    if drop_contaminated and not gold:
        raise TrainingError("--drop-contaminated", "there is no gold", "Name it: --gold FILE")
    from training.aligner.silver import read_names  # noqa: PLC0415

    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    linked = list(read_corpora(corpora or [], target_lang, rng, links_of(corpora or [], *files)))
    reviewed = reviewed_silver(reviews or [], target_lang, review_weight)
    if gold:
        linked, reviewed = screen(gold, linked, reviewed, drop=drop_contaminated)
    listed = read_names(names, target_lang) if names else ()
    write(path, chain(aligned(linked, seed), listed, (silver for _, silver in reviewed)))


def checked(
    out: Path | None,
    corpora: Sequence[str],
    files: tuple[Sequence[Path], Sequence[Path]],
    *,
    something_else: bool,
) -> Path:
    """The file to write, if the options go together.

    Raises:
        TrainingError: saying which do not.
    """
    forward, reverse = files
    if not corpora and not something_else:
        raise TrainingError(VERB, "there is nothing to read", "Name corpora, --names or --reviews")
    if out is None:
        raise TrainingError(VERB, "no silver file to write", "Name it: --out silver/de.jsonl")
    if forward and (not corpora or len(forward) not in (1, len(corpora))):
        raise TrainingError(
            "--alignments",
            f"{len(forward)} files for {len(corpora)} corpora",
            "Pass one for each, in their order, or one for all",
        )
    if reverse and len(reverse) != len(forward):
        raise TrainingError(
            "--reverse-alignments",
            f"{len(reverse)} files beside {len(forward)} of --alignments",
            "Pass one for each, in their order",
        )
    return out


def tokens_written(path: Path, corpora: Sequence[str], target_lang: str) -> None:
    """Write the words of all corpora, and say what to do with them.

    Raises:
        TrainingError: if there is no corpus.
        CorpusError: if a file cannot be read or written.
    """
    from training.aligner.pharaoh import write_tokens  # noqa: PLC0415

    if not corpora:
        raise TrainingError("--write-tokens", "there is no corpus", "Name those to align")
    with progress("sentence pairs written") as advance:
        pairs = chain.from_iterable(read_pairs(corpus, target_lang) for corpus in corpora)
        written = write_tokens(path, told(pairs, advance))
    tell(
        f"{written} sentence pairs written to {path}\n"
        "Align them, then run this again with --alignments FILE in place of --write-tokens"
    )


def split(corpus: str) -> tuple[str, int | None]:
    """`NEWS:5000` as prefix and number of sentences, `NEWS` as prefix and None."""
    prefix, colon, most = corpus.rpartition(":")
    return (prefix, int(most)) if colon and most.isdecimal() else (corpus, None)


def read_pairs(corpus: str, target_lang: str) -> Iterator[ParallelSentence]:
    """Every line of a Moses corpus.

    Raises:
        CorpusError: if its files cannot be read.
    """
    prefix, _ = split(corpus)
    source, target = (Path(f"{prefix}.{lang}") for lang in ("en", target_lang))
    return read_moses(source, target, "en", target_lang)


def links_of(
    corpora: Sequence[str], forward: Sequence[Path], reverse: Sequence[Path]
) -> list[Iterator["GivenLinks"]]:
    """The alignments for each corpus: all the same iterator if there is one file for all."""
    from training.aligner.pharaoh import read_alignments  # noqa: PLC0415

    files = zip(forward, reverse or repeat(None), strict=False)
    links = [read_alignments(one, other) for one, other in files]
    return links * len(corpora) if len(links) == 1 else links


def read_corpora(
    corpora: Sequence[str],
    target_lang: str,
    rng: random.Random,
    links: Sequence[Iterator["GivenLinks"]],
) -> Iterator[Linked]:
    """The sentences to use of each corpus, with their links where those are given.

    Raises:
        CorpusError: if a file cannot be read, or corpora and links differ in lines.
    """
    from training.aligner.pharaoh import at_end  # noqa: PLC0415

    for corpus, lines in zip(corpora, links or repeat(None), strict=False):
        yield from sampled(corpus, target_lang, rng, lines)
    for lines in links:
        at_end(lines)


def sampled(
    corpus: str, target_lang: str, rng: random.Random, links: Iterator["GivenLinks"] | None
) -> Iterator[Linked]:
    """The pairs of a corpus with text on both sides, at most as many as it asks for.

    Raises:
        CorpusError: if its files cannot be read, or its links end first.
    """
    from training.aligner.pharaoh import with_links  # noqa: PLC0415

    pairs = read_pairs(corpus, target_lang)
    lines: Iterable[Linked] = (
        zip(pairs, repeat(None)) if links is None else with_links(pairs, links)
    )
    kept = [line for line in lines if line[0].source.strip() and line[0].target.strip()]
    rng.shuffle(kept)
    _, most = split(corpus)
    yield from kept[:most]


def reviewed_silver(paths: Sequence[Path], target_lang: str, weight: float) -> list[Reviewed]:
    """The silver sentences of annotators' reviews, and a line about what was left out.

    Raises:
        CorpusError: naming file and line.
    """
    if not paths:
        return []
    # Takes seconds to import, for which only reviews should have to wait.
    from training.aligner.from_reviews import reviews_to_learn_from, silver_of_reviews  # noqa: PLC0415

    reviews = [review for path in paths for review in reviews_to_learn_from(path)]
    silver, counts = silver_of_reviews(reviews, target_lang, weight)
    tell(str(counts))
    return silver


def screen(
    gold: Sequence[Path], linked: Sequence[Linked], reviewed: Sequence[Reviewed], *, drop: bool
) -> tuple[list[Linked], list[Reviewed]]:
    """What is not in the gold.

    Raises:
        TrainingError: if anything is, unless it is to be dropped.
        CorpusError: if a gold file cannot be read.
    """
    from training.data.contamination import GoldIndex, GoldMatch, counted, refuse, screened  # noqa: PLC0415

    known, matches = GoldIndex.read(gold), list[GoldMatch]()
    with progress("sentences compared with gold", len(linked) + len(reviewed)) as advance:
        clean = list(screened(told(linked, advance), known, matches))
        clean_reviewed = list(screened(told(reviewed, advance), known, matches))
    if not drop:
        refuse(matches)
    elif matches:
        tell(f"{counted(matches)}: left out")
    return clean, clean_reviewed


def aligned(linked: Sequence[Linked], seed: int) -> Iterator["SilverSentence"]:
    """Align the corpora, by their own links or those of eflomal; gives their silver as it is read.

    Raises:
        CorpusError: if their own link words that are not there.
        TrainingError: if eflomal is needed, and not installed.
    """
    from training.aligner.silver import Tokenised, run_eflomal, silver_of  # noqa: PLC0415

    if not linked:
        return iter(())
    with progress("sentence pairs split into words", len(linked)) as advance:
        tokenised = ((Tokenised.of(pair), given) for pair, given in told(linked, advance))
        pairs = [(pair, given) for pair, given in tokenised if pair.fits]
    if any(given is not None for _, given in pairs):
        links = [given.of(pair) for pair, given in pairs if given is not None]
    else:
        texts = [pair.texts() for pair, _ in pairs]
        with waiting(f"eflomal aligns {len(texts)} sentence pairs"):
            links = run_eflomal(texts)
    return silver_of(zip((pair for pair, _ in pairs), links, strict=True), seed)


def write(path: Path, silver: Iterable["SilverSentence"]) -> None:
    """Write a silver file, whole or not at all, and say what is in it.

    Raises:
        TrainingError: if there is nothing to write.
    """
    sentences = phrases = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file, progress("sentences written") as advance:
        for sentence in told(silver, advance):
            file.write(json_line(sentence.to_json()))
            sentences += 1
            phrases += len(sentence.phrases)
        if not sentences:
            raise TrainingError(
                VERB,
                "no sentence gave a phrase pair",
                "Look at the corpora: are their lines pairs?",
            )
    tell(f"{phrases} phrase pairs in {sentences} sentences written to {path}")


def told(items: Iterable[T], advance: Advance) -> Iterator[T]:
    """The items, each reported when it is taken."""
    for item in items:
        advance(1)
        yield item


def tell(what: str) -> None:
    """A line, or several, for the person at the terminal."""
    err.print(what, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show for how long something goes on that cannot say how far it is.

    A running clock on a terminal, a plain line every few seconds elsewhere.
    """
    if err.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=err) as clock:
            clock.add_task(what, total=None)
            yield
        return
    over, started = threading.Event(), time.monotonic()

    def say() -> None:
        while not over.wait(EVERY_SECONDS):
            tell(f"{what}: {time.monotonic() - started:.0f} s so far")

    tell(f"{what} …")
    voice = threading.Thread(target=say, daemon=True)
    voice.start()
    try:
        yield
    finally:
        over.set()
        voice.join()
    tell(f"{what}: {time.monotonic() - started:.1f} s")
