"""Tokens as text: joined as a language writes them, or found in a text that they spell."""

from collections.abc import Sequence

import regex

from projection.errors import SpanError
from projection.languages import base_language
from projection.records import Span
from projection.text.words import is_character_language

# A language read by character that nevertheless writes blanks.
_KOREAN = "ko"
_ENDS_IN_LATIN = regex.compile(r"[\p{Latin}\p{N}]\p{M}*$")
_BEGINS_IN_LATIN = regex.compile(r"[\p{Latin}\p{N}]")


def join_tokens(tokens: Sequence[str], lang: str) -> tuple[str, tuple[Span, ...]]:
    """Return tokens as one text, and the place of each.

    Between two there is a blank; in a language that writes none, only between Latin letters or
    digits, which would become one word. Tokens must not be empty.
    """
    spaced = not is_character_language(lang) or base_language(lang) == _KOREAN
    text, places, before = "", [], ""
    for token in tokens:
        if text and (spaced or (_ENDS_IN_LATIN.search(before) and _BEGINS_IN_LATIN.match(token))):
            text += " "
        places.append(Span(len(text), len(text) + len(token)))
        text, before = text + token, token
    return text, tuple(places)


def find_tokens(text: str, tokens: Sequence[str]) -> dict[int, Span]:
    """Return the place in `text` of every token that is not blank, by its index.

    SpanError, naming the token, unless they spell the text but for white space.
    """
    places, end = dict[int, Span](), 0
    for index, token in enumerate(tokens):
        if not token.strip():
            continue
        start = len(text) - len(text[end:].lstrip())
        end = start + len(token)
        if text[start:end] != token:
            what = f"{token!r:.40} where the text has {text[start:end]!r:.40}"
            raise SpanError(f"tokens[{index}]", what)
        places[index] = Span(start, end)
    if (rest := text[end:].strip()) != "":
        raise SpanError("tokens", f"end before {rest!r:.40}")
    return places
