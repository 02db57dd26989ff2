"""The data lead's pages: who may see them, what they say, and the button."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from ml_backend.api.errors import answer_errors
from ml_backend.api.guard import guard
from ml_backend.api.lead import LeadPages
from ml_backend.auth import credentials_of
from ml_backend.jobs.queue import JobQueue
from ml_backend.lead.refresh import Snapshots
from ml_backend.serving.engine import Engine
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings
from projection.errors import ServerError
from tests.ml_backend.conftest import BUNDLED_VERSION, model_folder, wait_until
from tests.ml_backend.report.test_page import Page

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lead").mkdir()
    return tmp_path / "lead"


@pytest.fixture
def lead(settings: Settings, engine: Engine, folder: Path) -> FlaskClient:
    """A data lead who knows the password; Label Studio is away."""

    def away(_: int) -> None:
        raise ServerError("http://studio", f"no answer ({HOSTILE})", "Check that it is running")

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    pages = LeadPages(Snapshots(folder, away), engine, JobQueue(settings.jobs_folder))
    pages.add_to(app)
    guard(app, credentials_of(settings))
    answer_errors(app, log_text=False)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Token open sesame!"
    return client


def keep(folder: Path, number: int = 5, made_at: float = 1_767_607_200.0) -> None:
    row = {"schema": 1, "title": HOSTILE, "made_at": made_at, "body": "<p>the figures</p>"}
    (folder / f"{number}.json").write_text(json.dumps(row), "utf-8")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/lead"), ("GET", "/lead/5"), ("POST", "/lead/5/rollback?from=x")],
)
def test_the_pages_ask_for_credentials(client: FlaskClient, method: str, path: str) -> None:
    refused = client.open(path, method=method, headers={"Authorization": "Token wrong"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")


def test_without_label_studio_the_page_says_so_and_shows_the_last_state(
    lead: FlaskClient, folder: Path
) -> None:
    keep(folder)
    wait_until(lambda: "no answer" in lead.get("/lead/5").text)
    answer = lead.get("/lead/5")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    said = Page(answer.text).text
    assert "As of 2026-01-05 10:00:00 UTC" in said
    assert "No newer state: http://studio: no answer" in said
    assert "the figures" in said


def test_before_the_first_state_the_page_asks_for_patience_and_comes_again_soon(
    lead: FlaskClient,
) -> None:
    html = lead.get("/lead/5").text
    assert "Being fetched from Label Studio" in html
    assert '<meta http-equiv="refresh" content="5">' in html
    wait_until(lambda: "no answer" in lead.get("/lead/5").text)
    assert "Nothing has been fetched yet." in lead.get("/lead/5").text


def test_what_comes_from_outside_is_text_and_nothing_is_loaded(
    lead: FlaskClient, folder: Path, settings: Settings
) -> None:
    keep(folder)
    JobQueue(settings.jobs_folder).add(5, HOSTILE)
    wait_until(lambda: "no answer" in lead.get("/lead/5").text)
    answer = lead.get("/lead/5")
    assert "<script" not in answer.text
    assert answer.text.count("&lt;script&gt;") == 4  # twice the title, the trouble, the training
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    Page(answer.text)


def test_trainings_of_the_project_and_the_model_in_use_are_shown(
    lead: FlaskClient, settings: Settings, engine: Engine
) -> None:
    queue = JobQueue(settings.jobs_folder)
    queue.add(5, "50 reviews since the last one")
    queue.add(6, "of another project")
    engine.projector(10)
    said = Page(lead.get("/lead/5").text).text
    assert f"In use: {BUNDLED_VERSION}" in said
    assert "1 queued" in said
    assert "50 reviews since the last one" in said
    assert "of another project" not in said
    assert "Go back" not in said, "there is nothing to go back to"


def test_the_button_goes_back_once_however_often_it_is_pressed(
    lead: FlaskClient, store: ModelStore, tmp_path: Path
) -> None:
    first, second = (
        store.add(model_folder(tmp_path / name, version=name)) for name in ("first", "second")
    )
    store.activate(first)
    store.activate(second)
    html = lead.get("/lead/5").text
    assert f"Go back to {first}" in html
    assert f'action="/lead/5/rollback?from={second}"' in html
    for _ in range(2):
        answer = lead.post(
            f"/lead/5/rollback?from={second}", headers={"Origin": "http://localhost"}
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/lead/5")
        assert store.active_version() == first


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "http://localhost.evil.example",
        "http://localhost:1",
    ],
)
def test_a_page_of_somebody_else_cannot_press_the_button(
    lead: FlaskClient, store: ModelStore, tmp_path: Path, origin: str | None
) -> None:
    store.activate(version := store.add(model_folder(tmp_path / "model")))
    headers = {} if origin is None else {"Origin": origin}
    answer = lead.post(f"/lead/5/rollback?from={version}", headers=headers)
    assert answer.status_code == 403
    assert store.active_version() == version


def test_looking_changes_nothing(lead: FlaskClient) -> None:
    assert lead.get("/lead/5/rollback?from=x").status_code == 405


def test_without_a_model_before_the_button_is_refused(lead: FlaskClient, store: ModelStore) -> None:
    answer = lead.post("/lead/5/rollback?from=bundled", headers={"Origin": "http://localhost"})
    assert answer.status_code == 409
    assert "nothing was active before" in answer.text
    assert store.active_version() == "bundled"
