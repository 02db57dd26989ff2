"""Recipes with other numbers, and what is said of numbers that cannot be."""

import pytest

from projection.errors import TrainingError
from training.tagger.preset_changes import changed
from training.tagger.presets import PRESETS
from training.trainer.settings import LossName


def test_of_all_stages() -> None:
    preset = changed(PRESETS["li2021"], {"freeze": 6, "base": "somewhere"})
    assert preset.base == "somewhere"
    assert [stage.settings.freeze for stage in preset.stages] == [6, 6]


def test_loss_and_length_are_the_last_stage_s_unless_another_is_named() -> None:
    preset = changed(PRESETS["li2021"], {"gamma": "3", "epochs": 2.0, "english.epochs": "1"})
    english, target = (stage.settings for stage in preset.stages)
    assert (english.gamma, english.epochs) == (2.0, 1.0)
    assert (target.gamma, target.epochs) == (3.0, 2.0)


def test_what_names_its_stage_holds_over_what_does_not() -> None:
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
def test_texts_are_read_as_what_the_setting_holds(key: str, text: str, value: object) -> None:
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
def test_mistakes(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        changed(PRESETS["li2021"], changes)


def test_how_a_part_of_the_data_is_used() -> None:
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


def test_another_loss_has_its_own_gamma() -> None:
    def gamma(changes: dict[str, object]) -> float:
        return changed(PRESETS["li2021"], changes).stages[-1].settings.effective_gamma

    assert gamma({"loss": "gce"}) == 0.7
    assert gamma({"gamma": 0.5, "loss": "gce"}) == gamma({"loss": "gce", "gamma": 0.5}) == 0.5


def test_a_part_is_changed_in_all_stages_that_use_it() -> None:
    stages = changed(PRESETS["unitrans"], {"translated.weight": 2}).stages
    weights = {stage.name: [use.weight for use in stage.uses] for stage in stages}
    assert weights == {"source": [1], "translated": [2], "adapted": [2], "student": [1]}


def test_presets_themselves_stay_as_they_are() -> None:
    before = PRESETS["li2021"]
    changed(before, {"freeze": 9})
    assert PRESETS["li2021"] is before
    assert [stage.settings.freeze for stage in before.stages] == [3, 3]
