"""Figures as people read them, in the page, the plots and the terminal alike."""

from projection.text.plural import counted

from ml_backend.report.acceptance import NO_CONFLICT
from ml_backend.report.ledger import Change
from ml_backend.report.shares import Share
from ml_backend.review.agreement import Agreement
from projection.records import ConflictKind

NOTHING = "–"

MEANINGS = {
    NO_CONFLICT: "nothing was in doubt",
    ConflictKind.FAILED_MAPPING: "no place was found for an entity of the original",
    ConflictKind.OVERLAP: "two entities claim the same words",
    ConflictKind.ONE_TO_MANY: "an entity of the original may have gone to several places",
    ConflictKind.LOW_CONFIDENCE: "the model was not sure of an entity",
    ConflictKind.UNPROJECTED: "a second model found an entity the original does not have",
    Change.KEPT: "left as it was",
    Change.RELABELLED: "given another type",
    Change.BORDER_MOVED: "same type, but begins or ends elsewhere",
    Change.DELETED: "removed",
}


def in_words(name: str) -> str:
    """`no conflict` for `none`, `one to many` for `one_to_many`."""
    return "no conflict" if name == NO_CONFLICT else name.replace("_", " ")


def percent(fraction: float | None) -> str:
    """Whole per cent, but a tenth more near the ends, where it matters: `99.6 %`."""
    if fraction is None:
        return NOTHING
    shown = 100 * fraction
    return f"{shown:.1f} %" if 0 < shown < 1 or 99 < shown < 100 else f"{shown:.0f} %"


def between(interval: tuple[float, float] | None) -> str:
    """`80 to 86 %`."""
    if interval is None:
        return NOTHING
    low, high = (percent(end).removesuffix(" %") for end in interval)
    return f"{low} to {high} %"


def of(share: Share) -> str:
    """`412 of 496`."""
    return f"{share.part:,} of {share.whole:,}"


def duration(seconds: float | None) -> str:
    """`7.2 s`, `95 s`, `12 min`, `3.5 h`."""
    if seconds is None:
        return NOTHING
    size = abs(seconds)
    if size < 10:
        return f"{seconds:.1f} s"
    if size < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if size < 7200 else f"{seconds / 3600:,.1f} h"


def agreed_in_words(agreed: Agreement, annotators: int) -> str:
    """How far annotators agree, and on how much of what they both decided; or why nobody can say.

    `annotators` counts all.
    """
    if not agreed.pairs:
        return why_no_agreement(annotators)
    if not agreed.compared:
        return "No sentence was usable for two annotators: no agreement to state."
    f1 = NOTHING if agreed.f1 is None else f"{agreed.f1:.2f}"
    return (
        f"agreement of annotators: F1 {f1} on {counted(agreed.compared, 'sentence')} that two "
        f"found usable, of {agreed.sentences:,} that two decided"
    )


def why_no_agreement(annotators: int) -> str:
    """Why nobody can be compared with anybody."""
    if annotators == 0:
        return "Nobody has decided anything yet."
    if annotators == 1:
        return "One annotator: no agreement to state."
    return "No sentence was decided by two annotators: no agreement to state."
