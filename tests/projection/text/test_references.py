"""HTML references become characters once, and entities keep the text they cover."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.records import Entity, ParallelSentence, Span
from projection.text.references import has_references, unescaped


def pair(source: str, *spans: Span) -> ParallelSentence:
    entities = tuple(Entity(span, "X") for span in spans)
    texts = source, source, "en", "de", "a:1"
    return ParallelSentence("1", *texts, entities, target_entities=entities)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AT&amp;T", "AT&T"),
        ("AT&amp;amp;T", "AT&amp;T"),
        ("O&#39;Neill &#x1F600;", "O'Neill 😀"),
        ("M&uuml;nchen", "München"),
        ("R&D; A&B &unknown; &copy2024 & &;", "R&D; A&B &unknown; &copy2024 & &;"),
        ("&#1; &#99999999;", "&#1; &#99999999;"),
    ],
)
def test_references_are_read_once(text: str, expected: str) -> None:
    assert unescaped(pair(text)).source == unescaped(pair(text)).target == expected
    assert has_references(text) is (text != expected)


@given(st.lists(st.sampled_from(["a", "&", "<", "ü", " ", "😀", "&amp;"]), min_size=3, max_size=9))
def test_entities_cover_the_same_text(parts: list[str]) -> None:
    """Each part is escaped, and an entity covers the middle ones."""
    escaped = [html.escape(part) for part in parts]
    start, end = len(escaped[0]), len("".join(escaped[:-1]))
    found = unescaped(pair("".join(escaped), Span(start, end)))
    assert found.source == "".join(parts)
    assert found.entities is not None
    assert found.target_entities == found.entities
    assert found.entities[0].span.of(found.source) == "".join(parts[1:-1])


def test_an_entity_that_cuts_a_reference_covers_its_character() -> None:
    found = unescaped(pair("A &amp; B", Span(0, 4), Span(5, 9)))
    assert [entity.span for entity in found.entities or ()] == [Span(0, 3), Span(2, 5)]


def test_what_has_none_is_the_same_sentence() -> None:
    sentence = pair("A & B")
    assert unescaped(sentence) is sentence
