"""Settings that cannot be built wrong, and what they default to."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from projection.errors import TrainingError
from training.trainer.settings import (
    ALIGNER_SCHEDULES,
    AlignerPreset,
    FineTune,
    JointRecipe,
    LossName,
    PairRecipe,
    Tracker,
    Tracking,
)


class TestFineTune:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            pytest.param({"epochs": 0}, "settings epochs: 0 is not above 0", id="no epochs"),
            pytest.param({"epochs": math.inf}, "epochs: inf is not above 0, and", id="endless"),
            pytest.param(
                {"weight_decay": math.nan}, "weight_decay: nan is below", id="not a number"
            ),
            pytest.param({"patience": 0}, "patience: 0 is not above 0", id="patience"),
            pytest.param({"batch_size": -1}, "batch_size: -1 is not above 0", id="batch size"),
            pytest.param({"learning_rate": 0.0}, "learning_rate: 0.0 is not above", id="rate"),
            pytest.param({"gamma": -1.0}, "gamma: -1.0 is below 0", id="γ below 0"),
            pytest.param(
                {"loss": LossName.GCE, "gamma": 0.0}, "gamma: 0.0 is not above 0", id="γ 0 of gce"
            ),
            pytest.param({"max_length": 15}, "15 subwords hold .* At least 16", id="too short"),
            pytest.param({"freeze": -1}, "-1 layers. 0 freezes nothing", id="layers"),
            pytest.param({"warmup": 1.0}, "1.0 is not a share of the steps", id="all warm-up"),
        ],
    )
    def test_what_cannot_be_trained_is_refused(
        self, settings: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(TrainingError, match=message):
            FineTune(**settings)

    @pytest.mark.parametrize(
        ("settings", "gamma"),
        [
            pytest.param(FineTune(), 4.0, id="the published one"),
            pytest.param(FineTune(gamma=1.5), 1.5, id="as set"),
            pytest.param(FineTune(gamma=0.0), 0.0, id="0 is set, too"),
            pytest.param(FineTune(loss=LossName.CE), 0.0, id="a loss without one"),
        ],
    )
    def test_gamma(self, settings: FineTune, gamma: float) -> None:
        assert settings.effective_gamma == gamma


def test_losses_that_learn_from_teachers() -> None:
    assert {loss for loss in LossName if loss.learns_from_teachers} == {"mse", "mse+ce"}


def test_a_part_of_a_training_is_tracked_below_it() -> None:
    tracking = Tracking(Tracker.WANDB, Path("runs/de"), "de").part("english")
    assert tracking == Tracking(Tracker.WANDB, Path("runs/de/english"), "de/english")


@pytest.mark.parametrize("recipe", [PairRecipe("base"), JointRecipe("base")])
def test_recipes_of_aligners_have_the_schedule_of_their_preset(
    recipe: PairRecipe | JointRecipe,
) -> None:
    assert recipe.schedule == ALIGNER_SCHEDULES[recipe.preset]
    assert "preset" not in asdict(recipe), "what shapes the model, and nothing else"


def test_every_preset_has_a_schedule() -> None:
    assert ALIGNER_SCHEDULES.keys() == {*AlignerPreset}
