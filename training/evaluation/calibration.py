"""Fits the probability of a model's answers to how often they are right."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from projection.errors import TrainingError
from projection.models.calibration import LogisticModel, UnitSignals
from training.evaluation.reliability import Recalibration, reliability

_FEWEST = 50  # examples in all
_FEWEST_OF_EACH = 10  # right ones, and wrong ones
_FOLDS = 5

Model = TypeVar("Model", bound=LogisticModel)
Example = tuple[UnitSignals, bool]
"""The signals of an answer, and whether the answer was exactly right."""


def fit(examples: Sequence[Example], into: type[Model]) -> Model:
    """Fit a logistic model with ridge regularisation; a TrainingError if examples are too few."""
    right = sum(is_right for _, is_right in examples)
    wrong = len(examples) - right
    if len(examples) < _FEWEST or min(right, wrong) < _FEWEST_OF_EACH:
        what = f"{right} right and {wrong} wrong answers are too few"
        each = f"{_FEWEST_OF_EACH} right and {_FEWEST_OF_EACH} wrong ones"
        fix = f"Give data with at least {_FEWEST}, among them {each}"
        raise TrainingError("calibration", what, fix)
    return _fit(examples, into)


def _fit(examples: Sequence[Example], into: type[Model]) -> Model:
    """Minimise the log loss plus |w|²/2 of the weights of standardised features."""
    features = np.array([signals.features for signals, _ in examples])
    signs = np.array([1.0 if is_right else -1.0 for _, is_right in examples])
    mean, varies = features.mean(0), np.ptp(features, axis=0) > 0
    scale = np.where(varies, features.std(0), 1.0)
    features = np.where(varies, (features - mean) / scale, 0.0)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = parameters[:-1]
        margins = signs * (features @ weights + parameters[-1])
        slopes = -signs * expit(-margins)
        value = np.logaddexp(0, -margins).sum() + weights @ weights / 2
        return value, np.append(features.T @ slopes + weights, slopes.sum())

    start = np.zeros(features.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-12}).x
    # The scaling is folded into the weights, so that the checkpoint needs nothing else.
    weights = found[:-1] / scale
    return into(tuple(weights.tolist()), float(found[-1] - weights @ mean))


def cross_validated(examples: Sequence[Example], into: type[LogisticModel]) -> list[float]:
    """The probability of each example under a model fitted to the other four fifths.

    Every fold has the same share of right examples, and needs at least one (`fit` sees to that).
    """
    shuffled = np.random.default_rng(0).permutation(len(examples))
    # The wrong ones first, then the right ones, are dealt to the folds.
    dealt = sorted(shuffled, key=lambda place: examples[place][1])
    folds = np.empty(len(examples), dtype=int)
    folds[dealt] = np.arange(len(examples)) % _FOLDS
    fitted = [
        _fit(
            [example for example, fold in zip(examples, folds, strict=True) if fold != held_back],
            into,
        )
        for held_back in range(_FOLDS)
    ]
    pairs = zip(examples, folds, strict=True)
    return [fitted[fold].probability(signals) for (signals, _), fold in pairs]


def assess(examples: Sequence[Example], before: LogisticModel) -> Recalibration:
    """Compare the confidences of `before` with those of `fit`, cross-validated."""
    right = [is_right for _, is_right in examples]
    return Recalibration(
        reliability([before.probability(signals) for signals, _ in examples], right),
        reliability(cross_validated(examples, type(before)), right),
    )
