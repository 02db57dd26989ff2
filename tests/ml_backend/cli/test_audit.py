"""`spanferry audit`, as far as it goes without a Label Studio."""

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app

ACCESS = ("--url", "http://127.0.0.1:9", "--api-key", "0" * 40, "--project", "News")


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
    ],
)
def test_an_option_that_cannot_be_meant_is_named(command: tuple[str, ...], option: str) -> None:
    result = CliRunner().invoke(app, [*command, *ACCESS])

    assert result.exit_code == 2
    assert option in result.output
