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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import regex

from projection.errors import TrainingError
from projection.io.corpus import read_jsonl_corpus
from projection.io.files import read_lines
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


@dataclass(frozen=True, slots=True)
class GoldMatch:
    """A sentence of a corpus and the gold sentence it equals or quotes, each as file and line."""

    place: str
    gold: str

    def __str__(self) -> str:
        return f"{self.place} is {self.gold}"


@dataclass(slots=True)
class GoldIndex:
    """Hashes (of this process) of gold sentences and their runs of words, with file and line."""

    sentences: dict[int, str] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """Read gold files: JSON Lines of sentence pairs (`.jsonl`), or text, a sentence a line.

        Raises:
            CorpusError: naming file and line, if one cannot be read.
        """
        gold = cls()
        for path in paths:
            for place, text in gold_texts(path):
                gold.add(text, place)
        return gold

    def add(self, text: str, place: str) -> None:
        """Add a gold sentence; of equal ones the first place is kept."""
        words = words_of(text)
        if is_telling(words):
            self.sentences.setdefault(fingerprint(words), place)
        for run in runs_of(words):
            self.runs.setdefault(run, place)

    def place_of(self, text: str) -> str | None:
        """Return file and line of the gold sentence that `text` equals or quotes."""
        words = words_of(text)
        if is_telling(words) and (place := self.sentences.get(fingerprint(words))) is not None:
            return place
        return next((self.runs[run] for run in runs_of(words) if run in self.runs), None)

    def match(self, sentence: ParallelSentence) -> GoldMatch | None:
        """Return the gold that one side of a sentence pair equals or quotes."""
        place = self.place_of(sentence.source) or self.place_of(sentence.target)
        return None if place is None else GoldMatch(sentence.origin, place)


def gold_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every text of a gold file with its place; of sentence pairs both sides."""
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        for sentence in read_jsonl_corpus(path):
            yield sentence.origin, sentence.source
            yield sentence.origin, sentence.target
        return
    for number, line in read_lines(path):
        yield f"{path.name}:{number}", line


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


def fingerprint(words: Iterable[str]) -> int:
    """Return the hash of a sentence, wherever its spaces were."""
    return hash("".join(words))


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
    """Stop if sentences of the corpora are gold.

    Raises:
        TrainingError: with their number, and where the first are.
    """
    if not matches:
        return
    first = "; ".join(map(str, matches[:SHOWN]))
    more = f"; and {len(matches) - SHOWN} more" if len(matches) > SHOWN else ""
    raise TrainingError(
        "--gold",
        f"{counted(matches)}: {first}{more}",
        "Train on other sentences, or leave these out: --drop-contaminated",
    )


def counted(matches: Sequence[GoldMatch]) -> str:
    """Return a message: how many sentences equal or quote gold, for each gold file."""
    by_file = Counter(match.gold.rpartition(":")[0] for match in matches)
    counts = ", ".join(f"{count} of {name}" for name, count in by_file.most_common())
    return (
        f"sentences that are gold or share a run of {RUN} words with it: {len(matches)} ({counts})"
    )
