"""`spanferry doctor`: check a review set-up, and name the fixes."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ml_backend.auth import credentials_of
from ml_backend.cli.console import out, print_json
from ml_backend.cli.options import ApiKey, AsJson, Url
from ml_backend.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ml_backend.label_studio.doctor import CheckResult

_SIGNS = {"ok": "✓", "note": "·", "problem": "✗"}


def doctor(
    *,
    url: Url,
    api_key: ApiKey,
    project: Annotated[str | None, typer.Option(help="Check this project, too.")] = None,
    backend_url: Annotated[
        str | None,
        typer.Option(
            help="The backend that should be connected, by its URL as Label Studio reaches it."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check Label Studio, the key, the project and the backend. Changes nothing.

    Exits with status 1 if there is a problem; its fix is printed below it. The backend's password
    comes from the same settings as that of `spanferry serve`.

    Example:

        spanferry doctor --url http://localhost:8080 --project "Europarl de"
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.doctor import CheckStatus, diagnose  # noqa: PLC0415

    checks = []
    for check in diagnose(url, api_key, project, backend_url, expected=expected_header()):
        checks.append(check)
        if not as_json:
            out.print(_in_words(check), highlight=False, markup=False, soft_wrap=True)
    wrong = any(check.verdict is CheckStatus.PROBLEM for check in checks)
    if as_json:
        print_json({"ok": not wrong, "checks": [check._asdict() for check in checks]})
    if wrong:
        raise typer.Exit(1)


def expected_header() -> str | None:
    """Return the Authorization header the backend accepts, according to the settings here.

    Empty if it accepts any request, None if there is no password yet.
    """
    settings = Settings.from_env(os.environ)
    try:
        credentials = credentials_of(settings)
    except SettingsError:
        return None
    return "" if credentials is None else credentials.webhook_header["Authorization"]


def _in_words(check: "CheckResult") -> str:
    line = f"{_SIGNS[check.verdict]} {check.check}: {check.finding}"
    return f"{line}\n  → {check.fix}" if check.fix else line
