"""Losses against values computed by hand."""

from dataclasses import dataclass
from math import log

import pytest
import torch
from torch import Tensor

from training.losses import (
    IGNORED,
    Loss,
    cross_entropy,
    focal,
    loss_of,
    reweighted,
)
from training.recipe import FineTune, LossName


@dataclass
class Outputs:
    """What a model returns, as far as a loss looks."""

    logits: Tensor


def giving(*probabilities: float) -> Outputs:
    """One sentence whose tokens have their first tag with these probabilities, out of two."""
    rows = [[log(p), log(1 - p)] for p in probabilities]
    return Outputs(torch.tensor([rows], dtype=torch.float64))


FIRST_TAG = torch.tensor([[0, 0]])
LOSSES = {
    "ce": cross_entropy(),
    "focal": focal(),
    "focal 0.5": focal(0.5),
    "rw": reweighted(),
    "rw through": reweighted(through_weight=True),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        pytest.param(cross_entropy(), (-log(0.5) - log(0.9)) / 2, id="cross entropy"),
        pytest.param(focal(), (-(0.5**2) * log(0.5) - 0.1**2 * log(0.9)) / 2, id="focal: (1-p)²"),
        pytest.param(focal(1), (-0.5 * log(0.5) - 0.1 * log(0.9)) / 2, id="focal with γ 1"),
        pytest.param(focal(0), (-log(0.5) - log(0.9)) / 2, id="focal with γ 0 is cross entropy"),
        pytest.param(reweighted(), (-(1.5**4) * log(0.5) - 1.9**4 * log(0.9)) / 2, id="rw: (1+p)⁴"),
        pytest.param(reweighted(2), (-(1.5**2) * log(0.5) - 1.9**2 * log(0.9)) / 2, id="rw, γ 2"),
        pytest.param(reweighted(0), (-log(0.5) - log(0.9)) / 2, id="rw with γ 0 is cross entropy"),
    ],
)
def test_value(loss: Loss, expected: float) -> None:
    assert loss(giving(0.5, 0.9), FIRST_TAG).item() == pytest.approx(expected, rel=1e-12)


@every_loss
class TestEveryLoss:
    def test_ignored_tokens_count_nowhere(self, loss: Loss) -> None:
        alone = loss(giving(0.7), torch.tensor([[0]]))
        beside = loss(giving(0.7, 0.2), torch.tensor([[0, IGNORED]]))
        assert beside.item() == pytest.approx(alone.item())

    def test_a_batch_without_labels_costs_nothing(self, loss: Loss) -> None:
        outputs = giving(0.7)
        outputs.logits.requires_grad_()
        cost = loss(outputs, torch.tensor([[IGNORED]]))
        cost.backward()
        assert cost.item() == 0
        assert outputs.logits.grad is not None
        assert not outputs.logits.grad.any()

    def test_parts_of_a_step_add_up_to_the_whole_step(self, loss: Loss) -> None:
        """Accumulating gradients must not weigh a short sentence's tokens more."""
        whole = loss(giving(0.3, 0.6, 0.9), torch.tensor([[0, 0, 0]]))
        parts = [
            loss(giving(0.3), torch.tensor([[0]]), num_items_in_batch=torch.tensor(3)),
            loss(giving(0.6, 0.9), FIRST_TAG, num_items_in_batch=3),
        ]
        assert sum(part.item() for part in parts) == pytest.approx(whole.item())

    def test_a_sure_token_has_finite_gradients(self, loss: Loss) -> None:
        outputs = Outputs(torch.tensor([[[100.0, -100.0], [-100.0, 100.0]]], requires_grad=True))
        loss(outputs, FIRST_TAG).backward()
        assert outputs.logits.grad is not None
        assert outputs.logits.grad.isfinite().all()

    def test_half_precision_logits_are_scored_in_single(self, loss: Loss) -> None:
        half = Outputs(giving(0.5, 0.9).logits.bfloat16())
        same = Outputs(half.logits.float())
        assert loss(half, FIRST_TAG).dtype == torch.float32
        assert loss(half, FIRST_TAG) == loss(same, FIRST_TAG)


@pytest.mark.parametrize(
    "loss", [cross_entropy(), focal(), focal(1.5), reweighted(through_weight=True)]
)
def test_gradients_agree_with_finite_differences(loss: Loss) -> None:
    labels = torch.tensor([[2, IGNORED, 0], [1, 1, IGNORED]])
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(Outputs(z), labels), (logits,))


class TestReweighted:
    """Li, He & Xu (2021): tokens the model agrees with count more."""

    @staticmethod
    def slope(p: float, loss: Loss) -> float:
        """The gradient of the loss by the gold tag's logit; negative pulls the tag up."""
        outputs = giving(p)
        outputs.logits.requires_grad_()
        loss(outputs, torch.tensor([[0]])).backward()
        assert outputs.logits.grad is not None
        return float(outputs.logits.grad[0, 0, 0])

    @pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.95])
    def test_a_token_pulls_as_in_cross_entropy_times_its_weight(self, p: float) -> None:
        plain = self.slope(p, cross_entropy())
        assert self.slope(p, reweighted()) == pytest.approx((1 + p) ** 4 * plain)
        assert plain == pytest.approx(p - 1)

    @pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.95])
    def test_the_gold_tag_is_always_pulled_up(self, p: float) -> None:
        assert self.slope(p, reweighted()) < 0
        assert self.slope(p, reweighted(3.5, through_weight=True)) < 0

    @pytest.mark.parametrize(
        ("p", "sign"),
        [
            pytest.param(0.14, -1, id="below the valley: up"),
            pytest.param(0.17, +1, id="above it: down"),
            pytest.param(0.43, +1, id="doubted: down"),
            pytest.param(0.46, -1, id="believed: up"),
        ],
    )
    def test_through_the_weight_doubted_tags_are_pushed_down(self, p: float, sign: int) -> None:
        assert self.slope(p, reweighted(4, through_weight=True)) * sign > 0


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        pytest.param(FineTune(), reweighted(4), id="by default the paper's, γ 4"),
        pytest.param(FineTune(gamma=2), reweighted(2), id="with another γ"),
        pytest.param(FineTune(loss=LossName.FOCAL), focal(2), id="focal, γ 2"),
        pytest.param(FineTune(loss=LossName.FOCAL, gamma=0.0), focal(0), id="γ 0 is not no γ"),
        pytest.param(FineTune(loss=LossName.CE), cross_entropy(), id="cross entropy"),
    ],
)
def test_settings_choose_the_loss(settings: FineTune, loss: Loss) -> None:
    outputs = giving(0.3, 0.8)
    assert loss_of(settings)(outputs, FIRST_TAG) == loss(outputs, FIRST_TAG)
