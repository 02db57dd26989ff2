"""Silver training data for aligners: phrase pairs read off word alignments.

The alignments are those of eflomal (GPL-3, an external tool), or of any other word aligner (see
training.aligner.pharaoh).
"""

import csv
import math
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple, Self

from projection.aligners.joint_inputs import Reader, readable, units_of
from projection.errors import CorpusError, LanguageTagError, SpanError, TrainingError
from projection.io.files import open_text, read_jsonl
from projection.io.pharaoh import WordLinks, read_links, write_links
from projection.languages import language_tag
from projection.models import bundled
from projection.models.checkpoints import load_tokenizer
from projection.records import ParallelSentence, Span
from projection.text.words import (
    is_character_language,
    is_chinese,
    merge_touching,
    span_of_words,
    word_spans,
    words_touched,
)

Links = WordLinks
WordAligner = Callable[[Sequence[tuple[list[str], list[str]]]], list[tuple[Links, Links]]]

_MAX_WORDS = 80  # longer sentences align badly and would be truncated anyway
_MAX_GAP = 2  # unaligned target words bridged inside one phrase
_CONNECTORS = frozenset({"of", "the", "for", "and", "de", "on"})
_CLOSED_CLASS = frozenset(
    "the a an of in on at to for and or but is are was were be been that this it with as by from "  # noqa: SIM905
    "not he she they we you i his her its their there which who what".split()
)

_INSTALL = "pip install 'spanferry[models]'"
_BRACKETS = re.compile(r"\s*[(（].*?[)）]")
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class SilverSentence:
    """A sentence pair with phrase pairs and word links; a SpanError if it cannot be right.

    `phrases` are pairs (English span, target span) of code points. `sure` links were found by both
    directions of the word aligner, `possible` ones by one; both pair words of `words.word_spans`
    (characters in Chinese), counted from 0. `weight` is relative to other sentences. `absent` are
    English spans that a reviewer left without a translation. `lang` is normalised; LanguageTagError
    if it is no language tag.
    """

    source: str
    target: str
    lang: str
    phrases: tuple[tuple[Span, Span], ...]
    sure: Links = frozenset()
    possible: Links = frozenset()
    weight: float = 1.0
    absent: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "lang", language_tag(self.lang, "lang"))
        for source, target in self.phrases:
            source.of(self.source)
            target.of(self.target)
        for gone in self.absent:
            gone.of(self.source)
            if any(gone.overlaps(source) for source, _ in self.phrases):
                raise SpanError(str(gone), "both translated and absent")
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise SpanError("weight", f"{self.weight} is not a number above 0")

    def to_json(self) -> dict[str, object]:
        """One line of a silver file; `absent` only where there is any."""
        absent = {"absent": [[s.start, s.end] for s in self.absent]} if self.absent else {}
        return {
            "source": self.source,
            "target": self.target,
            "lang": self.lang,
            "phrases": [[s.start, s.end, t.start, t.end] for s, t in self.phrases],
            "links": write_links(self.sure, self.possible),
            "weight": self.weight,
            **absent,
        }


def read_silver(path: Path) -> Iterator[SilverSentence]:
    """Read a silver file; a CorpusError names file and line."""
    for line, row in read_jsonl(path):
        try:
            phrases = tuple((Span(a, b), Span(c, d)) for a, b, c, d in row["phrases"])
            sure, possible = read_links(row["links"], "links")
            absent = tuple(Span(start, end) for start, end in row.get("absent", ()))
            texts = (row["source"], row["target"], row["lang"])
            yield SilverSentence(*texts, phrases, sure, possible, row["weight"], absent)
        except LanguageTagError as error:
            raise CorpusError(f"{path}:{line} lang", error.what, error.fix) from error
        except (AttributeError, CorpusError, KeyError, TypeError, ValueError, SpanError) as error:
            what = f"not a silver sentence ({error!r})"
            raise CorpusError(f"{path}:{line}", what, "Make the file again") from error


def drawn(
    silver: Iterable[SilverSentence], per_language: int | None, seed: int
) -> list[SilverSentence]:
    """Draw at most `per_language` sentences of each language, the languages mixed.

    Sentences of a higher weight come first; those of equal weight are in random order.
    """
    shuffled = list(silver)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  a sample is no secret
    shuffled.sort(key=lambda sentence: -sentence.weight)
    if per_language is None:
        return shuffled
    counts: defaultdict[str, Iterator[int]] = defaultdict(count)
    return [sentence for sentence in shuffled if next(counts[sentence.lang]) < per_language]


def alignment_words(text: str, lang: str) -> tuple[Span, ...]:
    """Return the words for a word aligner: characters align badly, so subwords in their place."""
    if not is_character_language(lang):
        return word_spans(text, lang)
    text = readable(text, lang)
    return tuple(units_of(text, lang, _bundled_reader().places(text))[0])


@lru_cache(maxsize=1)
def _bundled_reader() -> Reader:
    tokenizer = load_tokenizer(bundled.path("aligner"))
    return Reader(tokenizer, tokenizer.model_max_length, apart=True)


def run_eflomal(pairs: Sequence[tuple[list[str], list[str]]]) -> list[tuple[Links, Links]]:
    """Align tokenised sentence pairs with eflomal: forward and reverse links."""
    try:
        from eflomal import Aligner  # noqa: PLC0415  GPL-3, an external tool
    except ImportError as error:
        raise TrainingError("aligner data", "eflomal is not installed", _INSTALL) from error
    texts = (StringIO("".join(f"{' '.join(p[n]).lower()}\n" for p in pairs)) for n in (0, 1))
    with tempfile.TemporaryDirectory() as folder:
        forward, reverse = Path(folder) / "forward", Path(folder) / "reverse"
        Aligner().align(
            *texts,
            links_filename_fwd=str(forward),
            links_filename_rev=str(reverse),
            quiet=True,
        )
        lines = [path.read_text().splitlines() for path in (forward, reverse)]
    return [
        (read_links(one, "eflomal")[0], read_links(other, "eflomal")[0])
        for one, other in zip(*lines, strict=True)
    ]


def name_like(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield word ranges that look like English names.

    These are capitalised runs after any function word (`The European Union`), with up to two
    connectors between capitals (`Bank of the West`).
    """
    start = 0
    while start < len(words):
        if not words[start][0].isupper() or words[start].lower() in _CLOSED_CLASS:
            start += 1
            continue
        end = start + 1
        while (step := _next_capital(words, end)) is not None:
            end = step + 1
        yield start, end
        start = end


def _next_capital(words: Sequence[str], start: int) -> int | None:
    """The capitalised word at `start`, or after one or two connectors there."""
    for i, word in enumerate(words[start : start + 3], start):
        if word[0].isupper() and word.lower() not in _CLOSED_CLASS:
            return i
        if word not in _CONNECTORS:
            return None
    return None


def content_phrases(words: Sequence[str], rng: random.Random, n: int) -> Iterator[tuple[int, int]]:
    """Yield up to `n` random short phrases that begin and end with a content word."""
    for _ in range(n):
        start = rng.randrange(len(words))
        end = min(len(words), start + rng.choice((1, 1, 2, 3)))
        edges = (words[start], words[end - 1])
        if all(word.isalpha() and word.lower() not in _CLOSED_CLASS for word in edges):
            yield start, end


def phrase_of(links: Links, start: int, end: int, max_gap: int) -> tuple[int, int] | None:
    """Return the target word range that translates source words [start, end), or None if unsure.

    As in phrase-based translation, no word of the range may link outside the source range.
    """
    inside = [Span(j, j + 1) for i, j in links if start <= i < end]
    runs = merge_touching(inside, max_gap)
    if len(runs) != 1:
        return None
    first, last = runs[0].start, runs[0].end
    strays = any(first <= j < last and not start <= i < end for i, j in links)
    return None if strays else (first, last)


def phrases_of(
    sentence: ParallelSentence,
    source_words: Sequence[Span],
    target_words: Sequence[Span],
    links: Links,
    rng: random.Random,
) -> Iterator[tuple[Span, Span]]:
    """Yield phrase pairs of one aligned sentence: all names, and up to two ordinary phrases."""
    words = [span.of(sentence.source) for span in source_words]
    taken: list[Span] = []
    for start, end in [*name_like(words), *content_phrases(words, rng, 2)]:
        source = span_of_words(source_words, start, end)
        found = phrase_of(links, start, end, _MAX_GAP)
        if found is None or any(source.overlaps(other) for other in taken):
            continue
        target = span_of_words(target_words, *found)
        if plausible(end - start, found[1] - found[0]):
            taken.append(source)
            yield source, target


def plausible(source_words: int, target_words: int) -> bool:
    """Return whether phrases of these lengths can translate each other."""
    return target_words <= 2 * source_words + 2 and source_words <= 2 * target_words + 2


class Tokenised(NamedTuple):
    """A sentence pair with the words that a word aligner counts on both sides."""

    sentence: ParallelSentence
    source: tuple[Span, ...]
    target: tuple[Span, ...]

    @classmethod
    def of(cls, sentence: ParallelSentence) -> Self:
        """The pair in words, or subwords where there are no spaces."""
        source = word_spans(sentence.source, sentence.source_lang)
        return cls(sentence, source, alignment_words(sentence.target, sentence.target_lang))

    @property
    def fits(self) -> bool:
        """True if both sides have words, and at most `_MAX_WORDS`."""
        return all(0 < len(units) <= _MAX_WORDS for units in (self.source, self.target))

    def texts(self) -> tuple[list[str], list[str]]:
        """The words as text; Chinese in simplified characters."""
        source = self.sentence.source
        target = readable(self.sentence.target, self.sentence.target_lang)  # of the same length
        return [word.of(source) for word in self.source], [word.of(target) for word in self.target]


def silver_of(
    aligned: Iterable[tuple[Tokenised, tuple[Links, Links]]], seed: int
) -> Iterator[SilverSentence]:
    """Make a silver sentence of each pair, given forward and reverse links, that has a phrase pair.

    `seed` is that of the ordinary phrases drawn.
    """
    rng = random.Random(seed)  # noqa: S311  a sample of phrases is no secret
    for pair, (forward, reverse) in aligned:
        sentence, sure = pair.sentence, forward & reverse
        phrases = tuple(phrases_of(sentence, pair.source, pair.target, sure, rng))
        if phrases:
            texts = (sentence.source, sentence.target, sentence.target_lang)
            possible = to_words((forward | reverse) - sure, sentence, pair.target)
            known = to_words(sure, sentence, pair.target)
            yield SilverSentence(*texts, phrases, known, possible)


def to_words(links: Links, sentence: ParallelSentence, units: Sequence[Span]) -> Links:
    """Turn links to `units` of the target into links to each of their words (or characters)."""
    words = word_spans(sentence.target, sentence.target_lang)
    if tuple(words) == tuple(units):
        return links
    inside = [words_touched(words, unit) or (0, 0) for unit in units]
    return frozenset((i, word) for i, unit in links for word in range(*inside[unit]))


def read_names(path: Path, lang: str) -> Iterator[SilverSentence]:
    """Read pairs of names as sentences of one phrase.

    `path` is tab-separated, with a header that names the columns `en` and `foreign` (of `lang`).
    """
    with open_text(path) as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if missing := {"en", "foreign"} - set(rows.fieldnames or ()):
            what = f"no column {', '.join(sorted(missing))}"
            raise CorpusError(f"{path}:1", what, "Name them: en TAB foreign")
        for row in rows:
            # `Springfield (Illinois)` tells namesakes apart; no text has the brackets.
            pair = (_BRACKETS.sub("", row[key] or "").strip() for key in ("en", "foreign"))
            english, foreign = pair
            if english and foreign and (_HAN.search(foreign) or not is_chinese(lang)):
                yield name_pair(english, foreign, lang)


def name_pair(english: str, foreign: str, lang: str) -> SilverSentence:
    """Pair two forms of a name; if both have as many parts, these are linked in order."""
    parts, others = _parts(english, "en"), _parts(foreign, lang)
    pairs = zip(parts, others, strict=True) if len(parts) == len(others) else ()
    sure = frozenset((i, j) for words, translated in pairs for i in words for j in translated)
    whole = (Span(0, len(english)), Span(0, len(foreign)))
    return SilverSentence(english, foreign, lang, (whole,), sure)


def _parts(name: str, lang: str) -> list[list[int]]:
    """The numbers of the words in each part: one, or in Chinese the characters between dots."""
    words = word_spans(name, lang)
    if not is_character_language(lang):
        return [[i] for i in range(len(words))]
    grouped = groupby(range(len(words)), key=lambda i: words[i].of(name)[0].isalnum())
    return [[*part] for is_name, part in grouped if is_name]
