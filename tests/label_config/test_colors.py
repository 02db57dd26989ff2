import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.colors import FAMILIAR, FURTHER, colors_of
from tests.label_config.wcag import contrast

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#262522"


@settings(deadline=None)  # a busy machine is not a failure
@given(st.lists(st.text(min_size=1) | st.sampled_from(sorted(FAMILIAR)), unique=True, max_size=25))
def test_every_label_can_be_told_from_a_light_and_a_dark_page(labels: list[str]) -> None:
    for color in colors_of(labels).values():
        assert contrast(color, LIGHT_PAGE) >= 3
        assert contrast(color, DARK_PAGE) >= 3


def test_the_familiar_labels_and_fourteen_others_differ_clearly() -> None:
    labels = [*FAMILIAR, *(f"TYPE-{n}" for n in range(len(FURTHER)))]
    colors = [channels(color) for color in colors_of(labels).values()]
    distances = [apart(a, b) for n, a in enumerate(colors) for b in colors[:n]]
    assert len(colors) == 18
    assert min(distances) > 40


def channels(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def apart(one: list[int], other: list[int]) -> float:
    """How different two colours look: the weighted distance known as “redmean”, 0 to 765."""
    mean = (one[0] + other[0]) / 2
    red, green, blue = ((a - b) ** 2 for a, b in zip(one, other, strict=True))
    return ((2 + mean / 256) * red + 4 * green + (2 + (255 - mean) / 256) * blue) ** 0.5


def test_labels_added_at_the_end_change_no_color() -> None:
    labels = [*(f"TYPE-{n}" for n in range(20)), "weather/attribute"]
    colors = colors_of(labels)
    assert [colors_of(labels[:n]) for n in (3, 9)] == [
        {label: colors[label] for label in labels[:n]} for n in (3, 9)
    ]
    assert colors["weather/attribute"] == "#6c6ee5"


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
