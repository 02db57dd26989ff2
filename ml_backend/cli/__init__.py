"""The `spanferry` command line: one module a command, assembled here."""

import errno
import gc
import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ml_backend.cli.adjudicate import adjudicate
from ml_backend.cli.aligner import app as aligner
from ml_backend.cli.audit import app as audit
from ml_backend.cli.backup import backup, restore
from ml_backend.cli.benchmark import benchmark
from ml_backend.cli.clean import clean
from ml_backend.cli.console import MessageHandler, say, show
from ml_backend.cli.demo import demo
from ml_backend.cli.doctor import doctor
from ml_backend.cli.evaluate import evaluate
from ml_backend.cli.experiment import experiment
from ml_backend.cli.export import export
from ml_backend.cli.jobs import app as jobs
from ml_backend.cli.models import app as models
from ml_backend.cli.project import project
from ml_backend.cli.propagate import propagate
from ml_backend.cli.push import push
from ml_backend.cli.report import report
from ml_backend.cli.repredict import repredict
from ml_backend.cli.score import score_projection
from ml_backend.cli.score_links import score_links
from ml_backend.cli.serve import serve
from ml_backend.cli.train import train
from ml_backend.cli.try_ import try_model
from projection.errors import SpanferryError

app = typer.Typer(
    name="spanferry",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    demo, clean, project, score_projection, score_links, push, serve, export,
    train, evaluate, experiment, adjudicate, propagate, repredict, report, doctor, backup, restore,
    benchmark,
):  # fmt: skip
    app.command()(command)
app.command("try")(try_model)
app.add_typer(aligner, name="aligner")
app.add_typer(audit, name="audit")
app.add_typer(jobs, name="jobs")
app.add_typer(models, name="models")


def _version(wanted: bool) -> None:  # as typer calls it
    if wanted:
        show(f"spanferry {version('spanferry')}")
        raise typer.Exit


@app.callback()
def spanferry(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Project entity labels to translations, review them in Label Studio, train on the result."""


FIX_FILES = "Check the path and its permissions"
FIXES = {
    errno.ENOSPC: "Free some space, and run the same command again",
    errno.EDQUOT: "Free some space, and run the same command again",
    errno.EFBIG: "Raise the limit of `ulimit -f`, or choose another disk",
}


def main() -> None:
    """Run a command; an error a person can fix is one line on stderr and exit status 2."""
    # Importing torch creates objects that stay: looking for cycles among them takes 0.6 s.
    gc.set_threshold(50_000)
    logging.lastResort = MessageHandler(logging.WARNING)
    try:
        app()
    except SpanferryError as error:
        say(str(error))
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written: never a bug of ours
        where = error.filename or "spanferry"
        say(f"{where}: {error.strerror or error}. {FIXES.get(error.errno or 0, FIX_FILES)}")
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == 130:  # Typer's status for Ctrl-C
            say("Interrupted. Finished work is kept; run the same command again to continue.")
        raise
