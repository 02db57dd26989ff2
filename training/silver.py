"""Silver training data for aligners: phrase pairs read off word alignments.

Any word aligner serves, as long as it writes Pharaoh format (`0-0 1-2 …`). eflomal, when it is
installed, is run for you; it is GPL-3 and stays an external tool.
"""

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from projection.errors import CorpusError, SpanError, TrainingError
from projection.files import read_jsonl
from projection.records import ParallelSentence, Span
from projection.words import is_character_language, merge_touching, span_of_words, word_spans

Link = tuple[int, int]

MAX_WORDS = 80  # longer sentences align badly and would be truncated anyway
MAX_GAP = 2  # unaligned target words bridged inside one phrase
CONNECTORS = frozenset({"of", "the", "for", "and", "de", "on"})
CLOSED_CLASS = frozenset(
    "the a an of in on at to for and or but is are was were be been that this it with as by from "  # noqa: SIM905
    "not he she they we you i his her its their there which who what".split()
)


@dataclass(frozen=True, slots=True)
class SilverSentence:
    """A sentence pair with phrase pairs: English span, target span.

    Raises:
        SpanError: if a phrase reaches past its text.
    """

    source: str
    target: str
    lang: str
    phrases: tuple[tuple[Span, Span], ...]

    def __post_init__(self) -> None:
        for source, target in self.phrases:
            source.of(self.source)
            target.of(self.target)

    def to_json(self) -> dict[str, object]:
        """One line of a silver file."""
        return {
            "source": self.source,
            "target": self.target,
            "lang": self.lang,
            "phrases": [[s.start, s.end, t.start, t.end] for s, t in self.phrases],
        }


def read_silver(path: Path) -> Iterator[SilverSentence]:
    """Read a silver file.

    Raises:
        CorpusError: naming file and line.
    """
    for line, row in read_jsonl(path):
        try:
            phrases = tuple((Span(a, b), Span(c, d)) for a, b, c, d in row["phrases"])
            yield SilverSentence(row["source"], row["target"], row["lang"], phrases)
        except (KeyError, TypeError, ValueError, SpanError) as error:
            raise CorpusError(
                f"{path}:{line}", f"not a silver sentence ({error!r})", "Make the file again"
            ) from error


def alignment_words(text: str, lang: str) -> tuple[Span, ...]:
    """The units a word aligner should see.

    Characters align one to one and so lose all but one character of a name: Chinese is segmented
    into words first (jieba), and the spans lead back to characters.
    """
    if not is_character_language(lang):
        return word_spans(text, lang)
    try:
        import jieba  # noqa: PLC0415  an extra: only needed to build models
    except ImportError as error:
        raise TrainingError(
            "aligner data", "Chinese needs jieba", "pip install 'spanferry[models]'"
        ) from error
    jieba.setLogLevel("ERROR")
    return tuple(
        Span(start, end) for token, start, end in jieba.tokenize(text) if not token.isspace()
    )


def intersect(forward: str, reverse: str) -> frozenset[Link]:
    """The links both directions agree on, from two lines in Pharaoh format."""
    return read_pharaoh(forward) & read_pharaoh(reverse)


def read_pharaoh(line: str) -> frozenset[Link]:
    """`0-0 1-2` as a set of (source word, target word)."""
    return frozenset((int(a), int(b)) for a, b in (pair.split("-") for pair in line.split()))


def run_eflomal(pairs: Sequence[tuple[list[str], list[str]]]) -> list[frozenset[Link]]:
    """Word alignments of tokenised sentence pairs by eflomal, both directions intersected."""
    try:
        from eflomal import Aligner  # noqa: PLC0415  GPL-3, an external tool
    except ImportError as error:
        raise TrainingError(
            "aligner data", "eflomal is not installed", "pip install 'spanferry[models]'"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("source", "target", "forward", "reverse")]
        for path, side in zip(paths, (0, 1), strict=False):
            lines = (" ".join(pair[side]).lower() for pair in pairs)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with paths[0].open(encoding="utf-8") as source, paths[1].open(encoding="utf-8") as target:
            Aligner().align(
                source,
                target,
                links_filename_fwd=str(paths[2]),
                links_filename_rev=str(paths[3]),
                quiet=True,
            )
        forward, reverse = (path.read_text().splitlines() for path in paths[2:])
    return [intersect(f, r) for f, r in zip(forward, reverse, strict=True)]


def name_like(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Word ranges that look like English names.

    Capitalised runs without the function words they begin with (`The European Union`), with up to
    two connectors between capitals (`Bank of the West`).
    """
    start = 0
    while start < len(words):
        if not words[start][0].isupper() or words[start].lower() in CLOSED_CLASS:
            start += 1
            continue
        end = start + 1
        while (step := _next_capital(words, end)) is not None:
            end = step + 1
        yield start, end
        start = end


def _next_capital(words: Sequence[str], start: int) -> int | None:
    """The capitalised word at `start`, or behind one or two connectors there."""
    for i, word in enumerate(words[start : start + 3], start):
        if word[0].isupper():
            return i
        if word not in CONNECTORS:
            return None
    return None


def content_phrases(words: Sequence[str], rng: random.Random, n: int) -> Iterator[tuple[int, int]]:
    """Up to `n` random short phrases that begin and end in a content word."""
    for _ in range(n):
        start = rng.randrange(len(words))
        end = min(len(words), start + rng.choice((1, 1, 2, 3)))
        edges = (words[start], words[end - 1])
        if all(word.isalpha() and word.lower() not in CLOSED_CLASS for word in edges):
            yield start, end


def phrase_of(links: frozenset[Link], start: int, end: int, max_gap: int) -> tuple[int, int] | None:
    """Target word range that translates source words [start, end), or None when in doubt.

    Consistent as in phrase-based translation: no word of the range links outside the source range.
    """
    inside = [Span(j, j + 1) for i, j in links if start <= i < end]
    runs = merge_touching(inside, max_gap)
    if len(runs) != 1:
        return None
    found = runs[0]
    strays = any(found.start <= j < found.end and not start <= i < end for i, j in links)
    return None if strays else (found.start, found.end)


def phrases_of(
    sentence: ParallelSentence,
    source_words: Sequence[Span],
    target_words: Sequence[Span],
    links: frozenset[Link],
    rng: random.Random,
) -> Iterator[tuple[Span, Span]]:
    """Phrase pairs of one aligned sentence: all names, and up to two ordinary phrases."""
    words = [span.of(sentence.source) for span in source_words]
    taken: list[Span] = []
    ranges = [*name_like(words), *content_phrases(words, rng, 2)]
    for start, end in ranges:
        source = span_of_words(source_words, start, end)
        found = phrase_of(links, start, end, MAX_GAP)
        if found is None or any(source.overlaps(other) for other in taken):
            continue
        target = span_of_words(target_words, *found)
        if plausible(end - start, found[1] - found[0]):
            taken.append(source)
            yield source, target


def plausible(source_words: int, target_words: int) -> bool:
    """Whether a phrase of so many words can be the translation of one of so many."""
    return target_words <= 2 * source_words + 2 and source_words <= 2 * target_words + 2


def make_silver(
    sentences: Iterable[ParallelSentence],
    align: Callable[[Sequence[tuple[list[str], list[str]]]], list[frozenset[Link]]] = run_eflomal,
    seed: int = 0,
) -> Iterator[SilverSentence]:
    """Align a corpus and keep the sentences that give at least one phrase pair."""
    rng = random.Random(seed)  # noqa: S311  a sample of phrases is no secret
    kept, units = [], []
    for sentence in sentences:
        source_words = word_spans(sentence.source, sentence.source_lang)
        target_words = alignment_words(sentence.target, sentence.target_lang)
        if 2 < len(source_words) <= MAX_WORDS and 1 < len(target_words) <= MAX_WORDS:
            kept.append(sentence)
            units.append((source_words, target_words))
    texts = [
        ([w.of(s.source) for w in source], [w.of(s.target) for w in target])
        for s, (source, target) in zip(kept, units, strict=True)
    ]
    for sentence, (source, target), links in zip(kept, units, align(texts), strict=True):
        phrases = tuple(phrases_of(sentence, source, target, links, rng))
        if phrases:
            yield SilverSentence(sentence.source, sentence.target, sentence.target_lang, phrases)
