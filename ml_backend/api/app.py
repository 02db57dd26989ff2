"""The Flask application Label Studio talks to."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from ml_backend.api.errors import answer_errors
from ml_backend.api.guard import guard
from ml_backend.api.http_worker import ARRIVED, GONE, REFUSES
from ml_backend.api.interactive import Drawn, Found, find_with, respond
from ml_backend.api.lead import LeadPages
from ml_backend.api.metrics import Metrics
from ml_backend.api.predict import Answers, answer
from ml_backend.api.request_log import log_requests
from ml_backend.api.webhook import leave_hint, read_event
from ml_backend.api.wire import PredictRequest, read_object, read_predict
from ml_backend.auth import credentials_of
from ml_backend.jobs.queue import LOG_LINES, JobQueue
from ml_backend.lead.refresh import Snapshots, take_in_child
from ml_backend.propagation.memory import Memories
from ml_backend.serving.engine import Engine
from ml_backend.serving.model_queue import BusyError
from ml_backend.serving.model_store import BUNDLED
from ml_backend.settings import Settings
from projection.errors import ModelError
from projection.records import ParallelSentence

if TYPE_CHECKING:
    # For the type alone: importing it would import torch.
    from projection.protocols import ProjectsSentences

log = logging.getLogger(__name__)

# Label Studio gives /setup 3 s; a version that comes too late is as good as none.
_SETUP_WAIT = 2.0

_DESCRIPTION = files("ml_backend.api").joinpath("openapi.json").read_bytes()
_DEGRADED = "The active model cannot be loaded: /status says why"


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Compose the application. The caller starts and closes `engine`."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 2**20
    service = Service(settings, engine)
    app.config[REFUSES] = service.refuses
    app.add_url_rule("/", "root", service.health)
    app.add_url_rule("/health", "health", service.health)
    app.add_url_rule("/ready", "ready", service.ready)
    app.add_url_rule("/setup", "setup", service.setup, methods=["POST"])
    app.add_url_rule("/predict", "predict", service.predict, methods=["POST"])
    app.add_url_rule("/webhook", "webhook", service.webhook, methods=["POST"])
    app.add_url_rule("/versions", "versions", service.versions)
    app.add_url_rule("/metrics", "metrics", service.scrape)
    app.add_url_rule("/status", "status", service.status)
    app.add_url_rule("/openapi.json", "openapi", service.describe)
    folder = settings.data_dir / "lead"
    take = take_in_child(folder, settings.public_label_studio_url or "")
    LeadPages(Snapshots(folder, take), engine, JobQueue(settings.jobs_folder)).add_to(app)
    app.after_request(service.count)
    log_requests(app, settings)
    guard(app, credentials_of(settings))
    answer_errors(app, log_text=settings.log_text)
    return app


class Service:
    """The endpoints. Only /predict waits for a model longer than `_SETUP_WAIT`."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine
        self._queue = JobQueue(settings.jobs_folder)
        self._memories = Memories(settings.memory)
        self._metrics = Metrics(engine, self._queue)
        # Threads that may wait for the model, and those of them that may for a batch.
        self._slots = threading.BoundedSemaphore(settings.predictions)
        self._batches = threading.BoundedSemaphore(settings.threads // 2)

    def health(self) -> dict[str, str | None]:
        """Return the model version in use, to anybody. Label Studio gives this 1 s."""
        body = {"status": "UP", "model_version": self._engine.model_version}
        if self._engine.degraded is not None:
            body["degraded"] = _DEGRADED
        return body

    def ready(self) -> tuple[dict[str, str | None], int]:
        """Return as `health`, with 503 until a model answers."""
        ready = self._engine.model_version is not None
        return self.health(), HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE

    def setup(self) -> dict[str, str | None]:
        """Return the version in use. The body, which holds an access token, is not read."""
        version = self._engine.model_version
        if version is None:
            with slot(self._slots):
                version = self._engine.projector(_SETUP_WAIT).model_version
        return {"model_version": version}

    def predict(self) -> dict[str, object]:
        """Pre-annotate tasks, or answer someone who is annotating: one result each, in order."""
        gone = request.environ.get(GONE, bool)
        deadline = self._arrived() + self._settings.predict_seconds
        with slot(self._slots):
            asked = read_predict(request.get_data(), self._settings.max_tasks)
            with slot(self._batches) if asked.drawn is None else nullcontext():
                wait = min(self._settings.load_wait, deadline - time.monotonic())
                projector = self._engine.projector(wait)
                answers = self._answers(asked, projector, deadline, gone)
        self._metrics.projected.inc(answers.projected)
        for kind in answers.conflicts:
            self._metrics.conflicts.labels(kind).inc()
        for refused in answers.refused:
            self._metrics.refused.labels(refused.reason).inc()
            if self._settings.log_text:
                log.debug("No answer for %s: %s", refused.where, refused.what)
        if answers.refused:
            kinds = dict(Counter(str(refused.reason) for refused in answers.refused))
            first = answers.refused[0].where
            log.warning("No answer for %s of %d: %s", kinds, len(asked.tasks), first)
        return {"results": answers.results}

    def _answers(
        self,
        asked: PredictRequest,
        projector: "ProjectsSentences",
        deadline: float,
        gone: Callable[[], bool],
    ) -> Answers:
        def left() -> float:
            return deadline - time.monotonic()

        def find(sentence: ParallelSentence, drawn: Drawn) -> Found | None:
            question = partial(find_with, projector, sentence, drawn)
            return self._engine.queue.ask(question, left(), gone)

        if asked.drawn is None:
            memory = self._memories.of(asked.project)
            project = partial(self._engine.queue.project, projector)
            return answer(asked, lambda found: project(found, left(), gone), memory.prediction)
        return respond(asked, projector.model_version, find)

    def refuses(self, drawn: bool) -> bool:
        """Return whether a batch, or what somebody has drawn, would be refused; count it if so."""
        try:
            with slot(self._slots), nullcontext() if drawn else slot(self._batches):
                return False
        except BusyError:
            status = str(HTTPStatus.SERVICE_UNAVAILABLE.value)
            self._metrics.requests.labels("predict", status).inc()
            return True

    def webhook(self) -> dict[str, str]:
        """Leave a hint of what an event is about. No `job` in the answer: it would be polled."""
        event = read_event(read_object(request.get_data(), "/webhook"))
        self._metrics.events.labels(event.counted_as).inc()
        leave_hint(event, self._queue.hints, self._settings.train_each)
        return {"status": "queued"}

    def versions(self) -> dict[str, object]:
        """Return the models that can be activated, the bundled one first, and the one in use."""
        known = [BUNDLED, *self._engine.store.versions()]
        return {"versions": known, "model_version": self._engine.model_version}

    def status(self) -> dict[str, object]:
        """Return models and trainings. `active` is null if unreadable; `degraded` then says why."""
        health, active = self.health(), None
        if self._engine.degraded is not None:
            health["degraded"] = self._engine.degraded
        try:
            active = self._engine.store.active_version()
        except ModelError as error:
            health["degraded"] = str(error)
        shown = [(job, self._queue.log(job, LOG_LINES)) for job in self._queue.shown()]
        jobs = [{**job.to_json(), "log": said} for job, said in shown]
        return {**health, **self.versions(), "active": active, "jobs": jobs}

    def scrape(self) -> Response:
        """Return the metrics."""
        return Response(self._metrics.text(), content_type=CONTENT_TYPE_LATEST)

    def describe(self) -> Response:
        """Return the OpenAPI document of these endpoints."""
        return Response(_DESCRIPTION, content_type="application/json")

    def count(self, response: Response) -> Response:
        """Count a request once it is answered."""
        endpoint = request.endpoint or "unknown"
        self._metrics.requests.labels(endpoint, str(response.status_code)).inc()
        self._metrics.seconds.labels(endpoint).observe(time.monotonic() - self._arrived())
        return response

    @staticmethod
    def _arrived() -> float:
        """Return when the request began, by `time.monotonic`."""
        arrived: float = request.environ.setdefault(ARRIVED, time.monotonic())
        return arrived


@contextmanager
def slot(slots: threading.Semaphore) -> Iterator[None]:
    """Take one of the slots while the block lasts; BusyError if there is none."""
    if not slots.acquire(blocking=False):
        what, fix = "too many predictions at once", "Try again shortly"
        raise BusyError("/predict", what, fix, retry_after=1)
    try:
        yield
    finally:
        slots.release()
