"""Tokens as text and back: offsets are exact, whatever the tokens hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import SpanError
from projection.records import Span
from projection.text.tokens import find_tokens, join_tokens

TOKENS = st.lists(
    st.text("aBç-.'中の👩‍🚀שเกำ부\u0301\u200b01½", min_size=1, max_size=4), max_size=6
)


@pytest.mark.parametrize(
    ("lang", "tokens", "text"),
    [
        ("en", ["Anna", "left", "."], "Anna left ."),
        ("zh-TW", ["他", "去", "北京", "。"], "他去北京。"),
        ("zh", ["iPhone", "15", "手机"], "iPhone 15手机"),
        ("ja", ["東京", "Zoë\u0308", "X"], "東京Zoë\u0308 X"),
        ("th", ["ไป", "เชียงราย"], "ไปเชียงราย"),
        ("ko-KR", ["부산에서", "왔다"], "부산에서 왔다"),
        ("de", ["in", "北京"], "in 北京"),
        ("de", [], ""),
    ],
)
def test_languages_part_words_as_they_write_them(lang: str, tokens: list[str], text: str) -> None:
    assert join_tokens(tokens, lang)[0] == text


@given(TOKENS, st.sampled_from(["en", "zh", "th", "ko"]))
def test_every_token_is_found_where_it_was_put(tokens: list[str], lang: str) -> None:
    text, places = join_tokens(tokens, lang)
    assert [place.of(text) for place in places] == tokens
    assert [*find_tokens(text, tokens).items()] == [*enumerate(places)]


def test_white_space_of_the_text_is_its_own() -> None:
    found = find_tokens(" Anna\u3000left.", ["Anna", "\u3000", "left", "."])
    assert found == {0: Span(1, 5), 2: Span(6, 10), 3: Span(10, 11)}


@pytest.mark.parametrize(
    ("text", "tokens", "message"),
    [
        ("Anna left", ["Anna", "went"], r"tokens\[1\]: 'went' where the text has 'left'"),
        ("Anna left", ["Anna"], "tokens: end before 'left'"),
        ("Anna", ["Anna", "!"], r"tokens\[1\]: '!' where the text has ''"),
    ],
)
def test_tokens_that_do_not_spell_the_text(text: str, tokens: list[str], message: str) -> None:
    with pytest.raises(SpanError, match=message):
        find_tokens(text, tokens)
