"""Sentence pairs as the joint model reads them: tokens, the words they make up, the evidence."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from projection.aligners.joint_network import (
    ENTITY_BEGINS,
    ENTITY_GOES_ON,
    PAD_MARK,
    SOURCE,
    TARGET,
)
from projection.aligners.lexical_evidence import CHANNELS, Grid, Lexicon, evidence
from projection.text.chinese import simplified
from projection.text.words import is_chinese, tokens_of_words, word_spans

WordRange = tuple[int, int]  # half-open range of words


class PairInputs(NamedTuple):
    """One sentence pair.

    `source_words` and `target_words` hold, for every word, the positions of its tokens; words past
    the model's longest input have none. `entities` are ranges of source words.
    """

    input_ids: list[int]
    marks: list[int]
    source_words: list[list[int]]
    target_words: list[list[int]]
    entities: tuple[WordRange, ...]
    source_texts: tuple[str, ...]
    target_texts: tuple[str, ...]


def readable(text: str, lang: str) -> str:
    """`text` in the script of the model (simplified Chinese), with the same offsets."""
    return simplified(text) if is_chinese(lang) else text


def pair_inputs(
    source: str,
    target: str,
    target_lang: str,
    entities: Sequence[WordRange],
    *,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    source_lang: str = "en",
) -> PairInputs:
    """Tokenise a pair and mark the entities in its source."""
    source, target = readable(source, source_lang), readable(target, target_lang)
    spans = word_spans(source, source_lang), word_spans(target, target_lang)
    encoded = tokenizer(
        source,
        target,
        truncation="longest_first",
        max_length=max_length,
        return_offsets_mapping=True,
    )
    segments = encoded.sequence_ids()
    tokens = [*zip(segments, encoded["offset_mapping"], strict=True)]
    source_words, target_words = (
        tokens_of_words(
            spans[side], [place if segment == side else (0, 0) for segment, place in tokens]
        )
        for side in (0, 1)
    )
    marks = [PAD_MARK if s is None else (SOURCE, TARGET)[s] for s in segments]
    for start, end in entities:
        inside = [token for word in source_words[start:end] for token in word]
        for token in inside:
            marks[token] = ENTITY_GOES_ON
        for token in inside[:1]:
            marks[token] = ENTITY_BEGINS
    return PairInputs(
        encoded["input_ids"],
        marks,
        source_words,
        target_words,
        tuple(entities),
        tuple(span.of(source) for span in spans[0]),
        tuple(span.of(target) for span in spans[1]),
    )


def batch_of(
    pairs: Sequence[PairInputs], grids: Sequence[Grid], pad_token_id: int
) -> dict[str, Tensor]:
    """The arguments of `JointModel.forward`, without labels; `grids` are the pairs' evidence."""
    size = len(pairs)
    tokens = max(len(pair.input_ids) for pair in pairs)
    # At least one word on each side, because a convolution cannot read an empty grid.
    sources = max(1, *(len(pair.source_words) for pair in pairs))
    targets = max(1, *(len(pair.target_words) for pair in pairs))
    input_ids = np.full((size, tokens), pad_token_id)
    attention = np.zeros((size, tokens), dtype=np.int64)
    marks = np.full((size, tokens), PAD_MARK)
    source_pool = np.zeros((size, sources, tokens), dtype=np.float32)
    target_pool = np.zeros((size, targets, tokens), dtype=np.float32)
    evidences = np.zeros((size, len(CHANNELS), sources, targets), dtype=np.float32)
    rows, words = [], []
    for row, (pair, grid) in enumerate(zip(pairs, grids, strict=True)):
        length = len(pair.input_ids)
        input_ids[row, :length] = pair.input_ids
        attention[row, :length] = 1
        marks[row, :length] = pair.marks
        _fill(source_pool[row], pair.source_words)
        _fill(target_pool[row], pair.target_words)
        evidences[row, :, : grid.shape[1], : grid.shape[2]] = grid
        for start, end in pair.entities:
            rows.append(row)
            words.append(np.zeros(sources, dtype=np.float32))
            words[-1][start:end] = 1
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(attention),
        "marks": torch.from_numpy(marks),
        "source_pool": torch.from_numpy(source_pool),
        "target_pool": torch.from_numpy(target_pool),
        "evidence": torch.from_numpy(evidences),
        "entity_rows": torch.tensor(rows, dtype=torch.long),
        "entity_words": torch.from_numpy(np.array(words, dtype=np.float32).reshape(-1, sources)),
    }


def _fill(pool: Grid, words: Sequence[Sequence[int]]) -> None:
    """Give every token its weight in the mean of its word."""
    for number, tokens in enumerate(words):
        if tokens:
            pool[number, tokens] = 1 / len(tokens)


def evidence_of(pair: PairInputs, lexicon: Lexicon) -> Grid:
    """The evidence between the words of a pair."""
    return evidence(pair.source_texts, pair.target_texts, lexicon)
