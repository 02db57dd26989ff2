"""Sentences of words as model inputs.

Sentences longer than a model reads are cut into overlapping windows that tag every word once.

Where no spaces part words, each character is one (`projection.text.words`). A model reads them
joined, as in running text; the characters of a subword are then tagged alike.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import regex
from transformers import PreTrainedTokenizerBase

# Scripts without spaces between words, with the punctuation of East Asia.
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"\u3001-\u303f\uff01-\uff65]"
)
_BLANK = "\u2581"  # of sentence pieces


class Window(NamedTuple):
    """Words `[start, end)` are read, words `[tag_start, tag_end)` of them are tagged."""

    start: int
    end: int
    tag_start: int
    tag_end: int


class Piece(NamedTuple):
    """A window of sentence `sentence`, ready for a model.

    `first_subwords` holds (word of the sentence, position in `inputs`) of each word to tag that has
    a subword; words (characters) of one subword share its position. `windowed` is True if the
    sentence has other pieces.
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
        inputs, places = _encode(tokens, tokenizer)
        if len(inputs["input_ids"]) <= max_length:
            whole = Window(0, len(tokens), 0, len(tokens))
            made.append(_piece(index, inputs, places, whole, windowed=False))
            continue
        sizes = [0] * len(tokens)
        for words in places:
            for word in words[:1]:
                sizes[word] += 1
        for window in windows(sizes, room, context=room // 4):
            part = tokens[window.start : window.end]
            cut = _encode(part, tokenizer, truncation=True, max_length=max_length)
            made.append(_piece(index, *cut, window, windowed=True))
    return made


def characters_of(
    ids: Sequence[int], places: Sequence[tuple[int, int]], tokenizer: PreTrainedTokenizerBase
) -> list[tuple[int, int]]:
    """The characters of each token, none of one that stands for the blank before a word.

    Tokenizers give it the blank or the first letter. At the start of a text it is of the word.
    """
    blank = tokenizer.convert_tokens_to_ids(_BLANK)
    if blank == tokenizer.unk_token_id:
        return [*places]
    return [
        (start, start) if token == blank and start > 0 else (start, end)
        for token, (start, end) in zip(ids, places, strict=True)
    ]


def _encode(
    tokens: Sequence[str], tokenizer: PreTrainedTokenizerBase, **limits: Any
) -> tuple[dict[str, list[int]], list[range]]:
    """The inputs of a sentence, and the words in each subword, none in special ones."""
    joined = [*_joined(tokens)]
    texts = ["".join(tokens[i] for i in words) for words in joined]
    encoding = tokenizer(texts, is_split_into_words=True, verbose=False, **limits)
    places = [range(0)] * len(encoding["input_ids"])
    # Of each character of a joined text, the word; a single word needs no such table.
    owners = [[i for i in words for _ in tokens[i]] if len(words) > 1 else [] for words in joined]
    for position, text in enumerate(encoding.word_ids()):
        if text is None:
            continue
        places[position] = joined[text]
        if owner := owners[text]:
            inside = encoding.token_to_chars(position)
            last = max(inside.start, inside.end - 1)
            places[position] = range(owner[inside.start], owner[last] + 1)
    return dict(encoding), places


def _joined(tokens: Sequence[str]) -> Iterator[range]:
    """Ranges of words that running text writes without spaces."""
    start = 0
    for i in range(1, len(tokens) + 1):
        if i < len(tokens) and (_is_unspaced(tokens[i - 1][-1:]) or _is_unspaced(tokens[i][:1])):
            continue
        yield range(start, i)
        start = i


def _is_unspaced(character: str) -> bool:
    return _UNSPACED.match(character) is not None


def _piece(
    index: int,
    inputs: dict[str, list[int]],
    places: Sequence[range],
    window: Window,
    *,
    windowed: bool,
) -> Piece:
    seen: dict[int, int] = {}
    for position, words in enumerate(places):
        for word in words:
            if window.tag_start <= window.start + word < window.tag_end:
                seen.setdefault(window.start + word, position)
    return Piece(index, inputs, list(seen.items()), windowed)
