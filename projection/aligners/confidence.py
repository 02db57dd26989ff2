"""The probability that a projected span is exactly right, of what the aligner shows of it.

Mean word probabilities do not tell: one wrong word at its border makes a span wrong.
"""

from dataclasses import dataclass
from typing import ClassVar

from projection.models.calibration import LogisticModel, UnitSignals


@dataclass(frozen=True, slots=True)
class Signals(UnitSignals):
    """The aligner's view of one projected span; every value is in [0, 1]."""

    LINEAR: ClassVar[frozenset[str]] = frozenset({"agreement"})

    inside: float  # mean probability of the words in the span
    weakest: float  # the lowest one
    outside: float  # the highest probability of a word beside the span, else 0
    agreement: float  # of both alignment directions
    runner_up: float  # mean probability of the best other run of words, else 0


class Calibration(LogisticModel):
    """A logistic model of the probability that a projected span is exactly right."""

    __slots__ = ()
    SIGNALS: ClassVar[type[UnitSignals]] = Signals
    FIX: ClassVar[str] = "Calibrate it again: spanferry aligner calibrate --help"


# Gives the mean probability of the words, clipped.
UNCALIBRATED = Calibration((1.0, 0.0, 0.0, 0.0, 0.0), 0.0)
