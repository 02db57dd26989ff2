"""An export pushed to a new project and exported again is the same export."""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.pull import fetch
from ml_backend.review.push import push, push_reviews
from projection.records import (
    Entity,
    LabelOrigin,
    Provenance,
    ReviewStatus,
    Span,
)
from tests.label_studio.examples import BY_ID, EXAMPLES, FIRST, LABELS, place, projected
from training.data.reviewed import read_reviews
from training.data.splits import Shares
from training.export.export import ExportSettings, write_export

pytestmark = pytest.mark.label_studio

ABOVE = 0.76
# What the documented side of the round trip leaves to the server.
OF_THE_SERVER = ("task_id", "annotation_id")
_numbers = count(1)


@pytest.fixture
def another(server: ReviewServer) -> Project:
    return server.ensure_project(f"Again {next(_numbers)}", build_config(LABELS))


@pytest.fixture
def decided(server: ReviewServer, project: Project) -> Project:
    """Accepted, corrected in every way, unusable, skipped, decided twice, and left alone."""
    push(server, project, projected())
    tasks = {task["data"]["pair_id"]: task for task in server.tasks(project, with_predictions=True)}

    def annotate(
        pair_id: str,
        entities: list[Entity],
        status: ReviewStatus = ReviewStatus.CORRECTED,
        provenance: list[Provenance] | None = None,
        seconds: float | None = 2.5,
    ) -> None:
        task = tasks[pair_id]
        server.annotate(
            task["id"],
            annotation_of(entities, BY_ID[pair_id].target, status, provenance or ()),
            skipped=status is ReviewStatus.SKIPPED,
            parent_prediction=task["predictions"][0]["id"],
            lead_time=seconds,
        )

    text = BY_ID["emoji"].target
    annotate(
        "emoji",
        [Entity(place(text, "Ada"), "PER"), Entity(place(text, "🇩🇪 Bremen"), "LOC")],
        provenance=[
            Provenance(LabelOrigin.CHANGED, place(BY_ID["emoji"].source, "Ada Lovelace")),
            Provenance(LabelOrigin.SUGGESTED, None),
        ],
    )
    text = BY_ID["overlap"].target
    bank = Entity(place(text, "Banco de Portugal"), "ORG")
    annotate(
        "overlap",
        [bank, Entity(place(text, "Portugal"), "LOC")],
        provenance=[
            Provenance(LabelOrigin.PROJECTED, place(BY_ID["overlap"].source, "Bank of Portugal")),
            Provenance(LabelOrigin.PERSON, None),
        ],
    )
    annotate("overlap", [bank], ReviewStatus.ACCEPTED, seconds=None)
    annotate("combining", [Entity(Span(3, 15), "LOC")])
    annotate("lines", [], ReviewStatus.UNUSABLE)
    annotate("none", [], ReviewStatus.SKIPPED, seconds=0.0)
    return server.project(project.id)


def lines_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """A file in JSON Lines, without what the server decides."""
    rows = map(json.loads, (folder / name).read_text("utf-8").splitlines())
    return [{key: row[key] for key in row if key not in OF_THE_SERVER} for row in rows]


def training_data(folder: Path) -> dict[str, bytes]:
    """Every file made for training, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".iob2", ".arrow", ".parquet")
    }


def export(server: ReviewServer, project: Project, out: Path) -> Path:
    reviewed = fetch(server, server.project(project.id), ABOVE).reviewed
    settings = ExportSettings(accept_above=ABOVE, shares=Shares.parse("50/25/25"))
    write_export(reviewed, out, title="Same", labels=LABELS, settings=settings)
    return out


def test_it_comes_back_byte_for_byte(
    server: ReviewServer, decided: Project, another: Project, tmp_path: Path
) -> None:
    first = export(server, decided, tmp_path / "first")

    report = push_reviews(server, another, read_reviews(first))
    second = export(server, another, tmp_path / "second")

    assert (report.added, report.reviews, report.model_version) == (len(EXAMPLES), 6, FIRST)
    assert report.current
    assert lines_of(second, "reviewed.jsonl") == lines_of(first, "reviewed.jsonl")
    losses = lines_of(first, "losses.jsonl")
    assert lines_of(second, "losses.jsonl") == losses
    kinds = {"superseded", "outvoted", "unusable", "skipped", "widened"}
    assert {loss["kind"] for loss in losses} == kinds
    statuses = {row["sentence"]["id"]: row["status"] for row in lines_of(first, "reviewed.jsonl")}
    assert statuses == {
        "plain": "unseen",
        "emoji": "corrected",
        "chinese": "unseen",
        "combining": "corrected",
        "lines": "unusable",
        "overlap": "corrected",
        "none": "skipped",
    }
    data = training_data(first)
    assert {"data.iob2", "iob2/train.iob2", "parquet/train.parquet"} <= data.keys()
    assert training_data(second) == data
    for name in ("summary.json", "README.md"):
        assert (second / name).read_bytes() == (first / name).read_bytes()


def test_pushing_it_again_adds_nothing(
    server: ReviewServer, decided: Project, another: Project
) -> None:
    reviewed = fetch(server, decided, ABOVE).reviewed
    push_reviews(server, another, reviewed)

    report = push_reviews(server, server.project(another.id), reviewed)

    assert (report.added, report.skipped, report.reviews) == (0, len(EXAMPLES), 0)


def test_who_decided_elsewhere_is_not_forgotten(
    server: ReviewServer, decided: Project, another: Project
) -> None:
    reviewed = [
        review if review.status is ReviewStatus.UNSEEN else replace(review, annotator="4711")
        for review in fetch(server, decided, ABOVE).reviewed
    ]

    push_reviews(server, another, reviewed)
    again = fetch(server, server.project(another.id), ABOVE).reviewed

    assert [review.annotator for review in again] == [review.annotator for review in reviewed]
    assert [review.updated_at for review in again] == [review.updated_at for review in reviewed]


def test_a_review_changed_afterwards_is_that_of_who_changed_it(
    server: ReviewServer, label_studio: LabelStudioServer, decided: Project, another: Project
) -> None:
    elsewhere = [replace(r, annotator="4711") for r in fetch(server, decided).reviewed]
    push_reviews(server, another, elsewhere)
    [task] = [t for t in server.tasks(another) if t["data"]["pair_id"] == "combining"]

    change(label_studio, task["annotations"][0]["id"])
    again = fetch(server, server.project(another.id)).reviewed

    changed = {r.annotator for r in again if r.sentence.id == "combining"}
    assert changed == {str(task["annotations"][0]["completed_by"])}
    assert {r.annotator for r in again if r.sentence.id != "combining"} == {"4711"}


def test_predictions_of_two_models_are_told_apart(
    server: ReviewServer, decided: Project, another: Project
) -> None:
    """Each annotation is compared with what its annotator saw, not with the newest."""
    [one, *_] = [r for r in fetch(server, decided).reviewed if r.sentence.id == "combining"]
    accepted = replace(
        one,
        entities=tuple(Entity(e.span, e.label) for e in one.predicted or ()),
        provenance=(),
        status=ReviewStatus.ACCEPTED,
    )
    newer = replace(
        one, model_version="fixed-2", predicted=one.predicted[:1] if one.predicted else ()
    )

    push_reviews(server, another, [accepted, newer])
    again = fetch(server, server.project(another.id)).reviewed

    assert [(r.status, r.model_version) for r in again] == [
        (ReviewStatus.ACCEPTED, FIRST),
        (ReviewStatus.CORRECTED, "fixed-2"),
    ]


def test_tasks_nobody_saw_are_taken_if_all_is_sure(server: ReviewServer, decided: Project) -> None:
    sure = fetch(server, decided, 0.97)
    surer = fetch(server, decided, 0.98)

    taken = [r for r in sure.reviewed if r.status is ReviewStatus.UNSEEN]
    assert [(r.sentence.id, r.annotator, r.model_version) for r in taken] == [("plain", "", FIRST)]
    [plain] = taken
    assert {each.origin for each in plain.provenance} == {LabelOrigin.PROJECTED}
    assert [each.source for each in plain.provenance] == [
        place(BY_ID["plain"].source, phrase) for phrase in ("Ada Lovelace", "Berlin")
    ]
    assert sure.left_open == {"below the threshold": 1}
    assert surer.left_open == {"below the threshold": 2}


def test_an_audited_task_is_there_once(server: ReviewServer, project: Project) -> None:
    push(server, project, projected()[:2])
    [seen, open_one] = server.tasks(project)
    for task in (seen, open_one):
        server.update_task_data(task["id"], {**task["data"], "audit": "first"})
    server.annotate(seen["id"], annotation_of([], "", ReviewStatus.CORRECTED))

    found = fetch(server, server.project(project.id), 0.5).reviewed

    assert [review.status for review in found] == [ReviewStatus.CORRECTED, ReviewStatus.UNSEEN]


def test_the_verbs_do_the_same(
    label_studio: LabelStudioServer, decided: Project, tmp_path: Path
) -> None:
    env = {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.account.token,
    }
    first, second = tmp_path / "first", tmp_path / "second"
    options = ["--accept-above", "0.76", "--split", "50/25/25", "--json"]

    def spanferry(*words: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*words], env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    exported = spanferry("export", "--project", decided.title, "--out", str(first), *options)
    pushed = spanferry("push", str(first), "--project", f"{decided.title} back", "--json")
    again = spanferry(
        "export", "--project", f"{decided.title} back", "--out", str(second), *options
    )

    assert (pushed["added"], pushed["reviews"]) == (len(EXAMPLES), 6)
    assert (exported["taken"], exported["left_open"]) == (2, {})
    assert training_data(second) == training_data(first)
    assert again["parts"] == exported["parts"]


def change(label_studio: LabelStudioServer, annotation_id: int) -> None:
    """Somebody saves an annotation again."""
    httpx.patch(
        f"{label_studio.url}/api/annotations/{annotation_id}/",
        json={"result": annotation_of([], "", ReviewStatus.CORRECTED)},
        headers={"Authorization": f"Token {label_studio.account.token}"},
    ).raise_for_status()
