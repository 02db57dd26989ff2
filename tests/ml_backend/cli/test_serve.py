"""`spanferry serve`: the command line, and the real gunicorn process it becomes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ml_backend.auth import FILE_NAME
from ml_backend.cli import app
from ml_backend.cli.serve import activate, report_access
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import ATTEMPTS, JobQueue, State
from ml_backend.serving.model_store import BUNDLED, ModelStore
from ml_backend.settings import Settings
from projection.errors import ModelError
from tests.ml_backend.conftest import (
    BUNDLED_VERSION,
    make_task,
    model_folder,
    predict_body,
    wait_until,
)
from tests.ml_backend.label_studio.studio import KEY, Fault, Studio, running

ROOT = Path(__file__).parents[3]
SECRET = "a secret of theirs"


# --- the command line ----------------------------------------------------------------------------


def test_help_names_the_options_and_an_example() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    for option in ("--port", "--host", "--data-dir", "--workers", "--no-auth", "--model"):
        assert option in shown
    assert "spanferry serve --port 9090" in shown


@pytest.fixture
def fixed(settings: Settings) -> Settings:
    """Settings with the loader of conftest.py."""
    return settings.model_copy(update={"loader": "tests.ml_backend.conftest:fixed_loader"})


def test_a_folder_is_added_and_activated_and_a_version_is_found_again(
    fixed: Settings, store: ModelStore, tmp_path: Path
) -> None:
    version = activate(fixed, str(model_folder(tmp_path / "mine")))
    assert store.active_version() == version
    assert activate(fixed, BUNDLED) == BUNDLED == store.active_version()
    assert activate(fixed, version) == version == store.active_version()


def test_a_model_that_is_none_is_refused(fixed: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no config\.json"):
        activate(fixed, str(tmp_path))


@pytest.mark.parametrize("told", [{"broken": True}, {"score": "nan"}, {"crashes": True}])
def test_a_model_that_cannot_serve_is_neither_added_nor_activated(
    fixed: Settings, store: ModelStore, tmp_path: Path, told: dict[str, object]
) -> None:
    with pytest.raises(ModelError):
        activate(fixed, str(model_folder(tmp_path / "mine", **told)))
    assert store.versions() == ()
    version = store.add(model_folder(tmp_path / "stored", **told))  # by an earlier version
    with pytest.raises(ModelError):
        activate(fixed, version)
    assert store.active_version() == BUNDLED


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({}, FILE_NAME, id="generated: where it is"),
        pytest.param(
            {"BASIC_AUTH_PASS": "a secret of theirs"}, "the one in the environment", id="given"
        ),
        pytest.param({"SPANFERRY_BACKEND_AUTH": "off"}, "No password is asked for", id="off"),
    ],
)
def test_how_one_gets_in_is_said_without_the_password(
    env: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_access(Settings.from_env({**env, "SPANFERRY_DATA_DIR": str(tmp_path)}))
    shown = capsys.readouterr().err
    assert said in shown
    assert SECRET not in shown
    for kept in tmp_path.iterdir():
        assert json.loads(kept.read_text("utf-8"))["password"] not in shown


@pytest.mark.parametrize("package", ["gunicorn", "prometheus_client", "waitress"])
def test_what_is_not_installed_is_named_with_the_fix(package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None; from ml_backend.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "serve"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    fix = "pip install 'spanferry[serve]'"
    assert ran.stderr == f"spanferry serve: {package} is not installed. {fix}\n"


# --- the process ---------------------------------------------------------------------------------


@dataclass
class Process:
    """`spanferry serve` on a free port, with the projector of conftest.py, in its own group."""

    running: subprocess.Popen[bytes]
    log: Path
    data_dir: Path
    url: str = ""

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def call(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer, asked for as Label Studio does."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Token {SECRET}"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with closing(error):
                return error.code, json.load(error)

    def versions_of(self, count: int) -> set[str]:
        """The versions `count` predictions come with."""
        status, body = self.call("/predict", predict_body(*map(make_task, range(count))))
        assert status == 200, body
        assert len(body["results"]) == count
        return {result["model_version"] for result in body["results"]}

    def model_version(self) -> str | None:
        version: str | None = self.call("/health")[1]["model_version"]
        return version

    def asked_for_health(self) -> float:
        """How often, by /metrics."""
        headers = {"Authorization": f"Token {SECRET}"}
        request = urllib.request.Request(f"{self.url}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            counted = re.search(
                r'requests_total{endpoint="health".*} (.+)', response.read().decode()
            )
        assert counted
        return float(counted.group(1))

    @property
    def jobs(self) -> JobQueue:
        return JobQueue(self.data_dir / "jobs")

    def start_training(self, project: int = 5) -> None:
        body = {"action": "START_TRAINING", "project": {"id": project}}
        assert self.call("/webhook", body) == (200, {"status": "queued"})

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.running.send_signal(sign)
        return self.running.wait(45)

    def kill(self) -> None:
        """It and the training it may have begun, as when the machine goes down."""
        with suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait(45)


def start(data_dir: Path, *options: str, first: str = "", **env: str) -> Process:
    """Start it, once the Python code `first` has run."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir.parent / "serve.log"
    code = f"{first}\nfrom ml_backend.cli import main; main()"
    inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    with log.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", *options],
            stdout=file,
            stderr=file,
            cwd=data_dir,
            start_new_session=True,
            env={
                **inherited,
                "PYTHONPATH": str(ROOT),
                "SPANFERRY_DATA_DIR": str(data_dir),
                "OMP_NUM_THREADS": "1",
                "SPANFERRY_BACKEND_LOADER": "tests.ml_backend.conftest:fixed_loader",
                "SPANFERRY_BACKEND_PASSWORD": SECRET,
                "SPANFERRY_BACKEND_POLL_SECONDS": "0.05",
                **env,
            },
        )
    _started.append(Process(running, log, data_dir))
    return _started[-1]


_started: list[Process] = []


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """However a test ends."""
    yield
    while _started:
        _started.pop().kill()


def listening(process: Process) -> Process:
    """Wait for the port gunicorn got."""

    def port() -> str | None:
        assert process.running.poll() is None, process.said()
        found = re.search(r"Listening at: (http://[\d.]+:\d+)", process.said())
        process.url = found.group(1) if found else ""
        return process.url

    wait_until(port)
    return process


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def served(data_dir: Path) -> Process:
    return listening(start(data_dir))


def test_the_process_answers_in_parallel_and_stops_when_asked(served: Process) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(served.versions_of, [100] * 8))
    assert answers == [{BUNDLED_VERSION}] * 8
    assert served.call("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": 5}})[0] == 200
    assert served.stop() == 0
    assert "Traceback" not in served.said()


NO_LOOK = "Trainings: No look at the reviews of project 5: LABEL_STUDIO_URL: is not set."


def test_a_training_asked_for_waits_and_the_log_says_what_it_lacks(served: Process) -> None:
    served.start_training()
    wait_until(lambda: NO_LOOK in served.said())
    assert served.call("/status")[1]["jobs"] == []
    assert [*served.jobs.hints.left()] == [(5, Hint.ASKED)]


def without_exports(studio: Studio) -> dict[str, str]:
    """Have it answer what a look asks, and 502 to a training; the settings of a backend for it."""
    studio.fault = Fault("502", "POST /api/projects/N/exports")
    return {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": KEY}


def runners(data_dir: Path) -> list[int]:
    """The processes that do this server's jobs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"jobs" in words and os.fsencode(data_dir) in words:
                found.append(int(process.name))
    return found


def test_a_training_survives_its_process_and_a_restart(data_dir: Path) -> None:
    """It waits for a Label Studio that is down, and is taken up again wherever it was."""
    with running() as studio:
        project = studio.add_project("News", "<View/>", [], "")
        env = without_exports(studio)
        first = listening(start(data_dir, **env))
        first.start_training(project + 1)  # which nobody knows
        first.start_training(project)
        wait_until(first.jobs.jobs)
        wait_until(lambda: "no answer" in first.jobs.log(first.jobs.job(1)))
        assert first.jobs.job(1).state is State.RUNNING
        [runner] = runners(data_dir)
        asked, learns = (os.getpriority(os.PRIO_PROCESS, i) for i in (first.running.pid, runner))
        assert learns == min(asked + 10, 19), "annotators come first"
        os.kill(runner, signal.SIGKILL)
        wait_until(lambda: first.jobs.job(1).attempts == 2)
        assert "A training runner ended with status -9" in first.said()
        assert f"Trainings: Label Studio shows no project {project + 1} to this" in first.said()
        first.kill()
        wait_until(lambda: runners(data_dir) == [])

        second = listening(start(data_dir, **env))
        wait_until(lambda: runners(data_dir) != [])
        wait_until(lambda: second.jobs.job(1).state is State.RUNNING)
        assert second.stop(signal.SIGTERM) == 0
    assert runners(data_dir) == [], "it goes on when the server starts again"
    [job] = second.jobs.jobs()
    assert (job.project, job.state) == (project, State.QUEUED)
    assert job.attempts < ATTEMPTS, "being stopped is not the job's fault"


def processes_of(group: int) -> list[int]:
    """The processes that still run in a group."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its_group, *_ = status.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z":
                found.append(int(status.parent.name))
    return found


def test_nothing_lives_on_after_gunicorn_was_killed(data_dir: Path) -> None:
    with running() as studio:
        project = studio.add_project("News", "<View/>", [], "")
        process = listening(start(data_dir, "--workers", "2", **without_exports(studio)))
        process.start_training(project)
        wait_until(lambda: process.jobs.jobs() and runners(data_dir))
        process.running.kill()
        process.running.wait()
        wait_until(lambda: processes_of(process.running.pid) == [])
        wait_until(lambda: runners(data_dir) == [])


def test_a_server_that_loads_stops_at_once_and_without_a_crash(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "bundled.json").write_text('{"load_seconds": 60}', "utf-8")
    process = listening(start(data_dir))
    assert process.stop() == 0
    assert "SIGABRT" not in process.said()
    assert "Traceback" not in process.said()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_a_worker_that_was_just_forked(
    data_dir: Path, sign: signal.Signals
) -> None:
    slowly = """
import time
from ml_backend.api.http_worker import HttpWorker

def init_process(worker, at_once=HttpWorker.init_process):
    time.sleep(2)
    at_once(worker)

HttpWorker.init_process = init_process
"""
    process = start(data_dir, first=slowly)
    wait_until(lambda: "Booting worker" in process.said())
    assert process.stop(sign) == 0
    assert "Traceback" not in process.said()


def test_without_a_password_others_are_not_served(data_dir: Path) -> None:
    process = start(data_dir, "--no-auth", "--host", "0.0.0.0")
    assert process.running.wait(45) == 2
    assert "others could reach this address, without a password" in process.said()


def test_what_a_server_writes_is_for_its_owner_only(served: Process) -> None:
    served.start_training()
    wait_until(lambda: NO_LOOK in served.said())
    written = [served.data_dir / "jobs", *(served.data_dir / "jobs").rglob("*")]
    assert not [path for path in written if path.stat().st_mode & 0o077]


def test_a_request_that_has_begun_is_finished_after_sigterm(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "bundled.json").write_text('{"seconds": 0.2}', "utf-8")
    process = listening(start(data_dir, SPANFERRY_BACKEND_SENTENCES_PER_TURN="1"))
    wait_until(process.model_version)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(process.versions_of, 10)
        time.sleep(0.5)
        assert not asked.done()
        assert process.stop() == 0
        assert asked.result() == {BUNDLED_VERSION}


def test_health_answers_while_the_model_loads_and_predictions_wait(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "bundled.json").write_text('{"load_seconds": 2}', "utf-8")
    process = listening(start(data_dir))
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(process.versions_of, 3)
        assert process.call("/health") == (200, {"status": "UP", "model_version": None})
        assert asked.result() == {BUNDLED_VERSION}
    assert process.call("/setup", {}) == (200, {"model_version": BUNDLED_VERSION})
    assert process.stop(signal.SIGINT) == 0


def test_a_model_is_swapped_under_load_without_an_error(served: Process, tmp_path: Path) -> None:
    wait_until(served.model_version)
    store = ModelStore(served.data_dir / "models")
    version = store.add(model_folder(tmp_path / "new", version="new", load_seconds=0.5))
    with ThreadPoolExecutor(4) as threads:

        def ask_until_swapped(_: int) -> list[set[str]]:
            seen = [served.versions_of(50)]
            while seen[-1] != {"new"}:
                seen.append(served.versions_of(50))
            return seen

        asking = threads.map(ask_until_swapped, range(4))
        store.activate(version)
        answers = list(asking)
    for seen in answers:
        # Every answer is of one model, and there is no way back.
        assert [*seen[:-1], {"new"}] == [{BUNDLED_VERSION}] * (len(seen) - 1) + [{"new"}]
    assert max(map(len, answers)) > 2
    assert store.rollback() == BUNDLED
    wait_until(lambda: served.model_version() == BUNDLED_VERSION)


def test_every_worker_follows_the_store_and_counts_for_all(data_dir: Path, tmp_path: Path) -> None:
    process = listening(start(data_dir, "--workers", "2"))
    wait_until(process.model_version)
    folder = model_folder(tmp_path / "new", version="new")
    store = ModelStore(data_dir / "models")
    store.activate(store.add(folder))
    wait_until(lambda: process.said().count("as new, loaded in") == 2)
    before = process.asked_for_health()
    assert {process.model_version() for _ in range(10)} == {"new"}
    assert process.asked_for_health() == before + 10, "each counts for both"
    assert process.stop() == 0


def test_the_model_option_is_served(data_dir: Path, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine", version="mine")
    process = listening(start(data_dir, "--model", str(folder)))
    wait_until(lambda: process.model_version() == "mine")
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("options", "status"),
    [pytest.param((), 401, id="a password by default"), pytest.param(("--no-auth",), 200, id="no")],
)
def test_authentication_is_on_unless_switched_off(
    data_dir: Path, options: tuple[str, ...], status: int
) -> None:
    process = listening(start(data_dir, *options, SPANFERRY_BACKEND_PASSWORD=""))
    assert process.call("/versions")[0] == status
    assert (data_dir / FILE_NAME).exists() == (status == 401)
    assert process.stop() == 0


def test_a_port_in_use_is_said_in_one_line(served: Process, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    other = start(tmp_path / "other" / "data", "--port", port)
    assert other.running.wait(45) == 2
    assert f"127.0.0.1:{port}: cannot listen there" in other.said().splitlines()[-1]


def test_a_loader_that_does_not_exist_is_said_before_anything_starts(data_dir: Path) -> None:
    process = start(data_dir, SPANFERRY_BACKEND_LOADER="nowhere:load")
    assert process.running.wait(45) == 2
    assert process.said().splitlines()[-1].startswith("SPANFERRY_BACKEND_LOADER: No module named")
    assert "Listening" not in process.said()
