"""The main figures of a report for a terminal; the page has all of them."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from ml_backend.report.acceptance import Group
from ml_backend.report.figures import Report
from ml_backend.report.ledger import PROPOSED
from ml_backend.report.progress import Progress
from ml_backend.report.words import agreed_in_words, between, duration
from projection.records import ReviewStatus
from projection.text.wording import counted, in_words, percent


def tables(report: Report) -> Iterator[Table]:
    """Yield progress, then acceptance by conflict, language, type and confidence, if any."""
    yield _progress(report.progress)
    for name in ("conflict", "language", "type", "confidence"):
        if groups := report.acceptance.by[name]:
            yield _acceptance(name, groups)


def closing_lines(report: Report) -> Iterator[str]:
    """Yield what is left out, confidence, time and agreement, a line each."""
    if unreadable := report.progress.unreadable:
        yield f"{counted(unreadable, 'annotation')} left out: unreadable"
    if report.calibration is not None:
        error = 100 * report.calibration.expected_calibration_error
        yield f"confidence is off by {error:.1f} points on average"
    if (times := report.times.overall) is not None:
        middle = f"middle half {duration(times.lower)} to {duration(times.upper)}"
        yield f"time for a decision: {duration(times.median)}, {middle}"
    yield agreed_in_words(report.agreement, len(report.annotators))


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


def _acceptance(name: str, groups: Sequence[Group]) -> Table:
    by_entity = groups[0].accepted is None
    wrong = PROPOSED[1:] if by_entity else ()
    decisions = () if by_entity else ("accepted", "95 %", "decisions")
    table = _figures(name, *decisions, "kept", "95 %", "entities", *map(in_words, wrong))
    for group in groups:
        shares = [share for share in (group.accepted, group.kept) if share is not None]
        cells = [cell for s in shares for cell in (percent(s.value), between(s.interval), str(s))]
        counts = (f"{group.changes.get(change, 0):,}" for change in wrong)
        shown = in_words(group.name) if name == "conflict" else group.name
        table.add_row(shown, *cells, *counts)
    return table


def _figures(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table
