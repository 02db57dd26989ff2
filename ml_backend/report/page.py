"""The folder that `spanferry report` writes; its page needs nothing beside it.

index.html     the page
report.json    every figure of it
ledger.jsonl   what the figures were counted from: see `ml_backend.report.ledger`
ledger.csv     the same for spreadsheets
"""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ml_backend.report import plots, words
from ml_backend.report.acceptance import Share
from ml_backend.report.figures import Report
from ml_backend.report.ledger import LEDGER, PROPOSED, TABLE, Change, write_ledger
from ml_backend.report.source import ReviewedProject
from projection.errors import CorpusError
from projection.io.files import atomic_write, write_json
from projection.text.wording import CONFLICT_MEANINGS, counted, in_words, percent

PAGE, FIGURES = "index.html", "report.json"

_CHANGE_MEANINGS = {
    Change.KEPT: "left as it was",
    Change.RELABELLED: "given another type",
    Change.BORDER_MOVED: "same type, but begins or ends elsewhere",
    Change.DELETED: "removed",
}


def write_report(report: Report, project: ReviewedProject, out: Path) -> None:
    """Write all four files, the page last; each replaces that of an older report as a whole."""
    make_folder(out)
    write_ledger(project.reviewed, out)
    write_json(out / FIGURES, report.to_json())
    with atomic_write(out / PAGE) as file:
        file.write(page(report))


def make_folder(out: Path) -> None:
    """Create the folder of a report; raises CorpusError if it cannot be created."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            str(out), f"cannot be made a folder ({error.strerror})", "Choose another --out"
        ) from error


def page(report: Report) -> str:
    """Render the page, with plots if matplotlib is installed."""
    return render(
        "page.html",
        report=report,
        plots=plots.draw_all(report) if plots.can_plot() else {},
        PROPOSED=PROPOSED,
        Change=Change,
        Share=Share,
        meanings=CONFLICT_MEANINGS,
        change_meanings=_CHANGE_MEANINGS,
        no_agreement=words.why_no_agreement(len(report.annotators)),
        ledger=LEDGER,
        table=TABLE,
        figures=FIGURES,
    )


def render(template: str, **values: object) -> str:
    """Render a template of this package; every text is escaped, plots excepted."""
    environment = Environment(
        loader=PackageLoader("ml_backend.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": in_words,
        "percent": percent,
        "counted": counted,
        "between": words.between,
        "duration": words.duration,
        "number": "{:,}".format,
    }
    install = None if plots.can_plot() else plots.INSTALL
    return environment.get_template(template).render(install=install, **values)
