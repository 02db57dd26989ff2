"""An order of reviews that asks about phrases rather than sentences, to compare with others.

A name that is wrong is mostly wrong wherever it stands, and two reviewed sentences are enough to
correct the others (`spanferry propagate`). So a phrase is worth its doubt times its frequency, half
of it in each of the first two sentences that show it, and a sentence is worth what its phrases are,
by the length that must be read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import chain
from typing import NamedTuple

from projection.pipeline.review_order import Home, hash_of, home_of, spread_out
from projection.records import ProjectedSentence

# Language, source phrase, target phrase and label; a phrase that is not there is empty.
Phrase = tuple[str, str, str, str]

SHOWINGS = 2  # sentences to show a phrase in before `propagate` believes a correction
SHOWN = 0.1  # what is left of a phrase's doubt after that
OVERHEAD = 40  # characters that could be read in the time it takes to decide and go on
LIKELY_BAD = 0.05  # of all sentences, at most: probably no translations


class _Candidate(NamedTuple):
    doubts: dict[Phrase, float]
    length: int  # characters to read
    home: Home
    draw: bytes  # between equals
    loss: float  # failed mappings by length if it is probably no translation, else 0


def doubtful_phrases_first(sentences: Iterable[ProjectedSentence]) -> list[int]:
    """Return the places of the sentences by their worth, in O(n log n), spread by `spread_out`.

    Probable bad translations (most of several entities not found), up to `LIKELY_BAD` of all, come
    last.
    """
    found = [_candidate(each) for each in sentences]
    by_loss = sorted(range(len(found)), key=lambda i: (-found[i].loss, found[i].draw))
    last = {i for i in by_loss[: int(LIKELY_BAD * len(found))] if found[i].loss}
    first = [i for i in range(len(found)) if i not in last]
    homes = [each.home for each in found]
    return [i for part in (first, last) for i in spread_out(_by_worth(part, found), homes)]


def _candidate(projected: ProjectedSentence) -> _Candidate:
    pair = projected.sentence
    doubts: dict[Phrase, float] = {}
    for phrase, doubt in _doubts(projected):
        doubts[phrase] = max(doubt, doubts.get(phrase, 0.0))
    # What no phrase accounts for: words that the teacher may have missed.
    rest = 1 - projected.score
    if rest > max(doubts.values(), default=0.0):
        doubts[pair.target_lang, pair.source.casefold(), "", ""] = rest
    failed = sum(p.target is None for p in projected.projections)
    bad = failed > 1 and 2 * failed >= len(projected.projections)
    length = len(pair.source)
    loss = failed / max(length, 1) if bad else 0.0
    return _Candidate(doubts, length, home_of(pair), hash_of(pair), loss)


def _doubts(projected: ProjectedSentence) -> Iterator[tuple[Phrase, float]]:
    """Yield every phrase with the probability that it is wrong: 1 if it was not found."""
    pair = projected.sentence
    lang, text = pair.target_lang, pair.target
    for each in projected.projections:
        source = each.source.span.of(pair.source).casefold()
        target = "" if each.target is None else each.target.of(text).casefold()
        yield (lang, source, target, each.source.label), 1 - each.score
    projected_to = {p.target for p in projected.projections}
    for entity in projected.entities:
        if entity.span not in projected_to and entity.score is not None:
            yield (lang, "", entity.span.of(text).casefold(), entity.label), 1 - entity.score


def _by_worth(places: Iterable[int], found: Sequence[_Candidate]) -> list[int]:
    """Return these places by what the ones before leave them worth, most first."""
    frequency = Counter(chain.from_iterable(each.doubts for each in found))
    shown: Counter[Phrase] = Counter()

    def key(place: int) -> tuple[float, bytes, int]:
        worth = sum(
            doubt * (max(1, frequency[p] / SHOWINGS) if shown[p] < SHOWINGS else SHOWN)
            for p, doubt in found[place].doubts.items()
        )
        return -worth / (OVERHEAD + found[place].length), found[place].draw, place

    order: list[int] = []
    heap = [key(place) for place in places]
    heapify(heap)
    while heap:
        # Worth only falls, so keys only rise, and one that is still as it was is the smallest.
        place = heap[0][2]
        if (now := key(place)) > heap[0]:
            heapreplace(heap, now)
            continue
        heappop(heap)
        order.append(place)
        shown.update(found[place].doubts)
    return order
