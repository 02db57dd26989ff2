"""Losses against values computed by hand."""

from dataclasses import dataclass
from functools import partial
from math import log, sqrt

import pytest
import torch
from torch import Tensor

from training.trainer.losses import (
    IGNORED,
    Loss,
    cross_entropy,
    distilled,
    focal,
    generalised,
    loss_of,
    reweighted,
)
from training.trainer.settings import FineTune, LossName


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
    "gce": generalised(),
    "gce 1": generalised(1),
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
        pytest.param(generalised(1), (0.5 + 0.1) / 2, id="gce with γ 1: absolute error"),
        pytest.param(
            generalised(0.5), ((1 - sqrt(0.5)) / 0.5 + (1 - sqrt(0.9)) / 0.5) / 2, id="gce, γ 0.5"
        ),
        pytest.param(
            generalised(), ((1 - 0.5**0.7) / 0.7 + (1 - 0.9**0.7) / 0.7) / 2, id="gce: γ 0.7"
        ),
        pytest.param(generalised(0), (-log(0.5) - log(0.9)) / 2, id="gce with γ 0: cross entropy"),
    ],
)
def test_value(loss: Loss, expected: float) -> None:
    assert loss(giving(0.5, 0.9), FIRST_TAG).item() == pytest.approx(expected, rel=1e-12)


THREE_TAGS = Outputs(torch.tensor([[[log(0.5), log(0.2), log(0.3)]]], dtype=torch.float64))
"""One token; its three tags have these probabilities."""


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        pytest.param(cross_entropy(), -log(0.8), id="cross entropy"),
        pytest.param(focal(), -(0.2**2) * log(0.8), id="focal"),
        pytest.param(reweighted(), -(1.8**4) * log(0.8), id="rw"),
        pytest.param(generalised(1), 0.2, id="gce with γ 1"),
        pytest.param(
            partial(distilled, with_tags=True, soft_labels=torch.tensor([[[0.5, 0.2, 0.0]]])),
            0.09 / 3 - log(0.8),
            id="mse+ce",
        ),
    ],
)
def test_p_is_the_sum_over_the_label_and_its_alternatives(loss: Loss, expected: float) -> None:
    """0.5 + 0.3: the label is the first tag and may stand for the third."""
    cost = loss(THREE_TAGS, torch.tensor([[0]]), alternatives=torch.tensor([[[0, 0, 1]]]))
    assert cost.item() == pytest.approx(expected)


def test_alternatives_are_not_told_apart_by_the_gradient() -> None:
    """-log(p₁ + p₃) moves both by their share: p - p / (p₁ + p₃), and the other by its p."""
    logits = THREE_TAGS.logits.clone().requires_grad_()
    allowed = torch.tensor([[[0, 0, 1]]], dtype=torch.uint8)
    cross_entropy()(Outputs(logits), torch.tensor([[0]]), alternatives=allowed).backward()
    assert logits.grad is not None
    expected = [0.5 - 0.5 / 0.8, 0.2, 0.3 - 0.3 / 0.8]
    assert logits.grad[0, 0].tolist() == pytest.approx(expected)


@every_loss
class TestEveryLoss:
    def test_no_alternatives_change_nothing(self, loss: Loss) -> None:
        none = torch.zeros(1, 2, 2, dtype=torch.uint8)
        given = loss(giving(0.3, 0.6), FIRST_TAG, alternatives=none)
        assert given.item() == loss(giving(0.3, 0.6), FIRST_TAG).item()

    def test_where_every_tag_is_allowed_nothing_is_learned(self, loss: Loss) -> None:
        outputs = giving(0.3)
        outputs.logits.requires_grad_()
        cost = loss(outputs, torch.tensor([[0]]), alternatives=torch.ones(1, 1, 2))
        cost.backward()
        assert cost.item() == pytest.approx(0)
        assert outputs.logits.grad is not None
        assert outputs.logits.grad.abs().max().item() == pytest.approx(0)

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

    def test_a_weight_multiplies_the_cost_of_its_token(self, loss: Loss) -> None:
        first, second = (loss(giving(p), torch.tensor([[0]])).item() for p in (0.3, 0.6))
        both = loss(giving(0.3, 0.6), FIRST_TAG, weights=torch.tensor([[0.5, 2.0]]))
        assert both.item() == pytest.approx((0.5 * first + 2.0 * second) / 2)

    def test_what_is_certain_costs_its_cross_entropy(self, loss: Loss) -> None:
        both = loss(giving(0.3, 0.6), FIRST_TAG, doubts=torch.tensor([[0.0, 1.0]]))
        doubted = loss(giving(0.6), torch.tensor([[0]])).item()
        assert both.item() == pytest.approx((-log(0.3) + doubted) / 2)


@pytest.mark.parametrize(
    ("loss", "same"),
    [
        pytest.param(focal(3), focal(1.5), id="focal"),
        pytest.param(reweighted(4), reweighted(2), id="rw"),
        pytest.param(generalised(0.8), generalised(0.4), id="gce"),
    ],
)
def test_half_a_doubt_is_half_the_strength(loss: Loss, same: Loss) -> None:
    halved = loss(giving(0.3, 0.8), FIRST_TAG, doubts=torch.full((1, 2), 0.5))
    assert halved.item() == pytest.approx(same(giving(0.3, 0.8), FIRST_TAG).item())


SOFT = torch.tensor([[[0.6, 0.4], [0.9, 0.1]]], dtype=torch.float64)


class TestDistilled:
    """Wu et al. (2020), and UniTrans: the squared difference to a teacher's probabilities."""

    def test_counted_by_hand(self) -> None:
        """(0.5 - 0.6)² for both tags of the first token, (0.7 - 0.9)² of the second."""
        loss = distilled(giving(0.5, 0.7), FIRST_TAG, with_tags=False, soft_labels=SOFT)
        assert loss.item() == pytest.approx((0.01 + 0.04) / 2)

    def test_with_the_tags_on_which_teachers_agree(self) -> None:
        votes = torch.tensor([[0.0, 1.0]])
        loss = distilled(
            giving(0.5, 0.7), FIRST_TAG, with_tags=True, soft_labels=SOFT, weights=votes
        )
        assert loss.item() == pytest.approx((0.01 + 0.04) / 2 - log(0.7) / 2)

    def test_ignored_tokens_count_nowhere(self) -> None:
        labels = torch.tensor([[IGNORED, 0]])
        loss = distilled(giving(0.5, 0.7), labels, with_tags=True, soft_labels=SOFT)
        assert loss.item() == pytest.approx(0.04 - log(0.7))

    def test_parts_of_a_step_add_up_to_the_whole_step(self) -> None:
        loss = partial(distilled, with_tags=True)
        whole = loss(giving(0.5, 0.7), FIRST_TAG, soft_labels=SOFT)
        parts = [
            loss(
                giving(p), torch.tensor([[0]]), num_items_in_batch=2, soft_labels=SOFT[:, i : i + 1]
            )
            for i, p in enumerate((0.5, 0.7))
        ]
        assert sum(part.item() for part in parts) == pytest.approx(whole.item())

    def test_the_teacher_itself_costs_nothing(self) -> None:
        loss = distilled(giving(0.6, 0.9), FIRST_TAG, with_tags=False, soft_labels=SOFT)
        assert loss.item() == pytest.approx(0)

    @pytest.mark.parametrize("with_tags", [False, True])
    def test_gradients_agree_with_finite_differences(self, with_tags: bool) -> None:
        labels = torch.tensor([[0, IGNORED, 2]])
        generator = torch.Generator().manual_seed(1)
        soft = torch.rand(1, 3, 3, dtype=torch.float64, generator=generator).softmax(-1)
        logits = torch.randn(1, 3, 3, dtype=torch.float64, generator=generator, requires_grad=True)

        def loss(z: Tensor) -> Tensor:
            return distilled(Outputs(z), labels, with_tags=with_tags, soft_labels=soft)

        assert torch.autograd.gradcheck(loss, (logits,))


@pytest.mark.parametrize(
    "loss",
    [
        cross_entropy(),
        focal(),
        focal(1.5),
        reweighted(through_weight=True),
        generalised(),
        generalised(1),
        generalised(0),
    ],
)
@pytest.mark.parametrize("doubt", [0.0, 0.5, 1.0])
def test_gradients_agree_with_finite_differences(loss: Loss, doubt: float) -> None:
    labels = torch.tensor([[2, IGNORED, 0], [1, 1, IGNORED]])
    doubts, weights = torch.full((2, 3), doubt), torch.tensor([[0.5, 1, 2], [1, 0, 1]])
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z: loss(Outputs(z), labels, doubts=doubts, weights=weights), (logits,)
    )


def slope(p: float, loss: Loss) -> float:
    """The gradient of the loss by the gold tag's logit; negative pulls the tag up."""
    outputs = giving(p)
    outputs.logits.requires_grad_()
    loss(outputs, torch.tensor([[0]])).backward()
    assert outputs.logits.grad is not None
    return float(outputs.logits.grad[0, 0, 0])


@pytest.mark.parametrize("p", [0.05, 0.3, 0.95])
def test_generalised_cross_entropy_pulls_a_tag_by_how_likely_it_is(p: float) -> None:
    """Zhang & Sabuncu (2018): the gradient is that of cross entropy times p^q."""
    assert slope(p, generalised(0.7)) == pytest.approx(p**0.7 * slope(p, cross_entropy()))


class TestReweighted:
    """Li, He & Xu (2021): tokens the model agrees with count more."""

    @pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.95])
    def test_a_token_pulls_as_in_cross_entropy_times_its_weight(self, p: float) -> None:
        plain = slope(p, cross_entropy())
        assert slope(p, reweighted()) == pytest.approx((1 + p) ** 4 * plain)
        assert plain == pytest.approx(p - 1)

    @pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.95])
    def test_the_gold_tag_is_always_pulled_up(self, p: float) -> None:
        assert slope(p, reweighted()) < 0
        assert slope(p, reweighted(3.5, through_weight=True)) < 0

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
        assert slope(p, reweighted(4, through_weight=True)) * sign > 0


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        pytest.param(FineTune(), reweighted(4), id="by default the paper's, γ 4"),
        pytest.param(FineTune(gamma=2), reweighted(2), id="with another γ"),
        pytest.param(FineTune(loss=LossName.FOCAL), focal(2), id="focal, γ 2"),
        pytest.param(FineTune(loss=LossName.FOCAL, gamma=0.0), focal(0), id="γ 0 is not no γ"),
        pytest.param(FineTune(loss=LossName.CE), cross_entropy(), id="cross entropy"),
        pytest.param(FineTune(loss=LossName.GCE), generalised(0.7), id="generalised, q 0.7"),
    ],
)
def test_settings_choose_the_loss(settings: FineTune, loss: Loss) -> None:
    outputs = giving(0.3, 0.8)
    assert loss_of(settings)(outputs, FIRST_TAG) == loss(outputs, FIRST_TAG)


@pytest.mark.parametrize("name", [LossName.MSE, LossName.MSE_CE])
def test_settings_choose_a_loss_of_teachers(name: LossName) -> None:
    with_tags = name is LossName.MSE_CE
    chosen = loss_of(FineTune(loss=name))(giving(0.5, 0.7), FIRST_TAG, soft_labels=SOFT)
    expected = distilled(giving(0.5, 0.7), FIRST_TAG, with_tags=with_tags, soft_labels=SOFT)
    assert name.learns_from_teachers
    assert chosen == expected
