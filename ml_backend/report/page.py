"""The report as one HTML page that needs nothing beside it."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from projection.text.plural import counted

from ml_backend.report import plots, words
from ml_backend.report.figures import Report
from ml_backend.report.ledger import LEDGER, PROPOSED, TABLE, Change
from ml_backend.report.progress import Standing
from ml_backend.report.shares import Share
from projection.records import ReviewStatus

FIGURES = "report.json"  # beside the page, like the ledger


def page(report: Report) -> str:
    """The whole page, with plots if matplotlib is installed.

    Everything from outside is escaped: phrases of a corpus and names of languages are text.
    """
    made = environment().get_template("page.html")
    return made.render(
        report=report,
        plots=_plots(report),
        install=None if plots.can_plot() else plots.INSTALL,
        PROPOSED=PROPOSED,
        Change=Change,
        Share=Share,
        parts_of=parts_of,
        meanings=words.MEANINGS,
        no_agreement=words.why_no_agreement(len(report.annotators)),
        ledger=LEDGER,
        table=TABLE,
        figures=FIGURES,
    )


def parts_of(standing: Standing) -> list[tuple[str, int]]:
    """What sentences became, in the order in which it is drawn; `waiting` comes last."""
    decided = [(status.value, standing.decided.get(status, 0)) for status in ReviewStatus]
    return [*decided, ("waiting", standing.waiting or 0)]


def _plots(report: Report) -> Mapping[str, Markup]:
    if not plots.can_plot():
        return {}
    # Drawn by us; matplotlib escapes the texts in it.
    return {name: Markup(svg) for name, svg in plots.draw_all(report).items()}  # noqa: S704


def environment() -> Environment:
    """Where the templates are, and the words and figures they may use."""
    environment = Environment(
        loader=PackageLoader("ml_backend.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": words.in_words,
        "percent": words.percent,
        "counted": counted,
        "between": words.between,
        "of": words.of,
        "duration": words.duration,
        "number": "{:,}".format,
    }
    return environment
