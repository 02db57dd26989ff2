"""The pace of the model, by which turns are cut and requests refused."""

import pytest

from ml_backend.serving.pace import TURN_SECONDS, Pace


def test_a_turn_is_as_long_as_the_pace_allows() -> None:
    pace = Pace()
    assert pace.seconds(10**6) == 0, "nothing is refused before anything is known"
    assert (pace.fits(1000), pace.fits(1001)) == (True, False)
    pace.learn(1000, 0.1)
    assert pace.seconds(500) == pytest.approx(0.05)
    assert (pace.fits(10_000 * TURN_SECONDS), pace.fits(10_000 * TURN_SECONDS + 1)) == (True, False)
    for _ in range(100):
        pace.learn(1000, 0.01)
    assert pace.seconds(1000) == pytest.approx(0.01, rel=0.01)
