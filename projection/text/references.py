"""HTML character references in plain text, such as `&amp;`, `&#39;` and `&uuml;`."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace

from projection.records import Entity, ParallelSentence, Span

_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_Replaced = tuple[int, int, str]  # the [start, end) of a reference, and its character


def has_references(text: str) -> bool:
    """Return whether some reference in the text stands for a character."""
    return "&" in text and bool(_found(text))


def unescaped(sentence: ParallelSentence) -> ParallelSentence:
    """Replace every reference by its character, once, and move the entities along.

    An entity that begins or ends inside a reference covers its character.
    """
    source, target = _found(sentence.source), _found(sentence.target)
    if not source and not target:
        return sentence
    return replace(
        sentence,
        source=_replaced(sentence.source, source),
        target=_replaced(sentence.target, target),
        entities=_all_moved(sentence.entities, source),
        target_entities=_all_moved(sentence.target_entities, target),
    )


def _found(text: str) -> list[_Replaced]:
    matches = ((m.start(), m.end(), html.unescape(m[0])) for m in _REFERENCE.finditer(text))
    return [each for each in matches if each[2] and each[2] != text[each[0] : each[1]]]


def _replaced(text: str, found: Sequence[_Replaced]) -> str:
    for start, end, character in reversed(found):
        text = text[:start] + character + text[end:]
    return text


def _all_moved(
    entities: tuple[Entity, ...] | None, found: Sequence[_Replaced]
) -> tuple[Entity, ...] | None:
    return None if entities is None else tuple(_moved(entity, found) for entity in entities)


def _moved(entity: Entity, found: Sequence[_Replaced]) -> Entity:
    start = _position(entity.span.start, found, after=False)
    return replace(entity, span=Span(start, _position(entity.span.end, found, after=True)))


def _position(offset: int, found: Sequence[_Replaced], *, after: bool) -> int:
    shift = 0
    for start, end, character in found:
        if offset >= end:
            shift += len(character) - (end - start)
        elif offset > start:
            return start + shift + (len(character) if after else 0)
    return offset + shift
