"""Splits: parts for training, validation and test that share no document and no near-duplicate.

Documents and near-duplicates are joined to groups, and a group falls into one part. Which one
depends on the names of its documents alone, so sentences added later move no others, unless they
join two groups. That is all of a `lasting` split. Else, if a part differs from its share by more
than `TOLERANCE` (as of few groups), groups that find no room in their part go to another; if that
is not enough, with smaller blocks of lines. `Splits.shortfall` says when nothing is.

- A document is named by the origin of its sentences. Of a line of a corpus file it is the block of
  `BLOCK` lines: the first and last lines of a block may have neighbours in another part.
- Near-duplicates are targets with `ALIKE` of their character sequences in common, compared without
  case, spaces and punctuation.
- A short formula (`Thank you very much.`) joins no documents. Where several documents have it, or
  nearly it, these sentences are a group of their own.
- Templates can join everything. Of such a group only near-duplicates are kept together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

from projection.errors import TrainingError
from projection.records import ParallelSentence
from projection.text.documents import BLOCK, document_of
from training.data.contamination import is_telling, words_of
from training.data.near_duplicates import near_duplicates

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
SMALLER_BLOCKS = (10, 5, 2, 1)  # lines
TOLERANCE = 0.03  # of all sentences
GIANT = 500  # sentences a group must have to be given up, and
GIANT_SHARE = 0.25  # of all

_DOCUMENT = "document "


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

    `cut_apart` counts sentences of documents that were cut, because their group was too large;
    `block` is the lines of a corpus file that count as a document, `largest` the sentences of the
    largest group.
    """

    of: tuple[str, ...]
    documents: int
    groups: int
    cut_apart: int
    block: int = BLOCK
    largest: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """Sentences in each part; parts without any are left out."""
        found = Counter(self.of)
        return {name: found[name] for name in SPLITS if found[name]}

    def distance(self, shares: Shares) -> tuple[int, float]:
        """How far from `shares` it is: the parts that got nothing, and the largest difference."""
        sizes, count = self.sizes, max(1, len(self.of))
        off = max(abs(sizes.get(name, 0) / count - getattr(shares, name)) for name in SPLITS)
        return sum(name not in sizes for name in shares.wanted), round(off, 6)

    def shortfall(self, shares: Shares) -> str | None:
        """Say why the parts are not what was asked for, and what to do; None if they are."""
        empty, off = self.distance(shares)
        if not self.of or (not empty and off <= TOLERANCE):
            return None
        sizes, count = self.sizes, len(self.of)
        given = "/".join(str(sizes.get(name, 0)) for name in SPLITS)
        asked = "/".join(f"{100 * getattr(shares, name):g}" for name in SPLITS)
        return (
            f"--split {asked} gave {given} of {count} sentences: documents and near-duplicates "
            f"stay together, and the largest of {self.groups} groups has {self.largest}. Review "
            "sentences of more documents, or try another --seed; `spanferry train` takes a dev "
            "part without documents by --set dev_share=0.1"
        )


def split(
    sentences: Sequence[ParallelSentence], shares: Shares, seed: int = 0, *, lasting: bool = False
) -> Splits:
    """Assign every sentence to a part; `lasting` as in the docstring of this module."""
    targets = [words_of(each.target) for each in sentences]
    pairs = [*near_duplicates({"".join(words) for words in targets})]
    tried: list[Splits] = []
    for block in (BLOCK,) if lasting else (BLOCK, *SMALLER_BLOCKS):
        documents = [document_of(sentence, block) for sentence in sentences]
        units, cut_apart = _units(documents, targets, pairs)
        sizes = Counter(units)
        parts = {unit: shares.at(_position(unit, seed)) for unit in sizes}
        if not lasting and not _fits(sizes, parts, shares):
            parts = _balanced(sizes, parts, shares, seed)
        of = tuple(parts[unit] for unit in units)
        numbers = (len({*documents}), len(sizes), cut_apart, block)
        tried.append(Splits(of, *numbers, largest=max(sizes.values(), default=0)))
        if _fits(sizes, parts, shares):
            break
    return min(tried, key=lambda found: found.distance(shares))  # the largest block of equals


def _fits(sizes: Mapping[str, int], parts: Mapping[str, str], shares: Shares) -> bool:
    of = tuple(parts[unit] for unit, size in sizes.items() for _ in range(size))
    return Splits(of, 0, 0, 0).shortfall(shares) is None


def _balanced(
    sizes: Mapping[str, int], parts: Mapping[str, str], shares: Shares, seed: int
) -> dict[str, str]:
    """Assign groups anew, the largest first: to their part, or to where most room is left."""
    total = sum(sizes.values())
    room = {name: getattr(shares, name) * total for name in shares.wanted}
    found: dict[str, str] = {}
    for unit in sorted(sizes, key=lambda unit: (-sizes[unit], _position(unit, seed))):
        own = parts[unit]
        found[unit] = own if room[own] >= sizes[unit] else max(room, key=lambda name: room[name])
        room[found[unit]] -= sizes[unit]
    if found and TRAIN not in found.values():
        found[unit] = TRAIN  # the smallest
    return found


def _units(
    documents: Sequence[str], targets: Sequence[list[str]], pairs: Iterable[tuple[str, str]]
) -> tuple[list[str], int]:
    """Return a lasting name of the group of each sentence; how many lost their document.

    `targets` are the words of each sentence, `pairs` the near-duplicates among them.
    """
    from scipy.cluster.hierarchy import DisjointSet  # noqa: PLC0415  takes long to import

    homes = [f"{_DOCUMENT}{document}" for document in documents]
    names = [f"text {''.join(words)}" for words in targets]
    alike, tied = DisjointSet(names), DisjointSet([*homes, *names])
    for one, other in pairs:
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


def _position(name: str, seed: int | None = None) -> float:
    """Return a hash in [0, 1)."""
    digest = blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
