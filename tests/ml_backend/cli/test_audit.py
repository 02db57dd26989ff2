"""`spanferry audit` and `spanferry adjudicate`, as far as they go without a Label Studio."""

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app

ACCESS = ("--url", "http://127.0.0.1:9", "--api-key", "0" * 40, "--project", "News")


@pytest.mark.parametrize("command", [("audit", "draw"), ("audit", "report"), ("adjudicate",)])
def test_the_help_names_the_environment_variables_and_has_an_example(
    command: tuple[str, ...],
) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "LABEL_STUDIO_URL" in result.stdout
    assert "LABEL_STUDIO_API_KEY" in result.stdout
    assert f"spanferry {' '.join(command)} " in result.stdout
    assert "--json" in result.stdout


@pytest.mark.parametrize(
    ("command", "option"),
    [
        pytest.param(("audit", "draw", "--name", " "), "--name", id="a blank name"),
        pytest.param(("audit", "draw", "--size", "0"), "--size", id="an empty sample"),
        pytest.param(("audit", "draw", "--threshold", "1.2"), "--threshold", id="no probability"),
        pytest.param(
            ("audit", "report", "--target-precision", "1"),
            "--target-precision",
            id="what no sample can show",
        ),
        pytest.param(("adjudicate", "--policy", "loudest"), "--policy", id="no policy"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(command: tuple[str, ...], option: str) -> None:
    result = CliRunner().invoke(app, [*command, *ACCESS])

    assert result.exit_code == 2
    assert option in result.output
