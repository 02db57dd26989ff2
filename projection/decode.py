"""From a probability per target word to the phrases of an entity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from projection.records import Span
from projection.words import span_of_words


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of the target sentence with the mean probability of its words."""

    span: Span
    score: float


@dataclass(frozen=True, slots=True)
class Decoding:
    """How words become phrases.

    A word belongs to the entity from `threshold` on. Runs of such words at most `bridge` words
    apart are one phrase, unless they read the same: `Wales and Wales` is two. 0 takes the labels
    word by word, as published.
    """

    threshold: float = 0.5
    bridge: int = 1


PUBLISHED = Decoding(threshold=0.5, bridge=0)
DEFAULT = Decoding()

Run = tuple[int, int]  # half-open range of words


def phrases(
    probabilities: Sequence[float],
    words: Sequence[Span],
    text: str,
    decoding: Decoding = DEFAULT,
) -> list[Phrase]:
    """The phrases of one entity, left to right.

    Args:
        probabilities: one per word, that it belongs to the entity.
        words: of the target sentence.
        text: the target sentence.
        decoding: threshold and bridging.
    """
    runs: list[Run] = []
    for run in likely_runs(probabilities, decoding.threshold):
        near = runs and run[0] - runs[-1][1] <= decoding.bridge
        if near and read(runs[-1], words, text) != read(run, words, text):
            runs[-1] = (runs[-1][0], run[1])
        else:
            runs.append(run)
    return [
        Phrase(span_of_words(words, start, end), sum(probabilities[start:end]) / (end - start))
        for start, end in runs
    ]


def likely_runs(probabilities: Sequence[float], threshold: float) -> Iterator[Run]:
    """Longest runs of words that reach the threshold."""
    position = 0
    for likely, group in groupby(probabilities, key=lambda p: p >= threshold):
        length = sum(1 for _ in group)
        if likely:
            yield position, position + length
        position += length


def read(run: Run, words: Sequence[Span], text: str) -> str:
    """The text of a run of words."""
    return span_of_words(words, *run).of(text)


def share_out(found: Sequence[Phrase], mentions: int) -> list[tuple[Phrase, ...]]:
    """Hand the phrases of one name to its `mentions` in the source sentence, in reading order.

    A pair aligner sees the bare name, so every mention of it gets the same answer: one entity
    mentioned twice and found twice is two entities, not one mapped to two phrases. Phrases left
    over stay with the last mention, mentions left over get none.
    """
    shares = [tuple(found[i : i + 1]) for i in range(mentions)]
    if len(found) > mentions:
        shares[-1] = tuple(found[mentions - 1 :])
    return shares
