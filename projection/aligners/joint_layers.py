"""The parts of the joint aligner's network that know nothing of encoders or configurations."""

import torch
from torch import Tensor, nn
from torch.nn import functional

IMPOSSIBLE = -1e4
TEMPERATURE = 0.05  # of the similarity of two words, a cosine
CENTRE_WORDS = 4
BORDER_SIZE = 16  # channels of the convolution over the words around a border


class GridReader(nn.Module):
    """A small convolution over the evidence: links of a word's neighbours support its own.

    Returns (batch, 1 + heads, source words, target words): a score of the pair, and an attention
    bias for each head.
    """

    def __init__(self, channels: int, size: int, heads: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, size, 5, padding=2)
        self.join = nn.Conv2d(size, 1 + heads, 5, padding=2)
        self.direct = nn.Conv2d(channels, 1 + heads, 1, bias=False)

    def forward(self, grids: Tensor, pairs: Tensor) -> Tensor:
        """Read grids of (batch, channels, source words, target words).

        `pairs` (batch, 1, source words, target words) is True at words. It masks the padding, so
        that an answer does not depend on the rest of the batch.
        """
        spread = functional.gelu(self.spread(grids)) * pairs
        found: Tensor = self.direct(grids) + self.join(spread)
        return found


class BorderReader(nn.Module):
    """Corrects the log-odds of each target word by those around it, and by what the words are.

    Articles, affixes and punctuation at the border of a phrase belong to an entity or not whatever
    they translate.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.of_target = nn.Linear(hidden, 2 * BORDER_SIZE)
        self.of_entity = nn.Linear(hidden, BORDER_SIZE)
        self.spread = nn.Conv1d(2 + 2 * BORDER_SIZE, 4 * BORDER_SIZE, 5, padding=2)
        self.join = nn.Conv1d(4 * BORDER_SIZE, 1, 3, padding=1)

    def forward(self, beliefs: Tensor, target: Tensor, entities: Tensor, words: Tensor) -> Tensor:
        """Return E × W, to add to the log-odds.

        `beliefs` is E × 2 × W: the log-odds and the agreement of both directions; `target` E × W ×
        hidden, `entities` E × hidden; `words` E × 1 × W is True at words.
        """
        plain, beside = self.of_target(target).transpose(1, 2).split(BORDER_SIZE, dim=1)
        alike = beside * self.of_entity(entities)[..., None]
        read = torch.cat((beliefs, plain, alike), dim=1) * words
        spread = functional.gelu(self.spread(read)) * words
        found: Tensor = self.join(spread)[:, 0]
        return found


def similarity(
    source: Tensor, target: Tensor, is_source: Tensor, is_target: Tensor, centre: Tensor
) -> Tensor:
    """B × 2 × S × W: cosines around the mean of all words, by `TEMPERATURE`, and their agreement.

    In the mean `centre` counts as much as `CENTRE_WORDS` words: that of two words alone would say
    nothing. The agreement is the geometric mean of both directions' softmax.
    """
    count = is_source.sum(-1) + is_target.sum(-1) + CENTRE_WORDS
    mean = (source.sum(1) + target.sum(1) + CENTRE_WORDS * centre) / count[:, None]
    here, there = (functional.normalize(side - mean[:, None], dim=-1) for side in (source, target))
    pairs = is_source[:, :, None] & is_target[:, None]
    scaled = here @ there.transpose(1, 2) / TEMPERATURE
    masked = scaled.masked_fill(~pairs, IMPOSSIBLE)
    agreed = ((masked.log_softmax(1) + masked.log_softmax(2)) / 2).exp()
    return torch.stack((scaled, agreed), dim=1) * pairs[:, None]


def attention_bias(
    grid: Tensor, source_pool: Tensor, target_pool: Tensor, attention_mask: Tensor
) -> Tensor:
    """B × heads × T × T to add to the attention scores: `grid` in both directions, over tokens.

    Without heads in `grid` (B × heads × S × W), the plain mask.
    """
    if grid.shape[1] == 0:
        return attention_mask
    of_source, of_target = (
        (pool > 0).to(grid.dtype)[:, None] for pool in (source_pool, target_pool)
    )
    across = of_source.transpose(2, 3) @ grid @ of_target
    hidden = (1 - attention_mask[:, None, None].to(grid.dtype)) * IMPOSSIBLE
    return across + across.transpose(2, 3) + hidden


def agreement_of(forward: Tensor, backward: Tensor, rows: Tensor, words: Tensor) -> Tensor:
    """E × W: √(p(source|target) · p(target|source)) summed over the entity's words, at most 1."""
    both = (forward[:, :, 1:] + backward[:, :, 1:].transpose(1, 2)).div(2).exp()
    return (both[rows] @ words[..., None])[..., 0].clamp(max=1)


def span_loss(logits: Tensor, labels: Tensor, trust: Tensor) -> Tensor:
    """Binary cross-entropy, summed over words, averaged over entities."""
    if not len(labels):
        return logits.sum()
    known = labels >= 0
    loss = functional.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0).float(), reduction="none"
    )
    mean: Tensor = ((loss * known).sum(-1) * trust).sum() / trust.sum().clamp(min=1e-6)
    return mean


def link_loss(forward: Tensor, backward: Tensor, links: Tensor, trust: Tensor) -> Tensor:
    """Cross-entropy of linked words in both directions."""

    def missing(beliefs: Tensor, linked: Tensor) -> Tensor:
        given = beliefs.masked_fill(~linked, IMPOSSIBLE).logsumexp(-1)
        known = linked.any(-1) * trust[:, None]
        mean: Tensor = -(given * known).sum() / known.sum().clamp(min=1)
        return mean

    linked = links.bool()
    return missing(forward, linked.transpose(1, 2)[:, 1:]) + missing(backward, linked[:, 1:])
