"""Parts of the data for training, validation and test, between which nothing is shared.

Documents stay whole, and so do near-duplicates, wherever they stand: what contains one of the other
is one group, and a group falls into one part. Where it falls follows from its documents' names
alone, so sentences added later move no others, unless they join two groups.

- A document is a block of `BLOCK` lines of a corpus file: corpora seldom say where one ends.
- Near-duplicates are targets with `ALIKE` of their character sequences in common, compared without
  case, spaces and punctuation.
- A formula, too short to be telling (`Thank you very much.`), joins no documents. Where several
  documents have it, or nearly it, these sentences are a group of their own.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import NamedTuple, Self

from projection.errors import TrainingError
from projection.records import ParallelSentence
from training.contamination import is_telling, words_of

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
BLOCK = 20  # lines
ALIKE = 0.8  # of the character sequences of two sentences together (Jaccard)
SEQUENCE = 4  # characters
# Templates can tie everything to everything. Such a group is given up: its documents are cut apart,
# its near-duplicates are not.
GIANT = 500  # sentences, and
GIANT_SHARE = 0.25  # of all

_LINE = re.compile(r"(.*):(\d+)", re.DOTALL)
_TMX_UNIT = re.compile(r"(.*):tu(\d+)", re.DOTALL)  # a TMX file may be one long line


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the data each part should get; together 1."""

    train: float
    validation: float
    test: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Shares from `80/10/10`.

        Raises:
            TrainingError: if that is not three numbers with something for training.
        """
        try:
            train, validation, test = (float(part) for part in text.split("/"))
            total = train + validation + test
            if not (train > 0 and validation >= 0 and test >= 0 and total < float("inf")):
                raise ValueError
        except ValueError as error:
            mend = "Say how much is for training, validation and test, such as 80/10/10"
            raise TrainingError(f"--split {text}", "not three shares", mend) from error
        return cls(train / total, validation / total, test / total)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The parts that should get something."""
        return tuple(name for name in SPLITS if getattr(self, name) > 0)

    def at(self, position: float) -> str:
        """The part of a group at `position` in [0, 1). A larger test part keeps what it had."""
        if position < self.test:
            return TEST
        return VALIDATION if position < self.test + self.validation else TRAIN


@dataclass(frozen=True, slots=True)
class Splits:
    """The part of every sentence, in order, and how many documents and groups they were in.

    `cut_apart` counts sentences whose documents were given up, because they were tied together to
    a group too large for any part.
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
    texts = [_Text.of(sentence.target) for sentence in sentences]
    units = _units(documents, texts)
    parts = {unit: shares.at(_position(unit, seed)) for unit in {*units.of}}
    return Splits(
        of=tuple(parts[unit] for unit in units.of),
        documents=len({*documents}),
        groups=len(parts),
        cut_apart=units.cut_apart,
    )


def document_of(sentence: ParallelSentence) -> str:
    """The block of lines (of units, for TMX) of the corpus file that a sentence stands in.

    Where that is not known it is a document of its own.
    """
    if unit := _TMX_UNIT.fullmatch(sentence.id):
        return f"{unit[1]}:{int(unit[2]) // BLOCK}"
    if line := _LINE.fullmatch(sentence.origin):
        return f"{line[1]}:{int(line[2]) // BLOCK}"
    return sentence.origin or sentence.id


def near_duplicates(texts: Iterable[str], alike: float = ALIKE) -> Iterator[tuple[str, str]]:
    """All pairs of different texts that have `alike` of their character sequences in common.

    Exact, and far from comparing all with all: two such texts share one of their rarest sequences,
    and are of about one length (prefix filtering; Chaudhuri et al. 2006, Bayardo et al. 2007).
    """
    sequences = {text: _sequences(text) for text in texts}
    frequency = Counter(sequence for found in sequences.values() for sequence in found)
    having: defaultdict[str, list[str]] = defaultdict(list)  # by rare sequence, the shortest first
    for text, mine in sorted(sequences.items(), key=lambda item: (len(item[1]), item[0])):
        rarest = sorted(mine, key=lambda sequence: (frequency[sequence], sequence))
        least = _at_least(alike * len(mine))
        found = {other for each in rarest[: len(mine) - least + 1] for other in having[each]}
        for other in sorted(found):
            theirs = sequences[other]
            if len(theirs) >= least and _overlap(mine, theirs) >= alike:
                yield other, text
        # Those to come are no shorter, and must share more than that.
        for each in rarest[: len(mine) - _at_least(2 * alike / (1 + alike) * len(mine)) + 1]:
            having[each].append(text)


def _at_least(count: float) -> int:
    return ceil(count - 1e-9)  # 0.07 * 100 is a little more than 7


def _sequences(text: str) -> frozenset[str]:
    last = max(1, len(text) - SEQUENCE + 1)
    return frozenset(text[start : start + SEQUENCE] for start in range(last))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


@dataclass(frozen=True, slots=True)
class _Text:
    """A target as it is compared, and whether it is so long that it joins what has it."""

    plain: str
    telling: bool

    @classmethod
    def of(cls, target: str) -> Self:
        words = words_of(target)
        return cls("".join(words), is_telling(words))


class _Units(NamedTuple):
    """What each sentence is assigned with, by a name that lasts; how many lost their document."""

    of: tuple[str, ...]
    cut_apart: int


def _units(documents: Sequence[str], texts: Sequence[_Text]) -> _Units:
    homes = [_as_document(document) for document in documents]
    names = [_as_text(text.plain) for text in texts]
    alike, tied = _Sets(), _Sets()
    for one, other in near_duplicates({text.plain for text in texts}):
        alike.join(_as_text(one), _as_text(other))
        tied.join(_as_text(one), _as_text(other))
    places: defaultdict[str, set[str]] = defaultdict(set)
    for home, name in zip(homes, names, strict=True):
        places[alike.of(name)].add(home)
    for home, name, text in zip(homes, names, texts, strict=True):
        if text.telling or len(places[alike.of(name)]) == 1:
            tied.join(home, name)
    groups = [tied.of(name) for name in names]
    giants = _giants(groups, tied)
    units = (
        (alike if group in giants else tied).name(name)
        for group, name in zip(groups, names, strict=True)
    )
    return _Units(tuple(units), sum(group in giants for group in groups))


def _giants(groups: Sequence[str], tied: "_Sets") -> set[str]:
    least = max(GIANT, GIANT_SHARE * len(groups))
    return {
        group
        for group, count in Counter(groups).items()
        if count >= least and sum(map(_is_document, tied.members(group))) > 1
    }


def _as_document(name: str) -> str:
    return f"document {name}"


def _as_text(plain: str) -> str:
    return f"text {plain}"


def _is_document(node: str) -> bool:
    return node.startswith("document ")


class _Sets:
    """What has been joined is in one set (union-find); what has not is alone."""

    def __init__(self) -> None:
        self._set_of: dict[str, list[str]] = {}

    def join(self, one: str, other: str) -> None:
        small, large = sorted((self.members(one), self.members(other)), key=len)
        if small is not large:
            large += small
            self._set_of.update(dict.fromkeys(small, large))

    def members(self, node: str) -> list[str]:
        return self._set_of.setdefault(node, [node])

    def of(self, node: str) -> str:
        """Some member, the same for all of its set."""
        return self.members(node)[0]

    def name(self, node: str) -> str:
        """The member whose hash is least, of documents if there are any.

        So a set that grows seldom gets another name.
        """
        members = self.members(node)
        return min(filter(_is_document, members), default=None, key=_position) or min(
            members, key=_position
        )


def _position(name: str, seed: int | None = None) -> float:
    """A place in [0, 1) that depends on nothing else."""
    digest = blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
