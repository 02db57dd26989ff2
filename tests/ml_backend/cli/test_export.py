"""`spanferry export`, as far as it goes without a Label Studio."""

from pathlib import Path

import pytest

from tests.ml_backend.cli.conftest import Spanferry


def test_a_missing_key_is_named_by_its_variable(spanferry: Spanferry) -> None:
    outcome = spanferry("export", "--url", "http://localhost", "--project", "P")
    assert outcome.status == 2
    assert "LABEL_STUDIO_API_KEY" in outcome.err


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--split", "80/20"], "such as 80/10/10", id="two shares"),
        pytest.param(["--adjudicate", "reviewer"], "needs a reviewer", id="no reviewer"),
        pytest.param(["--reviewer", "7"], "knows no reviewer", id="a needless reviewer"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_fetched(
    spanferry: Spanferry, tmp_path: Path, options: list[str], says: str
) -> None:
    outcome = spanferry("export", "--project", "Some", "--out", tmp_path / "out", *options)
    assert says in outcome.mistake


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--accept-above", "1.5"], "--accept-above", id="no probability"),
        pytest.param(["--audit", "nowhere.json"], "nowhere.json", id="no such report"),
        pytest.param(["--adjudicate", "loudest"], "majority", id="no such policy"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(
    spanferry: Spanferry, tmp_path: Path, options: list[str], says: str
) -> None:
    outcome = spanferry("export", "--project", "Some", "--out", tmp_path / "out", *options)
    assert outcome.status == 2
    assert says in outcome.err
