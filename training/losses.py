"""Token classification losses, in the shape `transformers.Trainer` takes as `compute_loss_func`.

All three are cross entropy with a weight a token, a function of p, the probability the model gives
to the gold tag:

    ce      1            every token alike
    focal   (1 - p)^γ    Lin et al. (2017): hard tokens count more; for clean labels
    rw      (1 + p)^γ    Li, He & Xu (2021): easy tokens count more; for noisy, projected labels
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.recipe import PUBLISHED_GAMMA, FineTune, LossName

IGNORED = -100  # the label of what is not scored: padding, later subwords, context of a window


class HasLogits(Protocol):
    """What every token classification model returns."""

    logits: Tensor


Loss = Callable[..., Tensor]
"""`loss(outputs, labels, num_items_in_batch=None)`; shapes as in `weighted`."""


def weighted(
    outputs: HasLogits,
    labels: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    weight: Callable[[Tensor], Tensor],
) -> Tensor:
    """Cross entropy times `weight(p)`, averaged over the tokens that have a label.

    `outputs.logits` is (batch, length, tags), `labels` (batch, length). The Trainer passes the
    number of labelled tokens of the whole optimiser step as `num_items_in_batch`; the sum is
    divided by that, so that accumulating gradients gives what one large batch would. Without it,
    by the labelled tokens at hand; with none there, the loss is 0.
    """
    scored = labels != IGNORED
    # bfloat16 keeps 3 digits: too few for the logarithm of a probability near 1.
    logits = outputs.logits[scored].to(_at_least_float32(outputs.logits.dtype))
    log_p = log_softmax(logits, dim=-1).gather(-1, labels[scored].unsqueeze(-1)).squeeze(-1)
    total = -(weight(log_p.exp()) * log_p).sum()
    items = scored.sum() if num_items_in_batch is None else num_items_in_batch
    return total / torch.as_tensor(items, device=total.device).clamp(min=1)


def _at_least_float32(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _power(p: Tensor, *, sign: int, gamma: float, through: bool) -> Tensor:
    base = 1 + sign * (p if through else p.detach())
    # At p = 1 a fractional power of 0 has no finite gradient.
    return base.clamp(min=torch.finfo(base.dtype).tiny) ** gamma


def cross_entropy() -> Loss:
    """Plain cross entropy."""
    return partial(weighted, weight=torch.ones_like)


def focal(gamma: float = PUBLISHED_GAMMA[LossName.FOCAL]) -> Loss:
    """(1 - p)^γ · CE, the focal loss of Lin et al. (2017), eq. 4. The gradient flows through p."""
    return partial(weighted, weight=partial(_power, sign=-1, gamma=gamma, through=True))


def reweighted(
    gamma: float = PUBLISHED_GAMMA[LossName.RW], *, through_weight: bool = False
) -> Loss:
    """(1 + p)^γ · CE, the re-weighted loss of Li, He & Xu (2021).

    The weight is held constant in each step: every token pulls its gold tag up, and a sure one up
    to 2^γ times as hard. With `through_weight` the gradient flows through the weight as well, which
    by itself would make p small. While γ < 3.59 the cross entropy always outweighs this; at the
    published γ = 4, -(1 + p)^γ·log p rises between p = 0.15 and 0.44, so tokens below 0.44 settle
    at 0.15. That shuts out labels the model doubts, and it stalls a new head, which starts there.
    """
    return partial(weighted, weight=partial(_power, sign=1, gamma=gamma, through=through_weight))


def loss_of(settings: FineTune) -> Loss:
    """The loss that settings ask for."""
    gamma = settings.effective_gamma
    match settings.loss:
        case LossName.CE:
            return cross_entropy()
        case LossName.FOCAL:
            return focal(gamma)
        case LossName.RW:
            return reweighted(gamma, through_weight=settings.through_weight)
