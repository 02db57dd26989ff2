"""Recipes as data: the numbers the papers give, and how they are changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from training.tagger.presets import BASE, PRESETS, Part, Preset, Stage, Use, changed, preset_named
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


class TestChanged:
    def test_of_all_stages(self) -> None:
        preset = changed(PRESETS["li2021"], {"freeze": 6, "base": "somewhere"})
        assert preset.base == "somewhere"
        assert [stage.settings.freeze for stage in preset.stages] == [6, 6]

    def test_loss_and_length_are_the_last_stage_s_unless_another_is_named(self) -> None:
        preset = changed(PRESETS["li2021"], {"gamma": "3", "epochs": 2.0, "english.epochs": "1"})
        english, target = (stage.settings for stage in preset.stages)
        assert (english.gamma, english.epochs) == (2.0, 1.0)
        assert (target.gamma, target.epochs) == (3.0, 2.0)

    def test_what_names_its_stage_holds_over_what_does_not(self) -> None:
        for changes in ({"freeze": 1, "target.freeze": 2}, {"target.freeze": 2, "freeze": 1}):
            preset = changed(PRESETS["li2021"], changes)
            assert [stage.settings.freeze for stage in preset.stages] == [1, 2]

    @pytest.mark.parametrize(
        ("key", "text", "value"),
        [
            ("batch_size", "8", 8),
            ("bf16", "yes", True),
            ("freeze_embeddings", "false", False),
            ("loss", "ce", LossName.CE),
            ("learning_rate", "none", None),
            ("learning_rate", "1e-3", 1e-3),
        ],
    )
    def test_texts_are_read_as_what_the_setting_holds(
        self, key: str, text: str, value: object
    ) -> None:
        last = changed(PRESETS["plain"], {key: text}).stages[-1].settings
        assert getattr(last, key) == value

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"gama": 3}, r"--set gama: no setting gama\. One of loss"),
            ({"teacher.gamma": 3}, r"--set teacher\.gamma: no stage teacher\. There are english"),
            ({"epochs": "two"}, "--set epochs: 'two' is no float"),
            ({"bf16": "maybe"}, "--set bf16: 'maybe' is no bool"),
            ({"seed": 3}, "--set seed: no setting seed"),
            ({"epochs": "-1"}, "settings epochs: -1.0 is not above 0"),
            ({"reviewed.weight": 3}, r"no part reviewed is used\. There are english, pseudo"),
            ({"weight": 3}, r"--set weight: of which part of the data\. There are english"),
            ({"pseudo.weight": "0"}, r"weight: 0\.0 is not above 0\. .* PART\.sentences=0"),
            ({"pseudo.doubt": "2"}, "doubt: 2.0 is not between 0 and 1"),
            ({"pseudo.nameless": "1"}, "nameless: 1.0 is not a share below 1"),
            ({"pseudo.sentences": "-1"}, "sentences: -1 is below 0"),
            ({"loss": "gce", "gamma": "3"}, "gamma: 3.0 is not above 0 and at most 1"),
        ],
    )
    def test_mistakes(self, changes: dict[str, object], message: str) -> None:
        with pytest.raises(TrainingError, match=message):
            changed(PRESETS["li2021"], changes)

    def test_how_a_part_of_the_data_is_used(self) -> None:
        asked = {
            "reviewed.weight": "4",
            "pseudo.confidence": "no",
            "pseudo.doubt": 0.5,
            "translated.sentences": "0",
            "english.nameless": "none",
        }
        (target,) = changed(PRESETS["spanferry"], asked).stages
        english, pseudo, translated, reviewed = target.uses
        assert (reviewed.weight, reviewed.doubt) == (4.0, 0.0)
        assert (pseudo.weight, pseudo.doubt, pseudo.confidence) == (1.0, 0.5, False)
        assert pseudo.nameless == 0.21
        assert translated.sentences == 0
        assert english.nameless is None

    def test_another_loss_has_its_own_gamma(self) -> None:
        def gamma(changes: dict[str, object]) -> float:
            return changed(PRESETS["li2021"], changes).stages[-1].settings.effective_gamma

        assert gamma({"loss": "gce"}) == 0.7
        assert gamma({"gamma": 0.5, "loss": "gce"}) == gamma({"loss": "gce", "gamma": 0.5}) == 0.5

    def test_a_part_is_changed_in_all_stages_that_use_it(self) -> None:
        stages = changed(PRESETS["unitrans"], {"translated.weight": 2}).stages
        weights = {stage.name: [use.weight for use in stage.uses] for stage in stages}
        assert weights == {"source": [1], "translated": [2], "adapted": [2], "student": [1]}

    def test_presets_themselves_stay_as_they_are(self) -> None:
        before = PRESETS["li2021"]
        changed(before, {"freeze": 9})
        assert PRESETS["li2021"] is before
        assert settings_of("li2021", "target").freeze == 3


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
