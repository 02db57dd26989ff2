"""`spanferry train` by recipes, as a shell would call it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ml_backend.cli.train import changes_of, train
from projection.errors import TrainingError
from training.tagger.presets import PRESETS


@pytest.fixture
def run() -> Callable[..., str]:
    """Run the verb; give what it prints on stdout."""
    app = typer.Typer()
    app.command()(train)

    def call(*arguments: object) -> str:
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


TINY = ["--learning-rate", "3e-3", "--batch-size", "8", "--max-length", "64", "--freeze", "1"]


def test_a_recipe_with_its_data_and_numbers(
    run: Callable[..., str], corpus: Path, base: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    out = tmp_path / "models" / "de"
    record = json.loads(
        run(
            corpus, "--preset", "unitrans", "--english", corpus, "--unlabelled", corpus,
            "--lexicon", words(tmp_path), "--lang", "de", "--out", out, "--base", base("bert"),
            *TINY, "--set", "source.epochs=1", "--set", "warmup=0.2", "--dev-share", "0.3",
            "--seed", "5", "--json",
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
    command = [corpus, "--out", out, "--base", base("bert"), *TINY, "--epochs", 1, "--seeds", 2]
    command += ["--eval", held_out, "--log", "none"]
    printed = run(*command)
    assert "2 seeds of spanferry" in printed
    assert " ± " in printed
    assert {path.name for path in out.iterdir()} >= {"seed-0", "seed-1", "summary.json"}
    again = json.loads(run(*command, "--json"))
    assert again == json.loads((out / "summary.json").read_text())
    assert not (tmp_path / "runs").exists()


def test_help_names_every_recipe() -> None:
    app = typer.Typer()
    app.command()(train)
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert all(name in shown for name in PRESETS)
    assert "Example: spanferry train" in shown


@pytest.mark.parametrize("text", ["epochs", "=3", "epochs="])
def test_a_number_without_name_or_value(text: str) -> None:
    with pytest.raises(TrainingError, match="is not NAME=VALUE"):
        changes_of([text])


def test_numbers_may_hold_an_equals_sign() -> None:
    assert changes_of(["base=a=b", "target.freeze=3"]) == {"base": "a=b", "target.freeze": "3"}


def test_a_tracker_that_is_not_installed_is_named(
    run: Callable[..., str], corpus: Path, tmp_path: Path
) -> None:
    try:
        import trackio  # noqa: F401, PLC0415
    except ImportError:
        with pytest.raises(TrainingError, match=r"--log trackio: is not installed\. pip install"):
            run(corpus, "--out", tmp_path / "m", "--log", "trackio")
    else:
        pytest.skip("it is installed")
