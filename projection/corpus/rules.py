"""Rules on the texts of one pair; each returns the reason to drop it, or None."""

from collections.abc import Callable
from math import inf

import regex

from projection.records import ParallelSentence

Rule = Callable[[ParallelSentence], str | None]

RUNNING_LETTERS = 12  # fewer letters outside names tell nothing about a sentence
_BOTH_SIDES = 10.0  # characters added to both sides before they are compared

_IDEOGRAPH = regex.compile(r"\p{Han}")
_SYLLABLE = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")
_NO_LETTER = regex.compile(r"[^\p{L}\p{M}]+")
_CAPITALIZED = regex.compile(r"[\p{Ll}\p{M}\p{N}]*[\p{Lu}\p{Lt}][\p{Lu}\p{Lt}\p{Ll}\p{M}\p{N}]*")


def no_empty_side(sentence: ParallelSentence) -> str | None:
    """Both sides have text."""
    sides = {"source": sentence.source, "target": sentence.target}
    empty = [side for side, text in sides.items() if not text.strip()]
    return f"no {' and no '.join(empty)} text" if empty else None


def at_least(characters: int) -> Rule:
    """Both sides have so many characters."""

    def rule(sentence: ParallelSentence) -> str | None:
        length = min(len(sentence.source.strip()), len(sentence.target.strip()))
        return f"{length} characters, below {characters}" if length < characters else None

    return rule


def at_most(characters: int) -> Rule:
    """Neither side has more characters."""

    def rule(sentence: ParallelSentence) -> str | None:
        length = max(len(sentence.source.strip()), len(sentence.target.strip()))
        return f"{length} characters, above {characters}" if length > characters else None

    return rule


def ratio_below(most: float) -> Rule:
    """The longer side is at most so many times as long as the shorter one.

    Ten characters are added to both, so that short sentences may differ more; a Chinese character
    counts as three, a kana or a Korean syllable as two, which is about what they say in English.
    """

    def rule(sentence: ParallelSentence) -> str | None:
        lengths = _length(sentence.source), _length(sentence.target)
        ratio = (max(lengths) + _BOTH_SIDES) / (min(lengths) + _BOTH_SIDES)
        shown = f"{lengths[0]} and {lengths[1]} characters"
        return f"{shown}, a ratio of {ratio:.1f}" if ratio > most else None

    return rule


def _length(text: str) -> int:
    text = text.strip()
    if text.isascii():
        return len(text)
    return len(text) + 2 * len(_IDEOGRAPH.findall(text)) + len(_SYLLABLE.findall(text))


def letters_above(least: float) -> Rule:
    """At least this share of the visible characters of either side are letters."""

    def rule(sentence: ParallelSentence) -> str | None:
        share = min(_share_of_letters(sentence.source), _share_of_letters(sentence.target))
        return f"{share:.0%} letters" if share < least else None

    return rule


def _share_of_letters(text: str) -> float:
    visible = sum(map(len, text.split()))
    return len(_NO_LETTER.sub("", text)) / visible if visible else inf


def no_copy(sentence: ParallelSentence) -> str | None:
    """The target is not the source again, but for case and white space.

    Names, numbers and headings in capitals may be the same in both languages.
    """
    source, target = sentence.source.casefold().split(), sentence.target.casefold().split()
    same = source == target and tells_something(running_text(sentence.source))
    return "the target is the source" if same else None


def running_text(text: str) -> str:
    """Return a text without the words that have a capital, which may be names.

    Scripts without capitals stay whole.
    """
    running: str = _CAPITALIZED.sub("", text)
    return running


def tells_something(running: str) -> bool:
    """Return whether a running text has letters enough to judge a sentence by."""
    return sum(map(str.isalpha, running)) >= RUNNING_LETTERS


def margin_above(least: float) -> Rule:
    """The margin score, where the corpus has one, is at least this."""

    def rule(sentence: ParallelSentence) -> str | None:
        margin = sentence.margin
        low = margin is not None and margin < least
        return f"margin {margin:g}, below {least:g}" if low else None

    return rule
