"""`spanferry serve`: the backend Label Studio asks for predictions."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from typer import Option

from ml_backend.auth import ensure_credentials
from ml_backend.cli.console import say
from ml_backend.cli.options import DataDir
from ml_backend.serving.engine import load_function
from ml_backend.serving.loading import check_serves
from ml_backend.serving.model_store import BUNDLED, ModelStore, check_checkpoint
from ml_backend.settings import Settings, SettingsError


def serve(
    *,
    port: Annotated[int | None, Option(help="Port to listen on. [default: 9090]")] = None,
    host: Annotated[str | None, Option(help="Address. [default: 127.0.0.1]")] = None,
    data_dir: DataDir = None,
    workers: Annotated[int | None, Option(help="Processes, a model each. [default: 1]")] = None,
    no_auth: Annotated[bool, Option("--no-auth", help="Answer anyone, no password.")] = False,
    model: Annotated[str | None, Option(help=f"Activate a folder, version or '{BUNDLED}'.")] = None,
) -> None:
    """Answer Label Studio: predictions, interactive suggestions and webhooks.

    With --model that model is activated first; a folder is copied into the data folder. Options win
    over the environment; docs/settings.md lists the variables. Stop with Ctrl-C.

    Example: spanferry serve --port 9090 --model runs/de/best
    """
    given = {"port": port, "host": host, "data_dir": data_dir, "workers": workers}
    given |= {"auth": "off" if no_auth else None}
    texts = {name: None if value is None else str(value) for name, value in given.items()}
    settings = Settings.from_env(os.environ, texts)
    os.umask(0o077)
    with counts_of(settings):
        _serve(settings, model)


@contextmanager
def counts_of(settings: Settings) -> Iterator[None]:
    """Give several processes a folder for what they count, each of which answers /metrics for all.

    It has to be in the environment before prometheus_client is imported.
    """
    if settings.workers == 1:
        yield
        return
    with TemporaryDirectory(prefix="spanferry-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _serve(settings: Settings, model: str | None) -> None:
    try:
        from ml_backend.api.server import serve as serve_until_stopped  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {"gunicorn", "prometheus_client", "waitress"}:
            raise
        fix = "pip install 'spanferry[serve]'"
        raise SettingsError("spanferry serve", f"{missing} is not installed", fix) from None
    if model is not None:
        # In a process of its own: gunicorn must fork before torch has threads.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
            child.submit(activate, settings, model).result()
    report_access(settings)
    serve_until_stopped(settings)


def activate(settings: Settings, model: str) -> str:
    """Make `model` (a folder to add, or a name that the store knows) the active one.

    It is loaded and tried before; ModelError if it cannot be served.
    """
    store, load = ModelStore(settings.model_store), load_function(settings)
    version = store.find(model)
    if version is None:
        folder = Path(model).expanduser()
        check_checkpoint(folder)
        check_serves(load, folder)
        version = store.add(folder)
    else:
        check_serves(load, None if version == BUNDLED else store.root / version)
    store.activate(version)
    return version


def report_access(settings: Settings) -> None:
    """Tell how to log in and where the password is, without printing it."""
    kept_in = ensure_credentials(settings)
    if not settings.auth:
        said = "No password is asked for: whoever reaches this port is answered."
    elif kept_in is None:
        said = "The password is the one in the environment."
    else:
        said = f"The user and password Label Studio needs are in {kept_in}"
    say(said)
