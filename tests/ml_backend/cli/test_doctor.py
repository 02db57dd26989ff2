"""`spanferry doctor`, as far as it goes without a Label Studio."""

import json
import os
from pathlib import Path

import pytest

from label_config.labeling_config import build_config
from ml_backend.cli.doctor import labels_of_models
from ml_backend.label_studio.client import token_kind
from ml_backend.settings import Settings
from tests.ml_backend.audit.tasks import LABELS, VERSION, task
from tests.ml_backend.cli.conftest import Spanferry
from tests.ml_backend.conftest import model_folder
from tests.ml_backend.label_studio.studio import KEY, running


def test_a_server_that_does_not_answer_is_a_problem_with_a_fix(
    spanferry: Spanferry, nobody: str
) -> None:
    outcome = spanferry("doctor")
    assert outcome.status == 1
    *machine, problem, fix = outcome.out.splitlines()
    assert [line.split(":")[0][2:] for line in machine] == ["packages", "disk"]
    assert problem.startswith(f"✗ server: {nobody}")
    assert fix.startswith("  → ")


@pytest.mark.usefixtures("nobody")
def test_as_json(spanferry: Spanferry) -> None:
    outcome = spanferry("doctor", "--json")
    assert outcome.status == 1
    answer = json.loads(outcome.out)
    assert not answer["ok"]
    assert [check["check"] for check in answer["checks"]] == ["packages", "disk", "server"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [("0" * 40, "legacy token"), ("eyJhb.eyJ0b.c2ln", "personal access token")],
)
def test_the_two_kinds_of_key_are_told_apart(key: str, kind: str) -> None:
    assert token_kind(key) == kind


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPANFERRY_BACKEND_PASSWORD", "correct horse battery")
    return Settings.from_env(os.environ)


def test_the_labels_of_the_models_are_read_without_loading_them(
    settings: Settings, tmp_path: Path
) -> None:
    assert labels_of_models(settings) == ("LOC", "MISC", "ORG", "PER")
    renamed = {"teacher": model_folder(tmp_path / "m"), "labels": ("PER=PERSON",)}
    assert labels_of_models(settings.model_copy(update=renamed)) == ("PERSON",)
    assert labels_of_models(settings.model_copy(update={"teacher": "somebody/on-the-hub"})) == ()


@pytest.mark.usefixtures("settings")
def test_fix_mends_what_is_safe_and_nothing_that_somebody_has_begun(spanferry: Spanferry) -> None:
    tasks = [task(1), {**task(1), "id": 2}, {**task(1, drafts=[5]), "id": 3}]
    config = build_config(LABELS).replace('smart="true" ', "")
    with running() as studio:
        number = studio.add_project("News", config, tasks, VERSION)
        studio.versions = [VERSION]
        hook = {"project": number, "url": "http://backend:9090/webhook", "is_active": False}
        studio.held.webhooks[900] = {"id": 900, "organization": 1, "headers": {}, **hook}
        off = {"project": number, "url": "http://backend:9090", "is_interactive": False}
        studio.held.backends[901] = {"id": 901, **off}
        options = ("doctor", "--url", studio.url, "--api-key", KEY, "--project", "News", "--json")

        before = json.loads(spanferry(*options).out)
        calls = {call.split()[0] for call in studio.calls}
        mended = json.loads(spanferry(*options, "--fix").out)

    wrong = {check["check"] for check in before["checks"] if check["verdict"] == "problem"}
    assert {"labeling config", "webhook", "interactive", "doubles"} <= wrong
    assert calls <= {"GET", "POST", "DELETE"}, "it changed something"
    assert len(mended["mended"]) == 3
    left = {check["check"] for check in mended["checks"] if check["verdict"] == "problem"}
    assert not left & {"labeling config", "webhook", "interactive", "doubles"}
    assert [*studio.held.tasks] == [3]
