"""`spanferry report` on exports."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from label_config.labeling_config import build_config
from ml_backend.cli import app
from ml_backend.label_studio.client import ReviewServer
from ml_backend.report.source import ReviewedProject
from ml_backend.report.timing import IDLE_SECONDS
from projection.errors import CorpusError
from projection.records import ReviewStatus
from tests.ml_backend.audit.tasks import LABELS, VERSION, reviewed, task
from tests.ml_backend.label_studio.studio import KEY, running
from tests.ml_backend.reviews import ALL, RIGHT, UGLY, review, timed, write_export


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # how Python marks what is not there


def run(*arguments: str | Path, url: str = "", key: str = "") -> tuple[int, str]:
    environment = {"COLUMNS": "200", "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key}
    result = CliRunner().invoke(app, ["report", *map(str, arguments)], env=environment)
    if isinstance(result.exception, CorpusError):
        raise result.exception
    return result.exit_code, result.stdout


def test_it_writes_a_folder_and_tells_the_figures(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", *timed(12, 6, 3.5))
    code, told = run("--export", export, "--out", tmp_path / "report")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "index.html", "ledger.csv", "ledger.jsonl", "report.json",
    ]  # fmt: skip
    assert re.search(r"de +24 +12 +12 +24", told)
    assert re.search(r"no conflict +50 %", told)
    assert "time for a decision: 9.5 s, middle half 6.0 s to 13 s" in told
    assert "time saved" not in told + (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "One annotator: no agreement to state." in told


@pytest.mark.usefixtures("no_matplotlib")
@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_exports_are_reported_all_the_same(these: ReviewedProject, tmp_path: Path) -> None:
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


def test_of_a_project_with_a_backend_it_names_the_page_that_is_always_new(tmp_path: Path) -> None:
    with running() as studio:
        number = studio.add_project("News", build_config(LABELS), [reviewed(task(1))], VERSION)
        with ReviewServer(studio.url, KEY, pauses=()) as server:
            server.connect_backend(server.project(number), "http://backend:9090/")
        code, told = run("--project", "News", "--out", tmp_path, url=studio.url, key=KEY)
    assert code == 0
    assert f"Always new: http://backend:9090/lead/{number}" in told


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
    code, shown = run("--help")
    told = " ".join(shown.split())
    assert code == 0
    assert "spanferry report --url http://localhost:8080" in told
    assert "--run runs/de" in told
    assert "LABEL_STUDIO_API_KEY" in told
    assert f"[default: {IDLE_SECONDS:.0f}" in told
