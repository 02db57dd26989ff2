"""Word borders, and the conversion of offsets between words, tokens and characters.

In Chinese and Japanese every character is a word. Elsewhere a word is a run of letters, digits and
marks, with inner hyphens (`EU-Kommission`, as CoNLL tokenises), or a dotted abbreviation (`U.S.`);
every other visible character is a word of its own.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import regex

from projection.languages import base_language
from projection.records import Span

CHARACTER_LANGUAGES = frozenset({"zh", "ja"})

_IDEOGRAPH = r"[\p{Han}\p{Hiragana}\p{Katakana}]\p{M}*"
_LETTERS = r"(?:(?![\p{Han}\p{Hiragana}\p{Katakana}])[\p{L}\p{N}\p{M}])+"
# White space as Python and spaCy define it: `\s` of `regex` lacks the four separators.
_SPACE = r"[\s\x1c-\x1f]"
# \X keeps an emoji family, or a symbol with its combining marks, in one piece. But it also joins a
# prepended sign, such as the Arabic ۝, with whatever follows, even a space.
_CLUSTER = rf"\p{{GCB=Prepend}}|(?!{_SPACE})\X"
_WORD = regex.compile(
    rf"(?:\p{{L}}\.){{2,}}|{_IDEOGRAPH}|{_LETTERS}(?:[-‐‑]{_LETTERS})*|{_CLUSTER}"
)
_CHARACTER = regex.compile(rf"[\p{{Latin}}\p{{N}}][\p{{Latin}}\p{{N}}\p{{M}}]*|{_CLUSTER}")


def is_character_language(lang: str) -> bool:
    """Return whether `lang` (a BCP 47 tag such as `zh-Hans`) is read character by character."""
    return base_language(lang) in CHARACTER_LANGUAGES


@lru_cache(maxsize=4096)
def word_spans(text: str, lang: str) -> tuple[Span, ...]:
    """The words of `text` in order, without white space; they cover every visible character."""
    pattern = _CHARACTER if is_character_language(lang) else _WORD
    return tuple(Span(m.start(), m.end()) for m in pattern.finditer(text))


def words_touched(words: Sequence[Span], span: Span) -> tuple[int, int] | None:
    """Half-open range of word indices that share a character with `span`, or None."""
    touched = [i for i, word in enumerate(words) if word.overlaps(span)]
    return (touched[0], touched[-1] + 1) if touched else None


def tokens_of_words(words: Sequence[Span], tokens: Sequence[tuple[int, int]]) -> list[list[int]]:
    """For each word, the indices of the non-empty tokens `[start, end)` that overlap it.

    Both are in reading order.
    """
    visible = [(start, end, i) for i, (start, end) in enumerate(tokens) if start < end]
    found, first = [], 0
    for word in words:
        while first < len(visible) and visible[first][1] <= word.start:
            first += 1
        last = first
        while last < len(visible) and visible[last][0] < word.end:
            last += 1
        found.append([i for _, _, i in visible[first:last]])
    return found


def span_of_words(words: Sequence[Span], start: int, end: int) -> Span:
    """The characters from word `start` up to word `end` (half-open)."""
    return Span(words[start].start, words[end - 1].end)


def cuts_word(words: Sequence[Span], span: Span) -> bool:
    """Return whether `span` does not begin and end at word borders."""
    touched = words_touched(words, span)
    return touched is None or span_of_words(words, *touched) != span


def shift(span: Span, by: int) -> Span:
    """Move a span to a text that has `by` code points more in front."""
    return Span(span.start + by, span.end + by)


def merge_touching(spans: Iterable[Span], gap: int = 0) -> list[Span]:
    """Join spans that overlap, touch, or lie at most `gap` code points apart."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start - merged[-1].end <= gap:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged
