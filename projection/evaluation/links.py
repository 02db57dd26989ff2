"""Word links compared with those that people made.

Precision counts what is at least possible, recall what is sure (Och and Ney 2003); F1 is of both.
A file has a line for each sentence pair, of tokens and pairs of their numbers, counted from 0:

    {"source": ["The", "Commission"], "target": ["Komise"], "sure": [[1, 0]], "possible": [[0, 0]]}
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from projection.errors import CorpusError
from projection.io.files import read_jsonl
from projection.io.pharaoh import WordLinks
from projection.records import Entity, ParallelSentence
from projection.text.tokens import join_tokens
from projection.text.words import word_spans


@dataclass(frozen=True, slots=True)
class LinkScores:
    """Fractions in [0, 1], and the number of sentence pairs."""

    precision: float
    recall: float
    f1: float
    sentences: int


class Tokens(NamedTuple):
    """Tokens as one text, and the words (of `word_spans`) of each token."""

    text: str
    words: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, tokens: Sequence[str], lang: str) -> "Tokens":
        """Join tokens as `join_tokens` does."""
        text, places = join_tokens(tokens, lang)
        words = word_spans(text, lang)
        inside = (tuple(i for i, w in enumerate(words) if w.overlaps(p)) for p in places)
        return cls(text, tuple(inside))

    @property
    def token_of(self) -> dict[int, int]:
        """The first token of each word."""
        return {word: t for t, words in reversed([*enumerate(self.words)]) for word in words}


class LinkedPair(NamedTuple):
    """One line of a file; links pair tokens, `possible` ones include the sure ones."""

    source: Tokens
    target: Tokens
    lang: str
    sure: WordLinks
    possible: WordLinks
    origin: str

    def in_words(self, links: WordLinks) -> WordLinks:
        """Links of tokens as links of words."""
        return frozenset(
            (i, j) for s, t in links for i in self.source.words[s] for j in self.target.words[t]
        )

    def in_tokens(self, links: Iterable[tuple[int, int]]) -> WordLinks:
        """Links of words as links of tokens."""
        here, there = self.source.token_of, self.target.token_of
        return frozenset((here[i], there[j]) for i, j in links)

    def sentence(self) -> ParallelSentence:
        """The pair, with each English word as an entity, as an aligner is asked for links."""
        words = word_spans(self.source.text, "en")
        asked = tuple(Entity(word, "WORD") for word in words)
        texts = self.source.text, self.target.text
        return ParallelSentence(self.origin, *texts, "en", self.lang, self.origin, asked)


def read_linked(path: Path, lang: str) -> Iterator[LinkedPair]:
    """Read a file of linked sentence pairs; a CorpusError names file and line."""
    for line, row in read_jsonl(path):
        where = f"{path}:{line}"
        try:
            source, target = Tokens.of(row["source"], "en"), Tokens.of(row["target"], lang)
            sure = frozenset((int(i), int(j)) for i, j in row["sure"])
            possible = sure | {(int(i), int(j)) for i, j in row.get("possible") or ()}
            pair = LinkedPair(source, target, lang, sure, possible, where)
            pair.in_words(possible)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            fix = "It needs source and target (tokens), and sure (pairs of their numbers from 0)"
            raise CorpusError(where, f"no linked sentence pair ({error!r})", fix) from error
        yield pair


def compare_links(pairs: Iterable[tuple[LinkedPair, WordLinks]]) -> LinkScores:
    """Compare found links, of tokens, with those of each pair."""
    found = hits = recalled = sure = count = 0
    for gold, links in pairs:
        count += 1
        found += len(links)
        hits += len(links & gold.possible)
        recalled += len(links & gold.sure)
        sure += len(gold.sure)
    precision, recall = hits / max(found, 1), recalled / max(sure, 1)
    f1 = 2 * precision * recall / (precision + recall) if hits and recalled else 0.0
    return LinkScores(precision, recall, f1, count)
