"""Token classification losses, in the shape `transformers.Trainer` takes as `compute_loss_func`.

Four learn from tags. p is the probability the model gives to the gold tag:

    ce       -log p                  every token alike
    focal    -(1 - p)^γ · log p      Lin et al. (2017): hard tokens count more; for clean labels
    rw       -(1 + p)^γ · log p      Li, He & Xu (2021): easy tokens count more; for noisy labels
    gce      (1 - p^γ) / γ           Zhang & Sabuncu (2018), whose q is our γ: from cross entropy
                                     (γ → 0) to absolute error (γ = 1); for noisy labels

Two learn from a teacher's probabilities, by the mean squared difference over the tags:

    mse      the teacher's alone (Wu et al., ACL 2020)
    mse+ce   cross entropy besides, where tags are given (UniTrans: where three teachers agree)

A token may come with a weight, which its cost is multiplied by, and with a doubt between 0 and 1,
which γ is multiplied by: what is certain (0) costs its cross entropy, whatever the loss.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.trainer.settings import PUBLISHED_GAMMA, FineTune, LossName

IGNORED = -100  # the label of what is not scored: padding, later subwords, context of a window


class HasLogits(Protocol):
    """What every token classification model returns."""

    logits: Tensor


Loss = Callable[..., Tensor]
"""`loss(outputs, labels, num_items_in_batch=None, weights=None, doubts=None, soft_labels=None)`;
shapes as in `averaged` and `distilled`."""

Cost = Callable[[Tensor, Tensor], Tensor]
"""What each token costs: of the log-probability of its tag, and of its doubt."""


def averaged(
    outputs: HasLogits,
    labels: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    cost: Cost,
    weights: Tensor | None = None,
    doubts: Tensor | None = None,
) -> Tensor:
    """The mean cost of the tokens that have a label.

    `outputs.logits` is (batch, length, tags); `labels`, `weights` and `doubts` are (batch, length),
    the last two 1 where they are not given. The Trainer passes the number of labelled tokens of the
    whole optimiser step as `num_items_in_batch`; the sum is divided by that, so that accumulating
    gradients gives what one large batch would. Without it, by the labelled tokens at hand; with
    none there, the loss is 0.
    """
    scored = labels != IGNORED
    log_p = _log_probabilities(outputs, scored)
    log_p = log_p.gather(-1, labels[scored].unsqueeze(-1)).squeeze(-1)
    doubt = torch.ones_like(log_p) if doubts is None else doubts[scored].to(log_p.dtype)
    costs = cost(log_p, doubt)
    if weights is not None:
        costs = costs * weights[scored].to(costs.dtype)
    return _mean(costs, scored, num_items_in_batch)


def _log_probabilities(outputs: HasLogits, scored: Tensor) -> Tensor:
    """Of the scored tokens: tokens × tags."""
    # bfloat16 keeps 3 digits: too few for the logarithm of a probability near 1.
    logits = outputs.logits[scored]
    return log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=-1)


def _mean(costs: Tensor, scored: Tensor, num_items_in_batch: Tensor | int | None) -> Tensor:
    items = scored.sum() if num_items_in_batch is None else num_items_in_batch
    return costs.sum() / torch.as_tensor(items, device=costs.device).clamp(min=1)


def cross_entropy() -> Loss:
    """Plain cross entropy."""
    return partial(averaged, cost=lambda log_p, _doubt: -log_p)


def focal(gamma: float = PUBLISHED_GAMMA[LossName.FOCAL]) -> Loss:
    """(1 - p)^γ · CE, the focal loss of Lin et al. (2017), eq. 4. The gradient flows through p."""

    def cost(log_p: Tensor, doubt: Tensor) -> Tensor:
        return -(_base(1 - log_p.exp()) ** (gamma * doubt)) * log_p

    return partial(averaged, cost=cost)


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

    def cost(log_p: Tensor, doubt: Tensor) -> Tensor:
        p = log_p.exp()
        return -(_base(1 + (p if through_weight else p.detach())) ** (gamma * doubt)) * log_p

    return partial(averaged, cost=cost)


def _base(base: Tensor) -> Tensor:
    # At p = 1 a fractional power of 0 has no finite gradient.
    return base.clamp(min=torch.finfo(base.dtype).tiny)


def generalised(gamma: float = PUBLISHED_GAMMA[LossName.GCE]) -> Loss:
    """(1 - p^γ) / γ, the generalised cross entropy of Zhang & Sabuncu (2018), eq. 6.

    Its gradient is that of cross entropy times p^γ: a tag the model finds unlikely hardly pulls.
    """

    def cost(log_p: Tensor, doubt: Tensor) -> Tensor:
        power = gamma * doubt
        certain = power == 0
        # Both sides of a `where` are computed: the one not chosen must stay finite, too.
        bounded = -torch.expm1(power * log_p) / power.masked_fill(certain, 1.0)
        return torch.where(certain, -log_p, bounded)

    return partial(averaged, cost=cost)


def distilled(
    outputs: HasLogits,
    labels: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    with_tags: bool,
    soft_labels: Tensor,
    weights: Tensor | None = None,
    doubts: Tensor | None = None,  # noqa: ARG001  what the other losses take
) -> Tensor:
    """The squared difference of two distributions, mean over tags and labelled tokens.

    `soft_labels` is (batch, length, tags), a teacher's probabilities. `labels` marks the tokens
    that have them and holds the teachers' tags; `weights` is 1 where these count and 0 where they
    do not, for `with_tags`. Both sums are divided by the number of labelled tokens.
    """
    scored = labels != IGNORED
    probabilities = _log_probabilities(outputs, scored).exp()
    difference = probabilities - soft_labels[scored].to(probabilities.dtype)
    squares = _mean(difference.square().mean(-1), scored, num_items_in_batch)
    if not with_tags:
        return squares
    tags: Tensor = cross_entropy()(outputs, labels, num_items_in_batch, weights=weights)
    return squares + tags


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
        case LossName.GCE:
            return generalised(gamma)
        case LossName.MSE:
            return partial(distilled, with_tags=False)
        case LossName.MSE_CE:
            return partial(distilled, with_tags=True)
