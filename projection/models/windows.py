"""Sentences of words as model inputs.

Sentences longer than a model reads are cut into overlapping windows that tag every word once. Token
types can tell a model the letter case that its vocabulary lacks (`WORD_CASE`).
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import regex
from transformers import PreTrainedTokenizerBase

WORD_CASE = "word_case"
"""Set in a tokenizer's `init_kwargs` (and thereby in its tokenizer_config.json) if the model was
trained with the `WordCase` of each subword as its token type."""

_RUN = regex.compile(r"[\p{L}\p{N}\p{M}]+")


class WordCase(IntEnum):
    """The letter case of a run of letters and digits, as token types of an uncased model."""

    OTHER = 0  # lower case, digits, punctuation, scripts without case; special tokens, too
    CAPITALISED = 1
    CAPITALS = 2  # two or more, no small letter
    MIXED = 3  # iPhone, McDonald

    @classmethod
    def of(cls, run: str) -> "WordCase":
        """The case of `run`; characters without case do not count."""
        large = [not letter.islower() for letter in run if letter.lower() != letter.upper()]
        if not any(large):
            return cls.OTHER
        if not any(large[1:]):
            return cls.CAPITALISED if large[0] else cls.MIXED
        return cls.CAPITALS if all(large) else cls.MIXED


@lru_cache(maxsize=65_536)
def letter_cases(word: str) -> tuple[WordCase, ...]:
    """For each character of `word`, the case of its run of letters and digits.

    So a text has the same cases whether its words were split at punctuation or not.
    """
    cases = [WordCase.OTHER] * len(word)
    for run in _RUN.finditer(word):
        cases[run.start() : run.end()] = [WordCase.of(run.group())] * len(run.group())
    return tuple(cases)


class Window(NamedTuple):
    """Words `[start, end)` are read, words `[tag_start, tag_end)` of them are tagged."""

    start: int
    end: int
    tag_start: int
    tag_end: int


class Piece(NamedTuple):
    """A window of sentence `sentence`, ready for a model.

    `first_subwords` holds (word of the sentence, position in `inputs`) of each word to tag that has
    a subword. `windowed` is True if the sentence has other pieces.
    """

    sentence: int
    inputs: dict[str, list[int]]
    first_subwords: list[tuple[int, int]]
    windowed: bool

    @property
    def length(self) -> int:
        """Subwords, special ones included."""
        return len(self.inputs["input_ids"])


def windows(sizes: Sequence[int], room: int, context: int) -> list[Window]:
    """Cover words of `sizes` subwords by windows of at most `room` subwords.

    A word is tagged in exactly one window, with up to `context` subwords around it. A word larger
    than `room` gets a window that cuts it.
    """
    sizes = [min(size, room) for size in sizes]
    count, done, found = len(sizes), 0, []
    while done < count:
        start = done
        while start > 0 and sum(sizes[start - 1 : done]) <= context:
            start -= 1
        while sum(sizes[start : done + 1]) > room:
            start += 1
        end = done + 1
        while end < count and sum(sizes[start : end + 1]) <= room:
            end += 1
        tag_end = end
        while end < count and tag_end > done + 1 and sum(sizes[tag_end - 1 : end]) <= context:
            tag_end -= 1
        found.append(Window(start, end, done, tag_end))
        done = tag_end
    return found


def pieces(
    sentences: Sequence[Sequence[str]], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Piece]:
    """Tokenise sentences of words into model inputs of at most `max_length` subwords each."""
    room = max_length - tokenizer.num_special_tokens_to_add()
    made: list[Piece] = []
    for index, tokens in enumerate(sentences):
        if not tokens:
            continue
        encoding = _encode(tokens, tokenizer)
        if len(encoding["input_ids"]) <= max_length:
            whole = Window(0, len(tokens), 0, len(tokens))
            made.append(_piece(index, encoding, whole, windowed=False))
            continue
        sizes = [0] * len(tokens)
        for word in encoding.word_ids():
            if word is not None:
                sizes[word] += 1
        for window in windows(sizes, room, context=room // 4):
            part = tokens[window.start : window.end]
            cut = _encode(part, tokenizer, truncation=True, max_length=max_length)
            made.append(_piece(index, cut, window, windowed=True))
    return made


def _encode(tokens: Sequence[str], tokenizer: PreTrainedTokenizerBase, **limits: Any) -> Any:
    cased = bool(tokenizer.init_kwargs.get(WORD_CASE))
    encoding = tokenizer(
        list(tokens),
        is_split_into_words=True,
        return_offsets_mapping=cased,
        verbose=False,
        **limits,
    )
    if cased:  # the case at the first character of each subword
        offsets = encoding.pop("offset_mapping")
        encoding["token_type_ids"] = [
            WordCase.OTHER.value if word is None else letter_cases(tokens[word])[start].value
            for word, (start, _) in zip(encoding.word_ids(), offsets, strict=True)
        ]
    return encoding


def _piece(index: int, encoding: Any, window: Window, *, windowed: bool) -> Piece:
    seen: dict[int, int] = {}
    for position, word in enumerate(encoding.word_ids()):
        if word is not None and window.tag_start <= window.start + word < window.tag_end:
            seen.setdefault(window.start + word, position)
    return Piece(index, dict(encoding), list(seen.items()), windowed)
