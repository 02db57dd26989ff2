"""From a probability per target word to the phrases of an entity."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from projection.errors import ModelError
from projection.records import Span
from projection.text.words import span_of_words

SUREST = 6.0  # the largest log-odds of a word
_TAKEN = -1e6  # log-odds of a word that another entity has

Run = tuple[int, int]  # half-open range of words
ScoredSpan = tuple[Span, float]  # of the target, with the mean probability of its words


class ScoredRun(NamedTuple):
    """A run of words that could translate an entity, with the sum of its words' log-odds."""

    run: Run
    strength: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """How words become phrases.

    Word by word, as published: a word belongs to the entity from `threshold` on, and runs of such
    words at most `bridge` words apart are one phrase, unless they read the same (`Wales and
    Wales`).

    With `whole_spans` an entity has one place: the run of words whose log-odds above the threshold
    have the largest sum. With `exclusive` no word is given to two entities: the surest chooses
    first, the others among the words left. `both_directions` takes the mean of both directions'
    probabilities, if the aligner has two.
    """

    threshold: float = 0.5
    bridge: int = 1
    whole_spans: bool = False
    exclusive: bool = False
    both_directions: bool = False

    @property
    def in_places(self) -> bool:
        """Return whether each entity gets one place at most."""
        return self.whole_spans or self.exclusive


PUBLISHED = Decoding(threshold=0.5, bridge=0)
DEFAULT = Decoding()
JOINT = Decoding(whole_spans=True, exclusive=True)


def saved_decoding(saved: dict[str, Any] | None, default: Decoding, where: str) -> Decoding:
    """The decoding in the configuration `where`, or the default if there is none."""
    try:
        return default if saved is None else Decoding(**saved)
    except TypeError as error:
        fix = 'Such as {"threshold": 0.5, "bridge": 1}'
        raise ModelError(f"{where} decoding", str(error), fix) from error


def phrases(
    probabilities: Sequence[float], words: Sequence[Span], text: str, decoding: Decoding = DEFAULT
) -> list[ScoredSpan]:
    """The phrases of one entity, left to right; `probabilities` are one per word of `text`."""
    runs: list[Run] = []
    position = 0
    for likely, group in groupby(probabilities, key=lambda p: p >= decoding.threshold):
        run = (position, position + sum(1 for _ in group))
        position = run[1]
        if not likely:
            continue
        near = runs and run[0] - runs[-1][1] <= decoding.bridge
        if near and _read(runs[-1], words, text) != _read(run, words, text):
            runs[-1] = (runs[-1][0], run[1])
        else:
            runs.append(run)
    return [scored_span(run, probabilities, words) for run in runs]


def _read(run: Run, words: Sequence[Span], text: str) -> str:
    return span_of_words(words, *run).of(text)


def scored_span(run: Run, probabilities: Sequence[float], words: Sequence[Span]) -> ScoredSpan:
    """The characters of a run of words, with the mean of their probabilities."""
    inside = probabilities[slice(*run)]
    return span_of_words(words, *run), sum(inside) / len(inside)


def place_all(beliefs: Sequence[Sequence[float]], decoding: Decoding) -> list[ScoredRun | None]:
    """One place at most for each entity, given each word's probability to belong to it."""
    odds = [_odds_above(row, decoding.threshold) for row in beliefs]
    places = [best_place(row) for row in odds]
    if not decoding.exclusive:
        return places
    waiting = {i for i, place in enumerate(places) if place is not None}
    while waiting:
        surest = max(waiting, key=lambda i: (_strength(places[i]), -i))
        waiting.discard(surest)
        if (chosen := places[surest]) is None:
            continue
        for i in waiting:
            _take(odds[i], chosen)
            places[i] = best_place(odds[i])
    return places


def best_place(odds: Sequence[float]) -> ScoredRun | None:
    """The run with the largest positive sum, the earliest and shortest of equals."""
    best, total, start = None, 0.0, 0
    for position, value in enumerate(odds):
        if total <= 0:
            total, start = 0.0, position
        total += value
        if total > _strength(best):
            best = ScoredRun((start, position + 1), total)
    return best


def other_places(
    probabilities: Sequence[float], place: ScoredRun | None, decoding: Decoding
) -> Iterator[ScoredRun]:
    """The other places of an entity than `place`, strongest first, none sharing a word.

    Other entities may have their words.
    """
    odds = _odds_above(probabilities, decoding.threshold)
    _take(odds, place)
    while (other := best_place(odds)) is not None:
        yield other
        _take(odds, other)


def _take(odds: list[float], place: ScoredRun | None) -> None:
    """Make the words of `place` unavailable."""
    if place is not None:
        start, end = place.run
        odds[start:end] = [_TAKEN] * (end - start)


def _odds_above(probabilities: Sequence[float], threshold: float) -> list[float]:
    """Log-odds of each word, above those of the threshold."""
    least = _log_odds(threshold)
    return [_log_odds(p) - least for p in probabilities]


def _log_odds(probability: float) -> float:
    """Within ±`SUREST`, so that one word never outweighs many."""
    p = min(max(probability, 1e-9), 1 - 1e-9)
    return min(max(math.log(p / (1 - p)), -SUREST), SUREST)


def _strength(place: ScoredRun | None) -> float:
    return 0.0 if place is None else place.strength


def share_out(found: Sequence[ScoredSpan], mentions: int) -> list[tuple[ScoredSpan, ...]]:
    """Give the phrases of one name to its `mentions` in the source sentence, in reading order.

    A pair aligner gives every mention of a name the same answer. The last mention gets all phrases
    left over, mentions left over get none.
    """
    shares = [tuple(found[i : i + 1]) for i in range(mentions)]
    if len(found) > mentions:
        shares[-1] = tuple(found[mentions - 1 :])
    return shares
