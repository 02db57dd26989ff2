"""The whole road on the bundled sample: project, review in a real Label Studio, train, serve.

Everything it makes lies in one folder, and everything it starts it stops.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from ml_backend.audit.report import AuditReport, audit_report
from ml_backend.audit.sample import draw
from ml_backend.auth import credentials_of, ensure_credentials
from ml_backend.demo.child_process import ChildProcess
from ml_backend.demo.label_studio_server import HOST, LabelStudioServer, free_port, is_free
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.report.figures import Report
from ml_backend.report.filters import Filters
from ml_backend.report.folder import PAGE, write_report
from ml_backend.report.source import read_project
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from ml_backend.review.repredict import repredict
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings, without_settings
from projection.errors import ServerError
from projection.evaluation.scores import score
from projection.io.gold import GoldSentence, read_gold
from projection.models import bundled
from projection.pipeline.conflicts import Policy
from projection.pipeline.projector import Projector
from projection.pipeline.run import RunSummary, load_run, load_summary, project_corpus
from projection.records import ParallelSentence, ReviewStatus
from training.data.dataset import read_rows
from training.data.iob2 import encode, write_iob2
from training.evaluation.tagging_scores import TaggingScores, evaluate
from training.export.export import write_export
from training.tagger.finetune import fine_tune
from training.trainer.settings import FineTune, LossName

TITLE = "spanferry demo"
LABELS = ("PER", "ORG", "LOC", "MISC")
HELD_OUT_EVERY = 4  # the last of every four sentences is not corrected: it is what F1 is about
AUDIT, AUDITED = "demo", 40  # the audit's name, and how many sentences it has: all are corrected
LABEL_STUDIO_PORT, BACKEND_PORT = 8080, 9090
START_SECONDS = 60.0

# A hundred and ninety sentences are few: many passes, a high rate, and nothing frozen.
TARGET_RECIPE = FineTune(base="", loss=LossName.RW, epochs=12, batch_size=16, learning_rate=2e-4)

Say = Callable[[str], None]


@dataclass(slots=True)
class Stages:
    """Says what is going on, and how long each stage took."""

    say: Say
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and time it."""
        self.say(f"{name} …")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


class BackendProcess:
    """`spanferry serve` as a process of its own, with everything it keeps in `data_dir`.

    It is told where Label Studio is: a training that is started there fetches the reviews. What
    else the environment says of backends is meant for others.
    """

    def __init__(self, data_dir: Path, port: int, label_studio: LabelStudioServer) -> None:
        self.settings = Settings.from_env(
            {}, {"data_dir": str(data_dir), "port": str(port), "host": HOST}
        )
        self.url = f"http://{HOST}:{port}"
        self.log = data_dir / "backend.log"
        ensure_credentials(self.settings)
        command = [sys.executable, "-m", "ml_backend", "serve", "--port", str(port)]
        environment = {
            **without_settings(os.environ),
            "LABEL_STUDIO_URL": label_studio.url,
            "LABEL_STUDIO_API_KEY": label_studio.account.token,
        }
        with self.log.open("ab") as log:
            self._process = ChildProcess(
                [*command, "--host", HOST, "--data-dir", str(data_dir)], log, environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()  # and the training it may have begun

    def wait_for(self, version: str) -> None:
        """Return once the backend serves `version`.

        Raises:
            ServerError: if it has ended, or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while served_version(self.url) != version:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(self.url, f"does not serve {version}", f"See {self.log}")
            time.sleep(0.2)


def served_version(url: str) -> str | None:
    """The model version a backend answers with, None while there is none."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310  http, ours
            version: str | None = json.load(answer)["model_version"]
            return version
    except (urllib.error.URLError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is up: sentences projected and pushed, Label Studio and the backend running."""

    folder: Path
    stages: Stages
    label_studio: LabelStudioServer
    backend: BackendProcess
    server: ReviewServer
    project: Project
    projector: Projector
    summary: RunSummary
    review_queue: str


@contextmanager
def running(folder: Path, say: Say) -> Iterator[Demo]:
    """Bring everything up, and down again at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(say)
    label_studio = LabelStudioServer(
        folder / "label-studio",
        port=port_near(LABEL_STUDIO_PORT),
        on_wait=lambda seconds: say_now_and_then(say, seconds),
    )
    backend_port = port_near(BACKEND_PORT)
    (folder / "backend").mkdir(exist_ok=True)
    backend_process = BackendProcess(folder / "backend", backend_port, label_studio)
    with backend_process as backend, stopping(label_studio):
        # Label Studio makes its database while the sentences are projected.
        with starting(label_studio) as started:
            with stages.stage("project the sample"):
                store = ModelStore(backend.settings.model_store)
                projector = Projector.load(target_model=store.active())
                summary = project_sample(folder / "run", projector)
            with stages.stage("start Label Studio"):
                started.result()
        with stages.stage("push tasks and predictions"):
            account = label_studio.account
            server = ReviewServer.connect(label_studio.url, account.token)
            project = server.ensure_project(TITLE, build_config(LABELS))
            push(server, project, load_run(folder / "run"))
        with stages.stage("connect the backend"):
            backend.wait_for(projector.model_version)
            server.connect_backend(project, backend.url, credentials_of(backend.settings))
            server.set_model_version(project, projector.model_version)
            tabs = server.ensure_tabs(project, list(review_tabs()))
        with server:
            yield Demo(
                folder, stages, label_studio, backend, server, project, projector, summary,
                server.tab_url(project, tabs[REVIEW_QUEUE.title]),
            )  # fmt: skip


@contextmanager
def starting(label_studio: LabelStudioServer) -> Iterator["Future[None]"]:
    """Start it beside what the block does. If the block fails, nobody waits for the start."""
    with ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(label_studio.start)
        except BaseException:
            label_studio.stop()
            raise


@contextmanager
def stopping(label_studio: LabelStudioServer) -> Iterator[None]:
    """Stop it at the end, whoever started it."""
    try:
        yield
    finally:
        label_studio.stop()


def port_near(wanted: int) -> int:
    """`wanted` where nobody listens on it, else any free port."""
    return wanted if is_free(wanted) else free_port()


def say_now_and_then(say: Say, seconds: float) -> None:
    """The first start of Label Studio takes half a minute: say so every five seconds."""
    if round(seconds) % 5 == 0:
        say(f"  Label Studio is starting, {seconds:.0f} s (the first start makes its database)")


def gold_sentences() -> list[GoldSentence]:
    """The bundled sample in all its languages, with gold entities on both sides."""
    return [
        gold for lang in bundled.SAMPLE_LANGUAGES for gold in read_gold(bundled.sample_path(lang))
    ]


def project_sample(run: Path, projector: Projector) -> RunSummary:
    """Project the sample as if nobody knew its entities: the teacher looks for them.

    What an earlier start projected stays, though a training may have brought a newer model since.
    """
    if (run / "summary.json").is_file():
        return load_summary(run)
    return project_corpus(
        (without_gold(gold) for gold in gold_sentences()),
        projector,
        run,
        policy=Policy.FLAG,
        settings={"corpus": "bundled sample", "labels": " ".join(LABELS)},
        on_progress=lambda _: None,
    )


def without_gold(gold: GoldSentence) -> ParallelSentence:
    """The sentence as a corpus would bring it."""
    return replace(gold.sentence, entities=None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the loop did, for the table at its end."""

    summary: RunSummary
    accepted: int
    corrected: int
    exported: int
    model_f1: dict[str, tuple[float, float]]  # language: before, after
    projection_f1: tuple[float, float]
    audit: AuditReport
    report: Path
    repredicted: int
    versions: tuple[str, str]
    seconds: dict[str, float]


def walk_the_loop(demo: Demo) -> Figures:
    """Correct, export, train, evaluate, serve and predict again, with no one at the keyboard.

    Raises:
        SpanferryError: from the first stage that does not do its work.
    """
    project = demo.server.project(demo.project.id)  # with the model version it has now
    with demo.stages.stage("draw an audit of what nobody would look at"):
        draw(demo.server, project, AUDIT, size=AUDITED)
    reviewed, held_out = split(gold_sentences(), drawn_in(demo, AUDIT))
    with demo.stages.stage("play in corrections: the gold of the bundled sample"):
        play_in(demo, reviewed)
    with demo.stages.stage("report on the audit and on the review"):
        audit = audit_report(demo.server, project, AUDIT)
        report = write_page(demo, project)
    with demo.stages.stage("export the corrected set"):
        found = fetch_reviewed(demo.server, demo.project)
        export = demo.folder / "export"
        exported = write_export(found, export, title=TITLE, labels=LABELS)
        expect("export", exported.sentences, len(reviewed))
    with demo.stages.stage("fine-tune a target model"):
        model = demo.folder / "model"
        base = bundled.path("tagger")
        fine_tune(read_rows(export), replace(TARGET_RECIPE, base=str(base)), model)
    with demo.stages.stage("evaluate before and after"):
        model_f1 = compare(base, model, held_out, demo.folder / "held-out")
    with demo.stages.stage("serve the new model"):
        store = ModelStore(demo.backend.settings.model_store)
        store.activate(store.add(model))
        improved = Projector.load(target_model=store.active())
        demo.backend.wait_for(improved.model_version)
    with demo.stages.stage("predict the remaining tasks again"):
        again = repredict(demo.server, demo.project, improved)
        expect("repredict", again.predicted, len(held_out))
    return Figures(
        summary=demo.summary,
        accepted=exported.accepted,
        corrected=exported.corrected,
        exported=exported.sentences,
        model_f1=model_f1,
        projection_f1=(
            projection_f1(demo.projector, held_out),
            projection_f1(improved, held_out),
        ),
        audit=audit,
        report=report,
        repredicted=again.predicted,
        versions=(demo.projector.model_version, improved.model_version),
        seconds=demo.stages.seconds,
    )


def expect(stage: str, found: int, wanted: int) -> None:
    """A stage that did only part of its work has failed.

    Raises:
        ServerError: saying how much is missing.
    """
    if found != wanted:
        raise ServerError(stage, f"{found} sentences instead of {wanted}", "See the logs")


def drawn_in(demo: Demo, audit: str) -> set[str]:
    """The ids of the sentences in the sample of an audit."""
    tasks = demo.server.tasks(demo.project)
    return {task["data"]["pair_id"] for task in tasks if task["data"]["audit"] == audit}


def split(
    gold: Sequence[GoldSentence], audited: Collection[str]
) -> tuple[list[GoldSentence], list[GoldSentence]]:
    """What is corrected, all that is audited with it, and what is held out to measure on."""
    held_out = [
        g
        for i, g in enumerate(gold, start=1)
        if i % HELD_OUT_EVERY == 0 and g.sentence.id not in audited
    ]
    return [g for g in gold if g not in held_out], held_out


def write_page(demo: Demo, project: Project) -> Path:
    """The report on the review so far, as a page; where it is."""
    reviews = read_project(demo.server, project)
    filters = Filters.of_run(demo.folder / "run")
    out = demo.folder / "report"
    write_report(Report.of(reviews, filters=filters), reviews, out)
    return out / PAGE


def play_in(demo: Demo, reviewed: Iterable[GoldSentence]) -> None:
    """Annotate through Label Studio's API what the gold says, as a careful annotator would."""
    tasks = {
        task["data"]["pair_id"]: task
        for task in demo.server.tasks(demo.project, with_predictions=True)
    }
    for gold in reviewed:
        task = tasks[gold.sentence.id]
        demo.server.annotate(
            task["id"],
            annotation_of(gold.target_entities, gold.sentence.target, ReviewStatus.ACCEPTED),
            parent_prediction=task["predictions"][-1]["id"],
        )


def compare(
    before: Path, after: Path, held_out: Sequence[GoldSentence], folder: Path
) -> dict[str, tuple[float, float]]:
    """Strict F1 of both models on the held-out gold, by language and over all."""
    by_language = {
        lang: [g for g in held_out if g.sentence.target_lang == lang]
        for lang in bundled.SAMPLE_LANGUAGES
    }
    return {
        name: (f1_on(before, sentences, folder / name), f1_on(after, sentences, folder / name))
        for name, sentences in {"all": held_out, **by_language}.items()
    }


def f1_on(model: Path, gold: Sequence[GoldSentence], file: Path) -> float:
    """Strict F1 of a token classifier on the target side."""
    path = file.with_suffix(".iob2")
    encoded = [encode(g.sentence.target, g.target_entities, g.sentence.target_lang) for g in gold]
    path.parent.mkdir(exist_ok=True)
    write_iob2(((e.tokens, e.tags) for e in encoded), path)
    scores: TaggingScores = evaluate(model, path)
    return scores.f1


def projection_f1(projector: Projector, gold: Sequence[GoldSentence]) -> float:
    """F1 of the pre-annotations an annotator would see, the teacher's mistakes included."""
    projected = projector.project([without_gold(g) for g in gold])
    return score(gold, [p.entities for p in projected]).f1
