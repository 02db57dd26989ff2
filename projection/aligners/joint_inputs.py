"""Sentence pairs as the joint model reads them: tokens, the words they make up, the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
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
from projection.models.windows import characters_of, windows
from projection.records import Span
from projection.text.chinese import simplified
from projection.text.words import (
    is_character_language,
    is_chinese,
    tokens_of_words,
    word_spans,
)

WordRange = tuple[int, int]  # half-open range of words
_CONTEXT = 4  # a window repeats up to 1/4 of its subwords from those beside it


class TextInputs(NamedTuple):
    """One text: the positions of each unit's tokens, what each unit reads, the unit of each word.

    A unit is a word, or in a language without spaces the characters of a subword. Units past the
    model's longest input have no tokens.
    """

    tokens: list[list[int]]
    texts: tuple[str, ...]
    unit_of: list[int]

    def units(self, words: WordRange) -> WordRange:
        """The range of units that a range of words touches."""
        start, end = words
        return (self.unit_of[start], self.unit_of[end - 1] + 1) if start < end else (0, 0)


class PairInputs(NamedTuple):
    """One sentence pair; `blocks` and `marks` are as in `JointModel.forward`.

    `entities` are ranges of source units.
    """

    input_ids: list[int]
    blocks: list[int]
    marks: list[int]
    source: TextInputs
    target: TextInputs
    entities: tuple[WordRange, ...]

    @property
    def is_whole(self) -> bool:
        """True if the model reads all of both texts."""
        return all(self.source.tokens) and all(self.target.tokens)


@dataclass(frozen=True)
class Reader:
    """The tokenizer of a joint aligner, and how its model reads a pair."""

    tokenizer: PreTrainedTokenizerBase
    longest: int  # subwords of a window, special ones included
    apart: bool

    @cached_property
    def _ends(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after a text."""
        first, *last = self.tokenizer("")["input_ids"]
        return [first], last

    def pair(
        self,
        texts: tuple[str, str],
        langs: tuple[str, str],
        entities: Sequence[WordRange],
    ) -> PairInputs:
        """The inputs for source and target, given ranges of source words."""
        plain = readable(texts[0], langs[0]), readable(texts[1], langs[1])
        return (self._apart if self.apart else self._together)(plain, langs, entities)

    def needs_windows(self, *texts: str) -> bool:
        """Return whether a text is longer than the model reads at once, if it is read apart."""
        room = self.longest - sum(map(len, self._ends))
        # A character is at most one subword of its own, but for a few that NFKC spells out.
        long = [text for text in texts if 2 * len(text) > room] if self.apart else []
        return any(len(self.places(text)) > room for text in long)

    def places(self, text: str) -> list[tuple[int, int]]:
        """The characters of each token of a text by itself, without special ones."""
        return self._tokens(text)[1]

    def _tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of the tokens of a text, and the characters of each."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids: list[int] = encoded["input_ids"]
        return ids, characters_of(ids, encoded["offset_mapping"], self.tokenizer)

    def _apart(
        self, texts: tuple[str, str], langs: tuple[str, str], entities: Sequence[WordRange]
    ) -> PairInputs:
        blocks, sides = list[list[int]](), []
        first = 0
        for text, lang in zip(texts, langs, strict=True):
            ids, offsets = self._tokens(text)
            side = _text_inputs(text, lang, offsets)
            made, places = self._windows(ids, side.tokens, first)
            first += sum(map(len, made))
            blocks += made
            sides.append(side._replace(tokens=places))
        source, target = sides
        return PairInputs(
            [token for block in blocks for token in block],
            [number for number, block in enumerate(blocks, start=1) for _ in block],
            [PAD_MARK] * first,
            source,
            target,
            tuple(map(source.units, entities)),
        )

    def _windows(
        self, ids: list[int], units: list[list[int]], first: int
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Blocks of token ids, and the place of each unit's tokens; the first place is `first`.

        Each unit is read in the window in which it has the most context.
        """
        begin, end = self._ends
        room = self.longest - len(begin) - len(end)
        if len(ids) <= room:
            return [[*begin, *ids, *end]], [[first + 1 + t for t in unit] for unit in units]
        # White space can have tokens, which are in no unit, and two units can share one.
        starts = accumulate((min(unit, default=0) for unit in units), max)
        extents = (end - start for start, end in pairwise([*starts, len(ids)]))
        sizes = [*map(max, map(len, units), extents)]
        made, places = [], list[list[int]]()
        for window in windows(sizes, room, room // _CONTEXT):
            inside = [token for unit in units[window.start : window.end] for token in unit]
            low = min(inside, default=0)
            block = [*begin, *ids[low : min(max(inside, default=-1) + 1, low + room)], *end]
            for unit in units[window.tag_start : window.tag_end]:
                near = [t - low for t in unit if t - low < room]
                places.append([first + 1 + t for t in near])
            made.append(block)
            first += len(block)
        return made, places

    def _together(
        self, texts: tuple[str, str], langs: tuple[str, str], entities: Sequence[WordRange]
    ) -> PairInputs:
        encoded = self.tokenizer(
            *texts,
            truncation="longest_first",
            max_length=self.longest,
            return_offsets_mapping=True,
        )
        segments = encoded.sequence_ids()
        ids: list[int] = encoded["input_ids"]
        places = characters_of(ids, encoded["offset_mapping"], self.tokenizer)
        tokens = [*zip(segments, places, strict=True)]
        source, target = (
            _text_inputs(
                texts[side],
                langs[side],
                [p if segment == side else (0, 0) for segment, p in tokens],
            )
            for side in (0, 1)
        )
        ranges = tuple(map(source.units, entities))
        marks = [PAD_MARK if s is None else (SOURCE, TARGET)[s] for s in segments]
        for start, end in ranges:
            inside = [token for unit in source.tokens[start:end] for token in unit]
            for token in inside:
                marks[token] = ENTITY_GOES_ON
            for token in inside[:1]:
                marks[token] = ENTITY_BEGINS
        return PairInputs(ids, [1] * len(ids), marks, source, target, ranges)


def readable(text: str, lang: str) -> str:
    """`text` in the script of the model (simplified Chinese), with the same offsets."""
    return simplified(text) if is_chinese(lang) else text


def units_of(
    text: str, lang: str, tokens: Sequence[tuple[int, int]]
) -> tuple[list[Span], list[int]]:
    """The units of a text, given the places of its tokens, and the number of each word's unit."""
    words = word_spans(text, lang)
    if not is_character_language(lang):
        return [*words], [*range(len(words))]
    units, unit_of, last = list[Span](), list[int](), -1
    for word, inside in zip(words, tokens_of_words(words, tokens), strict=True):
        token = inside[-1] if inside else -1
        if token >= 0 and token == last:
            units[-1] = Span(units[-1].start, word.end)
        else:
            units.append(word)
        last = token
        unit_of.append(len(units) - 1)
    return units, unit_of


def _text_inputs(text: str, lang: str, tokens: Sequence[tuple[int, int]]) -> TextInputs:
    units, unit_of = units_of(text, lang, tokens)
    return TextInputs(
        tokens_of_words(units, tokens), tuple(unit.of(text) for unit in units), unit_of
    )


def batch_of(
    pairs: Sequence[PairInputs], grids: Sequence[Grid], pad_token_id: int
) -> dict[str, Tensor]:
    """The arguments of `JointModel.forward`, without labels; `grids` are the pairs' evidence."""
    size = len(pairs)
    tokens = max(len(pair.input_ids) for pair in pairs)
    # At least one word on each side, because a convolution cannot read an empty grid.
    sources = max(1, *(len(pair.source.tokens) for pair in pairs))
    targets = max(1, *(len(pair.target.tokens) for pair in pairs))
    input_ids = np.full((size, tokens), pad_token_id)
    blocks = np.zeros((size, tokens), dtype=np.int64)
    marks = np.full((size, tokens), PAD_MARK)
    source_pool = np.zeros((size, sources, tokens), dtype=np.float32)
    target_pool = np.zeros((size, targets, tokens), dtype=np.float32)
    evidences = np.zeros((size, len(CHANNELS), sources, targets), dtype=np.float32)
    rows, words = [], []
    for row, (pair, grid) in enumerate(zip(pairs, grids, strict=True)):
        length = len(pair.input_ids)
        input_ids[row, :length] = pair.input_ids
        blocks[row, :length] = pair.blocks
        marks[row, :length] = pair.marks
        _fill(source_pool[row], pair.source.tokens)
        _fill(target_pool[row], pair.target.tokens)
        evidences[row, :, : grid.shape[1], : grid.shape[2]] = grid
        for start, end in pair.entities:
            rows.append(row)
            words.append(np.zeros(sources, dtype=np.float32))
            words[-1][start:end] = 1
    return {
        "input_ids": torch.from_numpy(input_ids),
        "blocks": torch.from_numpy(blocks),
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
    return evidence(pair.source.texts, pair.target.texts, lexicon)
