"""Figures of a report in words."""

import pytest

from ml_backend.report.words import between, duration


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (between((0.8, 0.864)), "80 to 86 %"),
        (between(None), "–"),
        (duration(7.25), "7.2 s"),
        (duration(95), "95 s"),
        (duration(600), "10 min"),
        (duration(12_600), "3.5 h"),
    ],
)
def test_figures_in_words(made: str, said: str) -> None:
    assert made == said
