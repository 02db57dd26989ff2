"""Options that several commands share read their values alike."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ml_backend.cli.options import as_language
from projection.errors import LanguageTagError


def language(*arguments: str) -> str:
    """What an option `--lang` makes of the arguments of a command."""
    app = typer.Typer()

    @app.command()
    def show(lang: Annotated[str | None, typer.Option(callback=as_language)] = None) -> None:
        typer.echo(str(lang))

    return CliRunner().invoke(app, arguments, catch_exceptions=False).output.strip()


def test_a_language_is_normalised() -> None:
    assert language("--lang", "zh_TW") == "zh-TW"
    assert language() == "None"


def test_what_is_no_language_names_the_option() -> None:
    with pytest.raises(LanguageTagError, match=r"^--lang: '' is no language tag\. Give a BCP 47"):
        language("--lang", "")
