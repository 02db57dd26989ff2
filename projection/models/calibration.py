"""The probability that an answer is right: a logistic model of what a model shows of the answer.

It is fitted by `training.evaluation.calibration` on data the model was not trained on, and saved in
the checkpoint's `config.json`.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from projection.errors import ModelError
from projection.io.json_fields import Fields

CALIBRATION = "calibration"  # the key in `config.json`
CLIP = 1e-4  # the least distance from 0 and 1 of a probability whose log-odds are taken
LARGEST = 1e6  # with larger weights the sum could overflow


@dataclass(frozen=True, slots=True)
class UnitSignals:
    """What a model shows of one answer; every value is in [0, 1]."""

    LINEAR: ClassVar[frozenset[str]] = frozenset()  # taken as they are, the others as log-odds

    def __post_init__(self) -> None:
        for name in self.names():
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:  # true of NaN as well, which broken weights give
                what = f"{value} is not in [0, 1]"
                raise ModelError(f"signal {name}", what, "The checkpoint may be damaged")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the signals, in the order of the weights."""
        return tuple(field.name for field in fields(cls))

    @property
    def features(self) -> tuple[float, ...]:
        """The input of the logistic model, in the order of `names`."""
        return tuple(
            getattr(self, name) if name in self.LINEAR else log_odds(getattr(self, name))
            for name in self.names()
        )


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """A logistic model of the probability that an answer is right; a weight per signal.

    A subclass names its `SIGNALS`, and in `FIX` how it is fitted again.
    """

    SIGNALS: ClassVar[type[UnitSignals]]
    FIX: ClassVar[str]

    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        names = self.SIGNALS.names()
        if len(self.weights) != len(names):
            what = f"{len(self.weights)} weights for {len(names)} signals"
            raise ModelError("calibration", what, self.FIX)
        for name, value in zip((*names, "bias"), (*self.weights, self.bias), strict=True):
            if not abs(value) <= LARGEST:  # true of NaN as well
                raise ModelError(f"calibration {name}", f"{value} is no usable number", self.FIX)

    def probability(self, signals: UnitSignals) -> float:
        """The probability that the answer is right, in [0, 1]."""
        weighed = (w * x for w, x in zip(self.weights, signals.features, strict=True))
        return sigmoid(sum(weighed, self.bias))

    def to_json(self) -> dict[str, object]:
        """The value of `calibration` in a checkpoint's `config.json`."""
        weights = dict(zip(self.SIGNALS.names(), self.weights, strict=True))
        return {"weights": weights, "bias": self.bias}

    @classmethod
    def from_json(cls, saved: object, where: str) -> Self:
        """Read the output of `to_json` strictly; `where` names the file in errors."""
        whole = Fields({CALIBRATION: saved}, where, ModelError, cls.FIX).child(CALIBRATION)
        _refuse_others(whole, ("weights", "bias"))
        weights, names = whole.child("weights"), cls.SIGNALS.names()
        _refuse_others(weights, names)
        values = tuple(weights.number(name) for name in names)
        bias = whole.number("bias")
        try:
            return cls(values, bias)
        except ModelError as error:
            raise whole.error_here(f"{error.where}: {error.what}") from error


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
