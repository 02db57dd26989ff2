"""The HTTP contract: what Label Studio 1.23 sends, and what it must get."""

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from label_config.labeling_config import build_config
from ml_backend.api.app import create_app
from ml_backend.api.http_worker import REFUSES
from ml_backend.jobs.hints import MOST_HINTS, Hint
from ml_backend.jobs.queue import JobQueue, State
from ml_backend.propagation.memory import Memory
from ml_backend.serving.engine import Engine
from ml_backend.serving.model_store import POINTER, ModelStore
from ml_backend.settings import Settings, SettingsError
from projection.records import ParallelSentence, ProjectedSentence
from tests.ml_backend.conftest import (
    BUNDLED_VERSION,
    FixedProjector,
    fixed_loader,
    make_task,
    metric,
    model_folder,
    predict_body,
    source_region,
    wait_until,
)
from tests.ml_backend.corrections import review

TOKEN = "an-access-token-of-label-studio"
SETUP = {
    "project": "5.1767607200",
    "schema": "<View/>",
    "hostname": "http://localhost:8080",
    "access_token": TOKEN,
    "extra_params": {"threshold": 0.5},
}
TRAIN = {"action": "START_TRAINING", "project": {"id": 5, "token": TOKEN}}
GUARDED = [
    ("POST", "/setup"),
    ("POST", "/predict"),
    ("POST", "/webhook"),
    ("GET", "/versions"),
    ("GET", "/metrics"),
    ("GET", "/status"),
]


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def loading(store: ModelStore, gate: threading.Event) -> Engine:
    """An engine whose first load goes on until `gate` is set."""

    def load(_: Path | None) -> FixedProjector:
        assert gate.wait(60)
        return FixedProjector()

    return Engine(load, store, poll_seconds=0.01)


# --- health, setup, versions ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/health", "/health?"])
def test_health_says_which_model_answers(client: FlaskClient, engine: Engine, path: str) -> None:
    engine.projector(10)
    response = client.get(path)
    assert (response.status_code, response.json) == (
        200,
        {"status": "UP", "model_version": BUNDLED_VERSION},
    )


def test_health_never_waits_for_a_model(
    settings: Settings, loading: Engine, gate: threading.Event
) -> None:
    with loading:
        response = create_app(settings, loading).test_client().get("/health")
        assert response.json == {"status": "UP", "model_version": None}
        gate.set()


def test_health_says_why_the_active_model_does_not_answer(
    client: FlaskClient, engine: Engine, store: ModelStore, tmp_path: Path
) -> None:
    engine.projector(10)
    store.activate(store.add(model_folder(tmp_path / "broken", broken=True)))
    wait_until(lambda: engine.degraded)
    body = client.get("/health").json
    assert body is not None
    assert body["status"] == "UP"
    assert body["model_version"] == BUNDLED_VERSION
    assert "made" not in body
    assert body["degraded"] == "The active model cannot be loaded: /status says why"
    status = client.get("/status").json
    assert status is not None
    assert "the weights are for another task. Train it again" in status["degraded"]
    assert metric(client, "spanferry_model_degraded") == 1


def test_ready_is_503_until_a_model_answers(
    settings: Settings, loading: Engine, gate: threading.Event
) -> None:
    client = create_app(settings, loading).test_client()
    with loading:
        assert client.get("/ready").status_code == 503
        gate.set()
        loading.projector(10)
        assert client.get("/ready").json == {"status": "UP", "model_version": BUNDLED_VERSION}


@pytest.mark.parametrize(
    ("broken", "serves"),
    [
        pytest.param({"second"}, "first", id="the one before"),
        pytest.param({"first", "second"}, BUNDLED_VERSION, id="then the bundled one"),
        pytest.param({"pointer"}, BUNDLED_VERSION, id="which was before is unknown"),
        pytest.param({"first", "second", BUNDLED_VERSION}, None, id="none"),
    ],
)
def test_a_restart_with_a_model_that_cannot_be_loaded_serves_another_and_says_so(
    settings: Settings, store: ModelStore, tmp_path: Path, broken: set[str], serves: str | None
) -> None:
    for name in ("first", "second"):
        folder = model_folder(tmp_path / name, version=name, broken=name in broken)
        store.activate(store.add(folder))
    bundled = settings.data_dir / "bundled.json"
    bundled.write_text(json.dumps({"broken": BUNDLED_VERSION in broken}), "utf-8")
    if "pointer" in broken:
        (store.root / POINTER).write_text("?", "utf-8")

    with Engine(fixed_loader(settings), store, poll_seconds=0.01) as engine:
        client = create_app(settings.model_copy(update={"auth": False}), engine).test_client()
        wait_until(lambda: engine.degraded)
        answer = client.get("/ready")
        assert answer.status_code == (503 if serves is None else 200)
        assert answer.json == {
            "status": "UP",
            "model_version": serves,
            "degraded": "The active model cannot be loaded: /status says why",
        }
        asked = client.post("/predict", json=predict_body(make_task()))
        assert asked.status_code == answer.status_code

        if serves == "first":
            store.rollback()
            wait_until(lambda: engine.degraded is None)
            assert client.get("/ready").json == {"status": "UP", "model_version": "first"}


def test_what_reviewers_of_a_project_corrected_is_not_predicted_wrong_again_there(
    client: FlaskClient, settings: Settings
) -> None:
    said = review(make_task()["data"]["target"], [("LOC", "Berlin")], [("ORG", "Berlin")])
    again = replace(said, sentence=replace(said.sentence, origin="other.en:1"))
    Memory.of([said, again]).write(settings.memory, 5)

    def predicted(project: str) -> list[str]:
        body = {**predict_body(make_task()), "project": project}
        (result,) = client.post("/predict", json=body).get_json()["results"]
        return [item["value"]["labels"][0] for item in result["result"]]

    assert sorted(predicted("5.1767607200")) == ["ORG", "PER"]
    assert sorted(predicted("6.1767607200")) == ["LOC", "PER"]


def test_setup_and_predictions_give_one_version(client: FlaskClient) -> None:
    """Label Studio skips a task only if it has a prediction of the version /setup returned."""
    assert client.post("/setup", json=SETUP).json == {"model_version": BUNDLED_VERSION}
    response = client.post("/predict", json=predict_body(make_task(1), make_task(2)))
    assert response.json is not None
    versions = {result["model_version"] for result in response.json["results"]}
    assert versions == {BUNDLED_VERSION}


@pytest.mark.parametrize("body", [b"", b"?", b"[]", b"{}"])
def test_setup_reads_nothing(client: FlaskClient, body: bytes) -> None:
    response = client.post("/setup", data=body, content_type="application/json")
    assert response.status_code == 200


def test_the_access_token_is_neither_logged_nor_kept(
    client: FlaskClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client.post("/setup", json=SETUP)
    client.post("/webhook", json=TRAIN)
    client.post("/predict", json={"access_token": TOKEN})
    kept = "".join(path.read_text("utf-8") for path in settings.data_dir.rglob("*.*"))
    assert [path.name for path in settings.data_dir.rglob("*.asked")] == ["5.asked"]
    assert TOKEN not in kept + caplog.text


def test_versions_are_those_of_the_store_and_the_bundled_one(
    client: FlaskClient, engine: Engine, store: ModelStore, tmp_path: Path
) -> None:
    engine.projector(10)
    added = store.add(model_folder(tmp_path / "mine"))
    response = client.get("/versions", json={"project": "5.1767607200"})
    assert response.json == {"versions": ["bundled", added], "model_version": BUNDLED_VERSION}


def test_the_status_tells_of_models_and_trainings(
    client: FlaskClient, engine: Engine, store: ModelStore, settings: Settings, tmp_path: Path
) -> None:
    engine.projector(10)
    store.activate(store.add(model_folder(tmp_path / "mine")))
    job = JobQueue(settings.jobs_folder).add(5, "asked for")

    told = client.get("/status").json
    assert told is not None
    assert (told["status"], told["active"]) == ("UP", store.active_version())
    assert told["versions"] == ["bundled", store.active_version()]
    assert told["jobs"] == [{**job.to_json(), "log": ""}]


def test_the_status_tells_of_what_is_damaged(
    client: FlaskClient, engine: Engine, store: ModelStore, settings: Settings
) -> None:
    engine.projector(10)
    queue = JobQueue(settings.jobs_folder)
    queue.add(5, "asked for")
    for path in (store.root / "active.json", queue.root / "1" / "job.json"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("?", "utf-8")

    response = client.get("/status")
    assert response.status_code == 200
    told = response.json
    assert told is not None
    assert told["active"] is None
    assert "`spanferry jobs rollback` goes back to the bundled model" in told["degraded"]
    [job] = told["jobs"]
    assert job["state"] == State.FAILED
    assert "not a job" in job["said"]
    assert client.post("/predict", json=predict_body(make_task())).status_code == 200


def test_an_activated_model_answers_without_a_restart(
    client: FlaskClient, engine: Engine, store: ModelStore, tmp_path: Path
) -> None:
    engine.projector(10)
    store.activate(store.add(model_folder(tmp_path / "mine", version="fine-tuned")))
    wait_until(lambda: engine.model_version == "fine-tuned")
    assert client.post("/setup", json=SETUP).json == {"model_version": "fine-tuned"}
    (result,) = client.post("/predict", json=predict_body(make_task())).json["results"]  # type: ignore[index]  # fails the test
    assert result["model_version"] == "fine-tuned"


# --- predict -------------------------------------------------------------------------------------


def test_predict_answers_a_batch(client: FlaskClient) -> None:
    response = client.post("/predict", json=predict_body(*map(make_task, range(10))))
    assert response.status_code == 200
    assert response.json is not None
    assert [len(each["result"]) for each in response.json["results"]] == [2] * 10
    assert metric(client, "spanferry_sentences_projected_total") == 10
    assert metric(client, 'spanferry_request_seconds_count{endpoint="predict"}') == 1


CONFIG = build_config(("PER", "ORG", "LOC"))


def annotating(*drawn: Any) -> dict[str, Any]:
    task = {**make_task(), "drafts": [], "annotations": [{"id": 18, "result": []}]}
    return {**predict_body(task, drawn=list(drawn)), "label_config": CONFIG}


def test_predict_answers_an_annotator_byte_for_byte_alike(client: FlaskClient) -> None:
    body = annotating(source_region("Berlin", "LOC"))
    first, second = (client.post("/predict", json=body) for _ in range(2))
    assert first.json is not None
    (result,) = first.json["results"]
    assert [each["from_name"] for each in result["result"]] == ["entities", "source_entities"]
    assert result["result"][0]["value"]["text"] == "Berlin"
    assert first.data == second.data
    assert metric(client, "spanferry_sentences_projected_total") == 0


def test_predict_answers_an_empty_context_with_nothing_to_add(client: FlaskClient) -> None:
    response = client.post("/predict", json=annotating())
    assert response.json is not None
    assert [each["result"] for each in response.json["results"]] == [[]]


def test_a_region_that_cannot_be_understood_is_logged_and_counted(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    broken = source_region("Berlin", "LOC")
    del broken["value"]["globalOffsets"]
    response = client.post("/predict", json=annotating(broken))
    assert response.status_code == 200
    assert response.json is not None
    assert [each["result"] for each in response.json["results"]] == [[]]
    assert metric(client, 'spanferry_tasks_refused_total{reason="bad_region"}') == 1
    assert "No answer for {'bad_region': 1} of 1: task 101, region 1" in caplog.text


def test_a_task_that_is_not_ours_is_logged_and_counted(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"id": 7, "data": {"text": "something else"}}
    response = client.post("/predict", json=predict_body(other, make_task(), other))
    assert response.json is not None
    assert [bool(result) for result in response.json["results"]] == [False, True, False]
    assert metric(client, 'spanferry_tasks_refused_total{reason="not_ours"}') == 2
    assert "No answer for {'not_ours': 2} of 3: task 7" in caplog.text


def test_predict_waits_for_the_first_load(
    settings: Settings, loading: Engine, gate: threading.Event
) -> None:
    client = create_app(settings.model_copy(update={"auth": False}), loading).test_client()
    with loading:
        threading.Timer(0.1, gate.set).start()
        response = client.post("/predict", json=predict_body(make_task()))
    assert response.status_code == 200


def test_a_load_that_takes_too_long_is_said(
    settings: Settings, loading: Engine, gate: threading.Event
) -> None:
    hurried = settings.model_copy(update={"auth": False, "load_wait": 0.01})
    client = create_app(hurried, loading).test_client()
    with loading:
        response = client.post("/predict", json=predict_body(make_task()))
        gate.set()
    assert response.status_code == 503
    assert response.json == {"error": "model: still loading. Try again shortly"}
    assert response.headers["Retry-After"] == "5"


def test_a_prediction_label_studio_has_given_up_is_given_up(
    settings: Settings, store: ModelStore
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "bundled.json").write_text('{"seconds": 0.05}', "utf-8")
    hurried = settings.model_copy(update={"auth": False, "predict_seconds": 0.12})
    with Engine(fixed_loader(settings), store, turn=1) as engine:
        engine.projector(10)
        client = create_app(hurried, engine).test_client()
        response = client.post("/predict", json=predict_body(*map(make_task, range(50))))
    assert response.status_code == 503
    assert response.json is not None
    assert "of 50 sentences in 0 s. Ask for fewer tasks at once" in response.json["error"]


def test_predictions_beyond_the_limit_are_refused_at_once_and_counted(
    settings: Settings, store: ModelStore, gate: threading.Event
) -> None:
    class Waiting(FixedProjector):
        def fits(self, sentence: ParallelSentence) -> bool:
            return gate.wait(60)

    few = settings.model_copy(update={"auth": False, "threads": 4})
    with Engine(lambda _: Waiting(), store) as engine, ThreadPoolExecutor(3) as threads:
        app = create_app(few, engine)
        client = app.test_client()
        batch, drawn = predict_body(make_task()), annotating(source_region("Berlin", "LOC"))
        refuses = app.config[REFUSES]

        def ask(body: dict[str, Any]) -> Any:
            return threads.submit(lambda: app.test_client().post("/predict", json=body))

        busy = [ask(batch), ask(batch)]
        wait_until(lambda: refuses(False))
        assert not refuses(True), "half of the threads are for batches, one more for annotators"
        counted = metric(client, 'spanferry_requests_total{endpoint="predict",status="503"}')
        assert counted >= 1
        response = client.post("/predict", json=batch)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        busy.append(ask(drawn))
        wait_until(lambda: refuses(True))
        assert client.post("/predict", json=drawn).status_code == 503
        assert client.get("/health").status_code == 200
        gate.set()
        assert [each.result().status_code for each in busy] == [200, 200, 200]
        assert not refuses(False)


# --- webhook -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "counted_as"),
    [
        pytest.param(TRAIN, "START_TRAINING", id="start training"),
        pytest.param({"action": "REVIEW_CREATED"}, "other", id="unknown"),
    ],
)
def test_a_webhook_is_acknowledged_and_counted(
    client: FlaskClient, body: Any, counted_as: str
) -> None:
    response = client.post("/webhook", json=body)
    assert (response.status_code, response.json) == (200, {"status": "queued"})
    assert metric(client, f'spanferry_webhook_events_total{{action="{counted_as}"}}') == 1


def test_a_training_asked_for_is_on_the_disk_before_that_is_acknowledged(
    client: FlaskClient, settings: Settings
) -> None:
    """A crash right after the answer must not lose it."""
    queue = JobQueue(settings.jobs_folder)
    for project in (5, 5, 6):
        asked = {"action": "START_TRAINING", "project": {"id": project}}
        assert client.post("/webhook", json=asked).status_code == 200
        assert (project, Hint.ASKED) in queue.hints.left()
    assert (len(queue.hints.left()), queue.jobs()) == (2, []), "Label Studio is asked first"


def test_too_many_projects_at_once_are_told_to_come_again(client: FlaskClient) -> None:
    for project in range(1, MOST_HINTS + 2):
        asked = {"action": "START_TRAINING", "project": {"id": project}}
        response = client.post("/webhook", json=asked)
        assert response.status_code == (200 if project <= MOST_HINTS else 503)
    assert response.headers["Retry-After"]


def test_a_training_that_cannot_be_queued_is_not_acknowledged(
    client: FlaskClient, settings: Settings
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    settings.jobs_folder.touch()  # as good as a full disk
    assert client.post("/webhook", json=TRAIN).status_code == 500


def test_a_webhook_does_not_wait_for_a_model(
    settings: Settings, loading: Engine, gate: threading.Event
) -> None:
    client = create_app(settings.model_copy(update={"auth": False}), loading).test_client()
    with loading:
        assert client.post("/webhook", json=TRAIN).status_code == 200
        gate.set()


# --- who may call --------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("header", [None, "Basic bGFiZWwtc3R1ZGlvOndyb25n", "Token wrong"])
def test_without_the_password_nothing_is_said(
    app: Flask, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = app.test_client().open(path, method=method, headers=headers, data=b"?" * 10)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Basic realm=spanferry"
    assert response.json is not None
    assert "Send HTTP basic ones, or Authorization: Token <password>" in response.json["error"]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_authentication_everyone_may_call(
    settings: Settings, engine: Engine, method: str, path: str
) -> None:
    client = create_app(settings.model_copy(update={"auth": False}), engine).test_client()
    body = {"tasks": [], "action": "X"}
    assert client.open(path, method=method, json=body).status_code == 200


@pytest.mark.parametrize("scheme", ["Token", "Bearer"])
def test_a_webhook_gets_in_with_its_own_header(app: Flask, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} open sesame!"}
    response = app.test_client().post("/webhook", json=TRAIN, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_open(app: Flask, path: str) -> None:
    assert app.test_client().get(path).status_code == 200


def test_there_is_no_application_without_a_password(settings: Settings, engine: Engine) -> None:
    with pytest.raises(SettingsError, match="no password was generated yet"):
        create_app(settings.model_copy(update={"user": None, "password": None}), engine)


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nowhere", 404, id="no such endpoint"),
        pytest.param("POST", "/train", 404, id="train is never called"),
        pytest.param("GET", "/predict", 405, id="wrong method"),
        pytest.param("POST", "/health", 405, id="wrong method on an open endpoint"),
    ],
)
def test_http_errors_are_json(client: FlaskClient, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.json is not None
    assert response.json["error"].startswith(f"{path}: ")
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/predict", "/webhook", "/setup"])
def test_a_body_over_the_limit_is_refused(client: FlaskClient, path: str) -> None:
    response = client.post(path, data=b" " * (2**20 + 1))
    assert response.status_code == 413
    assert response.json is not None
    assert "error" in response.json


def test_what_goes_wrong_inside_stays_in_the_log(
    settings: Settings, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FixedProjector):
        def project(self, sentences: Any) -> list[ProjectedSentence]:
            raise RuntimeError(f"the weights of {sentences[0].id} are NaN")

        def fits(self, sentence: ParallelSentence) -> bool:
            return True

    with Engine(lambda _: Broken(), store) as engine:
        client = create_app(settings.model_copy(update={"auth": False}), engine).test_client()
        response = client.post("/predict", json=predict_body(make_task()))
        assert metric(client, 'spanferry_requests_total{endpoint="predict",status="500"}') == 1
    assert response.status_code == 500
    assert response.json == {"error": "/predict: internal error. The backend's log says more"}
    assert "RuntimeError\n" in caplog.text
    assert "in project_fitting" in caplog.text, "where it was raised"
    assert "news-1" not in caplog.text, "its message may quote a task"


# --- recorded requests ---------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        pytest.param("req_ml_create_health_setup.json", None, id="a backend is added"),
        pytest.param("req_predict_batch.json", [], id="batch"),
        pytest.param(
            "req_predict_interactive_ui.json",
            {"model_version": BUNDLED_VERSION, "score": 0.0, "result": []},
            id="interactive",
        ),
        pytest.param("req_start_training.json", None, id="start training"),
        pytest.param("req_webhooks.json", None, id="webhooks"),
    ],
)
def test_recorded_requests_are_answered(
    client: FlaskClient,
    captured: Callable[[str], list[dict[str, Any]]],
    name: str,
    nothing: object,
) -> None:
    """The recorded tasks have other data keys than ours, so there is one empty answer for each."""
    for sent in captured(name):
        raw = b"" if sent["json"] is None else json.dumps(sent["json"]).encode()
        kind = sent["headers"].get("Content-Type")
        response = client.open(sent["path"], method=sent["method"], data=raw, content_type=kind)
        assert response.status_code == 200, response.text
        assert response.json is not None
        if sent["path"].startswith("/predict"):
            assert response.json["results"] == [nothing] * len(sent["json"]["tasks"])
