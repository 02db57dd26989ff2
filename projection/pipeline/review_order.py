"""The order in which people review sentences: the least sure first, spread over the corpus."""

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from heapq import heapify, heappop, heappush

from projection.records import ParallelSentence, ProjectedSentence
from projection.text.documents import document_of

MOST_OF_A_LANGUAGE = 6  # sentences in a row

Home = tuple[str, str]
"""The language and the document of a sentence."""


def review_order(sentences: Iterable[ProjectedSentence]) -> list[int]:
    """Return the places of the sentences in the order to review them, in O(n log n).

    The lowest scores come first, among the sentences with a failed mapping those with the lowest
    score of another entity; equals in the order of hashes, so that the same sentences always come
    in the same order. They are spread as `spread_out` does.
    """
    keys, homes = [], []
    for place, each in enumerate(sentences):
        rest = min((e.score for e in each.entities if e.score is not None), default=0.0)
        keys.append((each.score, rest, hash_of(each.sentence), place))
        homes.append(home_of(each.sentence))
    return spread_out([place for *_, place in sorted(keys)], homes)


def review_ranks(sentences: Iterable[ProjectedSentence]) -> list[int]:
    """Return for each sentence its place in `review_order`, from 1."""
    order = review_order(sentences)
    ranks = dict(zip(order, range(1, len(order) + 1), strict=True))
    return [ranks[place] for place in range(len(order))]


def hash_of(pair: ParallelSentence) -> bytes:
    """Hash what tells a sentence from others, wherever it stands."""
    name = "\0".join((pair.id, pair.origin, pair.target_lang, pair.source, pair.target))
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def home_of(pair: ParallelSentence) -> Home:
    """Return where a sentence belongs, for `spread_out`."""
    return pair.target_lang, document_of(pair)


def spread_out(order: Sequence[int], homes: Sequence[Home]) -> list[int]:
    """Keep the order of some places, but for too many of one home in a row.

    At most `MOST_OF_A_LANGUAGE` of one language follow each other, and in each language two of one
    document do not, as long as others are left. `homes` are those of all places.
    """
    of_language: dict[str, list[tuple[int, str]]] = {}
    for place in order:
        lang, document = homes[place]
        of_language.setdefault(lang, []).append((place, document))
    spread = {lang: iter(_spread(places, 1)) for lang, places in of_language.items()}
    mixed = [(next(spread[homes[place][0]]), homes[place][0]) for place in order]
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
