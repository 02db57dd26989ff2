"""`spanferry try`: a page to type a sentence or a pair and see what a model finds."""

import logging
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from ml_backend.cli.console import say
from projection.errors import ServerError
from projection.languages import language_tag
from projection.models import bundled

if TYPE_CHECKING:
    from flask import Flask

HOST = "127.0.0.1"


def try_model(
    model: Annotated[
        str, Argument(help="A tagger or an aligner: a folder or a hub name; mini has both.")
    ] = bundled.NAME,
    *,
    lang: Annotated[str, Option(help="Language offered first.")] = "de",
    port: Annotated[int, Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8765,
) -> None:
    """Open a page on this machine to try a model on sentences of your own.

    A tagger takes a sentence, an aligner (or mini) an English sentence and its translation. The
    page shows entities, their confidence, and what is doubtful. Stop with Ctrl-C.

    Example: spanferry try models/de --lang de
    """
    lang = language_tag(lang, "--lang")
    listener = listen(port)
    with listener:
        page = page_of(model, lang)
        # It takes as long to import as the page.
        from werkzeug.serving import make_server  # noqa: PLC0415

        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        server = make_server(HOST, port, page, fd=listener.fileno())
        say(f"Open http://{HOST}:{port} in a browser. Stop with Ctrl-C.")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def page_of(model: str, lang: str) -> "Flask":
    """Load a model and make its page; ModelError if it cannot be loaded."""
    # These take seconds to import, which `--help` should not.
    from ml_backend.demo.try_page import create_page, projected, tagged  # noqa: PLC0415
    from projection.aligners.loading import is_aligner  # noqa: PLC0415
    from projection.models.tagger import Tagger  # noqa: PLC0415
    from projection.pipeline.projector import Projector  # noqa: PLC0415

    if model == bundled.NAME or is_aligner(model):
        projector = Projector.load(None, model)
        answer = partial(projected, projector)
        return create_page(answer, model, projector.labels, lang, pair=True)
    tagger = Tagger.from_pretrained(model)
    return create_page(partial(tagged, tagger), model, tagger.labels, lang, pair=False)


def listen(port: int) -> socket.socket:
    """Take a port of this machine alone (0: any); ServerError if it is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        fix = "Choose another one with --port"
        raise ServerError(f"--port {port}", error.strerror or str(error), fix) from error
