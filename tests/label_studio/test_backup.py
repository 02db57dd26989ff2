"""A project of a real Label Studio is saved, restored there, and the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import review_tabs
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from ml_backend.review.repredict import repredict
from projection.records import Entity, ReviewedSentence, ReviewStatus
from tests.label_studio.conftest import invited
from tests.label_studio.examples import BY_ID, SECOND, FixedProjector, place, projected

pytestmark = pytest.mark.label_studio


def decided(server: ReviewServer, project: Project) -> list[Any]:
    """The reviews of a project, without ids."""
    names = ReviewedSentence.__dataclass_fields__.keys() - {"task_id", "annotation_id"}
    found = fetch_reviewed(server, project)
    return sorted(({name: getattr(r, name) for name in names} for r in found), key=str)


def drafts_of(server: ReviewServer, project: Project) -> list[Any]:
    """The drafts of a project, without ids."""
    return [
        (t["data"]["pair_id"], d["result"], d["lead_time"], d["annotation"] is None)
        for t in server.tasks(project, with_drafts=True)
        for d in t["drafts"]
    ]


def test_a_project_is_restored_as_it_was(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, tmp_path: Path
) -> None:
    push(server, project, projected())
    server.ensure_tabs(project, list(review_tabs()))
    server.add_instruction(project, "Dates & places are no names.")
    tasks = {task["data"]["pair_id"]: task for task in server.tasks(project)}
    text = BY_ID["plain"].target
    noted = annotation_of([Entity(place(text, "Berlin"), "PER")], text, ReviewStatus.CORRECTED)
    noted[0]["meta"] = {"text": ["a ship?"]}
    seen = tasks["plain"]["predictions"][0]
    server.annotate(tasks["plain"]["id"], noted, lead_time=3.5, parent_prediction=seen)
    server.annotate(tasks["none"]["id"], [], skipped=True)
    with ReviewServer.connect(label_studio.url, invited(label_studio)) as other:
        submitted = other.annotate(tasks["plain"]["id"], [], lead_time=1.0)
        other.add_draft(tasks["plain"]["id"], {"result": noted, "lead_time": 2.0}, submitted)
        other.add_draft(tasks["none"]["id"], {"result": [], "lead_time": 4.0}, None)
    repredict(server, server.project(project.id), FixedProjector(SECOND))

    access = ["--url", label_studio.url, "--api-key", label_studio.account.token]
    out, title = str(tmp_path / "backup"), f"{project.title} again"
    for command in (
        ["backup", project.title, "--out", out],
        ["restore", out, "--project", title],
        ["restore", out, "--project", title],
        ["backup", title, "--out", f"{out}-2"],
    ):
        done = CliRunner().invoke(app, [*command, *access], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    made = server.existing_project(title)
    before = server.project(project.id)
    assert decided(server, made) == decided(server, before)
    assert server.settings(made) == server.settings(before)
    assert server.tabs(made) == server.tabs(before)
    assert (made.task_count, made.model_version) == (before.task_count, SECOND)
    assert made.prediction_count == before.prediction_count
    drafts = [drafts_of(server, each) for each in (before, made)]
    assert drafts[0] == drafts[1]
    assert len(drafts[0]) == 2
    manifests = (json.loads((Path(f) / "manifest.json").read_text()) for f in (out, f"{out}-2"))
    assert len({manifest["content"] for manifest in manifests}) == 1
