"""The options and settings of `spanferry train`."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ml_backend.cli.train import RUN_SETTINGS, changes_of, split_settings, train
from projection.errors import CorpusError, LanguageTagError, TrainingError
from training.tagger.preset_changes import STAGE_SETTINGS, USE_SETTINGS
from training.tagger.presets import PRESETS
from training.trainer.settings import Tracker

DOCS = Path(__file__).parents[3] / "docs" / "training.md"


def run(*arguments: object) -> str:
    given = [str(argument) for argument in arguments]
    return CliRunner().invoke(_app(), given, catch_exceptions=False, env={"COLUMNS": "200"}).output


class TestOptions:
    def test_help_names_every_recipe(self) -> None:
        shown = run("--help")
        assert all(name in shown for name in PRESETS)
        assert "Example: spanferry train" in shown

    def test_there_are_at_most_a_dozen_beside_those_of_files(self) -> None:
        command = typer.main.get_command(_app())
        of_files = {"data", "--json", "--help", "--token-column", "--tag-column"}
        names = {max(p.opts, key=len) for p in command.params} - of_files
        assert len(names) <= 12, names
        assert {"--out", "--preset", "--english", "--eval", "--set", "--map-label"} <= names

    def test_several_models_are_not_pushed_as_one(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="several seeds make several models"):
            run("x.iob2", "--out", tmp_path / "m", "--seeds", 2, "--set", "push_to_hub=me/model")

    def test_a_mistake_is_a_domain_error(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="--map-label ORG: is not OLD=NEW"):
            run("x.iob2", "--out", tmp_path / "m", "--map-label", "ORG")

    def test_data_may_be_elsewhere(self, tmp_path: Path) -> None:
        """Each is looked for where its address leads, in the order they are read."""
        nowhere = "memory://none/a.iob2"
        for options in ([nowhere], ["x.iob2", "--eval", nowhere]):
            with pytest.raises(CorpusError, match=f"^{nowhere}: no such object"):
                run(*options, "--out", tmp_path / "m")

    def test_a_tracker_that_is_not_installed_is_named(self, tmp_path: Path) -> None:
        try:
            import trackio  # noqa: F401, PLC0415
        except ImportError:
            with pytest.raises(TrainingError, match=r"log=trackio: is not installed\. pip install"):
                run("x.iob2", "--out", tmp_path / "m", "--set", "log=trackio")
        else:
            pytest.skip("it is installed")


def _app() -> typer.Typer:
    app = typer.Typer(add_completion=False)
    app.command()(train)
    return app


class TestSettings:
    def test_of_the_run_and_of_the_recipe_are_parted(self) -> None:
        texts = ["dev_share=0.1", "lexicon=a.jsonl,b.txt", "log=none", "target.freeze=3"]
        run_settings, changes = split_settings(texts)
        assert run_settings == {
            "dev_share": 0.1,
            "lexicon": [Path("a.jsonl"), Path("b.txt")],
            "log": Tracker.NONE,
        }
        assert changes == {"target.freeze": "3"}

    def test_the_language_is_normalised(self) -> None:
        assert split_settings(["lang=zh_TW"]) == ({"lang": "zh-TW"}, {})
        with pytest.raises(LanguageTagError, match=r"^--set lang: 'Dutch' is no .* mean nl\?"):
            split_settings(["lang=Dutch"])

    @pytest.mark.parametrize("text", ["epochs", "=3", "epochs="])
    def test_need_a_name_and_a_value(self, text: str) -> None:
        with pytest.raises(TrainingError, match="is not NAME=VALUE"):
            changes_of([text])

    def test_values_may_hold_an_equals_sign(self) -> None:
        assert changes_of(["base=a=b", "target.freeze=3"]) == {"base": "a=b", "target.freeze": "3"}

    def test_an_unknown_one_is_an_error_that_lists_all(self) -> None:
        with pytest.raises(TrainingError, match=r"--set target\.epoch: no such setting") as error:
            split_settings(["target.epoch=3"])
        for name in (*STAGE_SETTINGS, *USE_SETTINGS, *RUN_SETTINGS):
            assert name in str(error.value)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("dev_share=much", "--set dev_share: 'much' is no float"),
            ("log=paper", "--set log: 'paper' is no Tracker. One of tensorboard, wandb, trackio"),
        ],
    )
    def test_a_value_that_cannot_be_read_is_an_error(self, text: str, message: str) -> None:
        with pytest.raises(TrainingError, match=message):
            split_settings([text])

    def test_the_documentation_lists_all_and_no_others(self) -> None:
        section = DOCS.read_text("utf-8").partition("## Settings")[2].partition("\n## ")[0]
        listed = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
        assert sorted(listed) == sorted((*STAGE_SETTINGS, *USE_SETTINGS, *RUN_SETTINGS))
