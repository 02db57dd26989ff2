"""`spanferry train` and `spanferry evaluate`, as a shell would call them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ml_backend.cli.evaluate import evaluate
from ml_backend.cli.train import train
from projection.errors import TrainingError


@pytest.fixture
def run() -> Callable[..., str]:
    """Run a verb; give what it prints on stdout."""
    app = typer.Typer()
    app.command()(train)
    app.command()(evaluate)

    def call(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_train_then_evaluate(
    run: Callable[..., str], corpus: Path, base: Callable[[str], Path], tmp_path: Path
) -> None:
    start, out = base("bert"), tmp_path / "model"
    options = ["--base", start, "--epochs", 1, "--loss", "focal", "--freeze", 1, "--seed", 3]
    record = json.loads(run("train", corpus, corpus, "--out", out, *options, "--json"))
    assert record["data"]["sentences"] == 48
    assert record["settings"] == {
        **record["settings"],
        "base": str(start),
        "loss": "focal",
        "freeze": 1,
        "seed": 3,
    }
    [scores] = json.loads(run("evaluate", out, corpus, "--ignore-label", "ORG", "--json"))["models"]
    assert scores["sentences"] == 24
    assert set(scores["by_type"]) <= {"LOC", "PER"}


def test_what_is_printed_for_people(
    run: Callable[..., str],
    corpus: Path,
    held_out: Path,
    base: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    out = tmp_path / "model"
    options = ["--base", base("bert"), "--epochs", 1, "--eval", held_out, "--map-label", "ORG=LOC"]
    options += ["--batch-size", 16]
    printed = run("train", corpus, "--out", out, *options)
    assert f"{out}: 2 steps on 24 sentences" in printed
    assert "head: 0 tags kept, 5 new, 0 dropped" in printed
    assert "precision" in printed
    assert "precision" in run("evaluate", out, corpus)


def test_a_mistake_is_a_domain_error(run: Callable[..., str], corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--map-label ORG: is not OLD=NEW"):
        run("train", corpus, "--out", tmp_path / "model", "--map-label", "ORG")
