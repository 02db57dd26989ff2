"""`spanferry backup` and `spanferry restore`."""

from pathlib import Path

import pytest

from label_config.labeling_config import build_config
from tests.ml_backend.audit.tasks import LABELS, VERSION, reviewed, task
from tests.ml_backend.cli.conftest import Spanferry
from tests.ml_backend.label_studio.studio import KEY, running


@pytest.mark.usefixtures("nobody")
def test_a_backup_is_restored_with_its_drafts(spanferry: Spanferry, tmp_path: Path) -> None:
    out = tmp_path / "b"
    with running() as studio:
        access = ("--url", studio.url, "--api-key", KEY)
        draft = {"id": 7, "result": [], "lead_time": 1.0, "annotation": None}
        tasks = [reviewed(task(1)), {**task(2), "drafts": [draft]}]
        studio.add_project("News", build_config(LABELS), tasks, VERSION)

        saved = spanferry("backup", "News", "--out", out, *access)
        made = spanferry("restore", out, "--project", " Again ", *access)
        again = spanferry("restore", out, "--project", "Again", "--json", *access).json

    counts = "2 tasks, 2 predictions, 1 annotation, 1 draft, 0 tabs"
    assert saved.out.splitlines() == [counts, f"Written to {out}"]
    assert made.out.splitlines() == [counts, "The same is in project 'Again' now"]
    assert (again["tasks"], len(studio.held.tasks)) == (2, 4)


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_is_no_backup_is_named_before_anything_is_asked(
    spanferry: Spanferry, tmp_path: Path
) -> None:
    assert "no backup (no manifest.json)" in spanferry("restore", tmp_path).mistake
