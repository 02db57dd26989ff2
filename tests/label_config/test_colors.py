import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.colors import FAMILIAR, color_of
from tests.label_config.wcag import contrast

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#262522"


@settings(deadline=None)  # a busy machine is not a failure
@given(st.text(min_size=1) | st.sampled_from(sorted(FAMILIAR)))
def test_every_label_can_be_told_from_a_light_and_a_dark_page(label: str) -> None:
    color = color_of(label)
    assert contrast(color, LIGHT_PAGE) >= 3
    assert contrast(color, DARK_PAGE) >= 3


def test_the_color_of_a_label_never_changes() -> None:
    assert color_of("weather/attribute") == "#6c6ee5"


def test_common_labels_look_different() -> None:
    assert len({color_of(label) for label in ("PER", "ORG", "LOC", "MISC", "DATE")}) == 5


@pytest.mark.parametrize(
    ("color", "other", "ratio"),
    [
        pytest.param("#ffffff", "#000000", 21.0, id="white on black is the most there is"),
        pytest.param("#777777", "#777777", 1.0, id="a color on itself is the least"),
        pytest.param("#ffffff", "#767676", 4.54, id="the example of WCAG 1.4.3"),
    ],
)
def test_contrast_is_as_wcag_defines_it(color: str, other: str, ratio: float) -> None:
    assert contrast(color, other) == pytest.approx(ratio, abs=0.01)
