"""The Flask application Label Studio talks to."""

import logging
import time
from collections import Counter
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, Unauthorized

from ml_backend.api.interactive import Drawn, Found, find_with, respond
from ml_backend.api.metrics import Metrics
from ml_backend.api.predict import Answers, answer
from ml_backend.api.webhook import queue_jobs, read_event
from ml_backend.api.wire import PredictRequest, RequestError, read_object, read_predict
from ml_backend.auth import Credentials, credentials_of
from ml_backend.jobs.queue import LOG_LINES, JobQueue
from ml_backend.serving.engine import Engine, NotReadyError
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

_OPEN_ENDPOINTS = frozenset({"root", "health"})

_CHALLENGE = WWWAuthenticate("basic", {"realm": "spanferry"})
_ASK_FOR = "no or wrong credentials. Send HTTP basic ones, or Authorization: Token <password>"


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Compose the application. The caller starts and closes `engine`."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_mb * 2**20
    service = Service(settings, engine)
    app.add_url_rule("/", "root", service.health)
    app.add_url_rule("/health", "health", service.health)
    app.add_url_rule("/setup", "setup", service.setup, methods=["POST"])
    app.add_url_rule("/predict", "predict", service.predict, methods=["POST"])
    app.add_url_rule("/webhook", "webhook", service.webhook, methods=["POST"])
    app.add_url_rule("/versions", "versions", service.versions)
    app.add_url_rule("/metrics", "metrics", service.scrape)
    app.add_url_rule("/status", "status", service.status)
    app.after_request(service.count)
    _guard(app, credentials_of(settings))
    _answer_errors_in_json(app)
    return app


class Service:
    """The endpoints. Only /predict waits for a model longer than `_SETUP_WAIT`."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine
        self._queue = JobQueue(settings.jobs_folder)
        self._metrics = Metrics(engine)

    def health(self) -> dict[str, str | None]:
        """Return the model version in use. Label Studio gives this 1 s."""
        body = {"status": "UP", "model_version": self._engine.model_version}
        if self._engine.degraded is not None:
            body["degraded"] = self._engine.degraded
        return body

    def setup(self) -> dict[str, str]:
        """Return the version in use. The body, which holds an access token, is not read."""
        return {"model_version": self._engine.projector(_SETUP_WAIT).model_version}

    def predict(self) -> dict[str, object]:
        """Pre-annotate tasks, or answer someone who is annotating: one result each, in order."""
        started = time.monotonic()
        with self._metrics.predict_seconds.time():
            asked = read_predict(request.get_data())
            projector = self._engine.projector(self._settings.load_wait)
            answers = self._answers(asked, projector, started + self._settings.predict_seconds)
        self._metrics.projected.inc(answers.projected)
        for refused in answers.refused:
            self._metrics.refused.labels(refused.reason).inc()
        if answers.refused:
            kinds = dict(Counter(str(refused.reason) for refused in answers.refused))
            example = answers.refused[0].what
            log.warning("No answer for %s of %d: %s", kinds, len(asked.tasks), example)
        return {"results": answers.results}

    def _answers(
        self, asked: PredictRequest, projector: "ProjectsSentences", deadline: float
    ) -> Answers:
        def left() -> float:
            return deadline - time.monotonic()

        def find(sentence: ParallelSentence, drawn: Drawn) -> Found | None:
            return self._engine.ask(partial(find_with, projector, sentence, drawn), left())

        if asked.drawn is None:
            return answer(asked, lambda found: self._engine.project(projector, found, left()))
        return respond(asked, projector.model_version, find)

    def webhook(self) -> dict[str, str]:
        """Queue the training that an event causes. No `job` in the answer: it would be polled."""
        event = read_event(read_object(request.get_data(), "/webhook"))
        self._metrics.events.labels(event.counted_as).inc()
        queue_jobs(event, self._queue, self._settings.train_each)
        return {"status": "queued"}

    def versions(self) -> dict[str, object]:
        """Return the models that can be activated, the bundled one first, and the one in use."""
        known = [BUNDLED, *self._engine.store.versions()]
        return {"versions": known, "model_version": self._engine.model_version}

    def status(self) -> dict[str, object]:
        """Return models and trainings. `active` is null if unreadable; `degraded` then says why."""
        health, active = self.health(), None
        try:
            active = self._engine.store.active_version()
        except ModelError as error:
            health.setdefault("degraded", str(error))
        shown = [(job, self._queue.log(job, LOG_LINES)) for job in self._queue.shown()]
        jobs = [{**job.to_json(), "log": said} for job, said in shown]
        return {**health, **self.versions(), "active": active, "jobs": jobs}

    def scrape(self) -> Response:
        """Return the metrics."""
        return Response(self._metrics.text(), content_type=CONTENT_TYPE_LATEST)

    def count(self, response: Response) -> Response:
        """Count a request once it is answered."""
        endpoint = request.endpoint or "unknown"
        self._metrics.requests.labels(endpoint, str(response.status_code)).inc()
        return response


def _guard(app: Flask, credentials: Credentials | None) -> None:
    """Refuse requests without credentials and bodies that are too large."""

    @app.before_request
    def check() -> None:
        guarded = request.endpoint is not None and request.endpoint not in _OPEN_ENDPOINTS
        sent = request.headers.get("Authorization")
        if guarded and credentials is not None and not credentials.allow(sent):
            raise Unauthorized(_ASK_FOR, www_authenticate=_CHALLENGE)
        limit = app.config["MAX_CONTENT_LENGTH"]
        if request.content_length is not None and request.content_length > limit:
            raise RequestEntityTooLarge


def _answer_errors_in_json(app: Flask) -> None:
    """Answer every error with `{"error": …}`; details of internal errors go to the log only."""

    @app.errorhandler(Exception)
    def answer_error(error: Exception) -> ResponseReturnValue:
        headers: dict[str, str] = {}
        match error:
            case RequestError():
                status, said = HTTPStatus.BAD_REQUEST, str(error)
                log.warning("%s", error)
            case NotReadyError():
                status, said = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
                headers["Retry-After"] = "5"
                log.warning("%s: %s", request.path, error)
            case HTTPException():
                status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
                said = f"{request.path}: {error.description}"
                # These matter: which methods are allowed, how to authenticate.
                theirs = error.get_response().headers
                headers = {k: v for k, v in theirs if not k.lower().startswith("content-")}
            case _:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                said = f"{request.path}: internal error. The backend's log says more"
                log.error("%s failed", request.path, exc_info=error)
        return jsonify({"error": said}), status, headers
