"""The probability that a projected span is exactly right: a logistic model of aligner signals.

Mean word probabilities do not tell: one wrong word at its border makes a span wrong. The model is
fitted by `training.aligner.calibration` and saved in the checkpoint's `config.json`.
"""

import math
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields
from typing import Self

from projection.errors import ModelError
from projection.io.json_fields import Fields

CLIP = 1e-4  # the least distance from 0 and 1 of a probability whose log-odds are taken
LARGEST = 1e6  # with larger weights the sum could overflow
_CALIBRATE = "Calibrate it again: spanferry aligner calibrate --help"


@dataclass(frozen=True, slots=True)
class Signals:
    """The aligner's view of one projected span; every value is in [0, 1]."""

    inside: float  # mean probability of the words in the span
    weakest: float  # the lowest one
    outside: float  # the highest probability of a word beside the span, else 0
    agreement: float  # of both alignment directions
    runner_up: float  # mean probability of the best other run of words, else 0

    def __post_init__(self) -> None:
        for name, value in zip(FEATURES, astuple(self), strict=True):
            if not 0.0 <= value <= 1.0:  # true of NaN as well, which broken weights give
                what = f"{value} is not in [0, 1]"
                raise ModelError(f"signal {name}", what, "The checkpoint may be damaged")

    @property
    def features(self) -> tuple[float, ...]:
        """The model's input in the order of `FEATURES`: log-odds, except of the agreement."""
        return tuple(
            value if name == "agreement" else log_odds(value)
            for name, value in zip(FEATURES, astuple(self), strict=True)
        )


FEATURES: tuple[str, ...] = tuple(field.name for field in fields(Signals))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model of the probability that a span is exactly right; a weight per feature."""

    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES):
            what = f"{len(self.weights)} weights for {len(FEATURES)} signals"
            raise ModelError("calibration", what, _CALIBRATE)
        for name, value in zip((*FEATURES, "bias"), (*self.weights, self.bias), strict=True):
            if not abs(value) <= LARGEST:  # true of NaN as well
                raise ModelError(f"calibration {name}", f"{value} is no usable number", _CALIBRATE)

    def probability(self, signals: Signals) -> float:
        """The probability that the span is exactly right, in [0, 1]."""
        weighed = (w * x for w, x in zip(self.weights, signals.features, strict=True))
        return sigmoid(sum(weighed, self.bias))

    def to_json(self) -> dict[str, object]:
        """The value of `calibration` in a checkpoint's `config.json`."""
        return {"weights": dict(zip(FEATURES, self.weights, strict=True)), "bias": self.bias}

    @classmethod
    def from_json(cls, saved: object, where: str) -> Self:
        """Read the output of `to_json` strictly; `where` names the file in errors."""
        whole = Fields({"calibration": saved}, where, ModelError, _CALIBRATE).child("calibration")
        _refuse_others(whole, ("weights", "bias"))
        weights = whole.child("weights")
        _refuse_others(weights, FEATURES)
        values = tuple(weights.number(name) for name in FEATURES)
        bias = whole.number("bias")
        try:
            return cls(values, bias)
        except ModelError as error:
            raise whole.error_here(f"{error.where}: {error.what}") from error


# Gives the mean probability of the words, clipped.
UNCALIBRATED = Calibration((1.0, 0.0, 0.0, 0.0, 0.0), 0.0)


def log_odds(probability: float) -> float:
    """Log-odds of a probability in [0, 1], clipped to stay finite."""
    clipped = min(max(probability, CLIP), 1.0 - CLIP)
    return math.log(clipped / (1.0 - clipped))


def sigmoid(value: float) -> float:
    """The inverse of `log_odds`, without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    odds = math.exp(value)
    return odds / (1.0 + odds)


def _refuse_others(found: Fields, known: Collection[str]) -> None:
    if others := sorted(set(found.row) - set(known)):
        raise found.error_here(f"unknown: {', '.join(others)}")
