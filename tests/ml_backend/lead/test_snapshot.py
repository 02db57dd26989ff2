"""What is fetched of a project and rendered, from a Label Studio in memory."""

import os
import stat
from html import unescape
from pathlib import Path

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import ReviewServer
from ml_backend.label_studio.tabs import review_tabs
from ml_backend.lead.refresh import take_in_child
from ml_backend.lead.snapshot import ALL_PROJECTS, read_snapshot, take_snapshot
from ml_backend.report.figures import Report
from ml_backend.report.source import read_project
from ml_backend.report.words import between
from projection.errors import ServerError
from projection.records import Entity
from projection.text.wording import percent
from tests.ml_backend.audit.tasks import BONN, LABELS, PER, VERSION, Task, reviewed, task
from tests.ml_backend.label_studio.studio import KEY, Studio
from tests.ml_backend.report.test_page import Page

HOSTILE = "<script>alert(1)</script>"


def tasks() -> list[Task]:
    """Two accepted, two corrected, one on which two disagree, and two open ones."""
    decided = [reviewed(task(n), None if n < 3 else [PER]) for n in range(1, 5)]
    disagreed = reviewed(reviewed(task(5)), [PER, Entity(BONN, "PER")], by=2)
    return [*decided, disagreed, task(6), task(7, conflict=True)]


def body_of(server: ReviewServer, number: int, folder: Path, address: str = "") -> str:
    take_snapshot(server, number, folder, address)
    snapshot = read_snapshot(folder, number)
    assert snapshot is not None
    return snapshot.body


def test_the_figures_are_those_of_the_report(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    number = studio.add_project("News", build_config(LABELS), tasks(), VERSION)
    report = Report.of(read_project(server, server.project(number)))
    text = Page(body_of(server, number, tmp_path)).text
    overall, corrected = report.progress.overall, report.acceptance.overall.corrected
    assert corrected is not None
    assert f"sentences labelled {overall.done} of {overall.total}: {overall.waiting} wait" in text
    assert (
        f"corrected {percent(corrected.value)} of decisions, {between(corrected.interval)}" in text
    )
    assert report.agreement.f1 is not None
    assert f"agreement (F1) {report.agreement.f1:.2f} 1 sentence by two or more" in text
    assert "anna@example.org 5 2026-01-02 2.0 s 40 %" in text
    assert "time left 4.0 s" in text


def test_links_go_where_a_browser_finds_label_studio(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    number = studio.add_project("News", build_config(LABELS), tasks(), VERSION)
    project = server.project(number)
    ids = server.ensure_tabs(project, list(review_tabs()))
    for given, address in (("", studio.url), ("https://label.org/", "https://label.org")):
        addresses = Page(body_of(server, number, tmp_path, given)).addresses
        assert addresses == [
            *(f"{address}/projects/{number}/data?tab={tab}&labeling=1" for tab in ids.values()),
            f"{address}/projects/{number}/data?task=5",
        ]


def test_what_comes_from_outside_is_text(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    [one] = [reviewed(reviewed(task(1)), [Entity(BONN, HOSTILE)], by=2)]
    one["data"] |= {"conflict": HOSTILE, "audit": HOSTILE}
    number = studio.add_project(HOSTILE, build_config((*LABELS, HOSTILE)), [one], HOSTILE)
    server.ensure_tabs(server.project(number), list(review_tabs()))
    next(iter(studio.held.views.values()))["data"]["title"] = HOSTILE
    for shown in (number, ALL_PROJECTS):
        body = body_of(server, shown, tmp_path)
        assert "<script" not in body
        assert HOSTILE in unescape(body)
        Page(body)


def test_the_list_has_the_projects_that_are_ours(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    assert "no project that" in Page(body_of(server, ALL_PROJECTS, tmp_path)).text
    studio.add_project("Cats", "<View><Image name='i' value='$i'/></View>", [], "")
    number = studio.add_project("News", build_config(LABELS), tasks(), VERSION)
    page = Page(body_of(server, ALL_PROJECTS, tmp_path))
    assert page.addresses == [f"/lead/{number}"]
    assert "News 7 6" in page.text


def test_a_project_that_is_not_there_is_named(server: ReviewServer, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="shows no project 77 to this key"):
        take_snapshot(server, 77, tmp_path)
    assert read_snapshot(tmp_path, 77) is None


def test_a_process_takes_a_snapshot_for_its_owner_only(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = studio.add_project("News", build_config(LABELS), tasks(), VERSION)
    monkeypatch.setitem(os.environ, "LABEL_STUDIO_URL", studio.url)
    monkeypatch.setitem(os.environ, "LABEL_STUDIO_API_KEY", KEY)
    take_in_child(tmp_path / "lead", "")(number)
    snapshot = read_snapshot(tmp_path / "lead", number)
    assert snapshot is not None
    assert (snapshot.title, "Conflicts that matter" in snapshot.body) == ("News", True)
    kept = (tmp_path / "lead" / f"{number}.json").stat()
    assert stat.S_IMODE(kept.st_mode) == 0o600
