"""Finds sentences of a training corpus that are in the gold a model will be measured on.

Texts are compared without case, spaces and punctuation, and Chinese in simplified characters. Two
rules, for both sides of a pair:

- the whole sentence is a gold sentence that is not too short (`Thank you very much.`);
- it shares a run of `RUN` words with one: it is quoted, or was split differently.

Not found: translations, paraphrases, and in Chinese and Japanese all but whole sentences.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import regex

from projection.errors import TrainingError
from projection.io.files import read_lines
from projection.io.jsonl import read_jsonl_corpus
from projection.records import ParallelSentence
from projection.text.chinese import simplified

LEAST_LETTERS = 20  # of a whole sentence; a Chinese character counts twice
LEAST_WORDS = 5  # a Chinese character is one
RUN = 13  # words; as for GPT-3 (Brown et al. 2020, appendix C)
SHOWN = 3  # places an error names

T = TypeVar("T")

_HAN = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_UNIT = regex.compile(rf"{_HAN}|(?:(?!{_HAN})[\p{{L}}\p{{N}}\p{{M}}])+")


class GoldMatch(NamedTuple):
    """A sentence of a corpus and the gold sentence it equals or quotes, each as file and line."""

    place: str
    gold: str

    def __str__(self) -> str:
        return f"{self.place} is {self.gold}"


class GoldIndex:
    """Gold sentences and their runs of words, as hashes (of this process), with file and line."""

    def __init__(self) -> None:
        self._places: dict[int, str] = {}

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """Read gold files: JSON Lines of sentence pairs (`.jsonl`), or text, a sentence a line.

        Raises CorpusError, naming file and line, if one cannot be read.
        """
        gold = cls()
        for path in paths:
            if path.name.removesuffix(".gz").endswith(".jsonl"):
                for sentence in read_jsonl_corpus(path):
                    gold.add(sentence.source, sentence.origin)
                    gold.add(sentence.target, sentence.origin)
            else:
                for number, line in read_lines(path):
                    gold.add(line, f"{path.name}:{number}")
        return gold

    def add(self, text: str, place: str) -> None:
        """Add a gold sentence; of equal ones the first place is kept."""
        for key in _keys(text):
            self._places.setdefault(key, place)

    def place_of(self, text: str) -> str | None:
        """Return file and line of the gold sentence that `text` equals or quotes."""
        return next((self._places[key] for key in _keys(text) if key in self._places), None)

    def match(self, sentence: ParallelSentence) -> GoldMatch | None:
        """Return the gold that one side of a sentence pair equals or quotes."""
        place = self.place_of(sentence.source) or self.place_of(sentence.target)
        return None if place is None else GoldMatch(sentence.origin, place)


def words_of(text: str) -> list[str]:
    """Return runs of letters and digits, in lower case and simplified characters."""
    plain = unicodedata.normalize("NFKC", text).lower()
    words: list[str] = _WORD.findall(plain if plain.isascii() else simplified(plain))
    return words


def is_telling(words: Iterable[str]) -> bool:
    """Return whether a sentence is too long to be written twice by chance."""
    units = [unit for word in words for unit in _UNIT.findall(word)]
    letters = sum(2 if regex.match(_HAN, unit) else len(unit) for unit in units)
    return len(units) >= LEAST_WORDS and letters >= LEAST_LETTERS


def runs_of(words: list[str]) -> Iterator[int]:
    """Yield the hashes of all runs of `RUN` words."""
    for start in range(len(words) - RUN + 1):
        yield hash(" ".join(words[start : start + RUN]))


def _keys(text: str) -> Iterator[int]:
    """Yield the hashes that find a sentence: without its spaces, if it is telling; of its runs."""
    words = words_of(text)
    if is_telling(words):
        yield hash("".join(words))
    yield from runs_of(words)


def screened(
    sentences: Iterable[tuple[ParallelSentence, T]], gold: GoldIndex, matches: list[GoldMatch]
) -> Iterator[tuple[ParallelSentence, T]]:
    """Yield the sentences (with what goes with them) that are not gold; others go to `matches`."""
    for sentence, rest in sentences:
        match = gold.match(sentence)
        if match is None:
            yield sentence, rest
        else:
            matches.append(match)


def refuse(matches: Sequence[GoldMatch]) -> None:
    """Raise TrainingError if sentences are gold, with their number and the first places."""
    if not matches:
        return
    first = "; ".join(map(str, matches[:SHOWN]))
    more = f"; and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
    fix = "Train on other sentences, or leave these out: --drop-contaminated"
    raise TrainingError("--gold", f"{counted(matches)}: {first}{more}", fix)


def counted(matches: Sequence[GoldMatch]) -> str:
    """Return a message: how many sentences equal or quote gold, for each gold file."""
    by_file = Counter(match.gold.rpartition(":")[0] for match in matches)
    counts = ", ".join(f"{count} of {name}" for name, count in by_file.most_common())
    what = f"sentences that are gold or share a run of {RUN} words with it"
    return f"{what}: {len(matches)} ({counts})"
