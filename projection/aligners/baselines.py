"""Aligners without a model: exact match, and word links in Pharaoh format.

fast_align, eflomal, SimAlign and awesome-align write these.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Self

from projection.errors import CorpusError
from projection.io.files import read_lines
from projection.io.gold import GoldSentence
from projection.io.pharaoh import WordLinks, check_links, read_links, tokenised, write_token_pairs
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import (
    cuts_word,
    merge_touching,
    span_of_words,
    word_spans,
    words_touched,
)


class ExactMatch:
    """Finds entities that the translation spells like the source, as whole words.

    The k-th mention of a name gets its k-th place. Longer names choose first.
    """

    version = "exact-match"
    languages = ()

    def fits(self, sentence: ParallelSentence) -> bool:  # noqa: ARG002  the interface's
        """Return True: texts of any length can be searched."""
        return True

    def needs_windows(self, *texts: str) -> bool:  # noqa: ARG002  the interface's
        """Return False: there are no windows."""
        return False

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One projection for each source entity, in order; its score is 1, or 0 where not found."""
        return [
            tuple(_projected(e, places.get(e.span)) for e in sentence.entities or ())
            for sentence, places in zip(sentences, map(_copies, sentences), strict=True)
        ]


def _copies(sentence: ParallelSentence) -> dict[Span, Span]:
    """The place in the target of each mention that was found."""
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
    """Every occurrence of `name` in `text`, from left to right, overlapping ones included."""
    for match in re.finditer(f"(?={re.escape(name)})", text):
        yield Span(match.start(), match.start() + len(name))


def _projected(entity: Entity, target: Span | None) -> Projection:
    return Projection(entity, target, 0.0 if target is None else 1.0)


class LinkedWords(NamedTuple):
    """The words of a sentence pair, and the links between them."""

    source: tuple[Span, ...]
    target: tuple[Span, ...]
    links: WordLinks


class PharaohAligner:
    """Follows the word alignments of another tool, `linked` by sentence id.

    An entity's place is the run with most words linked to it, the first of equals; a run may
    contain up to `bridge` unlinked words in a row.
    """

    languages = ()

    def __init__(self, linked: Mapping[str, LinkedWords], bridge: int = 0) -> None:
        self.linked = linked
        self.bridge = bridge

    @classmethod
    def read(cls, path: Path, gold: Iterable[GoldSentence], bridge: int = 0) -> Self:
        """Read a line of links for every gold sentence, inconsistent ones too.

        Possible links count like sure ones. A CorpusError names file and line.
        """
        linked: dict[str, LinkedWords] = {}
        for one, line, where in _with_lines(gold, path):
            key, origin = one.sentence.id, one.sentence.origin
            if key in linked:
                fix = "Give every sentence an id of its own, or none"
                raise CorpusError(f"{origin} id", f"{key!r} is used before", fix)
            links = frozenset.union(*read_links(line, where))
            linked[key] = words = LinkedWords(one.source_words, one.target_words, links)
            sizes = len(words.source), len(words.target)
            check_links(links, sizes, where, origin, "--write-pairs")
        return cls(linked, bridge)

    @property
    def version(self) -> str:
        """A hash of links, words and settings: changes whenever an answer could."""
        digest = hashlib.sha256(str(self.bridge).encode())
        for key, words in sorted(self.linked.items()):
            spans = [[(s.start, s.end) for s in side] for side in (words.source, words.target)]
            digest.update(json.dumps([key, *spans, sorted(words.links)]).encode())
        return f"pharaoh-{digest.hexdigest()[:12]}"

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the sentence was aligned."""
        return sentence.id in self.linked

    def needs_windows(self, *texts: str) -> bool:  # noqa: ARG002  the interface's
        """Return False: there are no windows."""
        return False

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One projection for each source entity, in order; its score is 1, or 0 where not found."""
        return [tuple(self._follow(sentence)) for sentence in sentences]

    def _follow(self, sentence: ParallelSentence) -> Iterator[Projection]:
        words = self.linked.get(sentence.id)
        if words is None:
            what = f"sentence {sentence.id!r} was not aligned"
            raise CorpusError(sentence.origin, what, "Align this file too")
        for entity in sentence.entities or ():
            yield _projected(entity, place_of(entity.span, words, self.bridge))


def place_of(mention: Span, words: LinkedWords, bridge: int) -> Span | None:
    """The longest run of target words linked to a source span, gaps up to `bridge` included."""
    start, end = words_touched(words.source, mention) or (0, 0)
    linked = sorted({Span(j, j + 1) for i, j in words.links if start <= i < end})
    runs = merge_touching(linked, bridge)
    best = max(runs, key=lambda run: sum(run.overlaps(word) for word in linked), default=None)
    return None if best is None else span_of_words(words.target, best.start, best.end)


def _with_lines(
    gold: Iterable[GoldSentence], path: Path
) -> Iterator[tuple[GoldSentence, str, str]]:
    """Every gold sentence with its line of the file, and the line's place."""
    last = 0
    for sentence, line in zip_longest(gold, read_lines(path)):
        if line is None:
            what = f"the file has ended, but the gold goes on with {sentence.sentence.origin}"
            fix = "Write one line for every gold sentence, an empty one where nothing aligns"
            raise CorpusError(f"{path}:{last + 1}", what, fix)
        if sentence is None:
            what = f"the gold has ended after {last} sentences, but the file goes on"
            fix = "Align what --write-pairs writes, and nothing else"
            raise CorpusError(f"{path}:{line[0]}", what, fix)
        last, content = line
        yield sentence, content, f"{path}:{last}"


def write_pairs(path: Path, gold: Iterable[GoldSentence]) -> int:
    """Write what word aligners read, a line for every gold sentence, and return their number."""
    pairs = (
        (
            tokenised(word.of(one.sentence.source) for word in one.source_words),
            tokenised(word.of(one.sentence.target) for word in one.target_words),
        )
        for one in gold
    )
    return write_token_pairs(path, pairs)
