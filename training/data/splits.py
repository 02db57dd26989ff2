"""Splits: parts for training, validation and test that share no document and no near-duplicate.

Documents and near-duplicates are joined to groups, and a group falls into one part. Which one
depends on the names of its documents alone, so sentences added later move no others, unless they
join two groups.

- A document is named by the origin of its sentences. Of a line of a corpus file it is the block of
  `BLOCK` lines: the first and last lines of a block may have neighbours in another part.
- Near-duplicates are targets with `ALIKE` of their character sequences in common, compared without
  case, spaces and punctuation.
- A short formula (`Thank you very much.`) joins no documents. Where several documents have it, or
  nearly it, these sentences are a group of their own.
- Templates can join everything. Of such a group only near-duplicates are kept together.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import Self

from projection.errors import TrainingError
from projection.records import ParallelSentence
from training.data.contamination import is_telling, words_of

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
BLOCK = 20  # lines
ALIKE = 0.8  # of the character sequences of two sentences together (Jaccard)
SEQUENCE = 4  # characters
GIANT = 500  # sentences a group must have to be given up, and
GIANT_SHARE = 0.25  # of all

_DOCUMENT = "document "
_LINE = re.compile(r"(.*):(\d+)", re.DOTALL)
# A TMX file may be one long line, so its units are counted; earlier versions had no hash in the id.
_TMX_UNIT = re.compile(r"(.*):tu(\d+)(?:-[0-9a-f]{8})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of the data for each part; together 1."""

    train: float
    validation: float
    test: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `80/10/10`; raises TrainingError without three numbers, or none for training."""
        try:
            train, validation, test = (float(part) for part in text.split("/"))
            total = train + validation + test
            if not (train > 0 and validation >= 0 and test >= 0 and total < float("inf")):
                raise ValueError
        except ValueError as error:
            fix = "Say how much is for training, validation and test, such as 80/10/10"
            raise TrainingError(f"--split {text}", "not three shares", fix) from error
        return cls(train / total, validation / total, test / total)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The parts that should get something."""
        return tuple(name for name in SPLITS if getattr(self, name) > 0)

    def at(self, position: float) -> str:
        """Return the part at `position` in [0, 1); a larger test part keeps its groups."""
        if position < self.test:
            return TEST
        return VALIDATION if position < self.test + self.validation else TRAIN


@dataclass(frozen=True, slots=True)
class Splits:
    """The part of every sentence, in order, and the numbers of documents and groups.

    `cut_apart` counts sentences of documents that were cut, because their group was too large.
    """

    of: tuple[str, ...]
    documents: int
    groups: int
    cut_apart: int

    @property
    def sizes(self) -> dict[str, int]:
        """Sentences in each part; parts without any are left out."""
        found = Counter(self.of)
        return {name: found[name] for name in SPLITS if found[name]}


def split(sentences: Sequence[ParallelSentence], shares: Shares, seed: int = 0) -> Splits:
    """Assign every sentence to a part."""
    documents = [document_of(sentence) for sentence in sentences]
    units, cut_apart = _units(documents, [words_of(each.target) for each in sentences])
    parts = {unit: shares.at(_position(unit, seed)) for unit in {*units}}
    of = tuple(parts[unit] for unit in units)
    return Splits(of, len({*documents}), len(parts), cut_apart)


def document_of(sentence: ParallelSentence) -> str:
    """Return the block of lines (of units, for TMX) of the corpus file of a sentence.

    Other origins are documents themselves; a sentence without origin is a document of its own.
    """
    if unit := _TMX_UNIT.fullmatch(sentence.id):
        return f"{unit[1]}:{int(unit[2]) // BLOCK}"
    if line := _LINE.fullmatch(sentence.origin):
        return f"{line[1]}:{int(line[2]) // BLOCK}"
    return sentence.origin or sentence.id


def near_duplicates(texts: Iterable[str], alike: float = ALIKE) -> Iterator[tuple[str, str]]:
    """Yield pairs of different texts that have `alike` of their character sequences in common.

    Enough pairs to join all that are alike, directly or by way of others: a pair of texts that
    earlier pairs have joined is left out.

    Exact, without comparing all with all: two such texts share one of their rarest sequences and
    are about equally long (prefix filtering; Chaudhuri et al. 2006, Bayardo et al. 2007). Joined
    texts are one candidate, and none if all of them together have too few of the text's sequences:
    so sentences made from templates are hardly slower than others.
    """
    sequences = {text: _sequences(text) for text in texts}
    frequency = Counter(sequence for found in sequences.values() for sequence in found)
    joined = _Joined(sequences)
    having: defaultdict[str, set[str]] = defaultdict(set)  # by rare sequence, a text of each set
    for text, mine in sorted(sequences.items(), key=lambda item: (len(item[1]), item[0])):
        rarest = sorted(mine, key=lambda sequence: (frequency[sequence], sequence))
        least = _at_least(alike * len(mine))
        # Later texts are no shorter, and must share more than that.
        most_telling = rarest[: len(mine) - _at_least(2 * alike / (1 + alike) * len(mine)) + 1]
        telling = rarest[: len(mine) - least + 1]
        joined.telling[text] = most_telling
        for group in {*map(joined.of, set[str]().union(*(having[each] for each in telling)))}:
            for other in joined.candidates(group, mine, telling, least):
                if _overlap(mine, sequences[other]) >= alike:
                    joined.join(other, text)
                    yield other, text
                    break
        for each in most_telling:
            having[each].add(joined.of(text))


def _at_least(count: float) -> int:
    return ceil(count - 1e-9)  # 0.07 * 100 is a little more than 7


def _sequences(text: str) -> frozenset[str]:
    last = max(1, len(text) - SEQUENCE + 1)
    return frozenset(text[start : start + SEQUENCE] for start in range(last))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _units(documents: Sequence[str], targets: Sequence[list[str]]) -> tuple[list[str], int]:
    """Return a lasting name of the group of each sentence; how many lost their document.

    `targets` are the words of each sentence.
    """
    from scipy.cluster.hierarchy import DisjointSet  # noqa: PLC0415  takes long to import

    homes = [f"{_DOCUMENT}{document}" for document in documents]
    texts = ["".join(words) for words in targets]
    names = [f"text {text}" for text in texts]
    alike, tied = DisjointSet(names), DisjointSet([*homes, *names])
    for one, other in near_duplicates({*texts}):
        alike.merge(f"text {one}", f"text {other}")
        tied.merge(f"text {one}", f"text {other}")
    places: defaultdict[str, set[str]] = defaultdict(set)
    for home, name in zip(homes, names, strict=True):
        places[alike[name]].add(home)
    for home, name, words in zip(homes, names, targets, strict=True):
        # A text that is long enough joins documents.
        if len(places[alike[name]]) == 1 or is_telling(words):
            tied.merge(home, name)
    groups = [tied[name] for name in names]
    least = max(GIANT, GIANT_SHARE * len(groups))
    giants = {
        group
        for group, count in Counter(groups).items()
        if count >= least and sum(each.startswith(_DOCUMENT) for each in tied.subset(group)) > 1
    }
    of_alike, of_tied = _named(alike.subsets()), _named(tied.subsets())
    found = zip(groups, names, strict=True)
    units = [(of_alike if group in giants else of_tied)[name] for group, name in found]
    return units, sum(group in giants for group in groups)


def _named(sets: Iterable[Set[str]]) -> dict[str, str]:
    """Map each member to the one with the least hash, of documents if there are any.

    So a set that grows seldom gets another name.
    """
    named: dict[str, str] = {}
    for members in sets:
        documents = [each for each in members if each.startswith(_DOCUMENT)]
        named |= dict.fromkeys(members, min(documents or members, key=_position))
    return named


class _Joined:
    """Sets of texts, with the character sequences of each and the texts that are found by them."""

    def __init__(self, sequences: Mapping[str, frozenset[str]]) -> None:
        from scipy.cluster.hierarchy import DisjointSet  # noqa: PLC0415  takes long to import

        self.telling: dict[str, Sequence[str]] = {}  # the sequences that find a text
        self._sets = DisjointSet(sequences)
        self._sequences = sequences
        # Of sets of more than one text.
        self._of_any: dict[str, set[str]] = {}
        self._texts: dict[str, defaultdict[str, list[str]]] = {}

    def of(self, text: str) -> str:
        """Return a text that is the same for all of its set."""
        root: str = self._sets[text]
        return root

    def candidates(
        self, group: str, mine: Set[str], telling: Iterable[str], least: int
    ) -> Iterator[str]:
        """Yield texts of a set that may have `least` sequences of `mine`, likely ones first."""
        if group not in self._of_any:
            if len(self._sequences[group]) >= least:
                yield group
        elif len(mine & self._of_any[group]) >= least:
            texts, seen = self._texts[group], set[str]()
            for each in telling:
                new = [text for text in texts.get(each, ()) if text not in seen]
                yield from new
                seen.update(new)

    def join(self, one: str, other: str) -> None:
        """Join two sets that are not one."""
        names = self.of(one), self.of(other)
        sequences = [self._of_any.pop(name, {*self._sequences[name]}) for name in names]
        small, large = sorted(sequences, key=len)
        large |= small
        texts = [self._texts.pop(name, self._found_by(name)) for name in names]
        few, many = sorted(texts, key=len)
        for each, found in few.items():
            many[each] += found
        self._sets.merge(one, other)
        self._of_any[self.of(one)], self._texts[self.of(one)] = large, many

    def _found_by(self, text: str) -> defaultdict[str, list[str]]:
        return defaultdict(list, {each: [text] for each in self.telling[text]})


def _position(name: str, seed: int | None = None) -> float:
    """Return a hash in [0, 1)."""
    digest = blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
