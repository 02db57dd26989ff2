"""`spanferry doctor`: check a review set-up, and name the fixes."""

import os
from typing import Annotated

import typer
from typer import Option

from ml_backend.auth import credentials_of
from ml_backend.cli.console import print_result, show
from ml_backend.cli.options import ApiKey, AsJson, Url
from ml_backend.settings import Settings, SettingsError
from projection.errors import ModelError
from projection.models.bundled import resolve

_SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}


def doctor(
    *,
    url: Url,
    api_key: ApiKey,
    project: Annotated[str | None, Option(help="Check this project, too.")] = None,
    backend_url: Annotated[str | None, Option(help="The backend, as Label Studio sees it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check Label Studio, the key, the project and the backend. Changes nothing.

    Exits with status 1 if there is a problem; its fix is printed below it. The backend's password
    comes from the same settings as that of `spanferry serve`.

    Example: spanferry doctor --url http://localhost:8080 --project "Europarl de"
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.doctor import CheckStatus, diagnose  # noqa: PLC0415

    checks = []
    trained = languages_of_aligner() if project else ()
    found = diagnose(
        url, api_key, project, backend_url, expected=expected_header(), trained=trained
    )
    for check in found:
        checks.append(check)
        if not as_json:  # each as soon as it is known
            fix = f"\n  → {check.fix}" if check.fix else ""
            show(f"{_SIGNS[check.verdict]} {check.check}: {check.finding}{fix}")
    wrong = any(check.verdict is CheckStatus.PROBLEM for check in checks)
    result = {"ok": not wrong, "checks": [check._asdict() for check in checks]}
    print_result(result, (), as_json=as_json)
    if wrong:
        raise typer.Exit(1)


def languages_of_aligner() -> tuple[str, ...]:
    """Return what the aligner of the settings here was trained on; empty if that is not known."""
    from projection.aligners.loading import trained_languages  # noqa: PLC0415  takes seconds

    try:
        return trained_languages(resolve(Settings.from_env(os.environ).aligner, "aligner"))
    except (SettingsError, ModelError):
        return ()


def expected_header() -> str | None:
    """Return the Authorization header the backend accepts, according to the settings here.

    Empty if it accepts any request, None if there is no password yet.
    """
    try:
        credentials = credentials_of(Settings.from_env(os.environ))
    except SettingsError:
        return None
    return "" if credentials is None else credentials.webhook_header["Authorization"]
