"""The order in which people review sentences: doubtful phrases first, spread over the corpus.

Doubtful are phrases rather than sentences: a name that is wrong is mostly wrong wherever it stands,
and two reviewed sentences are enough to correct the others (`spanferry propagate`). So a phrase is
worth its doubt times its frequency, half of it in each of the first two sentences that show it, and
a sentence is worth what its phrases are, by the length that must be read.

On the bundled sample this corrected more in the same time than drawing sentences in proportion to
their worth.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain
from typing import NamedTuple

from projection.records import ProjectedSentence
from projection.text.documents import document_of

# Language, source phrase, target phrase and label; a phrase that is not there is empty.
Phrase = tuple[str, str, str, str]

SHOWINGS = 2  # sentences to show a phrase in before `propagate` believes a correction
SHOWN = 0.1  # what is left of a phrase's doubt after that
OVERHEAD = 40  # characters that could be read in the time it takes to decide and go on
LIKELY_BAD = 0.05  # of all sentences, at most: probably no translations
MOST_OF_A_LANGUAGE = 6  # sentences in a row


class _Candidate(NamedTuple):
    doubts: dict[Phrase, float]
    length: int  # characters to read
    lang: str
    document: str
    draw: bytes  # between equals
    loss: float  # failed mappings by length if it is probably no translation, else 0


def review_order(sentences: Iterable[ProjectedSentence]) -> list[int]:
    """Return the places of the sentences in the order to review them, in O(n log n).

    Most worth come first, equals in the order of hashes: the same sentences always come in the same
    order. At most `MOST_OF_A_LANGUAGE` of one language follow each other, and in each language two
    of one document do not, as long as others are left. Probable bad translations (most of several
    entities not found), up to `LIKELY_BAD` of all, come last.
    """
    found = [_candidate(each) for each in sentences]
    by_loss = sorted(range(len(found)), key=lambda i: (-found[i].loss, found[i].draw))
    last = {i for i in by_loss[: int(LIKELY_BAD * len(found))] if found[i].loss}
    first = [i for i in range(len(found)) if i not in last]
    return [i for part in (first, last) for i in _spread_out(_by_worth(part, found), found)]


def review_ranks(sentences: Iterable[ProjectedSentence]) -> list[int]:
    """Return for each sentence its place in `review_order`, from 1."""
    order = review_order(sentences)
    ranks = dict(zip(order, range(1, len(order) + 1), strict=True))
    return [ranks[place] for place in range(len(order))]


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
    name = "\0".join((pair.id, pair.origin, pair.target_lang, pair.source, pair.target))
    draw = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return _Candidate(doubts, length, pair.target_lang, document_of(pair), draw, loss)


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
        shown.update(found[place].doubts.keys())
    return order


def _spread_out(order: Sequence[int], found: Sequence[_Candidate]) -> list[int]:
    """Keep the order but for too many of one document or language in a row."""
    of_language: dict[str, list[tuple[int, str]]] = {}
    for place in order:
        each = found[place]
        of_language.setdefault(each.lang, []).append((place, each.document))
    spread = {lang: iter(_spread(places, 1)) for lang, places in of_language.items()}
    mixed = [(next(spread[found[place].lang]), found[place].lang) for place in order]
    return _spread(mixed, MOST_OF_A_LANGUAGE)


def _spread(order: Iterable[tuple[int, str]], most: int) -> list[int]:
    """Take the next place of any group but the one that has had `most` in a row."""
    waiting: dict[str, deque[tuple[int, int]]] = {}
    for number, (place, group) in enumerate(order):
        waiting.setdefault(group, deque()).append((number, place))
    heads = [(queue[0][0], group) for group, queue in waiting.items()]
    heapify(heads)
    spread: list[int] = []
    last, row = "", 0
    while heads:
        held = heappop(heads) if row >= most and heads[0][1] == last and len(heads) > 1 else None
        _, group = heappop(heads)
        spread.append(waiting[group].popleft()[1])
        last, row = group, row + 1 if group == last else 1
        if waiting[group]:
            heappush(heads, (waiting[group][0][0], group))
        if held is not None:
            heappush(heads, held)
    return spread
