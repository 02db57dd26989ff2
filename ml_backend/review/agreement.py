"""Measure how far annotators agree who decided the same sentences.

The main figure is F1 of exact spans with labels between two annotators. Kappa needs the number of
cases both left alone, which is not defined for spans; the larger it is, the nearer kappa comes to
F1 (Hripcsak & Rothschild, 2005, "Agreement, the F-measure, and reliability in information
retrieval", JAMIA 12(3)). Cohen's kappa over tokens is given because it is often asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from projection.records import ReviewedSentence
from projection.text.iob2 import encode
from training.data.adjudication import by_sentence, marks_of, opinions

Pair = tuple[str, str]
Both = tuple[ReviewedSentence, ReviewedSentence]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """The agreement of two annotators on the `sentences` both found usable.

    `kappa` (−1 to 1) is over IOB2 tags of tokens, None if all tags are the same. `f1` (0 to 1) is
    over exact spans with labels, None if neither marked anything. `disagreed` further sentences
    were unusable for only one of the two.
    """

    annotators: Pair
    sentences: int
    kappa: float | None
    f1: float | None
    disagreed: int = 0


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of all pairs of annotators with sentences in common.

    `sentences` were decided by two or more; the figures are of the `compared` ones that at least
    two found usable. `kappa` and `f1` are means over the pairs that have one, by sentences.
    """

    pairs: tuple[PairAgreement, ...]
    sentences: int
    compared: int
    kappa: float | None
    f1: float | None

    def with_others(self, annotator: str) -> tuple[float | None, int]:
        """Return the mean F1 of an annotator with others, and how many sentences were compared."""
        theirs = [pair for pair in self.pairs if annotator in pair.annotators]
        shared = sum(pair.sentences for pair in theirs)
        return _mean((pair.f1, pair.sentences) for pair in theirs), shared


def agreement(reviewed: Sequence[ReviewedSentence]) -> Agreement:
    """Compare every two annotators by their newest decisions, without skipped sentences."""
    shared: defaultdict[Pair, list[Both]] = defaultdict(list)
    disagreed: Counter[Pair] = Counter()
    sentences = compared = 0
    for group in by_sentence(reviewed):
        voices = sorted(opinions(group), key=lambda voice: voice.annotator)
        sentences += len(voices) > 1
        compared += sum(voice.usable for voice in voices) > 1
        for one, other in combinations(voices, 2):
            pair = (one.annotator, other.annotator)
            if one.usable and other.usable:
                shared[pair].append((one, other))
            else:
                disagreed[pair] += one.usable is not other.usable
    pairs = tuple(
        PairAgreement(pair, len(both), _kappa(both), _f1(both), disagreed[pair])
        for pair in sorted({*shared, *disagreed})
        for both in [shared[pair]]
    )
    return Agreement(
        pairs=pairs,
        sentences=sentences,
        compared=compared,
        kappa=_mean((pair.kappa, pair.sentences) for pair in pairs),
        f1=_mean((pair.f1, pair.sentences) for pair in pairs),
    )


def _kappa(shared: Sequence[Both]) -> float | None:
    """Cohen's kappa (1960): agreement of tags beyond that of chance, as a share of the possible."""

    def tags_of(review: ReviewedSentence) -> tuple[str, ...]:
        pair = review.sentence
        return encode(pair.target, review.entities, pair.target_lang).tags

    one, other = ([tag for both in shared for tag in tags_of(both[i])] for i in (0, 1))
    if len({*one, *other}) < 2:
        return None
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    often, other_often = Counter(one), Counter(other)
    chance = sum(often[tag] * other_often[tag] for tag in often) / len(one) ** 2
    kappa: float = (agreed - chance) / (1 - chance)
    return kappa


def _f1(shared: Sequence[Both]) -> float | None:
    same = marked = 0
    for one, other in shared:
        mine, theirs = marks_of(one.entities), marks_of(other.entities)
        same += len(mine & theirs)
        marked += len(mine) + len(theirs)
    return 2 * same / marked if marked else None


def _mean(figures: Iterable[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in figures if value is not None]
    weight = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weight if weight else None
