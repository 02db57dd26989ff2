"""Word alignments of other tools for corpora tokenised by `training.aligner.silver.Tokenised`.

`projection.io.pharaoh` describes the formats.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from projection.errors import CorpusError
from projection.io.files import read_lines
from projection.io.pharaoh import check_links, read_links, tokenised, write_token_pairs
from projection.records import ParallelSentence
from training.aligner.silver import Links, Tokenised

_NOTHING = "_"  # stands for a side without words, at which fast_align would stop


class GivenLinks(NamedTuple):
    """The links of one sentence pair in both directions; `places` are the file and line of each."""

    forward: Links
    reverse: Links
    places: tuple[str, str]

    def of(self, pair: Tokenised) -> tuple[Links, Links]:
        """Return forward and reverse links; a CorpusError if `pair` does not have their words."""
        for links, place in zip((self.forward, self.reverse), self.places, strict=True):
            words = len(pair.source), len(pair.target)
            check_links(links, words, place, pair.sentence.origin, "--write-tokens")
        return self.forward, self.reverse


def read_alignments(forward: Path, reverse: Path | None = None) -> Iterator[GivenLinks]:
    """Read alignments line by line, in both files written source-target.

    Without `reverse` the links are symmetrised: only possible ones (`3p2`) count as found by one
    direction. A CorpusError names a malformed line, or the file that ends first.
    """
    if reverse is None:
        for number, line in read_lines(forward):
            place = f"{forward}:{number}"
            sure, possible = read_links(line, place)
            yield GivenLinks(sure | possible, sure, (place, place))
        return
    lines = zip_longest(read_lines(forward), read_lines(reverse))
    for number, (one, other) in enumerate(lines, start=1):
        places = (f"{forward}:{number}", f"{reverse}:{number}")
        if one is None or other is None:
            what = f"the file has ended, but {reverse if one is None else forward} goes on"
            fix = "Both directions need a line for every line of the corpora"
            raise CorpusError(places[one is not None], what, fix)
        first, second = (
            frozenset.union(*read_links(line, place))
            for (_, line), place in zip((one, other), places, strict=True)
        )
        yield GivenLinks(first, second, places)


def with_links(
    sentences: Iterable[ParallelSentence], links: Iterator[GivenLinks]
) -> Iterator[tuple[ParallelSentence, GivenLinks]]:
    """Pair every sentence with its line; `links` may continue with those of the next corpus."""
    last = "--alignments"
    for sentence in sentences:
        if (given := next(links, None)) is None:
            what = f"ends here, but the corpus goes on with {sentence.origin}"
            fix = "Write a line for every line of the corpus, an empty one where nothing aligns"
            raise CorpusError(last, what, fix)
        last = given.places[0]
        yield sentence, given


def at_end(links: Iterator[GivenLinks]) -> None:
    """Raise a CorpusError if lines are left."""
    if (left := next(links, None)) is not None:
        fix = "Align what --write-tokens writes, and nothing else"
        raise CorpusError(left.places[0], "the corpus has ended, but the file goes on", fix)


def write_tokens(path: Path, sentences: Iterable[ParallelSentence]) -> int:
    """Write a line for every sentence as word aligners read it, and return their number."""
    pairs = (Tokenised.of(sentence).texts() for sentence in sentences)
    lines = ((tokenised(a) or _NOTHING, tokenised(b) or _NOTHING) for a, b in pairs)
    return write_token_pairs(path, lines)
