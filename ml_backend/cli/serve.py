"""`spanferry serve`: the backend Label Studio asks for predictions."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ml_backend.auth import ensure_credentials
from ml_backend.cli.console import err
from ml_backend.serving.model_store import BUNDLED, ModelStore
from ml_backend.settings import Settings


def serve(
    *,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [default: 9090]")] = None,
    host: Annotated[str | None, typer.Option(help="Address. [default: 127.0.0.1]")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Models, events and the generated password are kept here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with its own model. [default: 1]")
    ] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Answer anyone, no password.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="Activate this model first: the folder of a fine-tuned one (it is copied into "
            f"the data folder), a version from /versions, or '{BUNDLED}'."
        ),
    ] = None,
) -> None:
    """Answer Label Studio: predictions, interactive suggestions and webhooks.

    Options win over the environment; docs/settings.md lists the variables. Stop with Ctrl-C.

    Example:

        spanferry serve --port 9090 --model runs/de/best
    """
    from ml_backend.api.server import (  # noqa: PLC0415  # no other verb needs gunicorn
        serve as serve_until_stopped,
    )

    given = {
        "port": None if port is None else str(port),
        "host": host,
        "data_dir": None if data_dir is None else str(data_dir),
        "workers": None if workers is None else str(workers),
        "auth": "off" if no_auth else None,
    }
    settings = Settings.from_env(os.environ, given)
    if model is not None:
        activate(ModelStore(settings.model_store), model)
    report_access(settings)
    serve_until_stopped(settings)


def activate(store: ModelStore, model: str) -> str:
    """Make `model` (a stored version, "bundled", or a folder to add) the active one.

    Raises:
        ModelError: if it is none of them.
    """
    known = (BUNDLED, *store.versions())
    version = model if model in known else store.add(Path(model).expanduser())
    store.activate(version)
    return version


def report_access(settings: Settings) -> None:
    """Say how one gets in, and where the password is, but not the password."""
    kept_in = ensure_credentials(settings)
    if not settings.auth:
        said = "No password is asked for: whoever reaches this port is answered."
    elif kept_in is None:
        said = "The password is the one in the environment."
    else:
        said = f"The user and password Label Studio needs are in {kept_in}"
    err.print(said, highlight=False, markup=False, soft_wrap=True)
