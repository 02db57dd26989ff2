"""The demo: the bundled sample projected, and open for review in a real Label Studio.

Everything it makes is in one folder, and everything it starts it stops.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from label_config.labeling_config import build_config
from ml_backend.auth import credentials_of, ensure_credentials
from ml_backend.demo.label_studio_server import HOST, LabelStudioServer, free_port, is_free
from ml_backend.jobs.child_process import ChildProcess
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings, cpu_count, without_settings
from projection.errors import ServerError
from projection.io.gold import GoldSentence, read_gold
from projection.models import bundled
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import load_run, project_corpus
from projection.pipeline.run_summary import RunSummary, load_summary
from projection.records import ParallelSentence

if TYPE_CHECKING:  # these take seconds to import: Label Studio is started before
    from ml_backend.label_studio.client import Project, ReviewServer
    from projection.pipeline.projector import Projector

TITLE = "spanferry demo"
LABELS = ("PER", "ORG", "LOC", "MISC")
LABEL_STUDIO_PORT, BACKEND_PORT = 8080, 9090
START_SECONDS = 180.0  # of the backend, which first loads its models
SENTENCES = 16  # of each of the sample's languages

Say = Callable[[str], None]


class Stages:
    """Announces each stage through `say` and records its seconds."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce and time a stage."""
        self.say(f"{name} …")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


class BackendProcess:
    """`spanferry serve` as a process with everything it keeps in `data_dir`.

    It knows Label Studio's address: a training that is started there fetches the reviews. Other
    backend settings in the environment are meant for other backends, and dropped.
    """

    def __init__(
        self, data_dir: Path, label_studio: LabelStudioServer, port: int | None = None
    ) -> None:
        data_dir.mkdir(exist_ok=True)
        port = _port(port, BACKEND_PORT)
        given = {"data_dir": str(data_dir), "port": str(port), "host": HOST}
        self.settings = Settings.from_env({}, given)
        self.url = f"http://{HOST}:{port}"
        self.log = data_dir / "backend.log"
        ensure_credentials(self.settings)
        self._label_studio = label_studio
        self._process: ChildProcess | None = None

    def start(self) -> None:
        """Start the process; `wait_for` waits for it."""
        settings = self.settings
        command = [
            *(sys.executable, "-m", "ml_backend", "serve", "--host", HOST),
            *("--port", str(settings.port), "--data-dir", str(settings.data_dir)),
        ]
        environment = {
            **without_settings(os.environ),
            "LABEL_STUDIO_URL": self._label_studio.url,
            "LABEL_STUDIO_API_KEY": self._label_studio.account.token,
        }
        with self.log.open("ab") as log:
            self._process = ChildProcess(command, log, environment)

    def stop(self) -> None:
        """Stop it and the training it may have started."""
        if self._process is not None:
            self._process.stop()

    def wait_for(self, version: str) -> None:
        """Return once it serves model `version`; ServerError if it ended or takes too long."""
        process = self._process
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(base_url=self.url, timeout=2, trust_env=False) as client:
            while _served_version(client) != version:
                if process is None or process.poll() is not None or time.monotonic() > deadline:
                    raise ServerError(self.url, f"does not serve {version}", f"See {self.log}")
                time.sleep(0.2)


def _served_version(client: httpx.Client) -> str | None:
    try:
        answer = client.get("/health")
    except httpx.HTTPError:
        return None
    return str(answer.json()["model_version"]) if answer.is_success else None


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: sentences projected and pushed, Label Studio and the backend up."""

    folder: Path
    stages: Stages
    label_studio: LabelStudioServer
    backend: BackendProcess
    server: "ReviewServer"
    project: "Project"
    projector: "Projector"
    summary: RunSummary
    review_queue: str


@contextmanager
def running(
    folder: Path, say: Say, port: int | None = None, backend_port: int | None = None
) -> Iterator[Demo]:
    """Start everything, and stop it at the end.

    Without a port, the usual ones of Label Studio and the backend are taken, or free ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(say)
    label_studio = LabelStudioServer(
        folder / "label-studio",
        port=_port(port, LABEL_STUDIO_PORT),
        on_wait=lambda seconds: say(
            f"  Label Studio is starting, {seconds:.0f} s (the first start creates a database)"
        ),
    )
    with ExitStack() as stack:
        backend = BackendProcess(folder / "backend", label_studio, backend_port)
        stack.callback(backend.stop)
        stack.callback(label_studio.stop)
        with ThreadPoolExecutor(1) as beside, ExitStack() as failed:
            failed.callback(label_studio.stop)  # else the executor would wait for the start
            # Label Studio creates its database, on one core, while all else is made ready.
            started = beside.submit(label_studio.start)
            with stages.stage("load the models"):
                from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
                from ml_backend.review.push import push  # noqa: PLC0415
                from projection.pipeline.projector import Projector  # noqa: PLC0415

                store = ModelStore(backend.settings.model_store)
                projector = Projector.load(target_model=store.active())
            with stages.stage("project the sample"), _a_core_left():
                summary = _project_sample(folder / "run", projector)
            backend.start()
            with stages.stage("start Label Studio"):
                started.result()
            failed.pop_all()
        with stages.stage("push tasks and predictions"):
            server = stack.enter_context(
                ReviewServer.connect(label_studio.url, label_studio.account.token)
            )
            project = server.ensure_project(TITLE, build_config(LABELS))
            push(server, project, load_run(folder / "run"))
        with stages.stage("connect the backend"):
            backend.wait_for(projector.model_version)
            server.connect_backend(project, backend.url, credentials_of(backend.settings))
            server.set_model_version(project, projector.model_version)
            tabs = server.ensure_tabs(project, list(review_tabs()))
        yield Demo(
            folder, stages, label_studio, backend, server, project, projector, summary,
            server.tab_url(project, tabs[REVIEW_QUEUE.title]),
        )  # fmt: skip


def _port(wanted: int | None, usual: int) -> int:
    if wanted is None:
        return usual if is_free(usual) else free_port()
    if not is_free(wanted):
        raise ServerError(f"{HOST}:{wanted}", "the port is taken", "Choose another")
    return wanted


def gold_sentences() -> list[GoldSentence]:
    """Return the first `SENTENCES` of the bundled sample in each language, gold on both sides."""
    return _of_each_language(slice(SENTENCES))


def other_sentences() -> list[GoldSentence]:
    """Return the rest of the sample, which is not in the project."""
    return _of_each_language(slice(SENTENCES, None))


def _of_each_language(part: slice) -> list[GoldSentence]:
    paths = map(bundled.sample_path, bundled.SAMPLE_LANGUAGES)
    return [gold for path in paths for gold in read_gold(path)[part]]


def without_gold(gold: GoldSentence) -> ParallelSentence:
    """Return the sentence without its entities, as a corpus has it."""
    return replace(gold.sentence, entities=None)


@contextmanager
def _a_core_left() -> Iterator[None]:
    """Compute on one core fewer: threads that wait for one another on a busy core take longer."""
    import torch  # noqa: PLC0415  takes seconds

    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, min(threads, cpu_count() - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _project_sample(run: Path, projector: "Projector") -> RunSummary:
    """Project the sample without its entities, unless an earlier start did, with whatever model."""
    if (run / "summary.json").is_file():
        return load_summary(run)
    return project_corpus(
        map(without_gold, gold_sentences()),
        projector,
        run,
        policy=Policy.FLAG,
        settings={"corpus": "bundled sample", "labels": " ".join(LABELS)},
        on_progress=lambda _: None,
    )
