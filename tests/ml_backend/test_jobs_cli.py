"""`spanferry jobs` as a shell would call it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml_backend.cli import app
from ml_backend.jobs import Job, JobQueue, Outcome, State
from ml_backend.settings import Settings
from ml_backend.store import BUNDLED, ModelStore
from projection.errors import ModelError
from tests.ml_backend.conftest import model_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"SPANFERRY_DATA_DIR": str(tmp_path)})


@pytest.fixture
def queue(settings: Settings) -> JobQueue:
    return JobQueue(settings.jobs_folder)


def jobs(settings: Settings, *words: str, **env: str) -> Result:
    told = {"SPANFERRY_DATA_DIR": str(settings.data_dir), "COLUMNS": "200", **env}
    result = CliRunner().invoke(app, ["jobs", *words], env=told, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def work(job: Job, _: Path) -> Outcome:
    print("\n".join(f"step {n}" for n in range(50)))  # noqa: T201  what work prints is its log
    return Outcome(State.SERVED, f"{job.why}: done", {"version": "abc"})


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


def test_without_a_key_the_job_says_what_is_missing(settings: Settings, queue: JobQueue) -> None:
    """It must not wait for ever, with nobody told why."""
    queue.add(5, "asked for")
    told = jobs(settings, "run", "--json", LABEL_STUDIO_URL="http://x", LABEL_STUDIO_API_KEY="")
    assert json.loads(told.stdout) == {"done": 1}
    assert queue.job(1).state is State.FAILED
    assert queue.job(1).said.startswith("LABEL_STUDIO_API_KEY: is not set")


def test_activating_and_rolling_back(settings: Settings, tmp_path: Path) -> None:
    store = ModelStore(settings.model_store)
    with pytest.raises(ModelError, match="nothing was active before"):
        jobs(settings, "rollback")
    folder = str(model_folder(tmp_path / "mine"))
    activated = json.loads(jobs(settings, "activate", folder, "--json").stdout)
    assert activated == {"active": store.active_version()} != {"active": BUNDLED}
    assert json.loads(jobs(settings, "rollback", "--json").stdout) == {"active": BUNDLED}
    assert store.active_version() == BUNDLED
