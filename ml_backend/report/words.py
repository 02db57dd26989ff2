"""Intervals, durations and agreement as people read them, on the page and in the terminal."""

from ml_backend.review.agreement import Agreement
from projection.text.wording import DASH, counted, percent


def between(interval: tuple[float, float] | None) -> str:
    """Format `80 to 86 %`."""
    if interval is None:
        return DASH
    low, high = (percent(end).removesuffix(" %") for end in interval)
    return f"{low} to {high} %"


def duration(seconds: float) -> str:
    """Format `7.2 s`, `95 s`, `12 min`, `3.5 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def agreed_in_words(agreed: Agreement, annotators: int) -> str:
    """State the agreement of annotators, or why there is none; `annotators` counts all."""
    if not agreed.pairs:
        return why_no_agreement(annotators)
    if not agreed.compared:
        return "No sentence was usable for two annotators: no agreement to state."
    f1 = DASH if agreed.f1 is None else f"{agreed.f1:.2f}"
    return (
        f"agreement of annotators: F1 {f1} on {counted(agreed.compared, 'sentence')} that two "
        f"found usable, of {agreed.sentences:,} that two decided"
    )


def why_no_agreement(annotators: int) -> str:
    """State why no two annotators can be compared."""
    if annotators == 0:
        return "Nobody has decided anything yet."
    if annotators == 1:
        return "One annotator: no agreement to state."
    return "No sentence was decided by two annotators: no agreement to state."
