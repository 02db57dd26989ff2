"""Evidence that two words are translations of each other, measured without a network.

It spares a small network most of its weights: how often word aligners linked the two words in
parallel text (a lexicon), their similarity in spelling, and their distance from the diagonal of the
sentence pair. The network learns when to trust these grids.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from projection.errors import ModelError

CHANNELS = ("lexicon", "stem lexicon", "spelling", "contained", "both capitalised", "diagonal")
STEM = 5  # characters, which inflection rarely changes
_STEM_MARK = "\x1f"  # tells stems from words of the same spelling
_ODD = np.uint64(0x9E3779B97F4A7C15)

Grid = NDArray[np.float32]
Pairs = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The strength of the link between pairs of words, found by the hash of the pair.

    `keys` (ascending as unsigned) and `checks` are 40 bits of the pair's hash, `ties` its strength
    in 1/255. At 500,000 pairs, one lookup in about 2 million finds an unknown pair.
    """

    keys: NDArray[np.int32]
    checks: NDArray[np.uint8]
    ties: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if not len(self.keys) == len(self.checks) == len(self.ties):
            sizes = f"{len(self.keys)}, {len(self.checks)} and {len(self.ties)} rows"
            raise ModelError("lexicon", f"has {sizes}", "Make the aligner again")

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(cls, ties: Pairs) -> Self:
        """A lexicon of (English word, target word) pairs with their strength in [0, 1]."""
        first_words, others = (
            np.array([_hash(pair[side]) for pair in ties], dtype=np.uint64) for side in (0, 1)
        )
        hashes = _mix(first_words * _ODD + others)
        strengths = np.rint(255 * np.array([*ties.values()])).clip(0, 255).astype(np.uint8)
        # Of pairs with the same key the strongest comes first and is kept.
        order = np.lexsort((-strengths.astype(int), _key(hashes)))
        keys = _key(hashes)[order]
        first = np.ones(len(keys), dtype=bool)
        first[1:] = keys[1:] != keys[:-1]
        return cls(
            keys[first].view(np.int32), _check(hashes)[order][first], strengths[order][first]
        )

    def grid(self, source: Sequence[str], target: Sequence[str]) -> Grid:
        """The strength of each pair, source words × target words, in [0, 1]."""
        if not len(self):
            return np.zeros((len(source), len(target)), dtype=np.float32)
        mixed = np.array([_hash(word) for word in source], dtype=np.uint64)[:, None] * _ODD
        hashes = _mix(mixed + np.array([_hash(word) for word in target], dtype=np.uint64)[None])
        keys = self.keys.view(np.uint32)
        at = np.searchsorted(keys, _key(hashes)).clip(max=len(keys) - 1)
        known = (keys[at] == _key(hashes)) & (self.checks[at] == _check(hashes))
        return np.where(known, self.ties[at], 0).astype(np.float32) / np.float32(255)


def evidence(source: Sequence[str], target: Sequence[str], lexicon: Lexicon) -> Grid:
    """The grids of `CHANNELS`, channels × source words × target words, in [0, 1]."""
    grids = np.empty((len(CHANNELS), len(source), len(target)), dtype=np.float32)
    plain = [plain_form(word) for word in source], [plain_form(word) for word in target]
    grids[0], grids[1] = _lexicon_grids(*plain, lexicon)
    spelled = [spelling(word) for word in plain[0]], [spelling(word) for word in plain[1]]
    grids[2] = _stretched(process.cdist(*spelled, scorer=fuzz.ratio, dtype=np.float32))
    grids[3] = _contained(*spelled)
    capitals = [np.array([word[0].isupper() for word in side]) for side in (source, target)]
    grids[4] = np.outer(*capitals)
    rows, columns = (np.linspace(0, 1, num=len(side)) for side in (source, target))
    grids[5] = 1 - abs(rows[:, None] - columns[None])
    return grids


def _lexicon_grids(source: Sequence[str], target: Sequence[str], lexicon: Lexicon) -> Grid:
    """Ties of words and of stems; a word with hyphens has the strongest tie of its parts."""
    parts: list[str] = []
    first: list[int] = []
    for word in target:
        first.append(len(parts))
        parts += [word, *(word.split("-") if "-" in word else ())]
    found = np.stack(
        (lexicon.grid(source, parts), lexicon.grid([*map(stem, source)], [*map(stem, parts)]))
    )
    return np.maximum.reduceat(found, first, axis=2)


def _stretched(percent: Grid) -> Grid:
    """Map a similarity of 50 % or less, which words have by chance, to 0 and 100 % to 1."""
    found: Grid = (percent / 50 - 1).clip(0, 1)
    return found


def _contained(source: Sequence[str], target: Sequence[str]) -> Grid:
    """The share of the shorter word that the longer one contains; both of 4 letters or more."""
    found = _stretched(process.cdist(source, target, scorer=fuzz.partial_ratio, dtype=np.float32))
    long = [np.array([len(word) >= 4 for word in side]) for side in (source, target)]
    contained: Grid = found * np.outer(*long)
    return contained


@lru_cache(maxsize=1 << 16)
def plain_form(word: str) -> str:
    """A word in lower case without accents."""
    letters = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in letters if not unicodedata.combining(c)) or word


@lru_cache(maxsize=1 << 16)
def spelling(word: str) -> str:
    """A plain word in Latin letters: names of other scripts sound alike (`Лондон` is `london`)."""
    return word if word.isascii() else anyascii(word).lower() or word


def stem(word: str) -> str:
    """The first letters of a word, marked as a stem."""
    return _STEM_MARK + word[:STEM]


def ties_of(links: Pairs, least: float, weakest: float) -> Pairs:
    """Strengths of word pairs in plain form: √(p(target|source) · p(source|target)).

    `links` holds their total weights. Pairs below the weight `least` or the strength `weakest` are
    left out.
    """
    sources: defaultdict[str, float] = defaultdict(float)
    targets: defaultdict[str, float] = defaultdict(float)
    for (source, target), weight in links.items():
        sources[source] += weight
        targets[target] += weight
    strengths = {
        (s, t): weight / (sources[s] * targets[t]) ** 0.5
        for (s, t), weight in links.items()
        if weight >= least
    }
    return {pair: strength for pair, strength in strengths.items() if strength >= weakest}


@lru_cache(maxsize=1 << 18)
def _hash(word: str) -> np.uint64:
    digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mix(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (the finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = hashes ^ (hashes >> np.uint64(31))
    return mixed


def _key(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    return (hashes >> np.uint64(32)).astype(np.uint32)


def _check(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return (hashes & np.uint64(0xFF)).astype(np.uint8)


NO_LEXICON = Lexicon.of({})
