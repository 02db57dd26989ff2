"""Duplicates and near-duplicates of earlier pairs.

The index is all that grows with the corpus: about 100 bytes for each pair that is no duplicate, and
1,000 more where near-duplicates are looked for.
"""

from collections.abc import Iterator
from hashlib import blake2b
from importlib.util import find_spec
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
import regex

from projection.corpus.recipe import Compared
from projection.errors import CorpusError
from projection.records import ParallelSentence

SEQUENCE = 5  # characters
HASHES = 64  # of a signature; the standard error of a similarity is 0.04 near 0.9
_FOUND = 0.9  # of the near-duplicates right at the threshold become candidates
_BYTES = 4  # of a hash
_SILENT = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def _texts(sentence: ParallelSentence, compared: Compared) -> Iterator[tuple[str, str]]:
    """The texts to compare, each with a mark for its side."""
    if compared is not Compared.TARGET:
        yield "<", sentence.source
    if compared is not Compared.SOURCE:
        yield ">", sentence.target


class Duplicates:
    """Pairs whose texts were there before, but for white space."""

    def __init__(self, compared: Compared) -> None:
        self._compared = compared
        self._seen: set[int] = set()

    def __call__(self, sentence: ParallelSentence) -> str | None:
        """Return the reason if a pair repeats one of an earlier call."""
        texts = [" ".join(text.split()) for _, text in _texts(sentence, self._compared)]
        digest = blake2b("\n".join(texts).encode(), digest_size=8).digest()
        before = len(self._seen)
        self._seen.add(int.from_bytes(digest))
        return f"the same {self._compared} before" if len(self._seen) == before else None


class NearDuplicates:
    """Pairs that have most of their character sequences in common with an earlier one.

    Sequences are of letters and digits, so pairs that differ in case, punctuation and white space
    are alike. MinHash (Broder, 1997) of datasketch estimates the share in common (Jaccard); its
    hashes are cut into bands, and pairs that share a band are compared. The bands are kept in
    plain tables, which take 1 kB for a pair where datasketch's own index takes 2.4 kB.
    """

    def __init__(self, alike: float, compared: Compared) -> None:
        """Drop pairs that have at least `alike` in common with an earlier one.

        Raises CorpusError if datasketch is not installed.
        """
        if find_spec("datasketch") is None:
            fix = "pip install 'spanferry[clean]', or set near_duplicates = 0 in a --recipe"
            raise CorpusError("clean", "datasketch is not installed", fix)
        from datasketch import MinHash  # noqa: PLC0415  an extra

        self._empty: Any = MinHash(num_perm=HASHES, hashfunc=_hash)
        self._compared, self._alike = compared, alike
        rows = _rows(alike)
        self._bands = [*pairwise(range(0, HASHES * _BYTES + 1, rows * _BYTES))]
        self._tables: list[dict[bytes, int]] = [{} for _ in self._bands]
        self._signatures = bytearray()

    def __call__(self, sentence: ParallelSentence) -> str | None:
        """Return the reason if a pair is like one of an earlier call that was like none."""
        sketch = self._empty.copy()
        sketch.update_batch(self._sequences(sentence))
        signature: bytes = sketch.hashvalues.astype(np.uint32).tobytes()
        keys = [blake2b(signature[a:b], digest_size=8).digest() for a, b in self._bands]
        found = (table.get(key) for table, key in zip(self._tables, keys, strict=True))
        candidates = {number for number in found if number is not None}
        share = max((self._in_common(signature, number) for number in candidates), default=0.0)
        if share >= self._alike:
            return f"{share:.0%} like an earlier {self._compared}"
        number = len(self._signatures) // (HASHES * _BYTES)
        self._signatures += signature
        for table, key in zip(self._tables, keys, strict=True):
            table.setdefault(key, number)
        return None

    def _sequences(self, sentence: ParallelSentence) -> set[str]:
        found = set[str]()
        for mark, text in _texts(sentence, self._compared):
            marked = mark + (_SILENT.sub("", text.casefold()) or text)
            last = max(1, len(marked) - SEQUENCE + 1)
            found.update(marked[start : start + SEQUENCE] for start in range(last))
        return found

    def _in_common(self, signature: bytes, number: int) -> float:
        start = number * HASHES * _BYTES
        other = bytes(self._signatures[start : start + HASHES * _BYTES])
        same = np.frombuffer(signature, np.uint32) == np.frombuffer(other, np.uint32)
        return float(np.mean(same))


def _hash(sequence: str) -> int:
    return crc32(sequence.encode())


def _rows(alike: float) -> int:
    """Hashes of a band: as many as still find `_FOUND` of the pairs that are just `alike`."""
    fitting = (r for r in range(2, HASHES) if 1 - (1 - alike**r) ** (HASHES // r) >= _FOUND)
    return max(fitting)
