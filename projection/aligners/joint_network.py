"""The network of the context-joint aligner: all entities of a sentence pair in one pass.

    source ── encoder ── words ┐
                               ├─ word × word scores ── entity × word scores ── borders
    target ── encoder ── words ┘         ↑
              evidence and similarity, read by a small convolution

Every target word has a distribution over the source words and a null word; its mass inside an
entity counts for the entity, so entities compete for each word. Source words have the same over
target words; where both directions agree the answer is more reliable.

Each sentence is encoded by itself (`apart`): an encoder that knows many languages places words that
translate each other near one another, and a text of any length can be read in windows. One that
does not reads both sentences at once, with the entities marked and the evidence as a bias of its
attention, as the models before 0.2 do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from projection.aligners.joint_layers import (
    IMPOSSIBLE,
    BorderReader,
    GridReader,
    agreement_of,
    attention_bias,
    link_loss,
    similarity,
    span_loss,
)
from projection.aligners.lexical_evidence import CHANNELS, Lexicon
from projection.models.checkpoints import first_position
from projection.models.computing import by_length, tokens_at_once

MODEL_TYPE = "spanferry-joint"

# The marks of tokens, added to their embeddings.
PAD_MARK, SOURCE, TARGET, ENTITY_BEGINS, ENTITY_GOES_ON = range(5)
# Encoders whose attention takes an additive bias for every head and pair of tokens.
BIASED_ATTENTION = frozenset({"bert", "electra", "roberta", "xlm-roberta", "camembert"})
SPAN_WEIGHT, LINK_WEIGHT = 0.25, 1.0
LEXICAL = len(CHANNELS)


class JointConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The encoder's configuration, the sizes of the rest, and the aligner's saved settings."""

    model_type = MODEL_TYPE

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        *,
        head_size: int = 192,
        grid_size: int = 16,
        apart: bool = False,
        lexicon_size: int = 0,
        decoding: dict[str, Any] | None = None,
        calibration: dict[str, Any] | None = None,
        languages: list[str] | None = None,
        **rest: Any,
    ) -> None:
        self.encoder = encoder or {"model_type": "bert"}
        self.head_size = head_size
        self.grid_size = grid_size
        self.apart = apart
        self.lexicon_size = lexicon_size
        self.decoding = decoding
        self.calibration = calibration
        self.languages = languages
        super().__init__(**rest)


@dataclass
class JointOutput(ModelOutput):
    """The output for a batch: entities × target words."""

    loss: Tensor | None = None
    logits: Tensor | None = None  # log-odds that the word belongs to the entity
    agreement: Tensor | None = None  # of both directions, in [0, 1]


class JointModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Any encoder with the evidence and the two directions of word scores."""

    centre: Tensor

    config_class = JointConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True

    def __init__(self, config: JointConfig) -> None:
        super().__init__(config)
        inner: PreTrainedConfig = AutoConfig.for_model(**config.encoder)
        auto: Any = AutoModel  # whose methods have no types
        pooled = inner.model_type in BIASED_ATTENTION - {"electra"}  # nothing here uses the pooler
        self.encoder = auto.from_config(inner, **({"add_pooling_layer": False} if pooled else {}))
        hidden, width = inner.hidden_size, config.head_size
        biased = inner.model_type in BIASED_ATTENTION and not config.apart
        heads = inner.num_attention_heads if biased else 0
        channels = LEXICAL + (2 if config.apart else 0)
        self.grid = GridReader(channels, config.grid_size, heads)
        if config.apart:
            self.borders = BorderReader(hidden)
            self.register_buffer("centre", torch.zeros(hidden))  # the mean of words in general
        else:
            self.marks = nn.Embedding(5, self.encoder.get_input_embeddings().embedding_dim)
        self.as_target = nn.Linear(hidden, width)
        self.as_source = nn.Linear(hidden, width)
        self.nulls = nn.Linear(width, 1)  # a target word's score for having no source word
        self.reverse_nulls = nn.Linear(width, 1)
        self.member = nn.Linear(hidden, width)
        self.entity = nn.Linear(hidden, width)
        self.balance = nn.Parameter(torch.tensor([1.0, 0.0]))  # of word scores, and in general
        size = config.lexicon_size
        self.register_buffer("lexicon_keys", torch.zeros(size, dtype=torch.int32))
        self.register_buffer("lexicon_checks", torch.zeros(size, dtype=torch.uint8))
        self.register_buffer("lexicon_ties", torch.zeros(size, dtype=torch.uint8))
        self.post_init()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding) and module is getattr(self, "marks", None):
            nn.init.zeros_(module.weight)
        elif module is self.grid.join:
            nn.init.zeros_(module.weight)
            nn.init.zeros_(self.grid.join.bias)  # type: ignore[arg-type]  # it has one
        elif module is self.grid.direct:
            # Lexicon and spelling count from the first step on, but only in every third head.
            nn.init.zeros_(module.weight)
            module.weight[0, :3] = 4.0
            module.weight[0, 3] = 1.0
            module.weight[1::3, :4] = 4.0
            module.weight[0, LEXICAL:] = 1.0  # the similarity, by its temperature
        elif self.config.apart and module in (self.as_source, self.member, self.borders.join):
            # The similarity is a good start: what is learned begins with no effect.
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon in the buffers."""
        buffers = (self.lexicon_keys, self.lexicon_checks, self.lexicon_ties)
        return Lexicon(*(buffer.cpu().numpy() for buffer in buffers))

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon) -> None:
        self.config.lexicon_size = len(lexicon)
        self.lexicon_keys = torch.from_numpy(lexicon.keys)
        self.lexicon_checks = torch.from_numpy(lexicon.checks)
        self.lexicon_ties = torch.from_numpy(lexicon.ties)

    def forward(  # noqa: PLR0917  the Trainer passes a batch by name
        self,
        input_ids: Tensor,
        blocks: Tensor,
        marks: Tensor,
        source_pool: Tensor,
        target_pool: Tensor,
        evidence: Tensor,
        entity_rows: Tensor,
        entity_words: Tensor,
        labels: Tensor | None = None,
        links: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> JointOutput:
        """Score every target word against every entity of its sentence.

        With B sentence pairs, T tokens, S source words, W target words, E entities in all:

        Args:
            input_ids: B × T.
            blocks: B × T, the number of the text or window a token is in, 0 for padding.
            marks: B × T, what each token is.
            source_pool: B × S × T, rows that average the tokens of a word; zero rows are no words.
            target_pool: B × W × T.
            evidence: B × channels × S × W.
            entity_rows: E, the pair each entity belongs to.
            entity_words: E × S, 1 at the entity's words.
            labels: E × W, 1 at the words that translate the entity, 0 elsewhere, -100 no word.
            links: B × (S + 1) × (W + 1), 1 at linked words; row and column 0 are the null words.
            weights: B, how much each pair counts in the loss.
        """
        is_source, is_target = source_pool.sum(-1) > 0, target_pool.sum(-1) > 0
        pairs = (is_source[:, :, None] & is_target[:, None])[:, None]
        if self.config.apart:
            hidden = self.encoded_apart(input_ids, blocks)
            source, target = source_pool @ hidden, target_pool @ hidden
            alike = similarity(source, target, is_source, is_target, self.centre)
            grid = self.grid(torch.cat((evidence, alike), dim=1), pairs)
        else:
            grid = self.grid(evidence, pairs)
            embedded = self.encoder.get_input_embeddings()(input_ids) + self.marks(marks)
            seen = (blocks > 0).to(embedded.dtype)
            hidden = self.encoder(
                inputs_embeds=embedded,
                attention_mask=attention_bias(grid[:, 1:], source_pool, target_pool, seen),
            ).last_hidden_state.float()
            source, target = source_pool @ hidden, target_pool @ hidden
        forward, backward = self._word_scores(
            source, target, grid[:, 0].float(), is_source, is_target
        )
        agreement = agreement_of(forward, backward, entity_rows, entity_words)
        logits = self._entity_logits(
            forward, agreement, source, target, is_target, entity_rows, entity_words
        )
        loss = None
        if labels is not None:
            trust = forward.new_ones(len(input_ids)) if weights is None else weights
            loss = SPAN_WEIGHT * span_loss(logits, labels, trust[entity_rows])
            if links is not None:
                loss = loss + LINK_WEIGHT * link_loss(forward, backward, links, trust)
        return JointOutput(loss=loss, logits=logits, agreement=agreement)

    @torch.no_grad()
    def centre_of(self, input_ids: Tensor, blocks: Tensor, pools: Sequence[Tensor]) -> Tensor:
        """The mean of the words of sentence pairs, whose `pools` are as in `forward`."""
        hidden = self.encoded_apart(input_ids, blocks)
        words = [(pool @ hidden)[pool.sum(-1) > 0] for pool in pools]
        return torch.cat(words).mean(0)

    def encoded_apart(self, input_ids: Tensor, blocks: Tensor) -> Tensor:
        """B × T × hidden: each block by itself, beside others of about its length."""
        real = blocks > 0
        pairs = torch.arange(len(blocks), device=blocks.device)[:, None]
        numbers = (pairs * (blocks.max() + 1) + blocks)[real]
        sizes: list[int] = torch.unique_consecutive(numbers, return_counts=True)[1].tolist()
        texts = torch.split(input_ids[real], sizes)
        encoded: dict[int, Tensor] = {}
        tokens = tokens_at_once(input_ids.device)
        for rows in by_length(range(len(texts)), sizes.__getitem__, tokens):
            states = self._encoded([texts[row] for row in rows])
            encoded |= {row: state[: sizes[row]] for row, state in zip(rows, states, strict=True)}
        found = torch.cat([encoded[row] for row in range(len(texts))]).float()
        hidden = found.new_zeros((*blocks.shape, found.shape[-1]))
        hidden[real] = found
        return hidden

    def _encoded(self, texts: Sequence[Tensor]) -> Tensor:
        """Texts × subwords of the longest one × hidden."""
        padding = float(self.encoder.config.pad_token_id or 0)
        ids = pad_sequence([*texts], batch_first=True, padding_value=padding)
        ones = [torch.ones_like(text) for text in texts]
        # Without a mask, attention is faster.
        mask = None if len({*map(len, texts)}) == 1 else pad_sequence(ones, batch_first=True)
        places = torch.arange(ids.shape[1], device=ids.device)[None] + first_position(self.encoder)
        hidden: Tensor = self.encoder(
            input_ids=ids, attention_mask=mask, position_ids=places
        ).last_hidden_state
        return hidden

    def _word_scores(
        self, source: Tensor, target: Tensor, grid: Tensor, is_source: Tensor, is_target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities B × W × (1 + S) and B × S × (1 + W); index 0 is the null word."""
        queries, keys = self.as_target(target), self.as_source(source)
        pairs = keys @ queries.transpose(1, 2) / keys.shape[-1] ** 0.5 + grid
        forward = pairs.transpose(1, 2).masked_fill(~is_source[:, None], IMPOSSIBLE)
        backward = pairs.masked_fill(~is_target[:, None], IMPOSSIBLE)
        return (
            torch.cat((self.nulls(queries), forward), -1).log_softmax(-1),
            torch.cat((self.reverse_nulls(keys), backward), -1).log_softmax(-1),
        )

    def _entity_logits(  # noqa: PLR0917  seven parts of one computation
        self,
        forward: Tensor,
        agreement: Tensor,
        source: Tensor,
        target: Tensor,
        is_target: Tensor,
        rows: Tensor,
        words: Tensor,
    ) -> Tensor:
        """E × W: log-odds of the word scores inside the entity, plus a bilinear score of both."""
        inside = functional.pad(words, (1, 0)).bool()[:, None]  # E × 1 × (1 + S)
        beliefs = forward[rows]
        mine = beliefs.masked_fill(~inside, IMPOSSIBLE).logsumexp(-1)
        others = beliefs.masked_fill(inside, IMPOSSIBLE).logsumexp(-1)
        sizes = words.sum(-1).clamp(min=1)  # an entity of nothing but white space has no words
        entities = words[:, None] @ source[rows] / sizes[:, None, None]
        joined = self.member(target)[rows] @ self.entity(entities).transpose(1, 2)
        whole = joined[..., 0] / self.config.head_size**0.5
        logits: Tensor = self.balance[0] * (mine - others) + whole + self.balance[1]
        if self.config.apart:
            read = torch.stack((logits.clamp(-10, 10), agreement), dim=1)
            of_words = is_target[rows][:, None]
            logits = logits + self.borders(read, target[rows], entities[:, 0], of_words)
        return logits


AutoConfig.register(MODEL_TYPE, JointConfig)
AutoModel.register(JointConfig, JointModel)
