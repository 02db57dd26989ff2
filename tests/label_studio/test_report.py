"""A report on a real project: read once, open tasks included, and shown in a real browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.push import push
from projection.records import Entity, ReviewStatus
from tests.label_studio.examples import BY_ID, EXAMPLES, projected
from tests.label_studio.pages import SWITCHES, chromium
from tests.label_studio.report_picture import take

pytestmark = pytest.mark.label_studio


def review_some(server: ReviewServer, project: Project) -> None:
    """One accepted, one with an entity removed, one unusable, one skipped; the others stay open."""
    push(server, project, projected())
    ids = {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}
    proposed = {p.sentence.id: p.entities for p in projected()}
    for name, entities, status in (
        ("plain", proposed["plain"], ReviewStatus.ACCEPTED),
        ("emoji", proposed["emoji"][1:], ReviewStatus.CORRECTED),
        ("chinese", proposed["chinese"], ReviewStatus.UNUSABLE),
        ("lines", (), ReviewStatus.SKIPPED),
    ):
        by_person = [Entity(entity.span, entity.label) for entity in entities]
        server.annotate(
            ids[name],
            annotation_of(by_person, BY_ID[name].target, status),
            skipped=status is ReviewStatus.SKIPPED,
            lead_time=4.5,
        )


@pytest.fixture
def report(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, tmp_path: Path
) -> Path:
    """The folder of a report on a project in which some tasks are decided."""
    review_some(server, project)
    result = CliRunner().invoke(
        app,
        ["report", "--project", project.title, "--out", str(tmp_path / "report"), "--json"],
        env={
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.account.token,
        },
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "report"


def test_a_project_is_reported_with_its_open_tasks(report: Path) -> None:
    told = json.loads((report / "report.json").read_text("utf-8"))

    progress = told["progress"]
    assert (progress["accepted"], progress["corrected"]) == (1, 1)
    assert (progress["unusable"], progress["skipped"]) == (1, 1)
    assert progress["waiting"] == len(EXAMPLES) - 4
    assert progress["by_language"]["es"]["waiting"] == 2
    assert told["acceptance"]["overall"]["changes"] == {
        "kept": 4, "relabelled": 0, "border_moved": 0, "deleted": 1, "added": 0, "unaided": 0,
    }  # fmt: skip
    assert told["times"]["overall"]["median"] == 4.5
    assert len(told["annotators"]) == 1
    assert len((report / "ledger.jsonl").read_text("utf-8").splitlines()) == 7


@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="no Chromium: apt install chromium")
def test_the_page_fits_a_phone_and_asks_nobody_for_anything(report: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        try:
            page = browser.new_page(viewport={"width": 390, "height": 800})
            page.on("request", lambda request: asked.append(request.url))
            page.goto((report / "index.html").as_uri())
            wide: int = page.evaluate("document.documentElement.scrollWidth")
        finally:
            browser.close()
    assert asked == [(report / "index.html").as_uri()]
    assert wide == 390

    take(report, tmp_path / "pictures" / "report.png", scheme="dark")
    assert (tmp_path / "pictures" / "report.png").read_bytes().startswith(b"\x89PNG")
