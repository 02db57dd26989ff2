"""Counts, shares and names as people read them: on pages, in plots and in the terminal alike."""

from collections import Counter
from collections.abc import Mapping, Sequence

from projection.records import ConflictKind

FIX_UNTRAINED = "Train one: spanferry aligner data, then spanferry aligner train --base mini"
DASH = "–"  # stands for a figure that does not exist
NO_CONFLICT = "none"

CONFLICT_NAMES: Mapping[str, str] = {
    ConflictKind.FAILED_MAPPING: "failed mapping",
    ConflictKind.OVERLAP: "overlap",
    ConflictKind.ONE_TO_MANY: "one-to-many",
    ConflictKind.LOW_CONFIDENCE: "low confidence",
    ConflictKind.TYPE_UNSURE: "type unsure",
    ConflictKind.UNPROJECTED: "target only",
    NO_CONFLICT: "no conflict",
}
CONFLICT_MEANINGS: Mapping[str, str] = {
    ConflictKind.FAILED_MAPPING: "a source entity was not found in the translation",
    ConflictKind.OVERLAP: "two entities claim the same words",
    ConflictKind.ONE_TO_MANY: "a source entity matches several places in the translation",
    ConflictKind.LOW_CONFIDENCE: "the aligner is unsure of the place of an entity",
    ConflictKind.TYPE_UNSURE: "the teacher is unsure of an entity, or of words it left out",
    ConflictKind.UNPROJECTED: "a second model found an entity that the source does not have",
    NO_CONFLICT: "nothing was flagged",
}


def counted(count: int, one: str, many: str = "") -> str:
    """Format `1 sentence`, `2,000 sentences`; pass `many` where an s is not enough."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def in_words(name: str) -> str:
    """Return the display name of a conflict, else `name` with spaces for underscores."""
    return CONFLICT_NAMES.get(name, name.replace("_", " "))


def counts_in_words(counts: Mapping[str, int]) -> str:
    """Format `overlap 3, one-to-many 1`, most frequent first."""
    return ", ".join(f"{in_words(name)} {n}" for name, n in Counter(counts).most_common())


def untrained_language(lang: str, trained: Sequence[str]) -> str:
    """Say what an aligner trained on other languages means for the sentences in `lang`."""
    return (
        f"{lang}: the aligner was not trained on this language, but on {', '.join(trained)}. "
        "Expect many entities not found or with wrong ends, also where the confidence is high"
    )


def percent(fraction: float | None) -> str:
    """Format `83 %`, with one decimal below 1 and above 99, where it matters: `99.6 %`."""
    if fraction is None:
        return DASH
    shown = 100 * fraction
    return f"{shown:.1f} %" if 0 < shown < 1 or 99 < shown < 100 else f"{shown:.0f} %"


def points(fraction: float | None) -> str:
    """Format a score out of 100, as the field states F1: `91.6`."""
    return DASH if fraction is None else f"{100 * fraction:.1f}"
