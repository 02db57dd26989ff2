"""A real Label Studio for the whole session, and a real backend beside it."""

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from werkzeug.serving import make_server

from label_config.labeling_config import build_config
from ml_backend.api.app import create_app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.serving.engine import Engine, Load
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from tests.label_studio.bundled_backend import CREDENTIALS
from tests.label_studio.examples import EXAMPLES, LABELS, SECOND, FixedProjector
from tests.label_studio.used import DATABASE, copy_database, start_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.label_studio.pages import ReviewPage

_numbers = count(1)


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    if importlib.util.find_spec("label_studio") is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")
    server = LabelStudioServer(tmp_path_factory.mktemp("label-studio"))
    try:
        start_server(server, tmp_path_factory)
        yield server
    finally:
        server.stop()


def invited(studio: LabelStudioServer, email: str = "") -> str:
    """The API key of somebody else of the same organization."""
    with httpx.Client(base_url=studio.url, follow_redirects=True) as browser:
        link = httpx.get(
            f"{studio.url}/api/invite", headers={"Authorization": f"Token {studio.account.token}"}
        ).json()["invite_url"]
        browser.get(link)
        form = {
            "email": email or f"second-{uuid4().hex[:8]}@example.org",
            "password": uuid4().hex,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        browser.post(link, data=form, headers={"Referer": studio.url}).raise_for_status()
        key: str = browser.get("/api/current-user/token").raise_for_status().json()["token"]
    return key


@pytest.fixture
def used_folder(label_studio: LabelStudioServer, tmp_path: Path) -> Path:
    """The data of a server that has been started once, which took it half a minute."""
    folder = tmp_path / "used"
    folder.mkdir()
    shutil.copy(label_studio.data_dir / "account.json", folder)
    copy_database(label_studio.data_dir / DATABASE, folder / DATABASE)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    pages = pytest.importorskip("tests.label_studio.pages", reason="no playwright: the dev extra")
    if pages.chromium() is None:
        pytest.skip("there is no Chromium: install one, or name it in CHROMIUM")
    with pages.browsing() as browser:
        yield browser


@pytest.fixture
def reviewer(browser: "Browser", label_studio: LabelStudioServer) -> Iterator["ReviewPage"]:
    """A logged-in browser window."""
    from tests.label_studio.pages import reviewing  # noqa: PLC0415  needs playwright

    with reviewing(browser, label_studio) as page:
        yield page


@pytest.fixture
def server(label_studio: LabelStudioServer) -> Iterator[ReviewServer]:
    with ReviewServer.connect(label_studio.url, label_studio.account.token) as server:
        yield server


@pytest.fixture
def project(server: ReviewServer) -> Project:
    """A new and empty project of ours."""
    return server.ensure_project(f"Review {next(_numbers)}", build_config(LABELS))


class RunningBackend:
    """The real application on a port of its own, with a projector that knows the examples."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = Settings.from_env(
            {
                "SPANFERRY_DATA_DIR": str(data_dir),
                "SPANFERRY_BACKEND_USER": CREDENTIALS.user,
                "SPANFERRY_BACKEND_PASSWORD": CREDENTIALS.password,
                "SPANFERRY_BACKEND_POLL_SECONDS": "0.05",
            }
        )
        self.projector = FixedProjector()
        store = ModelStore(self.settings.model_store)
        self._engine = Engine(lambda _: self.projector, store, poll_seconds=0.05).start()
        self.queue = JobQueue(self.settings.jobs_folder)
        app = create_app(self.settings, self._engine)
        self._http = make_server("127.0.0.1", 0, app, threaded=True)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._engine.close()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[RunningBackend]:
    backend = RunningBackend(tmp_path)
    yield backend
    backend.close()


def fixed_loader(settings: Settings) -> Load:  # noqa: ARG001  # what SPANFERRY_BACKEND_LOADER names
    """Loads a newer model, whatever is active."""
    return lambda _: FixedProjector(SECOND)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with the examples."""
    project_corpus(
        [example.sentence for example in EXAMPLES],
        FixedProjector(),
        tmp_path / "run",
        policy=Policy.FLAG,
        settings={},
        on_progress=lambda _: None,
    )
    return tmp_path / "run"
