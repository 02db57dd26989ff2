"""Shares and their Wilson intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_backend.report.shares import Share


def test_wilson_by_hand() -> None:
    """Wilson (1927) for 8 of 10, as any table has it."""
    low, high = Share(8, 10).interval or (0, 0)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_nothing_of_nothing_has_no_value() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_around_the_share(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    low, high = share.interval or (1, 0)
    assert share.value is not None
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert Share(*counts).interval == pytest.approx((expected.low, expected.high), abs=1e-6)
