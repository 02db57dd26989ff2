"""Sentences of words as model inputs.

Sentences longer than a model reads are cut into overlapping windows that tag every word once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase


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
    return tokenizer(list(tokens), is_split_into_words=True, verbose=False, **limits)


def _piece(index: int, encoding: Any, window: Window, *, windowed: bool) -> Piece:
    seen: dict[int, int] = {}
    for position, word in enumerate(encoding.word_ids()):
        if word is not None and window.tag_start <= window.start + word < window.tag_end:
            seen.setdefault(window.start + word, position)
    return Piece(index, dict(encoding), list(seen.items()), windowed)
