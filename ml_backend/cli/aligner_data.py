"""`spanferry aligner data`: parallel corpora become silver training data for aligners."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from typer import Argument, Option

from ml_backend.cli.console import Advance, progress, say
from ml_backend.cli.options import Paths, Seed, Strings
from projection.errors import TrainingError
from projection.io.corpus import read_moses
from projection.io.files import atomic_write, json_line
from projection.languages import language_tag
from projection.records import ParallelSentence

if TYPE_CHECKING:
    from training.aligner.pharaoh import GivenLinks
    from training.aligner.silver import SilverSentence

COMMAND = "aligner data"

T = TypeVar("T")
Linked = tuple[ParallelSentence, "GivenLinks | None"]
Reviewed = tuple[ParallelSentence, "SilverSentence"]


def data(
    corpora: Annotated[
        Strings, Argument(help="Moses prefixes: NEWS for NEWS.en and NEWS.de; NEWS:5000 samples.")
    ] = None,
    *,
    target_lang: Annotated[str, Option(help="BCP 47 tag, and the target files' ending.")],
    out: Annotated[Path | None, Option(help="Silver file to write, JSON Lines.")] = None,
    names: Annotated[Path | None, Option(help="Names to add: TSV with en and foreign.")] = None,
    alignments: Annotated[Paths, Option(help="Pharaoh links in place of eflomal's.")] = None,
    reverse_alignments: Annotated[
        Paths, Option(help="Links of the other direction, unless symmetrised; also source-target.")
    ] = None,
    write_tokens: Annotated[Path | None, Option(help="Only write words for word aligners.")] = None,
    linked: Annotated[
        Paths, Option(help="Tokens with links made by people, JSON Lines; repeatable.")
    ] = None,
    reviews: Annotated[Paths, Option(help="Exports, or their reviewed.jsonl; repeatable.")] = None,
    review_weight: Annotated[float, Option(help="Weight of a review; others have 1.")] = 5.0,
    gold: Annotated[Paths, Option(help="Refuse pairs that repeat this gold; repeatable.")] = None,
    drop_contaminated: Annotated[
        bool, Option("--drop-contaminated", help="Leave out what --gold would refuse.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Read phrase pairs off the word alignments of parallel corpora.

    Needs eflomal, an external tool: pip install 'spanferry[models]'.

    Pairs that share a sentence or 13 words in a row with --gold (.jsonl of pairs, or text, a
    sentence a line) are refused.

    Example: spanferry aligner data corpora/news.en-de:5000 --target-lang de --out silver/de.jsonl

    With another word aligner, here fast_align. Its links count the words that --write-tokens writes
    (subwords where there are no spaces), from 0. Pass one file for each corpus, in their order, or
    one for all, with a line for every line of the corpora:

        spanferry aligner data corpora/news.en-de --target-lang de --write-tokens news.txt

        fast_align -i news.txt -d -o -v > forward.txt; fast_align -i news.txt -d -o -v -r > back.txt

        spanferry aligner data corpora/news.en-de --target-lang de --alignments forward.txt \\
            --reverse-alignments back.txt --out silver/de.jsonl
    """
    language_tag(target_lang, "--target-lang")  # refused now; kept as typed for the ending
    corpora, forward, reverse = corpora or [], alignments or [], reverse_alignments or []
    if write_tokens is not None:
        _write_tokens(write_tokens, corpora, target_lang)
        return
    if not (corpora or names or linked or reviews):
        fix = "Name corpora, --names, --linked or --reviews"
        raise TrainingError(COMMAND, "there is nothing to read", fix)
    if out is None:
        raise TrainingError(COMMAND, "no silver file to write", "Name it: --out silver/de.jsonl")
    if drop_contaminated and not gold:
        raise TrainingError("--drop-contaminated", "there is no gold", "Name it: --gold FILE")
    _check_alignments(corpora, forward, reverse)
    from training.aligner.gold_links import read_gold_links  # noqa: PLC0415
    from training.aligner.silver import read_names  # noqa: PLC0415

    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    pairs = _read_corpora(corpora, target_lang, rng, forward, reverse)
    reviewed = _read_reviews(reviews or [], target_lang, review_weight)
    if gold:
        pairs, reviewed = _screen(gold, pairs, reviewed, drop=drop_contaminated)
    by_people = (read_gold_links(path, target_lang, seed) for path in linked or [])
    listed = read_names(names, target_lang) if names else ()
    silver = chain(_align(pairs, seed), *by_people, listed, (silver for _, silver in reviewed))
    _write(out, silver)


def _check_alignments(
    corpora: Sequence[str], forward: Sequence[Path], reverse: Sequence[Path]
) -> None:
    if forward and (not corpora or len(forward) not in (1, len(corpora))):
        what = f"{len(forward)} files for {len(corpora)} corpora"
        fix = "Pass one for each, in their order, or one for all"
        raise TrainingError("--alignments", what, fix)
    if reverse and len(reverse) != len(forward):
        what = f"{len(reverse)} files beside {len(forward)} of --alignments"
        raise TrainingError("--reverse-alignments", what, "Pass one for each, in their order")


def _write_tokens(path: Path, corpora: Sequence[str], target_lang: str) -> None:
    from training.aligner.pharaoh import write_tokens  # noqa: PLC0415

    if not corpora:
        raise TrainingError("--write-tokens", "there is no corpus", "Name those to align")
    with progress("sentence pairs written") as advance:
        pairs = chain.from_iterable(_read_pairs(corpus, target_lang)[0] for corpus in corpora)
        written = write_tokens(path, _counted(pairs, advance))
    say(
        f"{written} sentence pairs written to {path}\n"
        "Align them, then run this again with --alignments FILE in place of --write-tokens"
    )


def _read_pairs(corpus: str, target_lang: str) -> tuple[Iterator[ParallelSentence], int | None]:
    """Return every line of a Moses corpus, and how many to draw: `NEWS:5000` is 5,000 of NEWS."""
    prefix, colon, most = corpus.rpartition(":")
    if not (colon and most.isdecimal()):
        prefix, most = corpus, ""
    source, target = Path(f"{prefix}.en"), Path(f"{prefix}.{target_lang}")
    return read_moses(source, target, "en", target_lang), int(most) if most else None


def _read_corpora(
    corpora: Sequence[str],
    target_lang: str,
    rng: random.Random,
    forward: Sequence[Path],
    reverse: Sequence[Path],
) -> list[Linked]:
    """Draw the pairs of each corpus, with their links where those are given."""
    from training.aligner.pharaoh import at_end, read_alignments, with_links  # noqa: PLC0415

    links = [*map(read_alignments, forward, reverse or repeat(None))]
    drawn: list[Linked] = []
    for number, corpus in enumerate(corpora):
        pairs, most = _read_pairs(corpus, target_lang)
        lines: Iterable[Linked] = zip(pairs, repeat(None))
        if links:
            lines = with_links(pairs, links[0 if len(links) == 1 else number])
        kept = [line for line in lines if line[0].source.strip() and line[0].target.strip()]
        rng.shuffle(kept)
        drawn += kept[:most]
    for left in links:
        at_end(left)
    return drawn


def _read_reviews(paths: Sequence[Path], target_lang: str, weight: float) -> list[Reviewed]:
    """Make silver sentences of reviews, and report what was left out."""
    if not paths:
        return []
    # Takes seconds to import, for which only reviews should have to wait.
    from training.aligner.from_reviews import reviews_to_learn_from, silver_of_reviews  # noqa: PLC0415

    reviews = [review for path in paths for review in reviews_to_learn_from(path)]
    silver, counts = silver_of_reviews(reviews, target_lang, weight)
    say(str(counts))
    return silver


def _screen(
    gold: Sequence[Path], linked: list[Linked], reviewed: list[Reviewed], *, drop: bool
) -> tuple[list[Linked], list[Reviewed]]:
    """Return what is not in the gold; raises TrainingError if anything is, unless `drop`."""
    from training.data.contamination import GoldIndex, GoldMatch, counted, refuse, screened  # noqa: PLC0415

    known, matches = GoldIndex.read(gold), list[GoldMatch]()
    with progress("sentences compared with gold", len(linked) + len(reviewed)) as advance:
        clean = list(screened(_counted(linked, advance), known, matches))
        clean_reviewed = list(screened(_counted(reviewed, advance), known, matches))
    if not drop:
        refuse(matches)
    elif matches:
        say(f"{counted(matches)}: left out")
    return clean, clean_reviewed


def _align(linked: Sequence[Linked], seed: int) -> Iterator["SilverSentence"]:
    """Read phrases off the given links, or off those of eflomal."""
    from training.aligner.silver import Tokenised, run_eflomal, silver_of  # noqa: PLC0415

    if not linked:
        return iter(())
    with progress("sentence pairs split into words", len(linked)) as advance:
        tokenised = ((Tokenised.of(pair), given) for pair, given in _counted(linked, advance))
        pairs = [(pair, given) for pair, given in tokenised if pair.fits]
    if any(given is not None for _, given in pairs):
        links = [given.of(pair) for pair, given in pairs if given is not None]
    else:
        texts = [pair.texts() for pair, _ in pairs]
        with progress(f"eflomal aligns {len(texts)} sentence pairs", 1) as advance:
            links = run_eflomal(texts)
            advance(1)
    return silver_of(zip((pair for pair, _ in pairs), links, strict=True), seed)


def _write(path: Path, silver: Iterable["SilverSentence"]) -> None:
    """Write a silver file, whole or not at all, and report its size."""
    sentences = phrases = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file, progress("sentences written") as advance:
        for sentence in _counted(silver, advance):
            file.write(json_line(sentence.to_json()))
            sentences += 1
            phrases += len(sentence.phrases)
        if not sentences:
            fix = "Look at the corpora: are their lines pairs?"
            raise TrainingError(COMMAND, "no sentence gave a phrase pair", fix)
    say(f"{phrases} phrase pairs in {sentences} sentences written to {path}")


def _counted(items: Iterable[T], advance: Advance) -> Iterator[T]:
    """Yield the items, and count each."""
    for item in items:
        advance(1)
        yield item
