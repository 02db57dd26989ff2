"""`spanferry jobs` as a shell would call it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from ml_backend.cli import app
from ml_backend.cli.console import bars
from ml_backend.cli.jobs import trainable_teacher
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import RUNNER, Job, JobQueue, State
from ml_backend.jobs.runner import RUNNER_LOG, Runner
from ml_backend.serving.model_store import BUNDLED, ModelStore
from ml_backend.settings import Settings
from projection.errors import ModelError, TrainingError
from tests.ml_backend.conftest import model_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"SPANFERRY_DATA_DIR": str(tmp_path)})


@pytest.fixture
def queue(settings: Settings) -> JobQueue:
    return JobQueue(settings.jobs_folder)


def jobs(settings: Settings, *words: str, **env: str) -> Result:
    loader = "tests.ml_backend.conftest:fixed_loader"
    told = {"SPANFERRY_DATA_DIR": str(settings.data_dir), "COLUMNS": "200", **env}
    told |= {"SPANFERRY_BACKEND_LOADER": loader}
    result = CliRunner().invoke(app, ["jobs", *words], env=told, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def work(job: Job, _: Path) -> Job:
    print("\n".join(f"step {n}" for n in range(50)))  # noqa: T201  what work prints is its log
    return replace(job, state=State.SERVED, said=f"{job.why}: done", result={"version": "abc"})


def test_the_list_and_one_job_with_the_end_of_its_log(settings: Settings, queue: JobQueue) -> None:
    assert "No training has been asked for" in jobs(settings).stdout
    queue.add(5, "asked for in Label Studio")
    queue.run(work)
    queue.add(6, "50 reviews since the last one")

    listed = jobs(settings).stdout
    assert "served" in listed
    assert "50 reviews since the last one" in listed
    shown = jobs(settings, "show", "1").stdout
    assert "step 49" in shown
    assert "step 10" not in shown
    answer = json.loads(jobs(settings, "--json").stdout)
    assert [job["state"] for job in answer["jobs"]] == ["queued", "served"]
    assert json.loads(jobs(settings, "show", "1", "--json").stdout)["log"].startswith("step 0\n")


def test_what_was_asked_for_is_listed_before_label_studio_has_answered(
    settings: Settings, queue: JobQueue
) -> None:
    queue.hints.leave(7, Hint.ASKED)
    queue.hints.leave(8, Hint.REVIEWED)
    shown = "Asked for, but Label Studio has not answered yet: project 7\n"
    assert jobs(settings).stdout == shown
    assert json.loads(jobs(settings, "--json").stdout) == {"jobs": [], "asked": [7]}


def test_a_model_that_was_kept_is_shown_with_why_and_how_to_serve_it(
    settings: Settings, queue: JobQueue
) -> None:
    def kept(job: Job, _: Path) -> Job:
        said = "no gain beyond chance, so it is not served"
        return replace(job, state=State.KEPT, said=said, result={"version": "77ab01c5e2f3"})

    queue.add(5, "asked for")
    queue.run(kept)
    shown = jobs(settings, "show", "1").stdout
    assert "no gain beyond chance, so it is not served" in " ".join(shown.split())
    assert "jobs activate" not in shown  # the store has removed it since
    (settings.model_store / "77ab01c5e2f3").mkdir(parents=True)
    shown = jobs(settings, "show", "1").stdout
    assert "`spanferry jobs activate 77ab01c5e2f3` serves its model all the same" in shown


def test_what_an_error_quotes_is_no_markup(settings: Settings, queue: JobQueue) -> None:
    def failing(_: Job, __: Path) -> Job:
        raise TrainingError("export", "has no [/red] and no [bold]part[/bold]")

    queue.add(5, "asked for")
    queue.run(failing)
    assert "has no [/red] and no [bold]part[/bold]" in jobs(settings).stdout


def test_a_job_that_lost_its_runner_is_shown_as_interrupted(
    settings: Settings, queue: JobQueue
) -> None:
    def killed(_: Job, __: Path) -> Job:
        raise SystemExit

    queue.add(5, "asked for")
    with pytest.raises(SystemExit):
        queue.run(killed)
    assert json.loads(jobs(settings, "--json").stdout)["jobs"][0]["state"] == "interrupted"
    assert "interrupted" in jobs(settings, "show", "1").stdout


@pytest.mark.parametrize(
    ("told", "learns"),
    [
        ({}, True),
        ({"SPANFERRY_BACKEND_LABELS": "PER=person,ORG=ORG,LOC=LOC,MISC=MISC"}, False),
        (
            {"SPANFERRY_BACKEND_TEACHER": "gliner:models/g", "SPANFERRY_BACKEND_TYPES": "drug"},
            False,
        ),
    ],
)
def test_only_a_token_classifier_with_the_projects_types_is_trained_on(
    told: dict[str, str], learns: bool
) -> None:
    assert (trainable_teacher(Settings.from_env(told)) is not None) is learns


def test_where_another_runner_is_at_work_nothing_large_is_loaded(
    settings: Settings, queue: JobQueue
) -> None:
    """The web server may start one for nothing."""
    queue.add(5, "asked for")
    queue.hints.leave(5, Hint.ASKED)
    code = (
        "import sys; from typer.testing import CliRunner; from ml_backend.cli import app;"
        "print(CliRunner().invoke(app, sys.argv[1:]).stdout.strip(), "
        "*{'torch', 'label_studio_sdk'} & sys.modules.keys())"
    )
    words = ["jobs", "run", "--json", "--data-dir", str(settings.data_dir)]
    with FileLock(queue.root / RUNNER):
        ran = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
    assert ran.stdout.split() == ['{"done":', "0}"]
    assert queue.job(1).state is State.QUEUED


def test_each_job_shows_in_its_own_log_how_it_gets_on(queue: JobQueue) -> None:
    def learning(job: Job, _: Path) -> Job:
        with bars() as on_progress:
            on_progress("learn", 10, 10)
        return replace(job, state=State.KEPT)

    for project in (5, 6):
        queue.add(project, "asked for")
    assert queue.run(learning) == 2
    for job in queue.jobs():
        assert "learn …\nlearn: 10 of 10" in queue.log(job)


def test_what_a_runner_says_beside_its_jobs_is_kept(
    settings: Settings, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANFERRY_BACKEND_PORT", "http")
    queue.add(5, "asked for")
    runner = Runner(queue, settings.data_dir).start()
    assert runner.wait() == 2
    runner.stop()
    said = (queue.root / RUNNER_LOG).read_text("utf-8")
    assert said.startswith("SPANFERRY_BACKEND_PORT: 'http' does not fit")


def test_without_a_key_no_job_is_made_and_one_that_waits_says_what_is_missing(
    settings: Settings, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It must not wait for ever, with nobody told why."""
    queue.add(5, "asked for")
    queue.hints.leave(6, Hint.ASKED)
    told = jobs(settings, "run", "--json", LABEL_STUDIO_URL="http://x", LABEL_STUDIO_API_KEY="")
    assert json.loads(told.stdout) == {"done": 1}
    [job] = queue.jobs()
    assert job.state is State.FAILED
    assert job.said.startswith("LABEL_STUDIO_API_KEY: is not set")
    said = "No look at the reviews of project 6: LABEL_STUDIO_API_KEY: is not set."
    assert all(line.startswith(said) for line in caplog.messages)
    assert [*queue.hints.left()] == [(6, Hint.ASKED)]


def test_activating_and_rolling_back(settings: Settings, tmp_path: Path) -> None:
    store = ModelStore(settings.model_store)
    with pytest.raises(ModelError, match="nothing was active before"):
        jobs(settings, "rollback")
    folder = str(model_folder(tmp_path / "mine"))
    activated = json.loads(jobs(settings, "activate", folder, "--json").stdout)
    assert activated == {"active": store.active_version()} != {"active": BUNDLED}
    assert json.loads(jobs(settings, "rollback", "--json").stdout) == {"active": BUNDLED}
    full = f"spanferry-1f0c36a2b9d4-{activated['active']}"
    assert json.loads(jobs(settings, "activate", full, "--json").stdout) == activated
    assert "bundled is served again" in jobs(settings, "rollback").stdout
    assert store.active_version() == BUNDLED
