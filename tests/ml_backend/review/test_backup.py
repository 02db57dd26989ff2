"""A project goes into a folder and comes back, and what is damaged is refused."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import ReviewServer
from ml_backend.label_studio.tabs import review_tabs
from ml_backend.review.backup import back_up, read_backup, restore
from ml_backend.review.pull import fetch_reviewed
from projection.errors import CorpusError, ReviewError
from projection.records import Entity, ReviewedSentence, ReviewStatus
from tests.ml_backend.audit.tasks import (
    ANNA,
    BONN,
    LABELS,
    VERSION,
    predicted_again,
    reviewed,
    task,
)
from tests.ml_backend.label_studio.studio import KEY, Studio, running

CORRECTED = [Entity(ANNA, "PER"), Entity(BONN, "PER")]
TASKS = [
    reviewed(task(1), CORRECTED),
    reviewed(reviewed(task(2)), CORRECTED, by=7),
    reviewed(task(3), status=ReviewStatus.SKIPPED),
    reviewed(predicted_again(task(4), "v2"), status=ReviewStatus.UNUSABLE),
    {**task(5), "drafts": [{"id": 77, "result": [], "lead_time": 1.5, "annotation": None}]},
]
TASKS[0]["drafts"] = [
    {"id": 79, "result": TASKS[0]["annotations"][0]["result"][:1], "annotation": 10},
    {"id": 78, "result": [], "annotation": None},
]


@pytest.fixture
def studio() -> Iterator[Studio]:
    with running() as server:
        number = server.add_project("News", build_config(LABELS), TASKS, VERSION)
        server.held.projects[number].update(expert_instruction="Read.", sampling="Uniform sampling")
        yield server


@pytest.fixture
def server(studio: Studio) -> Iterator[ReviewServer]:
    with ReviewServer.connect(studio.url, KEY) as opened:
        opened.ensure_tabs(opened.existing_project("News"), list(review_tabs()))
        yield opened


def decided(server: ReviewServer, title: str) -> list[ReviewedSentence]:
    """The reviews, without ids."""
    found = fetch_reviewed(server, server.existing_project(title))
    return sorted((_plain(review) for review in found), key=str)


def _plain(review: ReviewedSentence) -> Any:
    return {
        name: getattr(review, name)
        for name in ReviewedSentence.__dataclass_fields__
        if name not in {"task_id", "annotation_id"}
    }


def test_what_was_saved_comes_back_with_who_decided_when_on_what(
    server: ReviewServer, tmp_path: Path
) -> None:
    saved = back_up(server, server.existing_project("News"), tmp_path / "b")

    project, report = restore(server, tmp_path / "b", "Again")

    assert report == saved
    assert (saved.tasks, saved.predictions, saved.annotations, saved.drafts) == (5, 6, 5, 3)
    assert decided(server, "Again") == decided(server, "News")
    assert server.settings(project) == server.settings(server.existing_project("News"))
    assert server.tabs(project) == server.tabs(server.existing_project("News"))
    assert project.model_version == VERSION


def test_drafts_come_back_once_in_the_task_or_annotation_they_are_of(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    project, _ = restore(server, tmp_path / "b", "Again")
    studio.held.tasks[max(studio.held.tasks)]["drafts"].clear()  # an interruption

    restore(server, tmp_path / "b", "Again")

    again = [task for task in server.tasks(project, with_drafts=True) if task["drafts"]]
    assert [(t["data"]["pair_id"], [(d["annotation"], len(d["result"])) for d in t["drafts"]])
            for t in again] == [("n1", [(None, 0), (again[0]["annotations"][0]["id"], 1)]),
                                ("n5", [(None, 0)])]  # fmt: skip
    assert again[1]["drafts"][0]["lead_time"] == 1.5


def test_a_backup_of_a_restored_project_is_the_same(server: ReviewServer, tmp_path: Path) -> None:
    first = back_up(server, server.existing_project("News"), tmp_path / "b")
    project, _ = restore(server, tmp_path / "b", "Again")
    second = back_up(server, project, tmp_path / "c")
    assert second.content == first.content


def test_a_task_whose_meta_is_damaged_is_saved_like_the_others(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    studio.held.tasks[1]["meta"] = {"reviews": [3]}
    studio.held.tasks[2]["meta"] = ["odd"]
    saved = back_up(server, server.existing_project("News"), tmp_path / "b")
    assert restore(server, tmp_path / "b", "Again")[1] == saved


def test_restoring_twice_adds_nothing(studio: Studio, server: ReviewServer, tmp_path: Path) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    restore(server, tmp_path / "b", "Again")
    before = studio.state()
    restore(server, tmp_path / "b", "Again")
    assert studio.state() == before


def test_tasks_that_an_import_made_twice_are_there_once(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    project, _ = restore(server, tmp_path / "b", "Again")
    before = studio.state()
    for held in [t for t in studio.held.tasks.values() if t["project"] == project.id][:2]:
        number = studio.next_id()
        studio.held.tasks[number] = {**held, "id": number}
    restore(server, tmp_path / "b", "Again")
    assert studio.state() == before


def test_a_project_with_other_tasks_is_left_alone(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    studio.held.tasks[5]["data"]["target"] = "changed"
    before = studio.state()
    with pytest.raises(ReviewError, match="has 1 tasks that are not in the backup"):
        restore(server, tmp_path / "b")
    assert studio.state() == before


def test_what_label_studio_loses_is_noticed(
    studio: Studio, server: ReviewServer, tmp_path: Path
) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")

    def lose(call: str) -> None:
        if call == "PATCH /api/projects/N":
            for held in studio.held.tasks.values():
                held["predictions"] = held["predictions"][:1]

    studio.before = lose
    with pytest.raises(ReviewError, match="5 tasks with 5 predictions and 5 annotations are not"):
        restore(server, tmp_path / "b", "Again")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def flipped(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Bonn", b"Bern", 1))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *product(("project.json", "tasks.jsonl", "manifest.json"), (cut, Path.unlink)),
        ("tasks.jsonl", flipped),
    ],
)
def test_a_damaged_backup_is_refused(
    server: ReviewServer, tmp_path: Path, name: str, damage: Callable[[Path], object]
) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    damage(tmp_path / "b" / name)
    with pytest.raises(CorpusError, match=r"not as it was written|no backup|not JSON"):
        read_backup(tmp_path / "b")


def test_a_newer_backup_is_refused(server: ReviewServer, tmp_path: Path) -> None:
    back_up(server, server.existing_project("News"), tmp_path / "b")
    path = tmp_path / "b" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2}))
    with pytest.raises(CorpusError, match="schema 2, but this version reads 1"):
        read_backup(tmp_path / "b")


def test_an_older_backup_is_replaced_and_another_folder_is_not(
    server: ReviewServer, tmp_path: Path
) -> None:
    for _ in range(2):
        back_up(server, server.existing_project("News"), tmp_path / "b")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    with pytest.raises(OSError, match="mine"):
        back_up(server, server.existing_project("News"), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years"
    assert {path.name for path in tmp_path.iterdir()} == {"b", "mine"}
