"""`spanferry train` and `spanferry evaluate`, as a shell would call them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ml_backend.cli.evaluate import evaluate
from ml_backend.cli.train import train


@pytest.fixture
def run() -> Callable[..., str]:
    """Run a command; return what it prints on stdout."""
    app = typer.Typer()
    app.command()(train)
    app.command()(evaluate)

    def call(*arguments: object) -> str:
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


TINY = [
    f"--set={each}" for each in ("learning_rate=3e-3", "batch_size=8", "max_length=64", "freeze=1")
]


def test_a_recipe_with_its_data_and_numbers(
    run: Callable[..., str],
    corpus: Path,
    held_out: Path,
    base: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboard")
    out = tmp_path / "models" / "de"
    record = json.loads(
        run(
            "train", corpus, "--preset", "unitrans", "--english", held_out,
            "--unlabelled", corpus, "--out", out, "--base", base("bert"), "--seed", "5", "--json",
            *TINY, "--set", f"lexicon={words(tmp_path)}", "--set", "lang=de",
            "--set", "source.epochs=1", "--set", "warmup=0.2", "--set", "dev_share=0.3",
        )
    )  # fmt: skip
    source, _, _, student = record["stages"]
    assert (record["preset"], record["seed"]) == ("unitrans", 5)
    assert (source["settings"]["epochs"], student["settings"]["epochs"]) == (1.0, 3.0)
    assert {stage["settings"]["warmup"] for stage in record["stages"]} == {0.2}
    assert record["dev"]
    assert [*(tmp_path / "models" / "runs" / "de" / "student").glob("events.*")]


def words(folder: Path) -> Path:
    path = folder / "words.txt"
    path.write_text("haus huis\n")
    return path


def test_seeds_are_summed_up(
    run: Callable[..., str],
    corpus: Path,
    held_out: Path,
    base: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    out = tmp_path / "models"
    command = ["train", corpus, "--out", out, "--base", base("bert"), *TINY, "--seeds", 2]
    command += ["--eval", held_out, "--set", "epochs=1", "--set", "log=none"]
    printed = run(*command)
    assert "2 seeds of spanferry" in printed
    assert " ± " in printed
    assert {path.name for path in out.iterdir()} >= {"seed-0", "seed-1", "summary.json"}
    again = json.loads(run(*command, "--json"))
    assert again == json.loads((out / "summary.json").read_text())
    assert not (tmp_path / "runs").exists()


def test_train_then_evaluate(
    run: Callable[..., str], corpus: Path, base: Callable[[str], Path], tmp_path: Path
) -> None:
    start, out = base("bert"), tmp_path / "model"
    options = ["--base", start, "--seed", 3]
    options += ["--set=epochs=1", "--set=loss=focal", "--set=freeze=1"]
    record = json.loads(run("train", corpus, corpus, "--out", out, *options, "--json"))
    assert record["data"]["sentences"] == 48
    assert record["settings"] == {
        **record["settings"],
        "base": str(start),
        "loss": "focal",
        "freeze": 1,
        "seed": 3,
    }
    [scores] = json.loads(
        run("evaluate", corpus, "--model", out, "--ignore-label", "ORG", "--json")
    )["models"]
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
    options = ["--base", base("bert"), "--eval", held_out, "--map-label", "ORG=LOC"]
    options += ["--set=epochs=1", "--set=batch_size=16"]
    printed = run("train", corpus, "--out", out, *options)
    assert f"{out}: 2 steps on 24 sentences" in printed
    assert "head: 0 tags kept, 5 new, 0 dropped" in printed
    assert "precision" in printed
    assert "precision" in run("evaluate", corpus, "--model", out)
