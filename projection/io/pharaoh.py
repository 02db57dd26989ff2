"""Word alignments: the pairs that word aligners read, and the links that they answer with.

They read `two words ||| zwei Wörter` (fast_align's format) and write `0-0 1-1` (Pharaoh format:
source word - target word, counted from 0), a line for every pair. A link written `3p2` is possible,
not sure.
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
    """The sure and the possible links of one line. `where` names it in errors.

    Raises:
        CorpusError: if it is in another format.
    """
    links: dict[str, set[WordLink]] = {"-": set(), "p": set()}
    for item in line.split():
        match = _LINK.fullmatch(item)
        if match is None:
            raise CorpusError(
                where,
                f"{item!r:.40} is not a link",
                "Pharaoh format is source-target, words counted from 0: 0-0 1-2 3p2",
            )
        links[match[2]].add((int(match[1]), int(match[3])))
    return frozenset(links["-"]), frozenset(links["p"])


def write_links(sure: WordLinks, possible: WordLinks = frozenset()) -> str:
    """Links in Pharaoh format, possible ones with a `p`."""
    marked = [(i, j, "-") for i, j in sure] + [(i, j, "p") for i, j in possible]
    return " ".join(f"{i}{mark}{j}" for i, j, mark in sorted(marked))


def check_links(
    links: WordLinks, words: tuple[int, int], where: str, origin: str, option: str
) -> None:
    """Refuse links to words that are not there.

    `words` are the numbers of source and target words of the pair at `origin`, `where` the file and
    line of the links, `option` that of the command that writes the words to align.

    Raises:
        CorpusError: naming the first such link.
    """
    for source, target in sorted(links):
        if source >= words[0] or target >= words[1]:
            raise CorpusError(
                where,
                f"{source}-{target}, but {origin} has {words[0]} source "
                f"and {words[1]} target words",
                f"Words count from 0; align what {option} writes",
            )


def tokenised(words: Iterable[str]) -> str:
    """Words with single spaces between them, and neither space nor separator inside."""
    return " ".join("_".join(word.split()).replace("|||", "|") for word in words)


def write_token_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> int:
    """Write pairs of tokenised texts, a line each, and return their number.

    Raises:
        CorpusError: if the file cannot be written.
    """
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
