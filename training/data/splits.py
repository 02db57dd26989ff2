"""Parts of the data for training, validation and test, between which nothing is shared.

Documents stay whole, and so do near-duplicates, wherever they stand: what contains one of the other
is one group, and a group falls into one part. Where it falls follows from its documents' names
alone, so sentences added later move no others, unless they join two groups.

- A document is what the origin of its sentences names. Where that is a line of a corpus file, as
  all our readers have it, it is the block of `BLOCK` lines it stands in: corpora seldom say where a
  document ends, so the first and last lines of a block may have neighbours in another part.
- Near-duplicates are targets with `ALIKE` of their character sequences in common, compared without
  case, spaces and punctuation.
- A formula, too short to be telling (`Thank you very much.`), joins no documents. Where several
  documents have it, or nearly it, these sentences leave them and are a group of their own.
- Templates can tie everything to everything. Such a group is given up: its documents are cut apart,
  its near-duplicates are not.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from typing import NamedTuple, Self

from projection.errors import TrainingError
from projection.records import ParallelSentence
from training.data.contamination import is_telling, words_of

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
BLOCK = 20  # lines
ALIKE = 0.8  # of the character sequences of two sentences together (Jaccard)
SEQUENCE = 4  # characters
GIANT = 500  # sentences a group must have to be given up, and
GIANT_SHARE = 0.25  # of all

_LINE = re.compile(r"(.*):(\d+)", re.DOTALL)
# A TMX file may be one long line, so its units are counted; earlier versions had no hash in the id.
_TMX_UNIT = re.compile(r"(.*):tu(\d+)(?:-[0-9a-f]{8})?", re.DOTALL)


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
            fix = "Say how much is for training, validation and test, such as 80/10/10"
            raise TrainingError(f"--split {text}", "not three shares", fix) from error
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

    An origin of another form names the document; without one the sentence is a document of its own.
    """
    if unit := _TMX_UNIT.fullmatch(sentence.id):
        return f"{unit[1]}:{int(unit[2]) // BLOCK}"
    if line := _LINE.fullmatch(sentence.origin):
        return f"{line[1]}:{int(line[2]) // BLOCK}"
    return sentence.origin or sentence.id


def near_duplicates(texts: Iterable[str], alike: float = ALIKE) -> Iterator[tuple[str, str]]:
    """Pairs of different texts that have `alike` of their character sequences in common.

    As many as it takes to join all that are alike, directly or by way of others: none of two texts
    that the pairs before it have joined.

    Exact, and far from comparing all with all: two such texts share one of their rarest sequences,
    and are of about one length (prefix filtering; Chaudhuri et al. 2006, Bayardo et al. 2007). What
    is joined is one candidate, and none if all of it has too few of the text's sequences: so
    sentences made from templates are hardly slower than others.
    """
    sequences = {text: _sequences(text) for text in texts}
    frequency = Counter(sequence for found in sequences.values() for sequence in found)
    joined = _Joined(sequences)
    having: defaultdict[str, set[str]] = defaultdict(set)  # by rare sequence, a text of each set
    for text, mine in sorted(sequences.items(), key=lambda item: (len(item[1]), item[0])):
        rarest = sorted(mine, key=lambda sequence: (frequency[sequence], sequence))
        least = _at_least(alike * len(mine))
        # Those to come are no shorter, and must share more than that.
        most_telling = rarest[: len(mine) - _at_least(2 * alike / (1 + alike) * len(mine)) + 1]
        telling = rarest[: len(mine) - least + 1]
        joined.add(text, most_telling)
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
        self._names: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        small, large = sorted((self.members(one), self.members(other)), key=len)
        if small is not large:
            large += small
            self._set_of.update(dict.fromkeys(small, large))
            self._names.clear()

    def members(self, node: str) -> list[str]:
        found = self._set_of.get(node)
        if found is None:
            found = self._set_of[node] = [node]
        return found

    def of(self, node: str) -> str:
        """Some member, the same for all of its set."""
        return self.members(node)[0]

    def name(self, node: str) -> str:
        """The member whose hash is least, of documents if there are any.

        So a set that grows seldom gets another name.
        """
        members = self.members(node)
        if members[0] not in self._names:
            named = [*filter(_is_document, members)] or members
            self._names[members[0]] = min(named, key=_position)
        return self._names[members[0]]


class _Joined(_Sets):
    """Sets of texts, with the character sequences of each and the texts that are found by them."""

    def __init__(self, sequences: Mapping[str, frozenset[str]]) -> None:
        super().__init__()
        self._sequences = sequences
        self._telling: dict[str, Sequence[str]] = {}
        # Of sets of more than one text.
        self._of_any: dict[str, set[str]] = {}
        self._texts: dict[str, defaultdict[str, list[str]]] = {}

    def add(self, text: str, telling: Sequence[str]) -> None:
        """A text, which is to be found by some of its sequences."""
        self._telling[text] = telling

    def candidates(
        self, group: str, mine: Set[str], telling: Iterable[str], least: int
    ) -> Iterator[str]:
        """Texts of a set that may have `least` sequences of `mine`, the most telling ones first."""
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
        super().join(one, other)
        self._of_any[self.of(one)], self._texts[self.of(one)] = large, many

    def _found_by(self, text: str) -> defaultdict[str, list[str]]:
        return defaultdict(list, {each: [text] for each in self._telling[text]})


def _position(name: str, seed: int | None = None) -> float:
    """A place in [0, 1) that depends on nothing else."""
    digest = blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
