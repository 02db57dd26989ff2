"""Aligners without a model: the entity's own string, and the word links of any other aligner.

The latter come in Pharaoh format (`0-0 1-2 …`, source word - target word, counted from 0), which
fast_align, eflomal, SimAlign and awesome-align all write.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self

from projection.errors import CorpusError
from projection.io.files import atomic_write, read_lines
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import (
    cuts_word,
    merge_touching,
    span_of_words,
    word_spans,
    words_touched,
)

Link = tuple[int, int]  # source word, target word

_LINK = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")


class ExactMatch:
    """Finds what stands in the translation as it stands in the source, letter by letter.

    Only whole words count: the `EU` of `EU-Rat` is none. The k-th mention of a name goes to its
    k-th place. Longer names choose first, so that `Darwin` leaves `Charles Darwin` alone.
    """

    version = "exact-match"

    def fits(self, sentence: ParallelSentence) -> bool:  # noqa: ARG002  the interface's
        """Always: nothing is too long to be searched."""
        return True

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One projection for each source entity, in order; its score is 1, or 0 where not found."""
        return [tuple(_copies(sentence)) for sentence in sentences]


def _copies(sentence: ParallelSentence) -> Iterator[Projection]:
    places = _places(sentence)
    for entity in sentence.entities or ():
        yield _projected(entity, places.get(entity.span))


def _places(sentence: ParallelSentence) -> dict[Span, Span]:
    """Where each mention's own words stand in the target; mentions not found are left out."""
    words = word_spans(sentence.target, sentence.target_lang)
    mentions = sorted({entity.span for entity in sentence.entities or ()})
    places: dict[Span, Span] = {}
    for mention in sorted(mentions, key=len, reverse=True):  # stable: equals in reading order
        for place in occurrences(mention.of(sentence.source), sentence.target):
            free = not any(place.overlaps(taken) for taken in places.values())
            if free and not cuts_word(words, place):
                places[mention] = place
                break
    return places


def occurrences(name: str, text: str) -> Iterator[Span]:
    """Everywhere `name` stands in `text`, from left to right, those that overlap included."""
    for match in re.finditer(f"(?={re.escape(name)})", text):
        yield Span(match.start(), match.start() + len(name))


def _projected(entity: Entity, target: Span | None) -> Projection:
    return Projection(entity, target, 0.0 if target is None else 1.0)


@dataclass(frozen=True, slots=True)
class LinkedWords:
    """The words of a sentence pair, and which translates which."""

    source: tuple[Span, ...]
    target: tuple[Span, ...]
    links: frozenset[Link]


class PharaohAligner:
    """Reads entities off word alignments that another tool has made.

    An entity's place is the longest run of words linked to it: the one with most linked words, the
    first of equals.

    Args:
        linked: by the id of the sentence.
        bridge: unlinked words that a run may pass over at a time.
    """

    def __init__(self, linked: Mapping[str, LinkedWords], bridge: int = 0) -> None:
        self.linked = linked
        self.bridge = bridge

    @classmethod
    def read(cls, path: Path, gold: Iterable[GoldSentence], bridge: int = 0) -> Self:
        """Read one line of links for every gold sentence, in its order.

        Args:
            path: may be gzipped. An empty line: no links.
            gold: every sentence of the gold file, as `read_every_gold` yields them.
            bridge: as above.

        Raises:
            CorpusError: naming file and line, if there are more or fewer lines, one is not in
                Pharaoh format, or links words that are not there; or if an id occurs twice.
        """
        linked: dict[str, LinkedWords] = {}
        for sentence, content, where in _with_lines(gold, path):
            key = sentence.sentence.id
            if key in linked:
                raise CorpusError(
                    f"{sentence.sentence.origin} id",
                    f"{key!r} is used before",
                    "Give every sentence an id of its own, or none",
                )
            linked[key] = _linked_words(sentence, content, where)
        return cls(linked, bridge)

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""
        digest = hashlib.sha256(str(self.bridge).encode())
        for key, words in sorted(self.linked.items()):
            spans = [[(s.start, s.end) for s in side] for side in (words.source, words.target)]
            digest.update(json.dumps([key, *spans, sorted(words.links)]).encode())
        return f"pharaoh-{digest.hexdigest()[:12]}"

    def fits(self, sentence: ParallelSentence) -> bool:
        """Whether the sentence was aligned."""
        return sentence.id in self.linked

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One projection for each source entity, in order; its score is 1, or 0 where not found.

        Raises:
            CorpusError: if a sentence was never aligned.
        """
        return [tuple(self._follow(sentence)) for sentence in sentences]

    def _follow(self, sentence: ParallelSentence) -> Iterator[Projection]:
        words = self.linked.get(sentence.id)
        if words is None:
            raise CorpusError(
                sentence.origin, f"nobody aligned sentence {sentence.id!r}", "Align this file too"
            )
        for entity in sentence.entities or ():
            yield _projected(entity, place_of(entity.span, words, self.bridge))


def place_of(mention: Span, words: LinkedWords, bridge: int) -> Span | None:
    """The longest run of target words linked to a source span, gaps up to `bridge` included."""
    touched = words_touched(words.source, mention)
    if touched is None:
        return None
    linked = sorted({Span(j, j + 1) for i, j in words.links if touched[0] <= i < touched[1]})
    runs = merge_touching(linked, bridge)
    if not runs:
        return None
    best = max(runs, key=lambda run: sum(run.overlaps(word) for word in linked))
    return span_of_words(words.target, best.start, best.end)


def _with_lines(
    gold: Iterable[GoldSentence], path: Path
) -> Iterator[tuple[GoldSentence, str, str]]:
    """Every gold sentence with its line of the file, and where that is."""
    last = 0
    for sentence, line in zip_longest(gold, read_lines(path)):
        if line is None:
            raise CorpusError(
                f"{path}:{last + 1}",
                f"the file has ended, but the gold goes on with {sentence.sentence.origin}",
                "Write one line for every gold sentence, an empty one where nothing aligns",
            )
        if sentence is None:
            raise CorpusError(
                f"{path}:{line[0]}",
                f"the gold has ended after {last} sentences, but the file goes on",
                "Align what --write-pairs writes, and nothing else",
            )
        last, content = line
        yield sentence, content, f"{path}:{last}"


def read_links(line: str, where: str) -> frozenset[Link]:
    """One line in Pharaoh format. `where` names it in errors.

    Raises:
        CorpusError: if it is anything else.
    """
    links = set()
    for item in line.split():
        match = _LINK.fullmatch(item)
        if match is None:
            raise CorpusError(
                where,
                f"{item!r:.40} is not a link",
                "Pharaoh format is source-target, words counted from 0: 0-0 1-2 1-3",
            )
        links.add((int(match[1]), int(match[2])))
    return frozenset(links)


def _linked_words(gold: GoldSentence, line: str, where: str) -> LinkedWords:
    words = LinkedWords(gold.source_words, gold.target_words, read_links(line, where))
    for source, target in sorted(words.links):
        if source >= len(words.source) or target >= len(words.target):
            raise CorpusError(
                where,
                f"{source}-{target}, but {gold.sentence.origin} has {len(words.source)} source "
                f"and {len(words.target)} target words",
                "Words count from 0; align those that --write-pairs writes",
            )
    return words


def write_pairs(path: Path, gold: Iterable[GoldSentence]) -> int:
    """Write what word aligners read, a line for every gold sentence: `two words ||| zwei Wörter`.

    The words are those that `PharaohAligner` counts: the gold's tokens, or else ours.

    Returns:
        The number of lines.

    Raises:
        CorpusError: if the file cannot be written.
    """
    return write_sides(path, (_sides(each) for each in gold))


def write_sides(path: Path, sides: Iterable[tuple[str, str]]) -> int:
    """Write pairs of tokenised texts, a line each, and give their number.

    Raises:
        CorpusError: if the file cannot be written.
    """
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as text:
            for source, target in sides:
                text.write(f"{source} ||| {target}\n")
                written += 1
    except OSError as error:
        raise CorpusError(str(path), f"cannot be written ({error.strerror})") from error
    return written


def _sides(gold: GoldSentence) -> tuple[str, str]:
    texts = (gold.sentence.source, gold.source_words), (gold.sentence.target, gold.target_words)
    source, target = (tokenised(word.of(text) for word in words) for text, words in texts)
    return source, target


def tokenised(words: Iterable[str]) -> str:
    """Words with single spaces between them, and neither space nor separator inside."""
    return " ".join("_".join(word.split()).replace("|||", "|") for word in words)
