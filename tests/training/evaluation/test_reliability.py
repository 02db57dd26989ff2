"""Confidences set against what was right: the figures by hand, and a picture that can be drawn."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import TrainingError
from training.evaluation.reliability import (
    THRESHOLDS,
    Bin,
    Kept,
    Recalibration,
    check_plot,
    reliability,
    reliability_plot,
)

judged = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_by_hand() -> None:
    figures = reliability([0.0, 0.05, 0.85, 0.89, 0.9, 1.0], [False, True, True, False, True, True])
    assert [(group.low, group.high, group.n) for group in figures.bins] == [
        (0.0, 0.1, 2),
        (0.8, 0.9, 2),
        (0.9, 1.0, 2),
    ]
    assert [group.confidence for group in figures.bins] == pytest.approx([0.025, 0.87, 0.95])
    assert [group.right for group in figures.bins] == [0.5, 0.5, 1.0]
    gaps = 2 * (0.475 + 0.37 + 0.05) / 6
    assert figures.expected_calibration_error == pytest.approx(gaps)
    squares = (0.95**2 + 0.15**2 + 0.89**2 + 0.1**2) / 6
    assert figures.brier == pytest.approx(squares)
    assert figures.n == 6


def test_what_thresholds_keep() -> None:
    figures = reliability([0.4, 0.8, 0.9, 0.97], [False, False, True, True])
    assert figures.kept == (
        Kept(0.5, 0.75, 2 / 3),
        Kept(0.8, 0.75, 2 / 3),
        Kept(0.9, 0.5, 1.0),
        Kept(0.95, 0.25, 1.0),
        Kept(0.99, 0.0, None),
    )


@given(judged)
def test_nothing_is_lost_and_errors_are_fractions(pairs: list[tuple[float, bool]]) -> None:
    figures = reliability(*zip(*pairs, strict=True))
    assert figures.n == len(pairs)
    assert 0 <= figures.expected_calibration_error <= 1
    assert 0 <= figures.brier <= 1
    for group in figures.bins:
        assert group.low <= group.confidence + 1e-12
        assert group.confidence <= group.high + 1e-12
    assert [kept.threshold for kept in figures.kept] == [*THRESHOLDS]
    assert all(more.share >= less.share for more, less in pairwise(figures.kept))


@given(st.lists(st.booleans(), min_size=1))
def test_who_knows_makes_no_error(right: list[bool]) -> None:
    figures = reliability([float(is_right) for is_right in right], right)
    assert (figures.expected_calibration_error, figures.brier) == (0, 0)


@pytest.mark.parametrize("border", [n / 10 for n in range(11)])
def test_borders_open_a_bin_and_one_closes_the_last(border: float) -> None:
    (group,) = reliability([border], [True]).bins
    assert group.low == min(border, 0.9)


@pytest.mark.parametrize(
    ("confidences", "right"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([0.5], [True, False], id="more answers"),
        pytest.param([0.5, 0.5], [True], id="fewer answers"),
        pytest.param([1.1], [True], id="no probability"),
        pytest.param([float("nan")], [True], id="no number"),
    ],
)
def test_what_cannot_be_compared(confidences: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match=r"confidences|zip\(\)"):
        reliability(confidences, right)


@pytest.mark.parametrize(
    ("n", "right", "interval"),
    [
        pytest.param(10, 0.0, (0.0, 0.2775), id="none of ten may still be a quarter"),
        pytest.param(10, 0.5, (0.2366, 0.7634), id="half of ten"),
        pytest.param(1000, 0.5, (0.4691, 0.5309), id="half of a thousand"),
        pytest.param(1, 1.0, (0.2065, 1.0), id="one says little"),
    ],
)
def test_intervals_as_published(n: int, right: float, interval: tuple[float, float]) -> None:
    """Wilson score intervals; the values are those of any statistics package."""
    assert Bin(0, 0.1, n, 0.05, right).interval == pytest.approx(interval, abs=1e-4)


@pytest.fixture
def assessment() -> Recalibration:
    right = [number % 3 != 0 for number in range(90)]
    return Recalibration(
        reliability([0.9 + number / 1000 for number in range(90)], right),
        reliability([number / 89 for number in range(90)], right),
    )


class TestPlot:
    @pytest.fixture(autouse=True)
    def _needs_matplotlib(self) -> None:
        pytest.importorskip("matplotlib")

    def test_png(self, assessment: Recalibration, tmp_path: Path) -> None:
        path = tmp_path / "new" / "reliability.PNG"
        reliability_plot(assessment, path)
        assert path.read_bytes().startswith(b"\x89PNG\r\n")

    def test_svg_is_the_same_for_the_same_figures(
        self, assessment: Recalibration, tmp_path: Path
    ) -> None:
        first, second = tmp_path / "a.svg", tmp_path / "b.svg"
        reliability_plot(assessment, first)
        reliability_plot(assessment, second)
        assert "</svg>" in first.read_text()
        assert first.read_bytes() == second.read_bytes()

    def test_a_single_bin_can_be_drawn(self, tmp_path: Path) -> None:
        one = reliability([1.0], [True])
        reliability_plot(Recalibration(one, one), tmp_path / "one.png")

    @pytest.mark.parametrize("name", ["plot", "plot.pdf", "plot.jpg"])
    def test_other_formats_are_refused_before_the_work(self, name: str) -> None:
        with pytest.raises(TrainingError, match=r"Name it \.png or \.svg"):
            check_plot(Path(name))


def test_without_matplotlib_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, assessment: Recalibration, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # how Python marks what is not there
    with pytest.raises(TrainingError, match=r"need matplotlib.*spanferry\[plots\]"):
        reliability_plot(assessment, tmp_path / "plot.png")
    assert [*tmp_path.iterdir()] == []
