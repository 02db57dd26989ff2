"""Projects and exports as the source of a report."""

from pathlib import Path

import pytest

from ml_backend.report.figures import Report
from ml_backend.report.page import page
from ml_backend.report.source import read_export, read_project
from ml_backend.report.terminal import closing_lines
from projection.errors import CorpusError
from projection.io.files import json_line
from projection.records import ReviewStatus, UnreadableReview
from tests.ml_backend.audit.tasks import reviewed, task
from tests.ml_backend.review.test_pull import FixedServer
from tests.ml_backend.reviews import ALL, RIGHT, review, write_export
from training.export.omissions import LOSSES, Loss, LossKind


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    decided = (review(ALL, RIGHT), review(ALL, (), number=2, status=ReviewStatus.SKIPPED))
    found = read_export(write_export(tmp_path / "export", *decided))
    assert (found.title, tuple(found.reviewed), found.waiting) == ("News de", decided, None)


def test_what_an_export_could_not_read_is_known(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "export", review(ALL, RIGHT))
    bad = UnreadableReview(7, 70, "1", "n7", "news.en:7", "task 7 annotation 70: no such label")
    skipped = Loss(LossKind.SKIPPED, review(ALL, ()), "skipped")
    losses = (Loss(LossKind.UNREADABLE, bad, bad.reason), skipped)
    (folder / LOSSES).write_text("".join(json_line(loss.to_json()) for loss in losses), "utf-8")

    found = read_export(folder)

    assert found.unreadable == [bad]
    report = Report.of(found)
    assert report.to_json()["progress"]["unreadable"] == 1
    assert next(iter(closing_lines(report))) == "1 annotation left out: unreadable"
    assert "1 annotation cannot be read and is left out." in page(report)


def test_a_project_is_read_whatever_one_task_holds() -> None:
    damaged = reviewed(task(2))
    damaged["data"]["target"] = "another text"
    server = FixedServer([reviewed(task(1)), damaged, task(3)])
    found = read_project(server, server.project)  # type: ignore[arg-type]
    assert [each.task_id for each in found.reviewed] == [1]
    assert [each.task_id for each in found.unreadable] == [2]
    assert found.waiting == {"de": 1}


def test_a_folder_that_is_no_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is not an export folder"):
        read_export(tmp_path)
