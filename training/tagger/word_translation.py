"""English gold, translated word by word: the cheap training data of UniTrans.

Wu et al. (IJCAI 2020) take the lexicon from word embeddings in a common space (MUSE); ours comes
from word alignments, or from the lexicon of a joint aligner. As in their code, names of people are
not translated, what the lexicon does not hold stays as it is, and letter case is carried over.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from projection.aligners.lexical_evidence import Lexicon, plain_form, ties_of
from projection.errors import CorpusError, TrainingError
from projection.io.files import read_lines
from projection.languages import base_language
from projection.models.bundled import resolve
from projection.text.words import is_character_language, word_spans
from training.aligner.silver import SilverSentence, read_silver
from training.data.rows import Row

Translations = Mapping[str, str]
"""Lower-cased English words with the likeliest word of the target language, lower-cased."""

LEAST_LINKS = 2.0
WEAKEST_TIE = 0.1  # √(p(t|s) · p(s|t)): below, a pair of words is linked by chance
VOCABULARY = 30_000  # target words looked at, the most frequent ones
PORTION = 64  # English words looked up at once
LEAST_COVERED = 0.3  # of the words; what is translated less is English
UNTRANSLATED = "PER"
CASE_FROM_TEXT = frozenset({"de"})  # where nouns are capitalised, English case says little


def translations_from_links(silver: Iterable[SilverSentence]) -> Translations:
    """Return the words that are linked most exclusively, in both directions of a word aligner.

    In languages read by character a translation is the characters a word is linked to.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for sentence in silver:
        source = [span.of(sentence.source).lower() for span in word_spans(sentence.source, "en")]
        target = [
            span.of(sentence.target).lower() for span in word_spans(sentence.target, sentence.lang)
        ]
        linked = defaultdict(list)
        for i, j in sorted(sentence.sure):
            linked[i].append(j)
        for i, found in linked.items():
            if is_character_language(sentence.lang):
                counts[source[i], "".join(target[j] for j in found)] += 1
            elif len(found) == 1:
                counts[source[i], target[found[0]]] += 1
    return _strongest(ties_of(counts, LEAST_LINKS, WEAKEST_TIE))


def _strongest(ties: Mapping[tuple[str, str], float]) -> Translations:
    best: dict[str, tuple[float, str]] = {}
    for (source, target), tie in ties.items():
        best[source] = max(best.get(source, (0.0, "")), (tie, target))
    return {source: target for source, (_, target) in best.items()}


Counted = tuple[tuple[str, int], ...]
"""Words in lower case and their frequency, the most frequent first."""


def translations_from_aligner(
    english: Iterable[Sequence[str]],
    target: Iterable[Sequence[str]],
    lexicon: Lexicon | None = None,
) -> Translations:
    """Look English words up in a joint aligner's lexicon, among the frequent words of target text.

    The lexicon holds hashes of pairs, so both sides must be given, as sentences in words. None is
    that of the bundled aligner; its answers are cached.
    """
    words = _counted(english), _counted(target)[:VOCABULARY]
    return _tied_by_bundled(*words) if lexicon is None else _tied(lexicon, *words)


def _counted(sentences: Iterable[Sequence[str]]) -> Counted:
    counts = Counter(word.lower() for words in sentences for word in words if word.isalpha())
    return tuple(counts.most_common())


@lru_cache(maxsize=4)
def _tied_by_bundled(english: Counted, target: Counted) -> Translations:
    from projection.aligners.joint import JointAligner  # noqa: PLC0415  only without another lexicon

    aligner = JointAligner.from_pretrained(resolve(None, "aligner"))
    return _tied(aligner.lexicon, english, target)


def _tied(lexicon: Lexicon, english: Counted, target: Counted) -> Translations:
    candidates = [word for word, _ in target]
    plain = [plain_form(word) for word in candidates]
    # The lexicon is of several languages, words of which stray into any text, but rarely.
    usual = np.log1p(np.array([count for _, count in target], dtype=np.float32))
    sources = iter(sorted(word for word, _ in english))
    found: dict[str, str] = {}
    while candidates and (part := [*islice(sources, PORTION)]):
        ties = lexicon.grid([plain_form(word) for word in part], plain)
        ties[ties < WEAKEST_TIE] = 0
        best = (ties * usual).argmax(1)
        for word, column, tie in zip(part, best, ties.max(1), strict=True):
            if tie > 0:
                found[word] = candidates[column]
    return found


def read_translations(paths: Iterable[Path]) -> Translations:
    """Read silver files (`spanferry aligner data`), or two columns: English, other language.

    The first translation of a word holds. Raises CorpusError, naming file and line.
    """
    found: dict[str, str] = {}
    for path in paths:
        if path.name.removesuffix(".gz").endswith(".jsonl"):
            found = {**translations_from_links(read_silver(path)), **found}
        else:
            for english, other in _columns(path):
                found.setdefault(english, other)
    if not found:
        raise TrainingError("--set lexicon", "holds no pair of words", "Name a silver file")
    return found


def _columns(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in read_lines(path):
        cells = line.lower().split()
        if len(cells) != 2:
            where = f"{path}:{number}"
            raise CorpusError(where, f"{len(cells)} columns", "An English word and its translation")
        yield cells[0], cells[1]


def covered(rows: Iterable[Row], translations: Translations) -> float:
    """Return the share of words that have a translation, 0 without words."""
    known = [t.lower() in translations for row in rows for t in row.tokens if t.isalpha()]
    return sum(known) / len(known) if known else 0.0


def translated(
    rows: Iterable[Row],
    translations: Translations,
    lang: str,
    text: Iterable[Sequence[str]] = (),
    seed: int = 0,
) -> list[Row]:
    """Translate English rows word by word into `lang`.

    `text` are sentences in words of that language. In German it decides about letter case: a
    spelling is drawn by frequency and `seed`.
    """
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words in text if base_language(lang) in CASE_FROM_TEXT else ():
        for word in words:
            spellings[word.lower()][word] += 1
    rng = random.Random(seed)  # noqa: S311  a sample is no secret

    def translate(token: str, tag: str) -> str:
        word = translations.get(token.lower())
        if word is None or tag.partition("-")[2] == UNTRANSLATED:
            return token
        if word in spellings:
            forms, counts = zip(*sorted(spellings[word].items()), strict=True)
            return str(rng.choices(forms, counts)[0])
        return _in_case_of(token, word)

    pairs = ((row, tuple(map(translate, row.tokens, row.tags))) for row in rows)
    return [replace(row, tokens=words, lang=lang, status="translated") for row, words in pairs]


def _in_case_of(token: str, word: str) -> str:
    if token.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if token[0].isupper() else word
