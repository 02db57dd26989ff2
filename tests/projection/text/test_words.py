"""Where words begin and end."""

import sys
from itertools import pairwise

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from projection.records import Span
from projection.text.words import (
    UNPARTED,
    cuts_word,
    is_character_language,
    is_chinese,
    is_single_character,
    merge_touching,
    shift,
    span_of_words,
    tokens_of_words,
    word_spans,
    words_touched,
)

SPACED = ("de", "he", "fa", "ml")
BY_CHARACTER = ("zh", "ja", "ko", "th", "lo", "km", "my", "bo", "dz")
LANGS = SPACED + BY_CHARACTER

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
    "เชียงใหม่",
    "น้ำ",
    "ປາກເຊ",
    "ភ្នំពេញ",
    "မန္တလေး",
    "အင်္ဂါ",
    "ལྷ་ས",
    "부산에서",
    "\u1107\u116e\u11ab",
    "കാന്\u200d",
    "می\u200cروم",
    "1️⃣",
    "\U0001f3fd",
    "\uff9e",
)
UNSEEN = ("\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u2066", "\u2060", "\ufeff", "\u034f")
# Format characters that are signs: of numbers, years, the end of a verse.
VISIBLE_FORMAT = frozenset("\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd") | {
    chr(number) for number in range(0x600, 0x606)
}
GAPS = (" ", "", "\r\n", "\u00a0", "\t", "  ", "\u2028")
# `regex` joins a virama to the consonant after it whatever is in front; Unicode, two consonants.
JOINED_TOO_MUCH = regex.compile(
    r"[^\p{InCB=Consonant}\p{M}][\p{M}\p{GCB=Extend}\u200d]*\p{InCB=Linker}\p{M}*"
)
# It also joins one of a script without spaces to one of another script: no font does.
OF_ANOTHER_SCRIPT = regex.compile(rf"[[{UNPARTED}]&&\p{{InCB=Consonant}}]", regex.VERSION1)
HIDDEN = regex.compile(r"[\p{Cf}\p{Default_Ignorable_Code_Point}]")

texts = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(PIECES + GAPS + UNSEEN), max_size=12).map("".join),
)


def is_unseen(char: str) -> bool:
    """White space counts, too."""
    return char.isspace() or (HIDDEN.match(char) is not None and char not in VISIBLE_FORMAT)


def words_of(text: str, lang: str) -> list[str]:
    return [span.of(text) for span in word_spans(text, lang)]


@pytest.mark.parametrize(
    ("lang", "text", "words"),
    [
        pytest.param("de", "die EU-Kommission", ["die", "EU-Kommission"], id="hyphen inside"),
        pytest.param("de", "- ja -", ["-", "ja", "-"], id="a dash is a word of its own"),
        pytest.param("en", "the U.S. said", ["the", "U.S.", "said"], id="dotted abbreviation"),
        pytest.param("en", "Anna's", ["Anna", "'", "s"], id="apostrophe divides"),
        pytest.param("es", "¿Qué?", ["¿", "Qué", "?"], id="punctuation stands alone"),
        pytest.param("de", "Cafe\u0301 x", ["Cafe\u0301", "x"], id="combining marks stay"),
        pytest.param("de", "a\u0e31 x", ["a\u0e31", "x"], id="marks of another script stay, too"),
        pytest.param("de", "a 👨‍👩‍👧b", ["a", "👨‍👩‍👧", "b"], id="an emoji family is one"),
        pytest.param("de", "über 北京 hinaus", ["über", "北", "京", "hinaus"], id="Han in German"),
        pytest.param(
            "zh", "北京2008年", ["北", "京", "2008", "年"], id="characters, but numbers whole"
        ),
        pytest.param("zh", "用Python写", ["用", "Python", "写"], id="characters, but Latin whole"),
        pytest.param(
            "de", "in กรุงเทพ ๑๒", ["in", "ก", "รุ", "ง", "เท", "พ", "๑๒"], id="Thai in German"
        ),
        pytest.param("shn", "မိူင်းတႆး", ["မိူ", "င်း", "တႆး"], id="Shan, in the script of Burma"),
        pytest.param("nod", "ᨩ᩠ᨿᨦᩲ", ["ᨩ᩠ᨿ", "ᨦᩲ"], id="Northern Thai"),
        pytest.param("jv", "ꦱꦸꦫ", ["ꦱꦸ", "ꦫ"], id="Javanese letters"),
        pytest.param("adx", "ལྷ་ས", ["ལྷ", "་", "ས"], id="Tibetan of another language"),
        pytest.param("ar", "مرحبا بالعالم", ["مرحبا", "بالعالم"], id="right to left"),
        pytest.param("de", " \r\n\t", [], id="only white space"),
        pytest.param("ar", "۝ ١٢ ۝١٢", ["۝", "١٢", "۝", "١٢"], id="a sign before a number"),
        pytest.param("de", "a\x1cb", ["a", "b"], id="a separator is white space"),
    ],
)
def test_words(lang: str, text: str, words: list[str]) -> None:
    assert words_of(text, lang) == words


@pytest.mark.parametrize(
    ("lang", "text", "words"),
    [
        pytest.param("th", "ไปลำปาง", ["ไป", "ลำ", "ป", "า", "ง"], id="Thai: a vowel in front"),
        pytest.param("th", "เเพร่", ["เเพ", "ร่"], id="Thai: one typed as two"),
        pytest.param("th", "เกาะช้าง", ["เก", "า", "ะ", "ช้", "า", "ง"], id="Thai: a tone mark"),
        pytest.param("th", "ที่ IBM ๒๕๖๗", ["ที่", "IBM", "๒๕๖๗"], id="Thai: Latin, digits whole"),
        pytest.param("th", "เA เ", ["เ", "A", "เ"], id="Thai: a vowel without a consonant"),
        pytest.param("th", "ลำ\u200bปาง", ["ลำ", "ป", "า", "ง"], id="Thai: a zero-width space"),
        pytest.param("lo", "ເຊໂນ", ["ເຊ", "ໂນ"], id="Lao: vowels in front"),
        pytest.param("lo", "ຄຳມ່ວນ", ["ຄຳ", "ມ່", "ວ", "ນ"], id="Lao: sara am"),
        pytest.param("km", "កំពង់ស្ពឺ", ["កំ", "ព", "ង់", "ស្ពឺ"], id="Khmer: coeng"),
        pytest.param("km", "ស្ត្រី", ["ស្ត្រី"], id="Khmer: two of them"),
        pytest.param("my", "ပုသိမ်", ["ပု", "သိ", "မ်"], id="Burmese: marks"),
        pytest.param("my", "ဗန္ဓုလ", ["ဗ", "န္ဓု", "လ"], id="Burmese: stacked"),
        pytest.param("my", "အင်္ဂါ", ["အ", "င်္ဂါ"], id="Burmese: kinzi, a vowel that stands apart"),
        pytest.param("bo", "གྱང་རྩེ", ["གྱ", "ང", "་", "རྩེ"], id="Tibetan: stacked"),
        pytest.param("ko", "부산에서", ["부", "산", "에", "서"], id="Korean: a particle"),
        pytest.param("ko", "\u1107\u116e\u11ab에", ["\u1107\u116e\u11ab", "에"], id="Korean: jamo"),
        pytest.param("ko", "LG는 1995년", ["LG", "는", "1995", "년"], id="Korean: Latin, digits"),
        pytest.param("ja", "ｶﾞﾗｽ", ["ｶﾞ", "ﾗ", "ｽ"], id="Japanese: half width"),
        pytest.param("zh", "e\u0301te\u0301在", ["e\u0301te\u0301", "在"], id="Latin with marks"),
    ],
)
def test_characters_as_readers_see_them_are_words(lang: str, text: str, words: list[str]) -> None:
    assert words_of(text, lang) == words


@pytest.mark.parametrize("unseen", UNSEEN)
def test_unseen_characters_cut_no_word_and_are_none(unseen: str) -> None:
    text = f"{unseen}Mar{unseen}burg{unseen} {unseen} EU{unseen}-{unseen}Rat U{unseen}.S.{unseen}!"
    expected = [f"Mar{unseen}burg", f"EU{unseen}-{unseen}Rat", f"U{unseen}.S.", "!"]
    assert words_of(text, "de") == expected
    text = f"{unseen}在{unseen}IB{unseen}M{unseen}"
    assert words_of(text, "zh") == ["在", f"IB{unseen}M"]
    assert words_of(unseen, "de") == words_of(unseen, "th") == []


@pytest.mark.parametrize(
    ("lang", "text", "words"),
    [
        pytest.param("fa", "می\u200cروم به\u200c", ["می\u200cروم", "به"], id="Persian"),
        pytest.param("ml", "കാന്\u200d പോ", ["കാന്\u200d", "പോ"], id="Malayalam: part of a letter"),
        pytest.param("mn", "ᠰᠠᠶ\u180bᠨ ᠨ\u180b", ["ᠰᠠᠶ\u180bᠨ", "ᠨ\u180b"], id="Mongolian: a form"),
        pytest.param("de", "Rom\ufe0f ❤\ufe0f", ["Rom", "❤\ufe0f"], id="variation selectors"),
        pytest.param(
            "zh", "葛\U000e0100城", ["葛\U000e0100", "城"], id="a variant of an ideograph"
        ),
        pytest.param("ko", "\u3164서", ["서"], id="a filler"),
        pytest.param("de", "👩\u200d\u200b!", ["👩", "!"], id="a joiner that joins nothing"),
    ],
)
def test_unseen_characters_stay_where_they_form_a_letter(
    lang: str, text: str, words: list[str]
) -> None:
    assert words_of(text, lang) == words


def test_every_format_character_is_unseen_but_for_signs() -> None:
    formats = regex.findall(r"\p{Cf}", "".join(map(chr, range(sys.maxunicode + 1))))
    for lang in ("de", "th"):
        assert {char for char in formats if word_spans(char, lang)} == VISIBLE_FORMAT


@given(texts, st.sampled_from(LANGS))
def test_words_are_in_order_apart_and_cover_every_visible_character(text: str, lang: str) -> None:
    words = word_spans(text, lang)
    assert all(a.end <= b.start for a, b in pairwise(words))
    covered = {i for word in words for i in range(word.start, word.end)}
    assert all(is_unseen(char) for i, char in enumerate(text) if i not in covered)
    assert not any(all(map(is_unseen, word.of(text))) for word in words)


@given(texts, st.sampled_from(LANGS))
@example("0\u0d4d\u1780", "de")
@example("\u0d15\u0d4d\u1780", "de")
def test_no_word_begins_inside_a_grapheme_cluster(text: str, lang: str) -> None:
    """Unless all in front of it there is unseen, a sign that Unicode prepends, or marks alone."""
    starts = {word.start for word in word_spans(text, lang)}
    for cluster in regex.finditer(r"\X", text):
        for start in starts & {*range(cluster.start() + 1, cluster.end())}:
            front = JOINED_TOO_MUCH.sub("", text[cluster.start() : start])
            front = regex.sub(r"\p{GCB=Prepend}|\p{M}", "", front)
            if OF_ANOTHER_SCRIPT.match(text, start) and not OF_ANOTHER_SCRIPT.search(front):
                front = regex.sub(r"\p{InCB=Consonant}", "", front)
            assert all(map(is_unseen, front))


@given(texts, st.sampled_from(LANGS), st.data())
def test_an_unseen_character_changes_no_word(text: str, lang: str, data: st.DataObject) -> None:
    """Inside or beside a word: it is the same, with the character or without it."""
    seen = "".join(char for char in text if not is_unseen(char) or char.isspace())
    at = data.draw(st.integers(0, len(seen)))
    # Joiners have a meaning in some scripts and emoji.
    put = data.draw(st.sampled_from(["\u00ad", "\u200b", "\u200e", "\u2060", "\ufeff"]))
    made = f"{seen[:at]}{put}{seen[at:]}"
    expected = words_of(seen, lang)
    found = [word.replace(put, "") for word in words_of(made, lang)]
    assert "".join(found) == "".join(expected)
    others = rf"[^\p{{L}}\p{{N}}\p{{M}}\p{{Z}}]|[{UNPARTED}]"
    if lang in SPACED and not regex.search(others, seen, regex.VERSION1):
        assert found == expected


@pytest.mark.parametrize("lang", ["de", "zh", "th"])
def test_no_word_holds_white_space_whatever_stands_beside_it(lang: str) -> None:
    """Every character there is, before and after each kind of white space.

    Between the ideographs and the tags at 0xE0000 there is none.
    """
    spaces = "".join(filter(str.isspace, map(chr, range(sys.maxunicode))))
    for first in (*range(0, 0x34000, 4096), 0xE0000):
        characters = [chr(number) for number in range(first, first + 4096)]
        text = "".join(f"{c}{spaces[n % len(spaces)]}" for n, c in enumerate(characters))
        words = words_of(text, lang)
        visible = "".join(text.split())
        visible = HIDDEN.sub(lambda m: m[0] if m[0] in VISIBLE_FORMAT else "", visible)
        assert "".join(words) == visible, "and what is visible is in a word"
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
    [
        *[("zh", True), ("zh-Hans", True), ("ZH-TW", True), ("yue", True), ("ja", True)],
        *[("ko", True), ("th", True), ("lo", True), ("km", True), ("my", True), ("bo", True)],
        *[("dz", True), ("de", False), ("zha", False), ("vi", False)],
    ],
)
def test_languages_read_by_character(lang: str, expected: bool) -> None:
    assert is_character_language(lang) is expected


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("zh", True), ("ZH-TW", True), ("yue", True), ("ja", False), ("ko", False), ("th", False)],
)
def test_chinese(lang: str, expected: bool) -> None:
    assert is_chinese(lang) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("美", True), ("A", True), ("ဂါ", True), ("เมื่", True), ("ស្ត្រី", True), ("서", True)],
        *[("", False), (" ", False), ("\u200b", False), ("美国", False), ("IBM", False)],
        *[("서울", False), ("น่าน", False)],
    ],
)
def test_single_characters(text: str, expected: bool) -> None:
    assert is_single_character(text) is expected


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
