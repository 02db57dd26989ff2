"""The formats of word aligners, a line a sentence pair.

They read `two words ||| zwei Wörter` (fast_align's format) and write links in Pharaoh format:
source word - target word, counted from 0: `0-0 1-1`. `3p2` is a possible, not a sure link.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from projection.errors import CorpusError
from projection.io.files import atomic_write

WordLink = tuple[int, int]  # source word, target word
WordLinks = frozenset[WordLink]

_LINK = re.compile(r"([0-9]{1,9})([-p])([0-9]{1,9})")


def read_links(line: str, where: str) -> tuple[WordLinks, WordLinks]:
    """The sure and the possible links of the line at `where`."""
    links: dict[str, set[WordLink]] = {"-": set(), "p": set()}
    for item in line.split():
        match = _LINK.fullmatch(item)
        if match is None:
            fix = "Pharaoh format is source-target, words counted from 0: 0-0 1-2 3p2"
            raise CorpusError(where, f"{item!r:.40} is not a link", fix)
        links[match[2]].add((int(match[1]), int(match[3])))
    return frozenset(links["-"]), frozenset(links["p"])


def write_links(sure: WordLinks, possible: WordLinks = frozenset()) -> str:
    """Links in Pharaoh format, possible ones with a `p`."""
    marked = [(i, j, "-") for i, j in sure] + [(i, j, "p") for i, j in possible]
    return " ".join(f"{i}{mark}{j}" for i, j, mark in sorted(marked))


def check_links(
    links: WordLinks, words: tuple[int, int], where: str, origin: str, option: str
) -> None:
    """Refuse links, at `where`, to words that the pair at `origin` does not have.

    `words` are its numbers of source and target words; `option` writes the words to align.
    """
    for source, target in sorted(links):
        if source >= words[0] or target >= words[1]:
            what = (
                f"{source}-{target}, but {origin} has {words[0]} source and {words[1]} target words"
            )
            raise CorpusError(where, what, f"Words count from 0; align what {option} writes")


def tokenised(words: Iterable[str]) -> str:
    """Join words with spaces, replacing spaces and separators inside of them."""
    return " ".join("_".join(word.split()).replace("|||", "|") for word in words)


def write_token_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> int:
    """Write pairs of tokenised texts, a line each, and return their number."""
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as text:
            for source, target in pairs:
                text.write(f"{source} ||| {target}\n")
                written += 1
    except OSError as error:
        raise CorpusError(str(path), f"cannot be written ({error.strerror})") from error
    return written
