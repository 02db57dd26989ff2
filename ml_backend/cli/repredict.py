"""`spanferry repredict`: predict the untouched tasks again."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import print_result, progress, say_unreadable
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.review.repredict import RepredictReport


def repredict(*, url: Url, api_key: ApiKey, project: Title, as_json: AsJson = False) -> None:
    """Project the open tasks again with the model that `spanferry serve` uses now.

    Annotated, skipped and begun tasks are left alone, and old predictions stay. What reviewers have
    corrected is corrected in the new predictions, too, by the rules of `spanferry propagate`.
    Running it again finishes an interrupted run. The model is that of the data folder; if a backend
    of the project serves another one, nothing is done.

    Example: spanferry repredict --url http://localhost:8080 --project "Europarl de"
    """
    # Models and the client of Label Studio take seconds to import, which `--help` should not.
    from ml_backend.propagation.memory import Memory  # noqa: PLC0415
    from ml_backend.review.pull import fetch_reviewed  # noqa: PLC0415
    from ml_backend.review.repredict import repredict as repredict_tasks  # noqa: PLC0415
    from ml_backend.serving.engine import load_function  # noqa: PLC0415

    settings = Settings.from_env(os.environ)
    os.umask(0o077)
    lock = "repredict"
    with open_project(url, api_key, project, lock) as found, progress("tasks predicted") as advance:
        projector = load_function(settings)(ModelStore(settings.model_store).active())
        memory = Memory.of(fetch_reviewed(*found))
        memory.write(settings.memory, found[1].id)
        report = repredict_tasks(*found, projector, show=memory.shown, on_progress=advance)
    say_unreadable(report.unreadable)
    result = {"project": project, **asdict(report), "unreadable": len(report.unreadable)}
    print_result(result, in_words(report), as_json=as_json)


def in_words(report: "RepredictReport") -> Iterator[str]:
    """Yield what was predicted and what was left alone."""
    yield (
        f"{report.predicted} tasks predicted by {report.model_version}, "
        f"{report.per_second:g} a second; {report.refreshed} of them now show other projections"
    )
    meanwhile = f", {report.meanwhile} changed meanwhile" if report.meanwhile else ""
    yield (
        f"Left alone: {report.touched} touched, {report.up_to_date} up to date, "
        f"{report.too_long} too long{meanwhile}"
    )
