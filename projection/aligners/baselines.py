"""Aligners without a model: the entity's own string, and the word links of any other aligner.

fast_align, eflomal, SimAlign and awesome-align all write their links in Pharaoh format.
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
    """Finds entities that stand in the translation letter by letter as in the source.

    Only whole words count: not the `EU` of `EU-Rat`. The k-th mention of a name goes to its k-th
    place. Longer names choose first, so that `Darwin` leaves `Charles Darwin` alone.
    """

    version = "exact-match"

    def fits(self, sentence: ParallelSentence) -> bool:  # noqa: ARG002  the interface's
        """True: nothing is too long to be searched."""
        return True

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One projection for each source entity, in order; its score is 1, or 0 where not found."""
        found = [(sentence, _copies(sentence)) for sentence in sentences]
        return [
            tuple(_projected(e, places.get(e.span)) for e in sentence.entities or ())
            for sentence, places in found
        ]


def _copies(sentence: ParallelSentence) -> dict[Span, Span]:
    """The place of each mention's own words in the target; mentions not found are left out."""
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
    links: WordLinks


class PharaohAligner:
    """Reads entities off word alignments that another tool has made, `linked` by sentence id.

    An entity's place is the run of words with most words linked to it, the first of equals; a run
    may pass over `bridge` unlinked words at a time.
    """

    def __init__(self, linked: Mapping[str, LinkedWords], bridge: int = 0) -> None:
        self.linked = linked
        self.bridge = bridge

    @classmethod
    def read(cls, path: Path, gold: Iterable[GoldSentence], bridge: int = 0) -> Self:
        """Read a line of links for every gold sentence, inconsistent ones too.

        Possible links count like sure ones.

        Raises:
            CorpusError: naming file and line, if there are more or fewer lines, one is not in
                Pharaoh format, or links words that are not there; or if an id occurs twice.
        """
        linked: dict[str, LinkedWords] = {}
        for one, line, where in _with_lines(gold, path):
            key, origin = one.sentence.id, one.sentence.origin
            if key in linked:
                raise CorpusError(
                    f"{origin} id",
                    f"{key!r} is used before",
                    "Give every sentence an id of its own, or none",
                )
            sure, possible = read_links(line, where)
            words = LinkedWords(one.source_words, one.target_words, sure | possible)
            sizes = len(words.source), len(words.target)
            check_links(words.links, sizes, where, origin, "--write-pairs")
            linked[key] = words
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
                sentence.origin, f"sentence {sentence.id!r} was not aligned", "Align this file too"
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


def write_pairs(path: Path, gold: Iterable[GoldSentence]) -> int:
    """Write what word aligners read, a line for every gold sentence, and return their number.

    The words are those that `PharaohAligner` counts: the gold's tokens, or else ours.

    Raises:
        CorpusError: if the file cannot be written.
    """
    return write_token_pairs(
        path,
        (
            (
                tokenised(word.of(one.sentence.source) for word in one.source_words),
                tokenised(word.of(one.sentence.target) for word in one.target_words),
            )
            for one in gold
        ),
    )
