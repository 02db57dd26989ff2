"""Serve the application with gunicorn: threads for requests, one process by default."""

import logging
import socket
import sys
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import (  # type: ignore[import-untyped]  # published without types
    BaseApplication,
)

from ml_backend.api.app import create_app
from ml_backend.auth import credentials_of
from ml_backend.jobs.queue import JobQueue, keep_runner, start_runner
from ml_backend.serving.engine import Engine, load_function
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import PREFIX, Settings, SettingsError

GRACEFUL_SECONDS = 30  # for requests that have begun when SIGTERM comes
SILENT_SECONDS = 120  # for a worker's main thread, which importing torch blocks


class GunicornApp(BaseApplication):  # type: ignore[misc]  # its base is untyped
    """gunicorn with our settings alone: no config file, GUNICORN_CMD_ARGS or sys.argv."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn our settings, except those its version does not know."""
        for name, value in gunicorn_options(self.settings).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Compose the application in a worker: threads would not survive the fork."""
        settings = self.settings
        engine = Engine(
            load_function(settings),
            ModelStore(settings.model_store),
            poll_seconds=settings.poll_seconds,
            turn=settings.sentences_per_turn,
        )
        app = create_app(settings, engine.start())
        queue, stop = JobQueue(settings.jobs_folder), threading.Event()

        def run() -> int:
            return start_runner(settings.data_dir, queue.root).wait()

        runner = (queue, run, stop)
        threading.Thread(target=keep_runner, args=runner, name="keep-runner", daemon=True).start()

        def close(_arbiter: object, _worker: object) -> None:
            stop.set()
            engine.close()

        self.cfg.set("worker_exit", close)
        return app


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return the settings for gunicorn."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "bind": f"{host}:{settings.port}",
        "workers": settings.workers,
        "worker_class": "gthread",
        "threads": settings.threads,
        "preload_app": False,
        "timeout": SILENT_SECONDS,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 5,
        # Since gunicorn 25 a socket to control it is opened in the home folder.
        "control_socket_disable": True,
    }


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SettingsError if address, password or loader are unusable."""
    line = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=line)
    # A worker that cannot start would be started again and again: look before.
    _check_address(settings)
    credentials_of(settings)
    load_function(settings)
    GunicornApp(settings).run()


def _check_address(settings: Settings) -> None:
    """Raise SettingsError for a port in use; gunicorn would end with a traceback."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            what = f"cannot listen there ({error.strerror or error})"
            where = f"{settings.host}:{settings.port}"
            raise SettingsError(where, what, f"Pass --port or set {PREFIX}PORT") from None
