"""The probability that a projected span is exactly right, from signals of the aligner.

Mean word probabilities are no such probability: one doubtful word at its border makes a span wrong,
a rival elsewhere makes it doubtful. A small logistic model weighs such signals. It is fitted by
`training.aligner.calibration` and saved in the checkpoint's `config.json`.
"""

import math
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields
from typing import Self

from projection.errors import ModelError
from projection.io.json_fields import Fields

CLIP = 1e-4  # probabilities nearer to 0 or 1 are taken for this: their log-odds say nothing more
LARGEST = 1e6  # a larger weight could make a sum that is no number

_CALIBRATE = "Calibrate it again: spanferry aligner calibrate --help"


@dataclass(frozen=True, slots=True)
class Signals:
    """The aligner's view of one projected span. Everything lies in [0, 1].

    Args:
        inside: mean probability of the words in the span.
        weakest: the lowest one among them.
        outside: the highest probability of a word that touches the span, 0 where there is none.
        agreement: how far both alignment directions agree on the span, 1 if only one was asked.
        runner_up: mean probability of the entity's best other run of words, apart from the span;
            0 if there is none.

    Raises:
        ModelError: if a value lies elsewhere or is no number, as broken weights make it.
    """

    inside: float
    weakest: float
    outside: float
    agreement: float
    runner_up: float

    def __post_init__(self) -> None:
        for name, value in zip(FEATURES, astuple(self), strict=True):
            if not 0.0 <= value <= 1.0:  # true of NaN as well
                raise ModelError(
                    f"signal {name}", f"{value} is not in [0, 1]", "The checkpoint may be damaged"
                )

    @property
    def features(self) -> tuple[float, ...]:
        """The model's input, in the order of `FEATURES`: log-odds, but the agreement as it is."""
        return tuple(
            value if name == "agreement" else log_odds(value)
            for name, value in zip(FEATURES, astuple(self), strict=True)
        )


FEATURES: tuple[str, ...] = tuple(field.name for field in fields(Signals))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model of the probability that a span is exactly right.

    `weights` are those of `Signals.features`, in the order of `FEATURES`.

    Raises:
        ModelError: if there are more or fewer weights, or one is no usable number.
    """

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
        """Read back the output of `to_json`; `where` names the file, such as `model/config.json`.

        Raises:
            ModelError: if anything is missing, unknown, or no usable number.
        """
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


# The mean probability itself, but for `CLIP`: the score of an uncalibrated aligner.
UNCALIBRATED = Calibration((1.0, 0.0, 0.0, 0.0, 0.0), 0.0)


def log_odds(probability: float) -> float:
    """Log-odds of a probability in [0, 1], clipped to stay finite."""
    clipped = min(max(probability, CLIP), 1.0 - CLIP)
    return math.log(clipped / (1.0 - clipped))


def sigmoid(value: float) -> float:
    """The inverse of `log_odds`, for any finite number."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    odds = math.exp(value)
    return odds / (1.0 + odds)


def _refuse_others(found: Fields, known: Collection[str]) -> None:
    if others := sorted(set(found.row) - set(known)):
        raise found.error_here(f"unknown: {', '.join(others)}")
