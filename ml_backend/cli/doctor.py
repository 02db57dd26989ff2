"""`spanferry doctor`: check a review set-up, and name the fixes."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from label_config.labeling_config import build_config, labels_of
from ml_backend.auth import credentials_of
from ml_backend.cli.console import print_result, show
from ml_backend.cli.options import ApiKey, AsJson, Url
from ml_backend.label_studio.project_lock import project_lock
from ml_backend.label_studio.tasks import doubled
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings, SettingsError, label_table
from projection.errors import ModelError, ReviewError
from projection.models.bundled import resolve
from projection.models.teacher import is_gliner
from projection.text.wording import counted

if TYPE_CHECKING:
    from ml_backend.label_studio.checks import CheckResult

_SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}


def doctor(
    *,
    url: Url,
    api_key: ApiKey,
    project: Annotated[str | None, Option(help="Check this project, too.")] = None,
    backend_url: Annotated[str | None, Option(help="The backend, as Label Studio sees it.")] = None,
    fix: Annotated[
        bool, Option("--fix", help="First mend what is safe to: labeling config, webhook, doubles.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check Label Studio, the key, the project, the backend and this machine.

    Exits with status 1 if there is a problem; its fix is printed below it. The backend's password
    comes from the same settings as that of `spanferry serve`. With --fix the labeling config of the
    project is made that of this spanferry, its backend is connected again if it is not interactive
    or its webhook is wrong, and second tasks of a sentence that nobody has begun are removed.

    Example: spanferry doctor --url http://localhost:8080 --project "Europarl de"
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.checks import (  # noqa: PLC0415
        CheckStatus,
        check_disk,
        check_packages,
    )
    from ml_backend.label_studio.doctor import diagnose  # noqa: PLC0415

    settings = Settings.from_env(os.environ)
    trained = languages_of_aligner(settings) if project else ()
    labels = labels_of_models(settings) if project else ()
    access = (url, api_key, project, backend_url)
    look = partial(
        diagnose, *access, expected=expected_header(settings), trained=trained, model_labels=labels
    )
    mended = [*repair(url, api_key, project, look(), settings)] if fix and project else []
    for line in () if as_json else mended:
        show(f"+ {line}")
    checks = []
    for check in chain([check_packages(), check_disk(settings.data_dir)], look()):
        checks.append(check)
        if not as_json:  # each as soon as it is known
            advice = f"\n  → {check.fix}" if check.fix else ""
            show(f"{_SIGNS[check.verdict]} {check.check}: {check.finding}{advice}")
    wrong = any(check.verdict is CheckStatus.PROBLEM for check in checks)
    result = {"ok": not wrong, "mended": mended, "checks": [check._asdict() for check in checks]}
    print_result(result, (), as_json=as_json)
    if wrong:
        raise typer.Exit(1)


def repair(
    url: str, api_key: str, title: str, found: Iterable["CheckResult"], settings: Settings
) -> Iterator[str]:
    """Mend what checks have found and can be mended safely; yield what was done."""
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415  takes seconds
    from ml_backend.label_studio.task_writer import remove_doubles  # noqa: PLC0415

    wrong = {check.check for check in found if check.verdict != "ok"}
    if not wrong & {"labeling config", "webhook", "interactive", "doubles"}:
        return
    with project_lock("doctor --fix", url, title), ReviewServer.connect(url, api_key) as server:
        project = server.existing_project(title)
        if "labeling config" in wrong:
            with suppress(ReviewError):  # of another layout
                labels = labels_of(project.label_config)
                project = server.ensure_project(title, build_config(labels))
                yield "the labeling config is that of this spanferry"
        if wrong & {"webhook", "interactive"} and expected_header(settings) is not None:
            for backend in server.backends(project)[:1]:
                server.connect_backend(project, backend.url, credentials_of(settings))
                yield f"{backend.url} is connected again, with its webhook"
        if "doubles" in wrong:
            done = remove_doubles(server, doubled(server.tasks(project)))
            kept = f", {len(done.begun)} kept that somebody has begun" if done.begun else ""
            yield f"{counted(done.removed, 'second task')} of a sentence removed{kept}"


def languages_of_aligner(settings: Settings) -> tuple[str, ...]:
    """Return what the aligner of the settings here was trained on; empty if that is not known."""
    from projection.aligners.loading import trained_languages  # noqa: PLC0415  takes seconds

    try:
        return trained_languages(resolve(settings.aligner, "aligner"))
    except ModelError:
        return ()


def labels_of_models(settings: Settings) -> tuple[str, ...]:
    """Return the entity types that the models of the settings here predict; empty if unknown."""
    found = {*settings.types}
    teacher = () if is_gliner(settings.teacher) else (resolve(settings.teacher, "tagger"),)
    active = ModelStore(settings.model_store).active()
    for folder in (*teacher, *([active] if active else [])):
        try:
            config = json.loads((Path(folder) / "config.json").read_text("utf-8"))
            found |= {str(tag)[2:] for tag in config["id2label"].values() if tag != "O"}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return ()
    renamed = label_table(settings.labels) or {}
    return tuple(sorted({renamed.get(label, label) for label in found - {*settings.suppress}}))


def expected_header(settings: Settings) -> str | None:
    """Return the Authorization header the backend accepts, according to the settings here.

    Empty if it accepts any request, None if there is no password yet.
    """
    try:
        credentials = credentials_of(settings)
    except SettingsError:
        return None
    return "" if credentials is None else credentials.webhook_header["Authorization"]
