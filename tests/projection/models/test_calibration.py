"""Signals become probabilities; what a checkpoint keeps of it is read strictly."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.confidence import UNCALIBRATED, Calibration, Signals
from projection.errors import ModelError
from projection.models.calibration import CLIP, LARGEST, log_odds, sigmoid

WHERE = "models/a/config.json"
SURE = Signals(inside=0.9, weakest=0.8, outside=0.1, agreement=1.0, runner_up=0.0)

FEATURES = Signals.names()
fractions = st.floats(0, 1)
signals = st.builds(Signals, fractions, fractions, fractions, fractions, fractions)
numbers = st.floats(-LARGEST, LARGEST)
calibrations = st.builds(Calibration, st.tuples(*[numbers] * len(FEATURES)), numbers)


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf, -math.inf])
def test_a_signal_is_a_fraction(name: str, value: float) -> None:
    with pytest.raises(ModelError, match=rf"signal {name}: .* is not in \[0, 1\]"):
        replace(SURE, **{name: value})


@given(calibrations, signals)
def test_whatever_the_weights_it_is_a_probability(calibration: Calibration, seen: Signals) -> None:
    assert 0.0 <= calibration.probability(seen) <= 1.0


@given(st.floats(CLIP, 1 - CLIP))
def test_sigmoid_undoes_log_odds(probability: float) -> None:
    assert sigmoid(log_odds(probability)) == pytest.approx(probability)


def test_sigmoid_of_extremes() -> None:
    assert (sigmoid(1e9), sigmoid(-1e9), sigmoid(0)) == (1.0, 0.0, 0.5)


def test_every_signal_has_its_own_weight() -> None:
    """By hand: odds of 4 to 1 inside, 1 to 4 outside; the agreement counts as it is."""
    seen = Signals(inside=0.8, weakest=0.5, outside=0.2, agreement=0.25, runner_up=0.5)
    calibration = Calibration((2.0, 100.0, 1.0, 4.0, 100.0), -1.0)
    assert calibration.probability(seen) == pytest.approx(4 / 5)
    assert Calibration((0.0, 0.0, 0.0, 1.0, 0.0), 0.0).probability(seen) == sigmoid(0.25)


@given(calibrations)
def test_json_round_trip(calibration: Calibration) -> None:
    saved = json.loads(json.dumps(calibration.to_json()))
    assert Calibration.from_json(saved, WHERE) == calibration


def damaged(**changes: Any) -> dict[str, Any]:
    return {**UNCALIBRATED.to_json(), **changes}


WEIGHTS = dict.fromkeys(FEATURES, 0.0)


@pytest.mark.parametrize(
    ("saved", "complaint"),
    [
        pytest.param(None, "calibration: None where an object", id="null"),
        pytest.param([1, 2], r"calibration: \[1, 2\] where an object", id="list"),
        pytest.param({}, "weights: missing", id="empty"),
        pytest.param({"weights": WEIGHTS}, "bias: missing", id="no bias"),
        pytest.param(damaged(bias="0"), "bias: '0' where a number", id="text"),
        pytest.param(damaged(bias=True), "bias: True where a number", id="boolean"),
        pytest.param(damaged(bias=None), "bias: None where a number", id="null bias"),
        pytest.param(damaged(bias=math.nan), "bias: nan where a finite number", id="NaN"),
        pytest.param(damaged(bias=10**400), "bias: .* a smaller number", id="too long"),
        pytest.param(damaged(scale=1), "calibration: unknown: scale", id="unknown field"),
        pytest.param(damaged(weights=[0.0] * 5), "weights: .* an object", id="weights unnamed"),
        pytest.param(damaged(weights={**WEIGHTS, "length": 1}), "unknown: length", id="unknown"),
        pytest.param(
            damaged(weights={**WEIGHTS, "outside": math.inf}),
            "weights outside: inf where a finite number",
            id="infinite weight",
        ),
        pytest.param(
            damaged(weights={n: 0 for n in FEATURES if n != "runner_up"}),
            "runner_up: missing",
            id="missing weight",
        ),
    ],
)
def test_a_damaged_one_is_refused_and_named(saved: object, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint) as error:
        Calibration.from_json(saved, WHERE)
    assert error.value.where.startswith(WHERE)
    assert "spanferry aligner calibrate" in error.value.fix


@pytest.mark.parametrize("count", [0, len(FEATURES) - 1, len(FEATURES) + 1])
def test_a_weight_for_every_signal(count: int) -> None:
    with pytest.raises(ModelError, match=f"{count} weights for 5 signals"):
        Calibration((0.0,) * count, 0.0)
