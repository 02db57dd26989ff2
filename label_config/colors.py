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
    hue = int.from_bytes(digest) / 0x10000
    # Lightness looks different in every hue, so it is searched for by halving.
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if luminance(_hex(hue, middle)) < _LUMINANCE:
            low = middle
        else:
            high = middle
    return _hex(hue, low)


def luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` in [0, 1], as WCAG 2.1 defines it."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(hue: float, lightness: float) -> str:
    channels = colorsys.hls_to_rgb(hue, lightness, _SATURATION)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
