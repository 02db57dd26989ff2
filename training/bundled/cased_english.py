"""An English encoder that sees letter case again, for a small English teacher.

The body and the uncased WordPiece vocabulary of a small English BERT are kept. The case of each
word is given back as its token type (`projection.models.windows.WordCase`), and pieces that running
English seldom uses are left out of the vocabulary.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
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
from projection.io.files import read_lines
from projection.models.checkpoints import load_checkpoint, quiet
from projection.models.windows import WORD_CASE, WordCase

LONGEST = 256  # subwords
CONTINUES = "##"
PORTION = 1_000  # texts to a batch of the tokenizer

WORDS = "embeddings.word_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"


def make_cased_english(
    texts: Iterable[str], english_path: Path, out: Path, vocabulary: int = 20_000
) -> int:
    """Write the encoder and its tokenizer to the folder `out`.

    Args:
        texts: running English, which says what pieces are worth their place.
        english_path: folder of a BERT encoder with a WordPiece vocabulary.
        out: a new folder.
        vocabulary: pieces to keep, as in `frequent_pieces`.

    Returns:
        The size of the vocabulary.

    Raises:
        TrainingError: if `out` exists or the English vocabulary is not WordPiece.
        ModelError: if there is no English encoder.
    """
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")
    english, uncased = load_checkpoint(BertModel, english_path, add_pooling_layer=False)
    if type(_backend(uncased).model) is not WordPiece:
        raise TrainingError(
            str(english_path), "its vocabulary is not WordPiece", "Give an English BERT"
        )
    kept = frequent_pieces(texts, uncased, vocabulary)
    with quiet():
        with_case(english, kept).save_pretrained(out)
        pruned(uncased, kept).save_pretrained(out)
    return len(kept)


def frequent_pieces(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, most: int
) -> list[int]:
    """The numbers of at most `most` pieces, rising; fewer if `texts` use fewer.

    They are the special ones, every single character, whatever their number, and the pieces most
    frequent in `texts`. A word whose piece is left out falls into smaller ones: WordPiece cannot
    fail at what has all its characters.
    """
    kept = set(tokenizer.all_special_ids) | {
        number
        for piece, number in tokenizer.get_vocab().items()
        if len(piece.removeprefix(CONTINUES)) == 1
    }
    ranked = [number for number, _ in _piece_counts(texts, tokenizer).most_common()]
    rest = [number for number in ranked if number not in kept]
    return sorted(kept | {*rest[: max(most - len(kept), 0)]})


def _piece_counts(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Counter[int]:
    rest, counts = iter(texts), Counter[int]()
    while portion := list(islice(rest, PORTION)):
        encoded = tokenizer(portion, add_special_tokens=False, verbose=False)
        counts.update(number for row in encoded["input_ids"] for number in row)
    return counts


def pruned(tokenizer: PreTrainedTokenizerBase, kept: list[int]) -> PreTrainedTokenizerFast:
    """The same WordPiece tokenizer with the pieces `kept`, numbered anew in their order.

    It carries the mark that makes `projection.models.windows` tell the model of letter case.
    """
    renumbered = {old: new for new, old in enumerate(kept)}
    form = json.loads(_backend(tokenizer).to_str()) | {"truncation": None, "padding": None}
    form["model"]["vocab"] = {
        piece: renumbered[number]
        for piece, number in form["model"]["vocab"].items()
        if number in renumbered
    }
    for token in form["added_tokens"]:
        token["id"] = renumbered[token["id"]]
    _renumber_special(form["post_processor"], renumbered)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(form)),
        model_max_length=LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **tokenizer.special_tokens_map,
        **{WORD_CASE: True},
    )


def with_case(english: PreTrainedModel, kept: list[int]) -> BertModel:
    """The encoder with the rows `kept` of its word embeddings, and a token type for each case.

    All types start as the first: at first the model answers as it did without case.
    """
    config = BertConfig(
        **english.config.to_dict() | {"vocab_size": len(kept), "type_vocab_size": len(WordCase)}
    )
    weights: dict[str, Tensor] = dict(english.state_dict())
    weights[WORDS] = weights[WORDS][torch.tensor(kept)]
    weights[TYPES] = weights[TYPES][:1].repeat(len(WordCase), 1)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(weights)
    return model


def lines(paths: Iterable[Path]) -> Iterator[str]:
    """Every line of the text files.

    Raises:
        CorpusError: naming the file, and the line if it is not UTF-8.
    """
    for path in paths:
        for _, line in read_lines(path):
            yield line


def _backend(tokenizer: PreTrainedTokenizerBase) -> Any:
    return tokenizer.backend_tokenizer


def _renumber_special(post_processor: Any, renumbered: dict[int, int]) -> None:
    """In the tokenizer's JSON, the special tokens that are put around a sentence."""
    for token in post_processor["special_tokens"].values():
        token["ids"] = [renumbered[number] for number in token["ids"]]
