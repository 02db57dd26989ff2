"""`spanferry jobs`: the trainings that were asked for, and their results."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from typer import Argument, Option

from ml_backend.cli.console import bars, print_result, table
from ml_backend.cli.options import ApiKey, AsJson, DataDir, Url
from ml_backend.cli.serve import activate as activate_model
from ml_backend.cli.training_log import figures_shown
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import LOG_LINES, Job, JobQueue, State
from ml_backend.jobs.reviews import Look
from ml_backend.serving.model_store import BUNDLED, ModelStore
from ml_backend.settings import Settings
from projection.errors import ServerError
from projection.models import bundled
from projection.models.teacher import is_gliner
from training.tagger.presets import DEFAULT, preset_named

if TYPE_CHECKING:
    from ml_backend.label_studio.client import ReviewServer

app = typer.Typer(help="Trainings asked for in Label Studio, or due after so many reviews.")


@app.callback(invoke_without_command=True)
def jobs(context: typer.Context, *, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all trainings, the newest first.

    Example: spanferry jobs
    """
    if context.invoked_subcommand is not None:
        return
    queue = _queue(data_dir)
    found = queue.shown()
    asked = [project for project, hint in queue.hints.left() if hint is Hint.ASKED]
    shown: list[object] = [_table(found)] if found else []
    if asked:
        ids = ", ".join(map(str, asked))
        shown.append(f"Asked for, but Label Studio has not answered yet: project {ids}")
    result = {"jobs": [job.to_json() for job in found], "asked": asked}
    print_result(result, shown or ["No training has been asked for yet."], as_json=as_json)


@app.command()
def show(
    number: Annotated[int, Argument(help="Number of the job.")],
    *,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one training with the end of its log.

    Example: spanferry jobs show 3
    """
    queue = _queue(data_dir)
    job = queue.job(number)
    lines = [queue.log(job, LOG_LINES), f"All of it is in {queue.folder(job)}"]
    stored = ModelStore(_settings(data_dir).model_store)
    if job.state is State.KEPT and job.result and stored.find(job.result["version"]):
        command = f"`spanferry jobs activate {job.result['version']}`"
        lines.append(f"{command} serves its model all the same")
    result = {**job.to_json(), "log": queue.log(job)}
    print_result(result, [_table([job]), *lines], as_json=as_json)


@app.command()
def run(
    *,
    preset: Annotated[str, Option(help="Recipe, as for `spanferry train`.")] = DEFAULT,
    url: Url = "",
    api_key: ApiKey = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask Label Studio for its reviews, queue the trainings due, and run all that wait.

    The backend starts this by itself when one is asked for, and after reviews.

    Example: spanferry jobs run
    """
    settings, recipe = _settings(data_dir), preset_named(preset)
    os.umask(0o077)

    def require_access() -> None:
        for name, value in {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": api_key}.items():
            if not value:
                raise ServerError(name, "is not set", "Set it where `spanferry serve` is started")

    def connect() -> "ReviewServer":
        require_access()
        from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415  takes seconds

        return ReviewServer.connect(url, api_key)

    def retrain(job: Job, folder: Path) -> Job:
        require_access()
        # Half a gigabyte, which a runner that finds another one at work should not need.
        from ml_backend.jobs.retrain import Retraining  # noqa: PLC0415
        from ml_backend.serving.engine import load_function  # noqa: PLC0415

        store, load = ModelStore(settings.model_store), load_function(settings)
        teacher = trainable_teacher(settings)
        with figures_shown(), bars() as on_progress:  # in the job's log
            work = Retraining(
                connect, load, store, settings.memory, teacher, recipe, on_progress=on_progress
            )
            return work(job, folder)

    # Stopped as by Ctrl-C: the job is queued again and goes on where it was.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    queue = JobQueue(settings.jobs_folder)
    done = queue.run(retrain, Look(queue, connect, settings.train_each))
    print_result({"done": done}, [f"{done} done"], as_json=as_json)


def trainable_teacher(settings: Settings) -> str | Path | None:
    """Return the teacher that a new one may start from; None if it cannot learn from reviews.

    These have the project's types, which a teacher whose types are renamed does not know, and
    GLiNER checkpoints are no token classifiers.
    """
    if settings.labels or is_gliner(settings.teacher):
        return None
    return bundled.resolve(settings.teacher, "tagger")


@app.command()
def activate(
    model: Annotated[str, Argument(help=f"A model's folder, its version, or '{BUNDLED}'.")],
    *,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Load this model, and serve it from now on. A running backend notices by itself.

    Example: spanferry jobs activate models/de
    """
    os.umask(0o077)
    version = activate_model(_settings(data_dir), model)
    print_result({"active": version}, [f"{version} is served from now on"], as_json=as_json)


@app.command()
def rollback(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Serve the model that was served before. A running backend notices by itself.

    Example: spanferry jobs rollback
    """
    version = ModelStore(_settings(data_dir).model_store).rollback()
    print_result({"active": version}, [f"{version} is served again"], as_json=as_json)


def _settings(data_dir: Path | None) -> Settings:
    return Settings.from_env(os.environ, {"data_dir": None if data_dir is None else str(data_dir)})


def _queue(data_dir: Path | None) -> JobQueue:
    return JobQueue(_settings(data_dir).jobs_folder)


def _table(found: list[Job]) -> Table:
    rows = (
        (str(job.id), str(job.project), job.state, job.created[:16], job.why, job.said)
        for job in found
    )
    return table(("job", "project", "state", "created", "why", "result"), rows, text=range(6))
