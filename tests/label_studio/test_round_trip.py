"""Sentences go to a real Label Studio, are decided there, and come back as they were decided."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from label_config.tasks import NOT_YET, to_task
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import DISAGREEMENTS, review_tabs
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from ml_backend.review.repredict import RepredictReport, repredict
from projection.errors import RunError, ServerError
from projection.records import Entity, ReviewStatus, Span
from tests.label_studio.bundled_backend import events_of
from tests.label_studio.conftest import CREDENTIALS, RunningBackend
from tests.label_studio.examples import (
    BY_ID,
    EXAMPLES,
    FIRST,
    LABELS,
    SECOND,
    FixedProjector,
    place,
    projected,
)

pytestmark = pytest.mark.label_studio


def task_ids(server: ReviewServer, project: Project) -> dict[str, int]:
    return {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}


def decide(
    server: ReviewServer, task_id: int, pair_id: str, entities: list[Entity], status: ReviewStatus
) -> None:
    result = annotation_of(entities, BY_ID[pair_id].target, status)
    server.annotate(task_id, result, skipped=status is ReviewStatus.SKIPPED, lead_time=1.5)


def entities_of(pair_id: str) -> list[Entity]:
    example = BY_ID[pair_id]
    return [Entity(place(example.target, phrase), label) for label, phrase in example.marks]


def begin_draft(server: LabelStudioServer, task_id: int) -> None:
    """Somebody opens the task, changes something, and leaves without submitting."""
    httpx.post(
        f"{server.url}/api/tasks/{task_id}/drafts",
        json={"result": annotation_of([], "", ReviewStatus.ACCEPTED), "lead_time": 1.0},
        headers={"Authorization": f"Token {server.account.token}"},
    ).raise_for_status()


# Connecting


# label-studio-sdk exchanges the token with a method pydantic has given up.
@pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated:DeprecationWarning")
def test_a_personal_access_token_is_as_good_as_a_legacy_one(
    label_studio: LabelStudioServer,
) -> None:
    with httpx.Client(base_url=label_studio.url) as browser:
        csrf = browser.get("/user/login/").cookies["csrftoken"]
        account = label_studio.account
        form = {"email": account.user, "password": account.password, "csrfmiddlewaretoken": csrf}
        browser.post("/user/login/", data=form, headers={"Referer": label_studio.url})
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": label_studio.url}
        token = browser.post("/api/token/", headers=headers).raise_for_status().json()["token"]

    with ReviewServer.connect(label_studio.url + "/", token) as server:
        assert server.token_kind == "personal access token"
        assert server.find_project("no such project") is None


@pytest.mark.parametrize("key", ["0" * 40, "nonsense", "e30.e30.e30"])
def test_a_wrong_key_is_named_as_such(label_studio: LabelStudioServer, key: str) -> None:
    with pytest.raises(ServerError, match=r"API key is refused.*Personal Access Token"):
        ReviewServer.connect(label_studio.url, key)


# Projects and tabs


def test_the_same_project_is_found_again(server: ReviewServer, project: Project) -> None:
    assert server.ensure_project(project.title, build_config(LABELS)).id == project.id


def test_another_labeling_config_is_taken_until_something_is_annotated(
    server: ReviewServer, project: Project
) -> None:
    more = build_config((*LABELS, "EVENT"))

    changed = server.ensure_project(project.title, more)
    push(server, changed, projected())
    task_id = task_ids(server, changed)["plain"]
    decide(server, task_id, "plain", entities_of("plain"), ReviewStatus.ACCEPTED)

    assert 'value="EVENT"' in changed.label_config
    assert server.ensure_project(project.title, more).annotation_count == 1
    with pytest.raises(ServerError, match="has 1 annotations made with another labeling config"):
        server.ensure_project(project.title, build_config(LABELS))


def test_another_look_and_a_further_label_are_taken_at_any_time(
    server: ReviewServer, project: Project
) -> None:
    """A newer spanferry must not lock out a project under review."""
    push(server, project, projected())
    task_id = task_ids(server, project)["plain"]
    decide(server, task_id, "plain", entities_of("plain"), ReviewStatus.ACCEPTED)
    newer = build_config((*LABELS, "EVENT")).replace("line-height", "line-width")

    changed = server.ensure_project(project.title, newer)

    assert (changed.id, changed.label_config) == (project.id, newer)
    assert fetch_reviewed(server, changed)[0].status is ReviewStatus.ACCEPTED


def test_tabs_are_made_once_and_filter_as_they_say(
    server: ReviewServer, project: Project, label_studio: LabelStudioServer
) -> None:
    found_out = {
        "emoji": {"propagated": "Berlin: ORG → LOC"},
        "none": {"propagated": "Regen: LOC → no entity"},
        "chinese": {"audit": "May", "audit_stratum": "zh 0.8–0.9", "audit_stratum_size": 1},
        "lines": {"audit": "May", "disagreement": "usable or not"},
    }
    push(server, project, projected())
    ids = task_ids(server, project)
    decide(server, ids["plain"], "plain", entities_of("plain"), ReviewStatus.ACCEPTED)
    decide(server, ids["lines"], "lines", [], ReviewStatus.UNUSABLE)
    decide(server, ids["none"], "none", [], ReviewStatus.SKIPPED)
    for task in server.tasks(project):
        said = found_out.get(task["data"]["pair_id"], {})
        # An older spanferry pushed tasks without these fields: the first is one of them.
        old = NOT_YET if task["data"]["pair_id"] == "plain" else {}
        data = {key: value for key, value in task["data"].items() if key not in old}
        server.update_task_data(task["id"], {**data, **said})
    tabs = list(review_tabs())

    made = server.ensure_tabs(project, tabs)
    again = server.ensure_tabs(project, tabs)

    assert again == made
    pairs = {task_id: pair_id for pair_id, task_id in ids.items()}
    shown = {}
    for title, tab_id in made.items():
        answer = httpx.get(
            f"{label_studio.url}/api/tasks",
            params={"view": tab_id, "project": project.id},
            headers={"Authorization": f"Token {label_studio.account.token}"},
        ).raise_for_status()
        shown[title] = [pairs[task["id"]] for task in answer.json()["tasks"]]
    # The queue has the order of reviews, without what has been decided.
    assert shown["Queue"] == ["overlap", "combining", "chinese", "emoji"]
    assert shown["Overlap"] == shown["Failed"] == shown["Low conf."] == ["overlap"]
    assert shown["One-to-many"] == shown["Target only"] == []
    assert shown["Propagated"] == ["emoji"], "the other has been decided"
    assert shown["Audit"] == ["chinese", "lines"]
    assert shown["Disagreed"] == ["lines"]
    assert sorted(shown["Done"]) == ["lines", "plain"]
    assert shown["Unusable"] == ["lines"]
    assert shown["Skipped"] == ["none"]


def test_new_tabs_take_their_place_before_those_people_made(
    server: ReviewServer, project: Project, label_studio: LabelStudioServer
) -> None:
    def ask(method: str, path: str, **content: object) -> Any:
        headers = {"Authorization": f"Token {label_studio.account.token}"}
        url = f"{label_studio.url}{path}"
        return httpx.request(method, url, headers=headers, **content).raise_for_status().json()  # type: ignore[arg-type]

    tabs = list(review_tabs())
    server.ensure_tabs(project, [replace(DISAGREEMENTS, title="Disputed"), *tabs[:9:3]])
    body = {"project": project.id, "data": {"title": "Mine"}}
    ask("POST", "/api/dm/views", json=body)

    server.ensure_tabs(project, tabs)

    views = ask("GET", "/api/dm/views", params={"project": project.id})
    assert [view["data"]["title"] for view in views] == [*(tab.title for tab in tabs), "Mine"]


# Pushing


def test_pushing_twice_adds_nothing_and_an_interrupted_push_is_finished(
    server: ReviewServer, project: Project
) -> None:
    sentences = projected()

    interrupted = push(server, project, sentences[:3])
    finished = push(server, server.project(project.id), sentences)
    again = push(server, server.project(project.id), sentences)

    assert (interrupted.added, finished.added, again.added) == (3, len(EXAMPLES) - 3, 0)
    assert (finished.skipped, again.skipped) == (3, len(EXAMPLES))
    now = server.project(project.id)
    assert now.task_count == now.prediction_count == len(EXAMPLES)
    assert now.model_version == FIRST
    assert server.tasks_without_current_prediction(now) == 0


def test_what_is_pushed_is_what_arrives(server: ReviewServer, project: Project) -> None:
    push(server, project, projected())

    tasks = server.tasks(project, with_predictions=True)

    for task, example in zip(tasks, EXAMPLES, strict=True):
        assert (task["data"]["source"], task["data"]["target"]) == (example.source, example.target)
        [prediction] = task["predictions"]
        assert prediction["model_version"] == FIRST
        marks = [(r["value"]["labels"][0], r["value"]["text"]) for r in prediction["result"]]
        assert marks == example.marks


def test_another_text_under_a_known_id_is_pushed_and_named(
    server: ReviewServer, project: Project
) -> None:
    push(server, project, projected())
    edited = projected()[0]
    edited = replace(
        edited, sentence=replace(edited.sentence, source="Ada Lovelace was in Berlin.")
    )

    report = push(server, server.project(project.id), [edited])

    assert (report.added, report.skipped) == (1, 0)
    assert report.collisions == (edited.sentence.origin,)


def test_the_runs_of_two_models_are_not_mixed(server: ReviewServer, project: Project) -> None:
    with pytest.raises(RunError, match="Push the runs of two models apart"):
        push(server, project, [*projected(), *projected(FixedProjector(SECOND))])


# Coming back


def test_every_decision_comes_back_code_point_for_code_point(
    server: ReviewServer, project: Project
) -> None:
    push(server, project, projected())
    ids = task_ids(server, project)
    emoji = BY_ID["emoji"].target
    decided = {
        "plain": (entities_of("plain"), ReviewStatus.ACCEPTED),
        "lines": (entities_of("lines"), ReviewStatus.ACCEPTED),
        "emoji": (
            [
                *entities_of("emoji"),
                Entity(place(emoji, "👩‍👩‍👧"), "MISC"),
                Entity(place(emoji, "🇩🇪"), "LOC"),
            ],
            ReviewStatus.CORRECTED,
        ),
        "chinese": (
            [Entity(place(BY_ID["chinese"].target, "𠮷野家"), "ORG")],
            ReviewStatus.CORRECTED,
        ),
        "combining": (
            # Relabelled, and the combining tilde cut off on purpose.
            [Entity(Span(3, 15), "LOC"), Entity(Span(3, 16), "MISC")],
            ReviewStatus.CORRECTED,
        ),
        "overlap": (entities_of("overlap")[:1], ReviewStatus.UNUSABLE),
        "none": ([], ReviewStatus.SKIPPED),
    }
    for pair_id, (entities, status) in decided.items():
        decide(server, ids[pair_id], pair_id, entities, status)

    found = fetch_reviewed(server, server.project(project.id))

    came_back = {one.sentence.id: (sorted(one.entities, key=by_place), one.status) for one in found}
    assert came_back == {
        pair_id: (sorted(entities, key=by_place), status)
        for pair_id, (entities, status) in decided.items()
    }
    assert {one.sentence.id: one.sentence for one in found} == {
        example.id: example.sentence for example in EXAMPLES
    }
    assert {one.model_version for one in found} == {FIRST}
    assert {one.lead_time for one in found} == {1.5}


def by_place(entity: Entity) -> tuple[Span, str]:
    return entity.span, entity.label


def test_open_tasks_do_not_come_back(server: ReviewServer, project: Project) -> None:
    push(server, project, projected())

    assert fetch_reviewed(server, server.project(project.id)) == []


# A newer model


def test_repredicting_leaves_alone_what_somebody_touched(
    server: ReviewServer, project: Project, label_studio: LabelStudioServer
) -> None:
    push(server, project, projected())
    ids = task_ids(server, project)
    decide(server, ids["plain"], "plain", entities_of("plain"), ReviewStatus.ACCEPTED)
    decide(server, ids["none"], "none", [], ReviewStatus.SKIPPED)
    begin_draft(label_studio, ids["lines"])
    # The new model finds Porto in "otra", is surer of the Chinese pair, and agrees on the third.
    # The one with emoji is too long for it.
    went = BY_ID["overlap"].went
    surer = tuple((*found[:3], 0.89) for found in BY_ID["chinese"].went)
    better = {
        **BY_ID,
        "overlap": replace(BY_ID["overlap"], went=(went[0], ("LOC", "Porto.", "otra", 0.9))),
        "chinese": replace(BY_ID["chinese"], went=surer),
    }
    projector = FixedProjector(SECOND, better, longest=len(BY_ID["emoji"].target) - 1)

    report = repredict(server, server.project(project.id), projector)
    again = repredict(server, server.project(project.id), projector)

    assert projector.asked == ["chinese", "combining", "overlap"]
    assert report == RepredictReport(
        predicted=3,
        refreshed=1,  # only one of them went elsewhere
        touched=3,
        meanwhile=0,
        up_to_date=0,
        too_long=1,
        model_version=SECOND,
        current=True,
    )
    assert (again.predicted, again.up_to_date) == (0, 3)
    assert server.project(project.id).model_version == SECOND
    for task in server.tasks(project, with_predictions=True):
        pair_id = task["data"]["pair_id"]
        expected = [FIRST, SECOND] if pair_id in projector.asked else [FIRST]
        assert [p["model_version"] for p in task["predictions"]] == expected, pair_id
        if pair_id == "overlap":
            assert task["data"]["conflict"] == "none"


class Busy(ReviewServer):
    """Somebody begins one task, and decides another, as soon as a first has been refreshed."""

    do: Callable[[], None] | None = None

    def update_task_data(self, task_id: int, data: dict[str, Any]) -> None:
        super().update_task_data(task_id, data)
        if self.do is not None:
            do, self.do = self.do, None
            do()


def test_repredicting_leaves_alone_what_is_touched_while_it_refreshes(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project
) -> None:
    push(server, project, projected())
    ids = task_ids(server, project)
    lost = {
        name: replace(each, went=tuple((lb, source, None, 0.0) for lb, source, *_ in each.went))
        for name, each in BY_ID.items()
    }

    def touch() -> None:
        begin_draft(label_studio, ids["lines"])
        decide(server, ids["overlap"], "overlap", [], ReviewStatus.ACCEPTED)

    with Busy.connect(label_studio.url, label_studio.account.token) as busy:
        busy.do = touch
        report = repredict(busy, server.project(project.id), FixedProjector(SECOND, lost))

    assert (report.predicted, report.refreshed, report.meanwhile) == (5, 4, 2)
    for task in server.tasks(project, with_predictions=True):
        pair_id = task["data"]["pair_id"]
        left_alone = pair_id in {"lines", "overlap"}
        assert (task["predictions"][-1]["model_version"] == FIRST) is left_alone, pair_id
        assert task["data"]["n_entities"] == (len(BY_ID[pair_id].marks) if left_alone else 0)


def test_an_annotation_is_compared_with_what_its_annotator_saw(
    server: ReviewServer, project: Project
) -> None:
    push(server, project, projected())
    [task] = [
        task
        for task in server.tasks(project, with_predictions=True)
        if task["data"]["pair_id"] == "chinese"
    ]
    changed = replace(BY_ID["chinese"], went=(("LOC", "Amazon", "亚马孙", 0.99),))
    repredict(
        server, server.project(project.id), FixedProjector(SECOND, {**BY_ID, "chinese": changed})
    )
    accepted = annotation_of(entities_of("chinese"), changed.target, ReviewStatus.ACCEPTED)

    server.annotate(task["id"], accepted, parent_prediction=task["predictions"][0]["id"])
    [reviewed] = fetch_reviewed(server, server.project(project.id))

    assert (reviewed.status, reviewed.model_version) == (ReviewStatus.ACCEPTED, FIRST)


# The backend


def test_a_backend_is_connected_once_and_let_in(
    server: ReviewServer, project: Project, backend: RunningBackend
) -> None:
    push(server, project, projected())
    project = server.project(project.id)

    first = server.connect_backend(project, backend.url, CREDENTIALS)
    again = server.connect_backend(project, backend.url + "/", CREDENTIALS)

    assert again == first
    assert first.connected
    assert first.interactive
    assert first.model_version == FIRST
    [webhook] = server.webhooks(project)
    assert webhook.url == f"{backend.url}/webhook"
    assert {"Authorization": webhook.authorization} == CREDENTIALS.webhook_header
    assert server.project(project.id).model_version == FIRST, "not the title of the backend"


def test_label_studio_itself_retrieves_predictions_once(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, backend: RunningBackend
) -> None:
    """What its button "Retrieve predictions" does: one /predict, one answer a task, in order."""
    server.import_tasks(project, [to_task(each) for each in projected()])
    server.connect_backend(server.project(project.id), backend.url, CREDENTIALS)

    for _ in range(2):
        httpx.post(
            f"{label_studio.url}/api/dm/actions",
            params={"id": "retrieve_tasks_predictions", "project": project.id},
            json={"selectedItems": {"all": True, "excluded": []}},
            headers={"Authorization": f"Token {label_studio.account.token}"},
            timeout=60,
        ).raise_for_status()

    for task in server.tasks(project, with_predictions=True):
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == FIRST
        marks = [
            (region["value"]["labels"][0], region["value"]["text"])
            for region in prediction["result"]
        ]
        assert sorted(marks) == sorted(BY_ID[task["data"]["pair_id"]].marks)
    assert backend.projector.asked == [example.id for example in EXAMPLES]


def test_a_review_reaches_the_backend(
    server: ReviewServer, project: Project, backend: RunningBackend
) -> None:
    push(server, project, projected())
    server.connect_backend(project, backend.url, CREDENTIALS)

    decide(
        server,
        task_ids(server, project)["plain"],
        "plain",
        entities_of("plain"),
        ReviewStatus.ACCEPTED,
    )

    assert events_of(backend.url, CREDENTIALS, 1) == {"ANNOTATION_CREATED": 1}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("http://10.1.2.3:9090", "BANNED_SUBNETS", id="an address it may not call"),
        pytest.param("http://127.0.0.1:9", "health check failed", id="nobody there"),
    ],
)
def test_a_backend_that_cannot_be_reached_is_refused(
    server: ReviewServer, project: Project, url: str, said: str
) -> None:
    with pytest.raises(ServerError, match=said):
        server.connect_backend(project, url, CREDENTIALS)


# The command line


def test_the_commands_do_the_same(
    label_studio: LabelStudioServer, run: Path, tmp_path: Path, backend: RunningBackend
) -> None:
    runner = CliRunner()
    env = {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.account.token,
        "SPANFERRY_DATA_DIR": str(backend.settings.data_dir),
        "SPANFERRY_BACKEND_USER": CREDENTIALS.user,
        "SPANFERRY_BACKEND_PASSWORD": CREDENTIALS.password,
        "SPANFERRY_BACKEND_LOADER": "tests.label_studio.conftest:fixed_loader",
    }
    of_it = ["--project", "By command", "--json"]

    def spanferry(*words: str) -> dict[str, object]:
        result = runner.invoke(app, [*words, *of_it], env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        answer: dict[str, object] = json.loads(result.stdout)
        return answer

    pushed = spanferry("push", str(run), "--backend", backend.url)
    examined = spanferry("doctor", "--backend-url", backend.url)
    backend.projector.model_version = SECOND
    repredicted = spanferry("repredict")
    exported = spanferry("export", "--out", str(tmp_path / "export"))

    assert (pushed["added"], pushed["model_version"]) == (len(EXAMPLES), FIRST)
    assert examined["ok"]
    assert (repredicted["predicted"], repredicted["model_version"]) == (len(EXAMPLES), SECOND)
    assert exported["annotations"] == 0
