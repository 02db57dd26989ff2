"""Near-duplicates: texts that have most of their character sequences in common."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from math import ceil

ALIKE = 0.8  # of the character sequences of two sentences together (Jaccard)
SEQUENCE = 4  # characters


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
