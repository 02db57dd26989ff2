"""Recipes as data: the numbers the papers give."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from training.tagger.presets import BASE, PRESETS, Part, Preset, Stage, Use, preset_named
from training.trainer.settings import FineTune, LossName, rate_for


def settings_of(name: str, stage: str) -> FineTune:
    return next(each.settings for each in PRESETS[name].stages if each.name == stage)


class TestWhatThePapersSay:
    def test_li2021(self) -> None:
        english, target = PRESETS["li2021"].stages
        assert (english.settings.loss, english.settings.epochs) == (LossName.FOCAL, 5)
        assert (target.settings.loss, target.settings.gamma, target.settings.epochs) == ("rw", 4, 1)
        assert target.start == "english"
        (use,) = target.uses
        assert (use.sentences, use.least_margin) == (40_000, 1.05)
        assert use.equal_corpora
        assert use.nameless is not None

    @pytest.mark.parametrize(
        ("name", "parts", "loss"),
        [
            ("sequential-rw", [["english"], ["pseudo"]], "rw"),
            ("sequential-ce", [["english"], ["pseudo"]], "ce"),
            ("zero-transfer", [["english"]], "focal"),
            ("skip-english", [["pseudo"]], "rw"),
            ("mixed-ce", [["english", "pseudo"]], "ce"),
            ("mixed-rw", [["english", "pseudo"]], "rw"),
        ],
    )
    def test_the_six_of_the_ablation(self, name: str, parts: list[list[str]], loss: str) -> None:
        stages = PRESETS[f"li2021-{name}"].stages
        assert [[use.part.value for use in stage.uses] for stage in stages] == parts
        assert stages[-1].settings.loss == loss

    def test_the_ablation_differs_in_nothing_else(self) -> None:
        whole = PRESETS["li2021"]
        assert PRESETS["li2021-sequential-rw"].stages == whole.stages
        assert PRESETS["li2021-zero-transfer"].stages == whole.stages[:1]
        for name in ("sequential-ce", "skip-english", "mixed-ce", "mixed-rw"):
            last = PRESETS[f"li2021-{name}"].stages[-1].settings
            of_whole = whole.stages[-1].settings
            assert replace(last, loss=of_whole.loss, gamma=of_whole.gamma) == of_whole

    @pytest.mark.parametrize("name", ["wu2020", "unitrans"])
    def test_teachers_and_students(self, name: str) -> None:
        *teachers, student = PRESETS[name].stages
        for stage in PRESETS[name].stages:
            numbers = stage.settings
            assert (numbers.freeze, numbers.freeze_embeddings) == (3, True)
            assert (numbers.epochs, numbers.batch_size, numbers.warmup) == (3, 32, 0.1)
        assert {stage.settings.learning_rate for stage in teachers} == {5e-5}
        assert student.settings.learning_rate == 1e-4
        assert student.start == BASE
        assert [use.part for use in student.uses] == [Part.UNLABELLED]

    def test_unitrans_has_three_teachers_and_takes_the_probabilities_of_the_third(self) -> None:
        source, translated, adapted, student = PRESETS["unitrans"].stages
        assert (source.start, translated.start, adapted.start) == (BASE, BASE, "source")
        assert student.teachers == ("adapted", "source", "translated")
        assert student.settings.loss is LossName.MSE_CE
        assert PRESETS["wu2020"].stages[-1].settings.loss is LossName.MSE


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
class TestEveryPreset:
    def test_stages_start_from_and_learn_from_what_is_there(self, preset: Preset) -> None:
        known = {BASE}
        for stage in preset.stages:
            assert {stage.start, *stage.teachers} <= known
            assert stage.name not in known
            known.add(stage.name)

    def test_it_is_documented(self, preset: Preset) -> None:
        page = Path(__file__).parents[3] / "docs" / "training.md"
        assert f"| `{preset.name}`" in page.read_text("utf-8")


def test_an_unknown_preset_is_an_error_that_names_the_others() -> None:
    with pytest.raises(
        TrainingError, match=r"--preset li2020: no such recipe\. There are spanferry"
    ):
        preset_named("li2020")


@pytest.mark.parametrize(("loss", "teachers"), [("mse", ()), ("ce", ("english",))])
def test_losses_and_teachers_go_together(loss: str, teachers: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError, match="mse and mse\\+ce need some, others none"):
        Stage("s", (Use(Part.ENGLISH),), FineTune(loss=LossName(loss)), teachers=teachers)


@pytest.mark.parametrize(("width", "rate"), [(384, 3e-4), (768, 5e-5), (1024, 1e-5), (4096, 1e-5)])
def test_wider_encoders_learn_slower(width: int, rate: float) -> None:
    assert rate_for(width) == rate
    assert rate_for(width, knows_tags=True) == rate / 3
