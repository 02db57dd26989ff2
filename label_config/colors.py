"""The colours of labels: far apart within a project, readable in both themes."""

import colorsys
import hashlib
from collections.abc import Sequence

# Colours people know from other NER tools.
FAMILIAR = {"PER": "#1f77b4", "ORG": "#d62728", "LOC": "#2a9134", "MISC": "#b26200"}

# For the other labels of a project in their order, each as far from those before it as a contrast
# of 3:1 against white and near-black allows (WCAG 2.1, 1.4.11).
FURTHER = (
    *("#b300ff", "#db709b", "#a39300", "#00a3a3", "#938dce", "#c07d6d", "#497966"),
    *("#965a96", "#797449", "#ff570f", "#ff2eea", "#d81865", "#6464d8", "#739aab"),
)
_LUMINANCE, _SATURATION = 0.2, 0.7


def colors_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the colour of each label as `#rrggbb`; labels added at the end change no other."""
    further = iter(FURTHER)
    return {
        label: FAMILIAR.get(label) or next(further, None) or _computed(label) for label in labels
    }


def luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` in [0, 1], as WCAG 2.1 defines it."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _computed(label: str) -> str:
    """Return a colour of the hue that the name gives."""
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


def _hex(hue: float, lightness: float) -> str:
    channels = colorsys.hls_to_rgb(hue, lightness, _SATURATION)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
