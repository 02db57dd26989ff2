"""The contrast of colours, as the tests of the page measure it."""

from label_config.colors import luminance


def contrast(color: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2.1 defines it."""
    darker, lighter = sorted((luminance(color), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
