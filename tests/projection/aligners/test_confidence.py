"""The aligner's signals, and what they say of a projected span."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.confidence import UNCALIBRATED, Calibration, Signals
from projection.models.calibration import CLIP

SURE = Signals(inside=0.9, weakest=0.8, outside=0.1, agreement=1.0, runner_up=0.0)

fractions = st.floats(0, 1)
signals = st.builds(Signals, fractions, fractions, fractions, fractions, fractions)


@given(signals)
def test_uncalibrated_it_is_the_mean_probability(seen: Signals) -> None:
    assert UNCALIBRATED.probability(seen) == pytest.approx(seen.inside, abs=CLIP + 1e-9)


@pytest.mark.parametrize(
    ("name", "better"),
    [("inside", True), ("weakest", True), ("outside", False), ("agreement", True)],
)
def test_the_sign_of_a_weight_is_its_direction(name: str, better: bool) -> None:
    weights = tuple((1.0 if better else -1.0) if name == f else 0.0 for f in Signals.names())
    calibration = Calibration(weights, 0.0)
    low, high = (calibration.probability(replace(SURE, **{name: x})) for x in (0.3, 0.6))
    assert (low < high) is better
