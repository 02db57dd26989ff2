"""The page of a report."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ml_backend.report.figures import Report
from ml_backend.report.page import page
from ml_backend.report.source import ReviewedProject
from projection.records import Entity, ReviewStatus, Span
from tests.ml_backend.reviews import ALL, LOW, RIGHT, UGLY, review, reviews, timed


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # how Python marks what is not there


VOID = {"meta", "br", "link", "input", "use", "path"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects texts, ids and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._collect(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._collect(attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def _collect(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(value or "")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def shown(these: ReviewedProject) -> Page:
    return Page(page(Report.of(these)))


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_reviews_make_a_whole_page(these: ReviewedProject) -> None:
    found = shown(these)
    assert "None" not in found.text
    assert "nan" not in found.text.lower().split()
    assert len(set(found.ids)) == len(found.ids)


def test_the_page_needs_nothing_beside_it() -> None:
    html = page(Report.of(reviews(*timed(12, 6, 3))))
    assert set(Page(html).addresses) - {"ledger.jsonl", "ledger.csv", "report.json"} == {
        address for address in Page(html).addresses if address.startswith("#")
    }
    outside = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?https?:", html)
    assert not outside
    assert "@import" not in html
    assert "<script" not in html


def test_what_comes_from_outside_is_text() -> None:
    html = page(Report.of(UGLY["markup"]))
    assert "<script>" not in html
    assert "<i>x</i>" not in html
    assert "&lt;script&gt;" in html


def test_phrases_keep_their_direction_to_themselves() -> None:
    assert '<bdi lang="he">ירוש</bdi>' in page(Report.of(UGLY["right to left"]))


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_page_has_tables_and_says_what_is_missing() -> None:
    found = shown(reviews(*timed(12, 6, 3)))
    assert "pip install 'spanferry[plots]'" in found.text
    assert "2026-03-02 12 12 0 0" in found.text
    assert "mean confidence" in found.text


@pytest.mark.parametrize(
    ("these", "said"),
    [
        pytest.param(reviews(), "Nobody has decided anything yet.", id="nobody"),
        pytest.param(
            reviews(review(ALL, ALL)), "One annotator: no agreement to state.", id="one annotator"
        ),
        pytest.param(
            reviews(review(ALL, ALL), review(ALL, ALL, number=2, annotator="2")),
            "No sentence was decided by two annotators",
            id="nothing in common",
        ),
        pytest.param(
            reviews(review(ALL, ALL), review(ALL, RIGHT, annotator="2")),
            "1 and 2 0.67",
            id="two annotators",
        ),
    ],
)
def test_agreement_in_words(these: ReviewedProject, said: str) -> None:
    assert said in shown(these).text


def test_figures_of_agreement_say_what_they_are_of() -> None:
    unusable = review(ALL, ALL, number=2, annotator="2", status=ReviewStatus.UNUSABLE)
    decided = (review(ALL, ALL), review(ALL, RIGHT, annotator="2"))
    text = shown(reviews(*decided, review(ALL, ALL, number=2), unusable)).text
    assert re.search(r"1 and 2 0\.67 0\.\d\d 1 1 ", text)
    assert "decided 2 sentences; the figures are of the 1 that two found usable" in text


def test_names_of_the_user_are_left_as_they_are() -> None:
    """Only what we named ourselves is put into words."""
    work = Entity(Span(0, 10), "WORK_OF_ART", 0.9)
    named = replace(review([work], [work], lang="no", conflicts=(LOW,)), model_version="my_model_1")
    other = replace(review([work], [work], number=2), model_version="none")
    text = shown(reviews(named, other)).text
    assert "WORK OF ART" not in text
    assert text.count("WORK_OF_ART") == 1
    assert "my_model_1 100 %" in text
    assert "none 100 %" in text, "a model"
    assert "low confidence the aligner is unsure of the place of an entity" in text
    assert "no conflict nothing was flagged" in text


def test_the_head_accounts_for_every_sentence() -> None:
    these = reviews(
        review(ALL, ALL),
        review(ALL, (), number=2, status=ReviewStatus.SKIPPED),
        review(ALL, ALL, number=3, status=ReviewStatus.UNUSABLE),
        review(ALL, ALL, number=4, status=ReviewStatus.UNSEEN, annotator="", at=None),
        waiting={"de": 3},
    )
    said = "1 of 7: 1 unusable, 1 skipped, 1 taken unseen, 3 waiting"
    assert f"sentences labelled {said}" in shown(these).text
    assert "sentences labelled 1 of 1 accepted" in shown(reviews(review(ALL, ALL))).text


def test_without_a_run_the_page_says_how_to_see_what_was_dropped() -> None:
    assert "spanferry report --run FOLDER" in shown(reviews(review(ALL, ALL))).text
