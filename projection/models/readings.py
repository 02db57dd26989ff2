"""What a tagger's word probabilities say of each phrase that is or could be an entity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projection.models.calibration import LogisticModel, UnitSignals

LEAST_LIKELY = 0.01  # of a word to be in an entity; less is noise


@dataclass(frozen=True, slots=True)
class ReadingSignals(UnitSignals):
    """The tagger's view of a span and a type; every value is in [0, 1]."""

    inside: float  # mean probability of the type, over the words
    weakest: float  # the lowest one
    outside: float  # the highest probability that a word beside is in an entity, else 0


class TaggerCalibration(LogisticModel):
    """A logistic model of the probability that span and type are both right."""

    __slots__ = ()
    SIGNALS: ClassVar[type[UnitSignals]] = ReadingSignals
    FIX: ClassVar[str] = "Calibrate it again: spanferry aligner calibrate-teacher --help"


# Gives the mean probability of the words, clipped.
UNCALIBRATED_TAGGER = TaggerCalibration((1.0, 0.0, 0.0), 0.0)


class Reading(NamedTuple):
    """Words `[start, end)` as an entity of type `label`.

    `chosen` if it is the tagger's answer; else the words are outside entities in the answer, or
    have another type there.
    """

    start: int
    end: int
    label: str
    signals: ReadingSignals
    chosen: bool


def readings_of(
    entities: Sequence[tuple[int, int, str]],
    labels: Sequence[str],
    likely: NDArray[np.floating],
) -> Iterator[Reading]:
    """Yield the reading of each entity `(start, end, type)` of the answer, then its alternatives.

    `likely` is the probability of each type in `labels`: words × types. Alternatives are the likely
    runs of words that are in no entity, and types that are likelier for an entity than none.
    """
    of_any = likely.sum(1)
    for start, end, label in entities:
        chosen = labels.index(label)
        yield _reading(start, end, chosen, labels, likely, chosen=True)
        means = likely[start:end].mean(0)
        none = 1.0 - float(of_any[start:end].mean())
        others = [i for i in range(len(labels)) if i != chosen and means[i] >= LEAST_LIKELY]
        best = max(others, key=lambda i: float(means[i]), default=None)
        if best is not None and means[best] > none:
            yield _reading(start, end, best, labels, likely, chosen=False)
    open_words = of_any >= LEAST_LIKELY
    for start, end, _ in entities:
        open_words[start:end] = False
    for start, end in _runs(open_words):
        best = int(likely[start:end].mean(0).argmax())
        yield _reading(start, end, best, labels, likely, chosen=False)


def _runs(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The runs of true values as (start, end)."""
    borders = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    yield from zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True)


def _reading(
    start: int,
    end: int,
    label: int,
    labels: Sequence[str],
    likely: NDArray[np.floating],
    *,
    chosen: bool,
) -> Reading:
    inside = likely[start:end, label]
    beside = [i for i in (start - 1, end) if 0 <= i < len(likely)]
    signals = ReadingSignals(
        inside=_clipped(inside.mean()),
        weakest=_clipped(inside.min()),
        outside=_clipped(max((likely[i].sum() for i in beside), default=0.0)),
    )
    return Reading(start, end, labels[label], signals, chosen)


def _clipped(value: float) -> float:
    """A probability without the rounding error of a sum in single precision."""
    return min(float(value), 1.0)
