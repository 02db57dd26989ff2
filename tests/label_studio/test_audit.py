"""An audit and an adjudication on a real Label Studio, from the command line."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from label_config.annotations import annotation_of
from ml_backend.audit.report import audit_report
from ml_backend.audit.sample import audit_of, draw
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import (
    AUDIT_SAMPLE,
    DISAGREEMENTS,
    review_tabs,
)
from ml_backend.review.pull import fetch
from ml_backend.review.push import push, push_reviews
from ml_backend.review.repredict import repredict
from projection.errors import ReviewError
from projection.records import Entity, ParallelSentence, ProjectedSentence, ReviewStatus
from tests.label_studio.conftest import invited
from tests.label_studio.examples import FIRST, LABELS, SECOND, many, place
from training.data.adjudication import adjudicate

if TYPE_CHECKING:
    from tests.label_studio.pages import ReviewPage

pytestmark = pytest.mark.label_studio

TASKS, SIZE = 200, 20


@pytest.fixture
def filled(server: ReviewServer, project: Project) -> Project:
    """200 tasks in German with scores from 0.5 to 1: 80 of them at least at 0.8."""
    push(server, project, many(TASKS))
    return server.existing_project(project.title)


class SameAgain:
    """A newer model that finds what the old one found: the real interface, no torch."""

    labels = LABELS
    languages: tuple[str, ...] = ()

    def __init__(self, model_version: str) -> None:
        self.model_version = model_version
        self._known = {each.sentence.id: each for each in many(TASKS)}

    def fits(self, sentence: ParallelSentence) -> bool:
        return sentence.id in self._known

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        return [replace(self._known[s.id], model_version=self.model_version) for s in sentences]


def run(studio: LabelStudioServer, project: Project, *command: str) -> Result:
    access = ("--url", studio.url, "--api-key", studio.account.token, "--project", project.title)
    result = CliRunner().invoke(app, [*command, *access], env={"COLUMNS": "160"})
    if isinstance(result.exception, ReviewError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def spanferry(studio: LabelStudioServer, project: Project, *command: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(studio, project, *command, "--json").stdout)
    return answer


def in_words(studio: LabelStudioServer, project: Project, *command: str) -> str:
    return run(studio, project, *command).stdout


def decide(server: ReviewServer, task: dict[str, Any], label: str = "LOC", more: str = "") -> None:
    """Submit what was proposed under a label, and perhaps one more person."""
    target = task["data"]["target"]
    entities = [Entity(place(target, "Berlin"), label)]
    entities += [Entity(place(target, more), "PER")] if more else []
    server.annotate(task["id"], annotation_of(entities, target, ReviewStatus.ACCEPTED))


def shown_in(studio: LabelStudioServer, project: Project, tab: int) -> set[int]:
    answer = httpx.get(
        f"{studio.url}/api/tasks",
        params={"view": tab, "project": project.id, "page_size": 500},
        headers={"Authorization": f"Token {studio.account.token}"},
    ).raise_for_status()
    return {task["id"] for task in answer.json()["tasks"]}


@contextmanager
def second_person(studio: LabelStudioServer) -> Iterator[ReviewServer]:
    """Somebody else of the same organization."""
    with ReviewServer.connect(studio.url, invited(studio)) as server:
        yield server


def test_an_audit_is_drawn_reviewed_and_reported(
    label_studio: LabelStudioServer, server: ReviewServer, filled: Project, tmp_path: Path
) -> None:
    command = ("audit", "draw", "--size", str(SIZE), "--name", "Mai 😀")
    drawn = spanferry(label_studio, filled, *command)
    again = spanferry(label_studio, filled, *command)

    assert (drawn["population"], drawn["drawn"], drawn["added"]) == (80, SIZE, SIZE)
    assert (again["drawn"], again["added"]) == (SIZE, 0)
    assert drawn["left_out"] == {"below the threshold": 120}
    assert [(s["name"], s["size"], s["drawn"]) for s in drawn["strata"]] == [
        ("de 0.98–1", 8, 2),
        ("de 0.95–0.98", 12, 3),
        ("de 0.9–0.95", 20, 5),
        ("de 0.8–0.9", 40, 10),
    ]

    sampled = [task for task in server.tasks(filled) if audit_of(task) == "Mai 😀"]
    tabs = server.ensure_tabs(filled, list(review_tabs()))
    assert shown_in(label_studio, filled, tabs[AUDIT_SAMPLE.title]) == {t["id"] for t in sampled}

    for task in sampled[:-1]:
        decide(server, task, more="reiste" if task is sampled[0] else "")
    server.annotate(sampled[-1]["id"], [], skipped=True)
    out = tmp_path / "audit.json"
    found = spanferry(label_studio, filled, "audit", "report", "--out", str(out))

    assert found == json.loads(out.read_text("utf-8"))
    assert (found["name"], found["reviewed"], found["skipped"]) == ("Mai 😀", SIZE - 1, 1)
    assert (found["remaining"], found["entities"]) == (80 - SIZE, 80 - SIZE)
    assert found["precision"]["value"] == 1
    assert found["recall"]["value"] < 1
    assert found["threshold"] is None, "19 sentences cannot show 95 %"

    export = ("export", "--audit", str(out), "--accept-above", "0.8")
    told = run(label_studio, filled, *export, "--out", str(tmp_path / "export")).stderr
    assert "Warning: audit 'Mai 😀' shows no confidence with a precision of 95 %" in told
    card = (tmp_path / "export" / "README.md").read_text("utf-8")
    assert "Audit “Mai 😀” of the project" in card
    assert "1 of the sample skipped, and counted as not reviewed" in card

    words = in_words(label_studio, filled, "audit", "report", "--target-precision", "0.5")
    assert "From 0.8 on precision is at least 50 % (95 % sure): 60 tasks with 60 labels" in words
    assert "spanferry export --accept-above 0.8" in words
    assert "1 of the sample skipped" in words
    assert "which flatters these figures" in words


def test_an_audit_reviewed_against_another_model_has_no_figures_and_is_refused(
    label_studio: LabelStudioServer, server: ReviewServer, filled: Project, tmp_path: Path
) -> None:
    draw(server, filled, "a", size=SIZE)
    repredict(server, filled, SameAgain(SECOND))
    for task in server.tasks(filled):
        if audit_of(task):
            decide(server, task)

    out = tmp_path / "audit.json"
    found = spanferry(label_studio, filled, "audit", "report", "--out", str(out))

    assert (found["model_version"], found["current"]) == (FIRST, False)
    assert (found["drawn"], found["reviewed"], found["foreign"]) == (SIZE, 0, SIZE)
    assert f"{SIZE} of the sample left out: not reviewed against" in " ".join(found["notes"])
    with pytest.raises(ReviewError, match=f"the project shows those of {SECOND}"):
        spanferry(label_studio, filled, "export", "--audit", str(out), "--out", str(tmp_path / "e"))
    with pytest.raises(ReviewError, match=f"was drawn for the model version {FIRST}, not {SECOND}"):
        draw(server, server.project(filled.id), "a", size=2 * SIZE)


def test_an_interrupted_draw_goes_on_to_the_same_sample(
    server: ReviewServer, filled: Project
) -> None:
    def interrupt(_what: str, done: int, _total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(server, filled, "a", size=SIZE, on_progress=interrupt)
    half = {task["id"] for task in server.tasks(filled) if audit_of(task)}
    report = draw(server, filled, "a", size=SIZE)
    whole = {task["id"] for task in server.tasks(filled) if audit_of(task)}
    found = audit_report(filled, server.tasks(filled, with_predictions=True))

    assert (len(half), report.added, report.drawn) == (7, SIZE - 7, SIZE)
    assert half < whole
    assert (found.waiting, found.reviewed, found.remaining) == (SIZE, 0, 80)


def test_mistakes_are_one_line(label_studio: LabelStudioServer, project: Project) -> None:
    access = ("--url", label_studio.url, "--api-key", label_studio.account.token)
    for command, message in (
        (("audit", "draw"), "nothing to draw (it has no tasks)"),
        (("audit", "report"), "has no audit. Draw one"),
        (("adjudicate", "--policy", "reviewer"), "policy reviewer: needs a reviewer"),
    ):
        result = CliRunner().invoke(app, [*command, *access, "--project", project.title])
        assert result.exit_code != 0
        assert message in str(result.exception)


def test_a_project_nobody_reviewed_has_no_disagreements(
    label_studio: LabelStudioServer, project: Project
) -> None:
    found = spanferry(label_studio, project, "adjudicate")
    assert (found["opened"], found["disagreements"], found["marked"]) == (0, [], 0)
    words = in_words(label_studio, project, "adjudicate")
    assert words.startswith("Nobody has decided anything yet.\n0 disagreements in 0 sentences")


def test_disagreements_are_marked_and_cleared(
    label_studio: LabelStudioServer, server: ReviewServer, filled: Project
) -> None:
    contested, agreed, alone = server.tasks(filled)[:3]
    with second_person(label_studio) as colleague:
        for task, label in ((contested, "LOC"), (agreed, "LOC"), (alone, "LOC")):
            decide(server, task, label)
        decide(colleague, contested, "ORG")
        decide(colleague, agreed, "LOC")
        mine, theirs = sorted({a["completed_by"] for a in server.tasks(filled)[0]["annotations"]})

        first = spanferry(label_studio, filled, "adjudicate")
        second = spanferry(label_studio, filled, "adjudicate")

        assert (first["opened"], first["open"], first["marked"], first["cleared"]) == (3, 1, 1, 0)
        assert first["agreement"]["f1"] == 0.5
        assert (first["agreement"]["sentences"], first["agreement"]["compared"]) == (2, 2)
        assert (second["open"], second["marked"], second["cleared"]) == (1, 0, 0)
        [told] = first["disagreements"]
        assert told["task_id"] == contested["id"]
        assert told["differs"] == f"{mine}: LOC “Berlin”; {theirs}: ORG “Berlin”"
        tabs = server.ensure_tabs(filled, list(review_tabs()))
        tab = tabs[DISAGREEMENTS.title]
        assert shown_in(label_studio, filled, tab) == {contested["id"]}
        assert server.tasks(filled)[0]["data"]["disagreement"] == told["differs"]
        words = in_words(label_studio, filled, "adjudicate")
        assert words.startswith("agreement of annotators: F1 0.50 on 2 sentences that two found")
        assert "who has what" in words
        assert "1 disagreement in 3 sentences, 1 open" in words

        everything = fetch(server, filled).reviewed
        assert [r.sentence.id for r in adjudicate(everything).sentences] == [
            task["data"]["pair_id"] for task in (agreed, alone)
        ]

        reviewer = ("--policy", "reviewer", "--reviewer", str(mine))
        settled = spanferry(label_studio, filled, "adjudicate", *reviewer)
        assert (settled["open"], settled["marked"], settled["cleared"]) == (0, 0, 1)
        assert shown_in(label_studio, filled, tab) == set()

        assert spanferry(label_studio, filled, "adjudicate")["marked"] == 1
        decide(colleague, contested, "LOC")
        cleared = spanferry(label_studio, filled, "adjudicate")
        assert (cleared["disagreements"], cleared["cleared"]) == ([], 1)


def test_a_person_settles_a_disagreement_with_one_key(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, reviewer: "ReviewPage"
) -> None:
    push(server, project, many(3))
    tasks = server.tasks(project)
    with second_person(label_studio) as anna, second_person(label_studio) as ben:
        for task in tasks:
            decide(anna, task, "LOC")
            decide(ben, task, "ORG")
    opened = spanferry(label_studio, project, "adjudicate")
    assert (opened["open"], opened["marked"]) == (3, 3)
    names = server.users()
    anna_id, ben_id = (each["completed_by"] for each in server.tasks(project)[0]["annotations"])

    reviewer.open(server.task_url(project, tasks[0]["id"]))
    shown = reviewer.page.inner_text(".sf-versions")
    assert f"Shift+1 · {names[anna_id]} — LOC “Berlin”" in shown
    assert f"Shift+2 · {names[ben_id]} — ORG “Berlin”" in shown
    assert reviewer.page.locator(".sf-settled").is_visible()
    reviewer.press("Shift+1")
    reviewer.submit()  # the page shows the other annotation, which only gets the answer
    reviewer.open(server.task_url(project, tasks[1]["id"]))
    reviewer.press("Shift+0")
    reviewer.submit()

    settled = spanferry(label_studio, project, "adjudicate")
    assert (settled["open"], settled["cleared"]) == (1, 2)
    everything = fetch(server, project).reviewed
    assert {r.annotator: r.entities[0].label for r in everything} == {
        str(anna_id): "LOC",
        str(ben_id): "ORG",
    }
    held = {r.task_id: r.entities[0].label for r in adjudicate(everything).sentences}
    assert held == {tasks[0]["id"]: "LOC", tasks[1]["id"]: "ORG"}

    copy = server.ensure_project(f"{project.title} again", project.label_config)
    push_reviews(server, copy, everything)
    again = fetch(server, copy).reviewed
    assert [r.entities[0].label for r in adjudicate(again).sentences] == ["LOC", "ORG"]
