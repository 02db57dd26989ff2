"""Serve the application with gunicorn and waitress, in one process by default."""

import ipaddress
import logging
import os
import signal
import socket
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import (  # type: ignore[import-untyped]  # published without types
    BaseApplication,
)
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from ml_backend.api.app import create_app
from ml_backend.api.http_worker import STOPS, HttpWorker, Limits
from ml_backend.api.request_log import RootLogger, configure_logging
from ml_backend.auth import credentials_of
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.runner import Runner
from ml_backend.serving.engine import Engine, load_function
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import PREFIX, Settings, SettingsError

SILENT_SECONDS = 600  # for a worker's main thread, which importing torch blocks


class Master(Arbiter):  # type: ignore[misc]  # its base is untyped
    """gunicorn's first process, whose workers lose no signal."""

    def spawn_worker(self) -> int:
        """Fork a worker, which gets the signals to stop once it handles them.

        Before, it would do with them what the first process does, which waits for it meanwhile.
        """
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            pid: int = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid


class GunicornApp(BaseApplication):  # type: ignore[misc]  # its base is untyped
    """gunicorn with our settings alone: no config file, GUNICORN_CMD_ARGS or sys.argv."""

    def __init__(self, settings: Settings, bound: int | None = None) -> None:
        self.settings, self._bound = settings, bound
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn our settings, except those its version does not know."""
        for name, value in gunicorn_options(self.settings, self._bound).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def limits(self) -> Limits:
        """Return what a worker's connections are held to."""
        settings = self.settings
        credentials = credentials_of(settings)
        return Limits(credentials, settings.max_body_mb * 2**20, settings.threads)

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
        queue, by_itself = JobQueue(settings.jobs_folder), settings.train_each > 0
        runner = Runner(queue, settings.data_dir, by_itself=by_itself)
        threading.Thread(target=runner.keep, name="keep-runner", daemon=True).start()

        def close(_arbiter: object, _worker: object) -> None:
            engine.close()
            runner.stop()
            logging.shutdown()
            # Without Python's own end, which aborts if a model is being loaded.
            os._exit(0)

        self.cfg.set("worker_exit", close)
        return app

    def run(self) -> None:
        """Serve until a signal says to stop."""
        Master(self).run()


def gunicorn_options(settings: Settings, bound: int | None = None) -> dict[str, Any]:
    """Return the settings for gunicorn; `bound` is the file descriptor of its socket."""
    return {
        "bind": [] if bound is None else f"fd://{bound}",
        "workers": settings.workers,
        "worker_class": HttpWorker,
        "logger_class": RootLogger,
        "preload_app": False,
        "timeout": SILENT_SECONDS,
        "graceful_timeout": graceful_seconds(settings),
        # Since gunicorn 25 a socket to control it is opened in the home folder.
        "control_socket_disable": True,
    }


def graceful_seconds(settings: Settings) -> int:
    """Return the seconds that requests have to end after SIGTERM: as long as any may take."""
    return int(settings.predict_seconds) + 5


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SettingsError if address, password or loader are unusable."""
    configure_logging(settings)
    # A worker that cannot start would be started again and again: look before.
    credentials_of(settings)
    load_function(settings)
    # gunicorn closes what it is given.
    GunicornApp(settings, bind(settings).detach()).run()


def bind(settings: Settings) -> socket.socket:
    """Bind the address; SettingsError if that is impossible, or open to strangers without auth."""
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unusable(where, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        ip = ipaddress.ip_address(bound.getsockname()[0].partition("%")[0])
        if not settings.auth and not ip.is_loopback:
            fix = f"Set {PREFIX}AUTH=on, or listen on 127.0.0.1"
            raise SettingsError(where, "others could reach this address, without a password", fix)
    except OSError as error:
        bound.close()
        raise _unusable(where, error) from None
    except SettingsError:
        bound.close()
        raise
    return bound


def _unusable(where: str, error: OSError) -> SettingsError:
    what = f"cannot listen there ({error.strerror or error})"
    return SettingsError(where, what, f"Pass --port or set {PREFIX}PORT")
