"""Word borders, and the conversion of offsets between words, tokens and characters.

A word is a run of letters, digits and marks, with inner hyphens (`EU-Kommission`, as CoNLL
tokenises), or a dotted abbreviation (`U.S.`); every other visible character is a word of its own.

Where names are not parted from what follows by spaces (`CHARACTER_LANGUAGES`, and the scripts of
East and South-East Asia in any language), every character is a word, so that a span can end
anywhere; runs of Latin letters and digits stay whole. A character is what a reader sees as one: a
grapheme cluster (Unicode annex 29) with all of its marks, consonants stacked below it (Khmer coeng,
Burmese), and the Thai or Lao vowels written before it. Korean is one of these languages, because a
particle follows its noun without a space (`서울` in `서울을`).

Characters that nobody sees (soft hyphen, zero-width space and joiners, bidi controls, …) never cut
a word, and at its edges are not part of it. That includes the zero-width space (U+200B), which may
stand between words in Thai, Khmer and others: there a word is a character, with or without it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from unicodedata import combining

import regex

from projection.languages import base_language
from projection.records import Span

CHARACTER_LANGUAGES = frozenset({"zh", "ja", "ko", "th", "lo", "km", "my", "bo", "dz"})

# White space as Python and spaCy define it: `\s` of `regex` lacks the four separators.
_SPACE = r"[\s\x1c-\x1f]"
# Nobody sees them, unlike signs that are format characters, too, such as the Arabic ۝.
_UNSEEN = r"[[\p{Cf}\p{Default_Ignorable_Code_Point}]--\p{GCB=Prepend}]"
# What continues the character in front of it.
_MARK = rf"[[\p{{M}}\p{{GCB=Extend}}\p{{GCB=SpacingMark}}]--{_UNSEEN}]"
# \X keeps an emoji family, or a symbol with its combining marks, in one piece. But it also joins a
# prepended sign with whatever follows, even a space; and parts some Burmese vowels from their
# consonant, and in older Unicode stacked consonants.
_CLUSTER = (
    rf"(?:\p{{GCB=Prepend}}|(?!{_SPACE}|{_UNSEEN})\X)"
    rf"(?:(?<=\p{{InSC=Invisible_Stacker}})(?=\p{{L}})\X|{_UNSEEN}*+(?=\p{{M}})(?!{_UNSEEN})\X)*+"
)

# Letters of scripts that put no spaces between words, in whatever language. By their line breaks
# Unicode says so of Thai, Lao, Khmer, Burmese (which also writes Shan, Mon, Karen), Tai scripts.
UNPARTED = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{LB=SA}\p{Tibetan}\p{Yi}\p{Javanese}\p{Balinese}]--\p{Nd}"
)
_LETTER = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{UNPARTED}]--{_UNSEEN}]"
_MORE = rf"[[[\p{{L}}\p{{N}}]--[{UNPARTED}]--{_UNSEEN}]{_MARK}]"  # marks of any script
_LETTERS = rf"{_LETTER}{_MORE}*+(?:{_UNSEEN}++{_MORE}++)*+"
_HYPHEN = rf"{_UNSEEN}*+[-‐‑]{_UNSEEN}*+"
_INITIAL = rf"[\p{{L}}--{_UNSEEN}]{_UNSEEN}*+\."
# At the end of a word these select the form of its last letter: Mongolian variants, and after a
# virama a joiner.
_FORM = r"(?:[\u180b-\u180d\u180f]|(?<=\p{ccc=9})[\u200c\u200d])?"
# Thai and Lao vowels that are written before their consonant, and those consonants.
_VOWEL_IN_FRONT = r"[\u0e40-\u0e44\u0ec0-\u0ec4]\p{M}*+"
_CONSONANT = r"[\u0e01-\u0e2e\u0e81-\u0eae\u0edc-\u0edf]"
_ONE_CHARACTER = rf"(?:(?:{_VOWEL_IN_FRONT})+(?={_CONSONANT}))?+{_CLUSTER}"
_WORD = regex.compile(
    rf"{_INITIAL}(?:{_UNSEEN}*+{_INITIAL})+(?!{_UNSEEN}*+{_MARK})"
    rf"|(?=[{UNPARTED}]){_ONE_CHARACTER}"
    rf"|{_LETTERS}(?:{_HYPHEN}{_LETTERS})*{_FORM}"
    rf"|{_CLUSTER}",
    regex.VERSION1,
)

_MORE_LATIN = rf"[[\p{{Latin}}\p{{N}}{_MARK}]--{_UNSEEN}]"
_LATIN = rf"[\p{{Latin}}\p{{N}}]{_MORE_LATIN}*+(?:{_UNSEEN}++{_MORE_LATIN}++)*+"
_CHARACTER = regex.compile(rf"{_LATIN}|{_ONE_CHARACTER}", regex.VERSION1)
_SINGLE = regex.compile(_ONE_CHARACTER, regex.VERSION1)

_JOINERS = "\u034f\u200c\u200d"  # \X takes them along even where they join nothing
_VIRAMA = 9  # a canonical combining class


def is_character_language(lang: str) -> bool:
    """Return whether `lang` (a BCP 47 tag such as `zh-Hans`) is read character by character."""
    return base_language(lang) in CHARACTER_LANGUAGES


def is_chinese(lang: str) -> bool:
    """Return whether `lang` is Chinese, the one language that is written in two scripts of Han."""
    return base_language(lang) == "zh"


def is_single_character(text: str) -> bool:
    """Return whether `text` is one character as a reader sees it, with all of its marks."""
    return _SINGLE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def word_spans(text: str, lang: str) -> tuple[Span, ...]:
    """The words of `text` in order, without white space; they cover every visible character."""
    pattern = _CHARACTER if is_character_language(lang) else _WORD
    found = (match.span() for match in pattern.finditer(text))
    return tuple(Span(start, _visible_end(text, end)) for start, end in found)


def _visible_end(text: str, end: int) -> int:
    """The end of a word without the joiners there, unless one forms its last letter."""
    while text[end - 1] in _JOINERS and combining(text[end - 2]) != _VIRAMA:
        end -= 1
    return end


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
