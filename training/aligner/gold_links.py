"""Word links made by people, as training data: JSON Lines of tokens and their links.

    {"source": ["The", "Commission"], "target": ["Komise"], "sure": [[1, 0]], "possible": [[0, 0]]}

`possible` may be left out. Links count tokens from 0.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from projection.errors import CorpusError
from projection.io.corpus import corpus_id
from projection.io.files import read_jsonl
from projection.io.pharaoh import WordLinks
from projection.records import ParallelSentence, Span
from projection.text.words import is_character_language, word_spans
from training.aligner.silver import SilverSentence, phrases_of

WEIGHT = 2.0  # beside sentences that a program aligned
_SPACED_CHARACTERS = frozenset({"ko"})  # languages read by character that write spaces


def read_gold_links(path: Path, lang: str, seed: int) -> Iterator[SilverSentence]:
    """Make a silver sentence of each line that has a link; it may have no phrase pair.

    Tokens are joined by spaces, in languages without them by nothing. `seed` is that of the
    ordinary phrases drawn. Raises a CorpusError that names file and line.
    """
    rng = random.Random(seed)  # noqa: S311  a sample of phrases is no secret
    joint = "" if is_character_language(lang) and lang not in _SPACED_CHARACTERS else " "
    for line, row in read_jsonl(path):
        where = f"{path}:{line}"
        try:
            source, of_source = _joined(row["source"], " ", "en")
            target, of_target = _joined(row["target"], joint, lang)
            sure, possible = (
                _of_words(row.get(kind) or [], of_source, of_target)
                for kind in ("sure", "possible")
            )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            fix = "It needs source and target (tokens), and sure (pairs of their numbers from 0)"
            raise CorpusError(where, f"no linked sentence ({error!r})", fix) from error
        if not sure:
            continue
        name = corpus_id(f"{path.name}:{line}", source, target)
        sentence = ParallelSentence(name, source, target, "en", lang, where)
        words = word_spans(source, "en"), word_spans(target, lang)
        phrases = tuple(phrases_of(sentence, *words, sure, rng))
        yield SilverSentence(source, target, lang, phrases, sure, possible - sure, WEIGHT)


def _joined(tokens: Sequence[str], by: str, lang: str) -> tuple[str, list[list[int]]]:
    """The text of tokens, and the words of each."""
    text, places = by.join(tokens), list[Span]()
    at = 0
    for token in tokens:
        places.append(Span(at, at + len(token)))
        at += len(token) + len(by)
    words = word_spans(text, lang)
    return text, [[i for i, word in enumerate(words) if word.overlaps(p)] for p in places]


def _of_words(
    links: Sequence[Sequence[int]], source: list[list[int]], target: list[list[int]]
) -> WordLinks:
    return frozenset((i, j) for s, t in links for i in source[s] for j in target[t])
