"""The folder `spanferry report` writes.

index.html     the page
report.json    every figure of it
ledger.jsonl   what the figures were counted from: see `ml_backend.report.ledger`
ledger.csv     the same for spreadsheets
"""

from pathlib import Path

from ml_backend.report.figures import Report
from ml_backend.report.ledger import ledger_of, write_ledger
from ml_backend.report.page import FIGURES, page
from ml_backend.report.source import Reviews
from projection.errors import CorpusError
from projection.io.files import atomic_write, write_json

PAGE = "index.html"


def make_folder(out: Path) -> None:
    """Make sure that a report can be written to `out`.

    Raises:
        CorpusError: if it cannot be a folder.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            str(out), f"cannot be made a folder ({error.strerror})", "Choose another --out"
        ) from error


def write_report(report: Report, reviews: Reviews, out: Path) -> None:
    """Write all four files, the page last; each replaces that of an older report as a whole.

    Raises:
        CorpusError: if `out` cannot be a folder.
    """
    make_folder(out)
    write_ledger(list(ledger_of(reviews.reviewed)), out)
    write_json(out / FIGURES, report.to_json())
    with atomic_write(out / PAGE) as file:
        file.write(page(report))
