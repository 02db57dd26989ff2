"""Token classification losses, in the shape `transformers.Trainer` takes as `compute_loss_func`.

Four learn from tags. p is the probability of the gold tag, or of all tags it may stand for:

    ce       -log p
    focal    -(1 - p)^γ · log p      Lin et al. (2017): hard tokens count more; for clean labels
    rw       -(1 + p)^γ · log p      Li, He & Xu (2021): easy tokens count more; for noisy labels
    gce      (1 - p^γ) / γ           Zhang & Sabuncu (2018), whose q is our γ: from cross entropy
                                     (γ → 0) to absolute error (γ = 1); for noisy labels

Two learn from a teacher's probabilities, by the mean squared difference over the tags:

    mse      alone (Wu et al., ACL 2020)
    mse+ce   plus cross entropy where tags are given (UniTrans: where three teachers agree)

A token's weight multiplies its cost. A token's doubt, in [0, 1], multiplies γ: at 0 every loss is
the cross entropy. Where a sentence was annotated for some types only, `O` may stand for the tags of
the others (its alternatives), and p is the sum over `O` and these: the marginal likelihood of a
partial label (Cour et al. 2011; Jin & Ghahramani 2002).
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.trainer.settings import PUBLISHED_GAMMA, FineTune, LossName

IGNORED = -100  # the label of tokens without loss: padding, later subwords, context of a window


class HasLogits(Protocol):
    """What every token classification model returns."""

    logits: Tensor


Loss = Callable[..., Tensor]
"""`loss(outputs, labels, num_items_in_batch=None, weights=None, doubts=None, alternatives=None,
soft_labels=None)`; shapes as in `averaged` and `distilled`."""


def averaged(
    outputs: HasLogits,
    labels: Tensor,
    num_items_in_batch: Tensor | int | None = None,
    *,
    cost: Callable[[Tensor, Tensor], Tensor],
    weights: Tensor | None = None,
    doubts: Tensor | None = None,
    alternatives: Tensor | None = None,
) -> Tensor:
    """The mean `cost` of the labelled tokens, given the log-probabilities of their tags and doubts.

    `outputs.logits` is (batch, length, tags); `labels`, `weights` and `doubts` are (batch, length),
    the last two 1 by default. `alternatives` is (batch, length, tags): not 0 for a tag that the
    label of the token may stand for, besides itself. The sum is divided by `num_items_in_batch`,
    the labelled tokens of a whole optimiser step, as in one large batch; by default by those of
    this batch.
    """
    scored = labels != IGNORED
    log_p = _log_probabilities(outputs, scored)
    log_p = _of_labels(
        log_p, labels[scored], None if alternatives is None else alternatives[scored]
    )
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


def _of_labels(log_p: Tensor, labels: Tensor, alternatives: Tensor | None) -> Tensor:
    """Return the log-probability of each token's label, or of any of its alternatives."""
    labels = labels.unsqueeze(-1)
    if alternatives is None:
        return log_p.gather(-1, labels).squeeze(-1)
    allowed = (alternatives != 0).scatter(-1, labels, value=True)
    return log_p.masked_fill(~allowed, -torch.inf).logsumexp(-1)


def _mean(costs: Tensor, scored: Tensor, num_items_in_batch: Tensor | int | None) -> Tensor:
    items = scored.sum() if num_items_in_batch is None else num_items_in_batch
    return costs.sum() / torch.as_tensor(items, device=costs.device).clamp(min=1)


def cross_entropy() -> Loss:
    """Plain cross entropy."""
    return partial(averaged, cost=lambda log_p, _doubt: -log_p)


def focal(gamma: float = PUBLISHED_GAMMA[LossName.FOCAL]) -> Loss:
    """(1 - p)^γ · CE, the focal loss of Lin et al. (2017), eq. 4. The gradient flows through p."""
    return partial(
        averaged, cost=lambda log_p, doubt: -_power(1 - log_p.exp(), gamma * doubt) * log_p
    )


def reweighted(
    gamma: float = PUBLISHED_GAMMA[LossName.RW], *, through_weight: bool = False
) -> Loss:
    """(1 + p)^γ · CE, the re-weighted loss of Li, He & Xu (2021).

    The weight has no gradient: every token raises its gold tag, a sure one by up to 2^γ as much.
    With `through_weight` it has one, which lowers p. At the published γ = 4 (not below 3.59) the
    loss then rises between p = 0.15 and 0.44, so tokens below 0.44 settle at 0.15: labels the model
    doubts are excluded, and a new head, which starts there, stalls.
    """

    def cost(log_p: Tensor, doubt: Tensor) -> Tensor:
        p = log_p.exp() if through_weight else log_p.exp().detach()
        return -_power(1 + p, gamma * doubt) * log_p

    return partial(averaged, cost=cost)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    # A fractional power of 0 has no finite gradient.
    return base.clamp(min=torch.finfo(base.dtype).tiny) ** exponent


def generalised(gamma: float = PUBLISHED_GAMMA[LossName.GCE]) -> Loss:
    """(1 - p^γ) / γ, the generalised cross entropy of Zhang & Sabuncu (2018), eq. 6.

    Its gradient is that of cross entropy times p^γ: unlikely tags have little effect.
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
    alternatives: Tensor | None = None,
) -> Tensor:
    """The squared difference of two distributions, mean over tags and labelled tokens.

    `soft_labels` is (batch, length, tags), a teacher's probabilities. `labels` marks the tokens
    that have them and holds the teachers' tags, which count for `with_tags` by `weights` and
    `alternatives`.
    """
    scored = labels != IGNORED
    probabilities = _log_probabilities(outputs, scored).exp()
    difference = probabilities - soft_labels[scored].to(probabilities.dtype)
    squares = _mean(difference.square().mean(-1), scored, num_items_in_batch)
    if not with_tags:
        return squares
    tags: Tensor = cross_entropy()(
        outputs, labels, num_items_in_batch, weights=weights, alternatives=alternatives
    )
    return squares + tags


def loss_of(settings: FineTune) -> Loss:
    """The loss of these settings."""
    gamma = settings.effective_gamma
    losses: dict[LossName, Loss] = {
        LossName.CE: cross_entropy(),
        LossName.FOCAL: focal(gamma),
        LossName.RW: reweighted(gamma, through_weight=settings.through_weight),
        LossName.GCE: generalised(gamma),
        LossName.MSE: partial(distilled, with_tags=False),
        LossName.MSE_CE: partial(distilled, with_tags=True),
    }
    return losses[settings.loss]
