"""Traditional characters are read as simplified ones, each in its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.text.chinese import simplified

HAN = st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF)
COMPATIBILITY = st.characters(min_codepoint=0xF900, max_codepoint=0xFAFF)
BEYOND = st.characters(min_codepoint=0x20000, max_codepoint=0x2EBEF)
texts = st.text() | st.text(HAN | COMPATIBILITY | BEYOND | st.characters())


@pytest.mark.parametrize(
    ("traditional", "expected"),
    [
        ("歐洲議會", "欧洲议会"),
        ("倫敦和臺灣", "伦敦和台湾"),
        ("習近平訪問法國。", "习近平访问法国。"),
        ("欧洲议会", "欧洲议会"),
        ("NATO 的秘書長", "NATO 的秘书长"),
        ("👨‍👩‍👧 und e\u0301té\r\n", "👨‍👩‍👧 und e\u0301té\r\n"),
        ("臺\ud800", "台\ud800"),
        ("", ""),
    ],
)
def test_characters(traditional: str, expected: str) -> None:
    assert simplified(traditional) == expected


@given(texts)
def test_the_length_stays_for_any_text(text: str) -> None:
    assert len(simplified(text)) == len(text)


@given(texts, texts)
def test_characters_are_read_one_by_one(first: str, second: str) -> None:
    """Whatever stands beside them: a phrase must not change what its characters become."""
    assert simplified(first + second) == simplified(first) + simplified(second)


@given(st.text(st.characters(max_codepoint=0x2E7F)))
def test_other_scripts_stay(text: str) -> None:
    assert simplified(text) == text
