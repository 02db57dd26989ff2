"""Where words begin and end."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.records import Span
from projection.text.words import (
    cuts_word,
    is_character_language,
    merge_touching,
    shift,
    span_of_words,
    tokens_of_words,
    word_spans,
    words_touched,
)

LANGS = ("de", "zh", "he", "ja")

# What texts really hold, so that hypothesis need not find it by chance.
PIECES = (
    "Köln",
    "e\u0301",
    "👨‍👩‍👧",
    "🇩🇪",
    "𠮷野",
    "大西洋",
    "שלום",
    "مرحبا",
    "U.S.",
    "EU-Rat",
    "3,5",
    "’s",
    "“",
)
GAPS = (" ", "", "\r\n", "\u00a0", "\t", "  ", "\u2028")
texts = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(PIECES + GAPS), max_size=12).map("".join),
)


@pytest.mark.parametrize(
    ("lang", "text", "words"),
    [
        pytest.param("de", "die EU-Kommission", ["die", "EU-Kommission"], id="hyphen inside"),
        pytest.param("de", "- ja -", ["-", "ja", "-"], id="a dash is a word of its own"),
        pytest.param("en", "the U.S. said", ["the", "U.S.", "said"], id="dotted abbreviation"),
        pytest.param("en", "Anna's", ["Anna", "'", "s"], id="apostrophe divides"),
        pytest.param("es", "¿Qué?", ["¿", "Qué", "?"], id="punctuation stands alone"),
        pytest.param("de", "Cafe\u0301 x", ["Cafe\u0301", "x"], id="combining marks stay"),
        pytest.param("de", "a 👨‍👩‍👧b", ["a", "👨‍👩‍👧", "b"], id="an emoji family is one"),
        pytest.param("de", "über 北京 hinaus", ["über", "北", "京", "hinaus"], id="Han in German"),
        pytest.param(
            "zh", "北京2008年", ["北", "京", "2008", "年"], id="characters, but numbers whole"
        ),
        pytest.param("zh", "用Python写", ["用", "Python", "写"], id="characters, but Latin whole"),
        pytest.param("ar", "مرحبا بالعالم", ["مرحبا", "بالعالم"], id="right to left"),
        pytest.param("de", " \r\n\t", [], id="only white space"),
        pytest.param("ar", "۝ ١٢ ۝١٢", ["۝", "١٢", "۝", "١٢"], id="a sign before a number"),
        pytest.param("de", "a\x1cb", ["a", "b"], id="a separator is white space"),
    ],
)
def test_words(lang: str, text: str, words: list[str]) -> None:
    assert [span.of(text) for span in word_spans(text, lang)] == words


@given(texts, st.sampled_from(LANGS))
def test_words_are_in_order_apart_and_cover_every_visible_character(text: str, lang: str) -> None:
    words = word_spans(text, lang)
    assert all(a.end <= b.start for a, b in pairwise(words))
    covered = {i for word in words for i in range(word.start, word.end)}
    missing = "".join(char for i, char in enumerate(text) if i not in covered)
    assert not missing.strip()


@pytest.mark.parametrize("lang", ["de", "zh"])
def test_no_word_holds_white_space_whatever_stands_beside_it(lang: str) -> None:
    """Every character there is, before and after each kind of white space."""
    spaces = "".join(filter(str.isspace, map(chr, range(sys.maxunicode))))
    for first in range(0, sys.maxunicode + 1, 4096):
        characters = [chr(number) for number in range(first, first + 4096)]
        text = "".join(f"{c}{spaces[n % len(spaces)]}" for n, c in enumerate(characters))
        words = [span.of(text) for span in word_spans(text, lang)]
        assert "".join(words) == "".join(text.split()), "and what is visible is in a word"
        assert not [word for word in words if any(map(str.isspace, word))]


@given(texts, st.sampled_from(LANGS), st.data())
def test_the_words_a_span_touches_cover_it_and_are_whole(
    text: str, lang: str, data: st.DataObject
) -> None:
    words = word_spans(text, lang)
    start = data.draw(st.integers(0, len(text)))
    span = Span(start, data.draw(st.integers(start + 1, len(text) + 1)))
    touched = words_touched(words, span)
    if touched is None:
        assert not any(word.overlaps(span) for word in words)
        assert cuts_word(words, span)
    else:
        snapped = span_of_words(words, *touched)
        assert {snapped.start, snapped.end} <= {i for w in words for i in (w.start, w.end)}
        assert all(
            w.start >= snapped.start and w.end <= snapped.end for w in words if w.overlaps(span)
        )
        assert words_touched(words, snapped) == touched
        assert cuts_word(words, span) is (snapped != span)
        assert not cuts_word(words, snapped)


@given(texts, st.sampled_from(LANGS))
def test_every_word_range_is_found_again_by_its_characters(text: str, lang: str) -> None:
    words = word_spans(text, lang)
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            assert words_touched(words, span_of_words(words, start, end)) == (start, end)


@pytest.mark.parametrize(
    ("span", "cuts"),
    [
        pytest.param(Span(0, 6), False, id="a whole word"),
        pytest.param(Span(0, 3), True, id="ends inside"),
        pytest.param(Span(2, 6), True, id="begins inside"),
        pytest.param(Span(0, 7), True, id="takes the space along"),
    ],
)
def test_cutting_a_word(span: Span, cuts: bool) -> None:
    assert cuts_word(word_spans("Berlin liegt", "de"), span) is cuts


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("zh", True), ("zh-Hans", True), ("ZH-TW", True), ("ja", True), ("de", False), ("zha", False)],
)
def test_languages_read_by_character(lang: str, expected: bool) -> None:
    assert is_character_language(lang) is expected


@given(texts, texts, st.data())
def test_shifting_follows_the_text_in_front(front: str, text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    span = Span(start, data.draw(st.integers(start + 1, len(text) + 1)))
    assert shift(span, len(front)).of(f"{front}{text}!") == span.of(f"{text}!")


@pytest.mark.parametrize(
    ("spans", "gap", "merged"),
    [
        pytest.param([(0, 2), (2, 4)], 0, [(0, 4)], id="touching"),
        pytest.param([(0, 2), (3, 4)], 0, [(0, 2), (3, 4)], id="apart"),
        pytest.param([(0, 2), (3, 4)], 1, [(0, 4)], id="bridged"),
        pytest.param([(0, 9), (2, 4)], 0, [(0, 9)], id="one inside the other"),
        pytest.param([(5, 6), (0, 2)], 0, [(0, 2), (5, 6)], id="sorted"),
        pytest.param([], 3, [], id="none"),
    ],
)
def test_merging(spans: list[tuple[int, int]], gap: int, merged: list[tuple[int, int]]) -> None:
    assert merge_touching([Span(*s) for s in spans], gap) == [Span(*s) for s in merged]


@st.composite
def stretches(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Half-open ranges in reading order, some empty, some overlapping."""
    starts = sorted(draw(st.lists(st.integers(0, 30), max_size=12)))
    ends = sorted(start + draw(st.integers(0, 4)) for start in starts)
    return list(zip(starts, ends, strict=True))


class TestTokensOfWords:
    @pytest.mark.parametrize(
        ("words", "offsets", "expected"),
        [
            pytest.param([(0, 4), (5, 8)], [(0, 4), (5, 8)], [[0], [1]], id="a token a word"),
            pytest.param([(0, 6)], [(0, 2), (2, 6)], [[0, 1]], id="pieces of a word"),
            pytest.param([(0, 4), (5, 8)], [(0, 4), (4, 8)], [[0], [1]], id="with its space"),
            pytest.param([(0, 1), (1, 2)], [(0, 2)], [[0], [0]], id="a token of two words"),
            pytest.param([(0, 1)], [(0, 1), (0, 1), (0, 1)], [[0, 1, 2]], id="three bytes"),
            pytest.param([(0, 2), (3, 5)], [(0, 0), (0, 2), (0, 0)], [[1], []], id="cut off"),
            pytest.param([], [(0, 2)], [], id="no words"),
        ],
    )
    def test_by_hand(
        self,
        words: list[tuple[int, int]],
        offsets: list[tuple[int, int]],
        expected: list[list[int]],
    ) -> None:
        assert tokens_of_words([Span(*word) for word in words], offsets) == expected

    @given(stretches(), stretches())
    def test_they_are_the_tokens_that_share_characters(
        self, words: list[tuple[int, int]], offsets: list[tuple[int, int]]
    ) -> None:
        spans = [Span(*word) for word in words if word[0] < word[1]]
        expected = [
            [i for i, (a, b) in enumerate(offsets) if a < b and span.overlaps(Span(a, b))]
            for span in spans
        ]
        assert tokens_of_words(spans, offsets) == expected
