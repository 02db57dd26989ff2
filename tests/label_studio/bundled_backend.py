"""The backend as `spanferry serve` makes it, with the bundled models, in this process."""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from flask import request
from werkzeug.serving import make_server

from ml_backend.api.app import create_app
from ml_backend.auth import Credentials
from ml_backend.serving.engine import Engine, load_function
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings
from projection.io.records_json import Json

CREDENTIALS = Credentials("label-studio", "öffne dich: Sesam")


@dataclass(frozen=True)
class BundledBackend:
    """Where it is, and the bodies of every /predict with its answer, oldest first."""

    url: str
    asked: list[tuple[Json, Json]]

    @property
    def drawn(self) -> list[tuple[Json, Json]]:
        """What came while someone was annotating: the context and the one result."""
        return [
            (asked["params"]["context"], answered["results"][0])
            for asked, answered in self.asked
            if asked["params"].get("context") is not None
        ]


def events_of(url: str, credentials: Credentials, at_least: int) -> dict[str, int]:
    """The webhook events a backend has counted by action, once there are as many as expected."""
    deadline = time.monotonic() + 10
    while True:
        answer = httpx.get(f"{url}/metrics", auth=(credentials.user, credentials.password))
        lines = re.findall(r'webhook_events_total{action="(\w+)"} (\d+)', answer.text)
        found = {action: int(count) for action, count in lines}
        if sum(found.values()) >= at_least:
            return found
        assert time.monotonic() < deadline, f"{found} of {at_least} events"
        time.sleep(0.05)


@contextmanager
def bundled_backend(
    data_dir: Path, environment: Mapping[str, str] | None = None
) -> Iterator[BundledBackend]:
    """Serve until the block ends, from a port of its own, once the models are loaded.

    `environment` may hold more settings.
    """
    settings = Settings.from_env(
        {
            **(environment or {}),
            "SPANFERRY_DATA_DIR": str(data_dir),
            "SPANFERRY_BACKEND_USER": CREDENTIALS.user,
            "SPANFERRY_BACKEND_PASSWORD": CREDENTIALS.password,
        }
    )
    asked: list[tuple[Json, Json]] = []
    store, turn = ModelStore(settings.model_store), settings.sentences_per_turn
    with Engine(load_function(settings), store, turn=turn) as engine:
        app = create_app(settings, engine)

        @app.after_request
        def note(response):  # type: ignore[no-untyped-def]  # Flask's own types are many
            if request.path == "/predict":
                asked.append((request.get_json(), response.get_json()))
            return response

        engine.projector(wait=60)
        http = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield BundledBackend(f"http://127.0.0.1:{http.port}", asked)
        finally:
            http.shutdown()
            thread.join()
            http.server_close()
