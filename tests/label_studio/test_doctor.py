"""The doctor finds what was planted, and nothing on a healthy set-up."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from label_config.labeling_config import build_config
from ml_backend.cli import app
from ml_backend.cli.doctor import expected_header
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.checks import CheckResult, CheckStatus
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.doctor import diagnose
from ml_backend.review.push import push
from ml_backend.settings import Settings
from tests.label_studio.conftest import CREDENTIALS, RunningBackend
from tests.label_studio.examples import LABELS, SECOND, projected

pytestmark = pytest.mark.label_studio


class Patient:
    """A healthy set-up, and ways to hurt it."""

    def __init__(
        self, studio: LabelStudioServer, server: ReviewServer, project: Project, b: RunningBackend
    ) -> None:
        self.studio, self.server, self.project, self.backend = studio, server, project, b
        push(server, project, projected())
        self.connected = server.connect_backend(server.project(project.id), b.url, CREDENTIALS)

    def examine(
        self, expected: str | None = CREDENTIALS.webhook_header["Authorization"]
    ) -> dict[str, CheckResult]:
        key, title = self.studio.account.token, self.project.title
        url, backend = self.studio.url, self.backend.url
        checks = list(diagnose(url, key, title, backend, expected=expected))
        assert len({check.check for check in checks}) == len(checks)
        return {check.check: check for check in checks}

    def patch(self, path: str, **changes: object) -> None:
        headers = {"Authorization": f"Token {self.studio.account.token}"}
        answer = httpx.patch(f"{self.studio.url}/api/{path}", json=changes, headers=headers)
        answer.raise_for_status()

    def patch_webhook(self, **changes: object) -> None:
        [webhook] = self.server.webhooks(self.project)
        self.patch(f"webhooks/{webhook.id}/", **changes)


@pytest.fixture
def patient(
    label_studio: LabelStudioServer,
    server: ReviewServer,
    project: Project,
    backend: RunningBackend,
) -> Patient:
    return Patient(label_studio, server, project, backend)


def test_a_healthy_set_up_needs_no_fix(patient: Patient) -> None:
    found = patient.examine()

    assert {name: check.verdict for name, check in found.items()} == dict.fromkeys(
        [
            "server",
            "version",
            "clock",
            "API key",
            "address guard",
            "project",
            "labeling config",
            "predictions",
            "backend",
            "interactive",
            "model version",
            "webhook",
        ],
        CheckStatus.OK,
    )


def test_languages_are_counted_and_said_once(patient: Patient) -> None:
    counts = Counter(each.sentence.target_lang for each in projected())
    project = patient.server.project(patient.project.id)
    assert patient.server.languages(project) == counts
    for line in ("Sentences in it & fr: …", "Other", "Sentences in it & fr: …"):
        patient.server.add_instruction(project, line)
    headers = {"Authorization": f"Token {patient.studio.account.token}"}
    address = f"{patient.studio.url}/api/projects/{project.id}/"
    shown = httpx.get(address, headers=headers).json()
    assert shown["expert_instruction"] == "<p>Sentences in it &amp; fr: …</p><p>Other</p>"
    assert shown["show_instruction"] is True


def no_webhook_password(patient: Patient) -> None:
    patient.patch_webhook(headers={}, url=f"{patient.backend.url}/webhook")


def old_webhook_password(patient: Patient) -> None:
    headers = {"Authorization": "Token of yesterday"}
    patient.patch_webhook(headers=headers, url=f"{patient.backend.url}/webhook")


def webhook_off(patient: Patient) -> None:
    patient.patch_webhook(is_active=False, url=f"{patient.backend.url}/webhook")


def not_interactive(patient: Patient) -> None:
    backend = {"url": patient.backend.url, "project": patient.project.id}
    login = {"basic_auth_user": CREDENTIALS.user, "basic_auth_pass": CREDENTIALS.password}
    patient.patch(f"ml/{patient.connected.id}", **backend, **login, is_interactive=False)


def another_model(patient: Patient) -> None:
    patient.backend.projector.model_version = SECOND


def stopped(patient: Patient) -> None:
    patient.backend.close()


def version_is_the_title(patient: Patient) -> None:
    patient.patch(f"projects/{patient.project.id}/", model_version="spanferry")


@pytest.mark.parametrize(
    ("hurt", "name", "finding", "fix"),
    [
        pytest.param(
            no_webhook_password, "webhook", "no Authorization header", "push", id="webhook open"
        ),
        pytest.param(
            old_webhook_password, "webhook", "another password", "push", id="an old one of it"
        ),
        pytest.param(webhook_off, "webhook", "switched off", "push", id="webhook off"),
        pytest.param(not_interactive, "interactive", "off", "push", id="not interactive"),
        pytest.param(
            another_model,
            "model version",
            "serves 'fixed-2', the project shows 'fixed-1'",
            "repredict",
            id="the backend has a newer model",
        ),
        pytest.param(stopped, "backend", "does not answer", "serve", id="backend stopped"),
        pytest.param(
            version_is_the_title,
            "predictions",
            "0 of 7 tasks have a prediction of spanferry",
            "repredict",
            id="the version is the backend's title",
        ),
    ],
)
def test_a_planted_fault_is_found_with_its_fix(
    patient: Patient, hurt: Callable[[Patient], None], name: str, finding: str, fix: str
) -> None:
    hurt(patient)

    found = patient.examine()[name]

    assert found.verdict is CheckStatus.PROBLEM
    assert finding in found.finding
    assert fix in found.fix


@pytest.mark.parametrize(
    ("hurt", "expected", "verdict"),
    [
        pytest.param(
            old_webhook_password, None, CheckStatus.OK, id="nobody here knows the password"
        ),
        pytest.param(no_webhook_password, None, CheckStatus.PROBLEM, id="but that there is one"),
        pytest.param(no_webhook_password, "", CheckStatus.OK, id="the backend lets everyone in"),
        pytest.param(old_webhook_password, "", CheckStatus.OK, id="whatever it sends"),
    ],
)
def test_a_webhook_is_judged_by_what_is_known_of_the_backend(
    patient: Patient, hurt: Callable[[Patient], None], expected: str | None, verdict: CheckStatus
) -> None:
    hurt(patient)
    assert patient.examine(expected)["webhook"].verdict is verdict


@pytest.mark.parametrize(
    ("env", "header"),
    [
        pytest.param({"SPANFERRY_BACKEND_PASSWORD": "x" * 12}, "Token xxxxxxxxxxxx", id="set"),
        pytest.param({"SPANFERRY_BACKEND_AUTH": "off"}, "", id="off"),
        pytest.param({}, None, id="none generated yet"),
    ],
)
def test_what_the_backend_lets_in_is_known_from_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, env: dict[str, str], header: str | None
) -> None:
    for name, value in {"SPANFERRY_DATA_DIR": str(tmp_path), **env}.items():
        monkeypatch.setenv(name, value)
    assert expected_header(Settings.from_env(os.environ)) == header


def test_another_labeling_config_is_found(
    label_studio: LabelStudioServer, server: ReviewServer
) -> None:
    labels = '<Labels name="l" toName="t"><Label value="A"/></Labels>'
    foreign = f'<View><Text name="t" value="$t"/>{labels}</View>'
    server.ensure_project("Of somebody else", foreign)

    key = label_studio.account.token
    found = {c.check: c for c in diagnose(label_studio.url, key, "Of somebody else")}

    assert found["labeling config"].verdict is CheckStatus.PROBLEM
    assert found["predictions"].finding == "no tasks"


def test_a_config_of_another_look_is_worth_a_note(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project
) -> None:
    other_look = build_config(LABELS).replace("6px", "7px")
    project = server.ensure_project(project.title, other_look)

    key = label_studio.account.token
    found = {c.check: c for c in diagnose(label_studio.url, key, project.title)}

    assert found["labeling config"].verdict is CheckStatus.NOTE
    assert found["backend"].verdict is CheckStatus.NOTE


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param({"url": "http://127.0.0.1:9"}, "server", id="nobody there"),
        pytest.param({"url": "127.0.0.1"}, "server", id="not a URL"),
        pytest.param({"api_key": "0" * 40}, "API key", id="wrong key"),
        pytest.param({"project": "No such"}, "project", id="no project"),
        pytest.param({"backend_url": "http://192.168.0.7:9090"}, "address guard", id="banned"),
    ],
)
def test_what_cannot_be_reached_is_the_last_thing_said(
    label_studio: LabelStudioServer, project: Project, changes: dict[str, str], name: str
) -> None:
    known = {
        "url": label_studio.url,
        "api_key": label_studio.account.token,
        "project": project.title,
    }

    problems = [c for c in diagnose(**(known | changes)) if c.verdict is CheckStatus.PROBLEM]

    assert problems[0].check == name
    assert problems[0].fix


def test_something_that_is_not_label_studio_is_told_apart(backend: RunningBackend) -> None:
    [check] = diagnose(backend.url, "0" * 40)

    assert "not Label Studio" in check.finding


def test_the_exit_status_says_whether_something_is_wrong(
    patient: Patient, label_studio: LabelStudioServer
) -> None:
    command = ["doctor", "--url", label_studio.url, "--project", patient.project.title]
    key = {
        "LABEL_STUDIO_API_KEY": label_studio.account.token,
        "SPANFERRY_BACKEND_PASSWORD": CREDENTIALS.password,
    }

    well = CliRunner().invoke(app, [*command, "--json"], env=key)
    webhook_off(patient)
    ill = CliRunner().invoke(app, command, env=key)

    assert well.exit_code == 0
    assert json.loads(well.stdout)["ok"] is True
    assert ill.exit_code == 1
    assert "✗ webhook: switched off\n  → Run `spanferry doctor --fix`" in ill.stdout
