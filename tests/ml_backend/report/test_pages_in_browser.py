"""The pages of a report and of an evaluation in a real browser: nothing in a text is run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_backend.report.evaluation_page import write_evaluation
from ml_backend.report.figures import Report
from ml_backend.report.page import write_report
from projection.records import Entity, Span
from tests.ml_backend.reviews import review, reviews
from training.data.dataset import Row
from training.evaluation.error_analysis import assess
from training.evaluation.tagging_scores import Tagged, score

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: the dev extra")

from tests.label_studio.pages import SWITCHES, chromium  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: apt install chromium"),
]

# Each would run, somewhere: in a text, an attribute, a style, a title, a comment, an SVG.
HOSTILE = (
    "<script>window.ran=1</script><img src=x onerror=window.ran=1>"
    "\"'><svg onload=window.ran=1>' autofocus onfocus='window.ran=1"
    "</style></title></svg>--><script>window.ran=1</script>{{ran}}$\\frac{$"
)


def reported(folder: Path) -> str:
    """A report on a review in which all that people can write is hostile."""
    whole = Span(0, len(HOSTILE))
    decided = [
        review([Entity(whole, f"ORG{HOSTILE}", 0.5)], after, target=HOSTILE, annotator=annotator)
        for after, annotator in (
            ([Entity(whole, f"LOC{HOSTILE}")], f"1{HOSTILE}"),
            ([Entity(Span(0, 5), f"ORG{HOSTILE}"), Entity(Span(6, 9), HOSTILE)], HOSTILE),
        )
    ]
    these = reviews(*decided, waiting={HOSTILE: 1})._replace(title=HOSTILE)
    write_report(Report.of(these), these, folder)
    return (folder / "index.html").as_uri()


def evaluated(folder: Path) -> str:
    """An evaluation of two models, of which all names and data are hostile."""
    rows = [Row("1", ("Bern", HOSTILE, HOSTILE), (f"B-{HOSTILE}", "O", f"B-{HOSTILE}"), "de")]
    tagged = Tagged(rows, [("O", f"B-{HOSTILE}", "B-ORG")], score([rows[0].tags], [("O",) * 3]))
    found = assess(tagged)
    figures = {"schema": 2, "models": [], "differences": []}
    write_evaluation(folder, figures, {HOSTILE: found, f"models/{HOSTILE}": found})
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def page() -> Iterator["playwright.Page"]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        yield browser.new_page()
        browser.close()


def test_a_script_in_a_text_label_or_name_does_not_run(
    page: "playwright.Page", tmp_path: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pages = [reported(tmp_path / "report"), evaluated(tmp_path / "evaluation")]
    for address in pages:
        page.goto(address)
        assert page.evaluate("window.ran") is None
        assert HOSTILE.removesuffix("$\\frac{$") in page.text_content("body")
    assert asked == pages

    page.set_content(HOSTILE)
    assert page.evaluate("window.ran") == 1, "it would run, if it could"
