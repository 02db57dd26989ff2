"""The figures that matter most, for a terminal; the page has all of them."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from ml_backend.report.acceptance import Group
from ml_backend.report.figures import Report
from ml_backend.report.ledger import PROPOSED
from ml_backend.report.progress import Progress
from ml_backend.report.words import (
    agreed_in_words,
    between,
    duration,
    in_words,
    of,
    percent,
)
from projection.records import ReviewStatus

DOUBT = "doubt"  # the groups that are kinds of conflict


def tables(report: Report) -> Iterator[Table]:
    """Progress, then acceptance by doubt, language, type and confidence, where there is any."""
    yield _progress(report.progress)
    acceptance = report.acceptance
    for name, groups in ((DOUBT, acceptance.by_conflict), ("language", acceptance.by_language)):
        if groups:
            yield _by_sentence(name, groups)
    for name, groups in (("type", acceptance.by_type), ("confidence", acceptance.by_confidence)):
        if groups:
            yield _by_entity(name, groups)


def closing_lines(report: Report) -> Iterator[str]:
    """Confidence, time and agreement, a line each."""
    times, saving, agreed = report.times.overall, report.saving, report.agreement
    if report.calibration is not None:
        error = 100 * report.calibration.expected_calibration_error
        yield f"confidence is off by {error:.1f} points on average"
    if times is not None:
        middle = f"middle half {duration(times.lower)} to {duration(times.upper)}"
        yield f"time for a decision: {duration(times.median)}, {middle}"
    if saving.seconds is not None:
        known = "assumed" if saving.drawing.given else "measured"
        each = f"{duration(saving.drawing.seconds)} for each entity drawn, as {known}"
        yield f"time saved, an estimate: {duration(saving.seconds)} at {each}"
    yield agreed_in_words(agreed, len(report.annotators))


def _progress(progress: Progress) -> Table:
    waiting = progress.overall.waiting is not None
    statuses = [status for status in ReviewStatus if progress.overall.decided.get(status)]
    names = [*(status.value for status in statuses), *(["waiting"] if waiting else [])]
    table = _figures("sentences", "done", *names, "all")
    for row in (*progress.by_language, progress.overall):
        counts = [row.done, *(row.decided.get(status, 0) for status in statuses)]
        open_ones = [] if row.waiting is None else [row.waiting]
        table.add_row(row.name, *(f"{count:,}" for count in (*counts, *open_ones, row.total)))
    return table


def _by_sentence(name: str, groups: Sequence[Group]) -> Table:
    table = _figures(name, "accepted", "95 %", "decisions", "kept", "95 %", "entities")
    for group in groups:
        shares = [share for share in (group.accepted, group.kept) if share is not None]
        cells = [(percent(s.value), between(s.interval), of(s)) for s in shares]
        shown = in_words(group.name) if name == DOUBT else group.name
        table.add_row(shown, *(cell for three in cells for cell in three))
    return table


def _by_entity(name: str, groups: Sequence[Group]) -> Table:
    wrong = PROPOSED[1:]
    table = _figures(name, "kept", "95 %", "entities", *(in_words(change) for change in wrong))
    for group in groups:
        counts = (f"{group.changes.get(change, 0):,}" for change in wrong)
        share = group.kept
        cells = (percent(share.value), between(share.interval), of(share))
        table.add_row(group.name, *cells, *counts)
    return table


def _figures(first: str, *columns: str) -> Table:
    """A table whose first column names the row."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
