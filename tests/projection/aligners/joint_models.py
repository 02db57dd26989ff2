"""Tiny joint models: of every kind of encoder, and one whose answers can be told by looking."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from projection.aligners.joint import JointAligner
from projection.aligners.joint_network import JointConfig, JointModel
from projection.aligners.lexical_evidence import CHANNELS, Lexicon

Model = TypeVar("Model", bound=nn.Module)

LONGEST = 160  # positions, as many as the tests' tokenizer reads
HEADS = 4
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "intermediate_size": 24,
    "max_position_embeddings": LONGEST + 2,
}
DISTILBERT = {
    "dim": 16,
    "n_layers": 2,
    "n_heads": HEADS,
    "hidden_dim": 24,
    "max_position_embeddings": LONGEST,
}
DEBERTA = {
    **BERT,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "bert": BERT,
    "electra": {**BERT, "embedding_size": 12},
    "roberta": {**BERT, "pad_token_id": 0},
    "xlm-roberta": {**BERT, "pad_token_id": 0},
    "camembert": {**BERT, "pad_token_id": 0},
    "distilbert": DISTILBERT,
    "deberta-v2": DEBERTA,
}
PIECES = (
    "▁",
    *"abcdeABC北京在大学。",
    "▁北京",
    "北京",
    "大学",
    "▁서울",
    "을",
    "▁กรุงเทพ",
    "มหา",
    "東京",
)
LEXICON, SPELLING, DIAGONAL = map(CHANNELS.index, ("lexicon", "spelling", "diagonal"))


def tiny_model(
    kind: str, vocab_size: int, lexicon: Lexicon, seed: int = 0, *, apart: bool = False
) -> JointModel:
    """An untrained model on an encoder of that kind, fit to be compared: it draws no dropout."""
    torch.manual_seed(seed)
    encoder = {"model_type": kind, "vocab_size": vocab_size, **KINDS[kind]}
    model = JointModel(JointConfig(encoder, head_size=12, grid_size=4, apart=apart))
    model.lexicon = lexicon
    return model.eval()


def shaken(model: Model, by: float = 0.2) -> Model:
    """The model with every weight moved, so that none of them is without effect."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights), alpha=by)
    return model


def plain_model(vocab_size: int, lexicon: Lexicon, *, apart: bool = False) -> JointModel:
    """A model that goes by the evidence alone, of which it makes nothing yet.

    All weights are 0 but those of norms and the one that lets word scores speak.
    """
    model = tiny_model("bert", vocab_size, lexicon, apart=apart)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        model.balance[0] = 1.0
    return model


def telling_aligner(
    tokenizer: PreTrainedTokenizerFast, lexicon: Lexicon, *, apart: bool = False
) -> JointAligner:
    """An aligner that links words of the lexicon and words spelt alike, the nearer ones first."""
    model = plain_model(len(tokenizer), lexicon, apart=apart)
    with torch.no_grad():
        weights = model.grid.direct.weight[0, :, 0, 0]
        weights[LEXICON] = weights[SPELLING] = 20.0
        weights[DIAGONAL] = 4.0
        model.nulls.bias.fill_(12.0)
        model.reverse_nulls.bias.fill_(12.0)
    return JointAligner(model, tokenizer)


def encoder_folder(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A checkpoint of nothing but an encoder, where training starts."""
    encoder = {"vocab_size": len(tokenizer), **BERT}
    AutoModel.from_config(AutoConfig.for_model("bert", **encoder)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def piece_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer as SentencePiece makes them, of `PIECES`; white space can be a token of its own.

    Longer pieces are preferred.
    """
    special = ("<s>", "<pad>", "</s>", "<unk>")
    scores = [*((piece, 0.0) for piece in special), *((piece, -1.0) for piece in PIECES)]
    backend = Tokenizer(models.Unigram(scores, 3, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=LONGEST,
        bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>",
    )  # fmt: skip
