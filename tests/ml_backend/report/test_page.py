"""The page of a report, and the verb that writes it."""

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app
from ml_backend.report import plots
from ml_backend.report.figures import Report
from ml_backend.report.page import page
from ml_backend.report.shares import Share
from ml_backend.report.source import Reviews
from ml_backend.report.timing import IDLE_SECONDS
from ml_backend.report.words import between, duration, in_words, of, percent
from projection.errors import CorpusError
from projection.records import Entity, ReviewStatus, Span
from projection.text.plural import counted
from tests.ml_backend.report.test_report import LOW, timed, write_export
from tests.ml_backend.reviews import ALL, RIGHT, UGLY, review, reviews


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # how Python marks what is not there


@pytest.fixture
def matplotlib() -> None:
    pytest.importorskip("matplotlib")


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


def shown(these: Reviews, **options: float) -> Page:
    return Page(page(Report.of(these, **options)))


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_reviews_make_a_whole_page(these: Reviews) -> None:
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


@pytest.mark.usefixtures("matplotlib")
def test_plots_take_the_colours_of_the_page() -> None:
    drawn = plots.draw_all(Report.of(reviews(*timed(12, 6, 3), review(ALL, RIGHT, number=99))))
    assert set(drawn) == {"days", "calibration", "times"}
    for svg in drawn.values():
        assert svg.startswith("<svg")
        assert "var(--" in svg
        assert not re.search(r"#0[1-7]0[1-7]0[1-7]", svg)
        assert not re.search(r'<svg[^>]* (width|height)="', svg)


@pytest.mark.usefixtures("matplotlib")
def test_the_same_figures_make_the_same_plots() -> None:
    found = Report.of(reviews(*timed(12, 6, 3)))
    assert plots.draw_all(found) == plots.draw_all(found)


@pytest.mark.usefixtures("matplotlib")
def test_long_reviews_are_drawn_by_the_week() -> None:
    both = ("2026-01-01T10:00:00Z", "2026-06-30T10:00:00Z")
    long = reviews(*(review(ALL, ALL, number=n, at=at) for n, at in enumerate(both)))
    assert "a week" in plots.draw_all(Report.of(long))["days"]


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_page_has_tables_and_says_what_is_missing() -> None:
    found = shown(reviews(*timed(12, 6, 3)))
    assert "pip install 'spanferry[plots]'" in found.text
    assert "2026-03-02 12 12 0 0" in found.text
    assert "mean confidence" in found.text


def test_the_estimate_shows_its_formula_and_inputs() -> None:
    text = shown(reviews(*timed(12, 6, 3.5))).text
    assert "3.5 s for each entity drawn × (24 kept − 0 deleted − 0 borders moved) = 84 s" in text
    assert "12 decisions that accepted what was proposed took 6.0 s (median)" in text


def test_an_assumption_is_called_one() -> None:
    text = shown(reviews(review(ALL, ALL)), seconds_per_entity=4.0).text
    assert "are an assumption, given with --seconds-per-entity" in text


def test_where_there_is_no_estimate_the_page_says_why() -> None:
    assert "No estimate: 1 timed decision accepted what" in shown(reviews(review(ALL, ALL))).text


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
def test_agreement_in_words(these: Reviews, said: str) -> None:
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
    named = replace(
        review([work], [work], lang="none", conflicts=(LOW,)), model_version="my_model_1"
    )
    other = replace(review([work], [work], number=2), model_version="none")
    text = shown(reviews(named, other)).text
    assert "WORK OF ART" not in text
    assert text.count("WORK_OF_ART") == 1
    assert "my_model_1 100 %" in text
    assert "none 100 %" in text, "a language and a model"
    assert "low confidence the model was not sure of an entity" in text
    assert "no conflict nothing was in doubt" in text


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


# Words


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (percent(None), "–"),
        (percent(0.0), "0 %"),
        (percent(0.004), "0.4 %"),
        (percent(0.5), "50 %"),
        (percent(0.996), "99.6 %"),
        (percent(1.0), "100 %"),
        (between((0.8, 0.864)), "80 to 86 %"),
        (between(None), "–"),
        (duration(None), "–"),
        (duration(7.25), "7.2 s"),
        (duration(-95), "-95 s"),
        (duration(600), "10 min"),
        (duration(12_600), "3.5 h"),
        (counted(1, "entity", "entities"), "1 entity"),
        (counted(2000, "entity", "entities"), "2,000 entities"),
        (in_words("none"), "no conflict"),
        (in_words("one_to_many"), "one to many"),
    ],
)
def test_figures_in_words(made: str, said: str) -> None:
    assert made == said


def test_a_share_in_words() -> None:
    assert of(Share(412, 1496)) == "412 of 1,496"


# The verb


def run(*arguments: str | Path, url: str = "", key: str = "") -> tuple[int, str]:
    environment = {"COLUMNS": "200", "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key}
    result = CliRunner().invoke(app, ["report", *map(str, arguments)], env=environment)
    if isinstance(result.exception, CorpusError):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_verb_writes_a_folder_and_tells_the_figures(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", *timed(12, 6, 3.5))
    code, told = run("--export", export, "--out", tmp_path / "report")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "index.html", "ledger.csv", "ledger.jsonl", "report.json",
    ]  # fmt: skip
    assert re.search(r"de +24 +12 +12 +24", told)
    assert re.search(r"no conflict +50 %", told)
    assert "time saved, an estimate: 84 s at 3.5 s for each entity drawn, as measured" in told
    assert "One annotator: no agreement to state." in told


@pytest.mark.usefixtures("no_matplotlib")
@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_exports_are_reported_all_the_same(these: Reviews, tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", *these.reviewed)
    code, told = run("--export", export, "--out", tmp_path / "report")
    assert code == 0
    assert "Written to" in told
    assert "Without plots, which need pip install 'spanferry[plots]'" in told


def test_json_has_what_report_json_has(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", review(ALL, RIGHT))
    code, told = run("--export", export, "--out", tmp_path / "report", "--json")
    written = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert code == 0
    assert json.loads(told) == {"out": str(tmp_path / "report"), **written}


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "report"
    run("--export", write_export(tmp_path / "one", review(ALL, RIGHT)), "--out", out)
    skipped = review(ALL, (), status=ReviewStatus.SKIPPED)
    run("--export", write_export(tmp_path / "two", skipped, title="Other"), "--out", out)
    assert "<title>Other: review report</title>" in (out / "index.html").read_text("utf-8")
    assert len((out / "ledger.jsonl").read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "needs one source", id="no source"),
        pytest.param(["--project", "News", "--export", "x"], "needs one source", id="both"),
        pytest.param(["--project", "News"], "needs an address and a key", id="no address"),
        pytest.param(["--export", "nowhere"], "is not an export folder", id="no such folder"),
    ],
)
def test_what_cannot_be_reported_is_said(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=said):
        run(*arguments, "--out", tmp_path / "report")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    export = write_export(tmp_path / "export")
    with pytest.raises(CorpusError, match="cannot be made a folder"):
        run("--export", export, "--out", tmp_path / "report")


def test_the_help_has_an_example() -> None:
    code, told = run("--help")
    assert code == 0
    assert "spanferry report --url http://localhost:8080" in told
    assert "--run runs/de" in told
    assert "LABEL_STUDIO_API_KEY" in told
    assert f"[default: {IDLE_SECONDS:.0f}" in told
