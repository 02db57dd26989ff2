"""The plots of a report as SVG."""

import re

import pytest

from ml_backend.report import plots
from ml_backend.report.figures import Report
from tests.ml_backend.reviews import ALL, RIGHT, review, reviews, timed

pytest.importorskip("matplotlib")


def test_plots_take_the_colours_of_the_page() -> None:
    drawn = plots.draw_all(Report.of(reviews(*timed(12, 6, 3), review(ALL, RIGHT, number=99))))
    assert set(drawn) == {"days", "calibration"}
    for svg in drawn.values():
        assert svg.startswith("<svg")
        assert "var(--" in svg
        assert not re.search(r"#0[1-7]0[1-7]0[1-7]", svg)
        assert not re.search(r'<svg[^>]* (width|height)="', svg)


def test_the_same_figures_make_the_same_plots() -> None:
    found = Report.of(reviews(*timed(12, 6, 3)))
    assert plots.draw_all(found) == plots.draw_all(found)


def test_long_reviews_are_drawn_by_the_week() -> None:
    both = ("2026-01-01T10:00:00Z", "2026-06-30T10:00:00Z")
    long = reviews(*(review(ALL, ALL, number=n, at=at) for n, at in enumerate(both)))
    assert "a week" in plots.draw_all(Report.of(long))["days"]


def test_error_bars_reach_from_the_value_to_the_ends_of_its_interval() -> None:
    found = plots.bars([0.5, 1.0], [(0.25, 0.75), (0.5, 1.0 - 1e-12)])
    assert found.tolist() == [[0.25, 0.5], [0.25, 0.0]]
    assert plots.bars([], []).shape == (2, 0)
