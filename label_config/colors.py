"""One colour per label, the same in every project, readable in both themes."""

import colorsys
import hashlib

# Colours people know from other NER tools; every other label gets one computed from its name.
FAMILIAR = {"PER": "#1f77b4", "ORG": "#d62728", "LOC": "#2a9134", "MISC": "#b26200"}

# A contrast of at least 3:1 against white and near-black, as WCAG 2.1 (1.4.11) asks of outlines.
_LUMINANCE = 0.2
_SATURATION = 0.7


def color_of(label: str) -> str:
    """Return the colour of `label` as `#rrggbb`."""
    if label in FAMILIAR:
        return FAMILIAR[label]
    digest = hashlib.blake2b(label.encode(), digest_size=2).digest()
    return _with_luminance(int.from_bytes(digest) / 0x10000)


def luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` in [0, 1], as WCAG 2.1 defines it."""
    red, green, blue = (_linear(int(color[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(color: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2.1 defines it."""
    darker, lighter = sorted((luminance(color), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _with_luminance(hue: float) -> str:
    # Lightness looks different in every hue, so it is searched for by halving.
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if luminance(_hex(hue, middle)) < _LUMINANCE:
            low = middle
        else:
            high = middle
    return _hex(hue, low)


def _hex(hue: float, lightness: float) -> str:
    channels = colorsys.hls_to_rgb(hue, lightness, _SATURATION)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
