"""Every spelling of a tag gives one tag; what is none is refused with the nearest."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projection.errors import LanguageTagError
from projection.languages import (
    base_language,
    is_untrained,
    language_tag,
    nearest_tag,
    normalised,
)

SPELLINGS = {
    "zh": ("zh", "ZH", " zh ", "zho", "chi", "cmn", "zh-cmn"),
    "zh-TW": ("zh-TW", "zh_TW", "ZH-tw", "zho_tw", "cmn-TW"),
    "zh-Hant": ("zh-Hant", "zho_Hant", "zh_hant", "ZH-HANT"),
    "zh-Hant-HK": ("zh-Hant-HK", "zh_hant_hk", "zh-cmn-Hant-HK"),
    "yue": ("yue", "zh-yue", "YUE"),
    "nan-Latn": ("nan-latn", "zh_nan_Latn"),
    "wuu": ("wuu",),
    "lzh": ("lzh",),
    "ja": ("ja", "jpn", "JA"),
    "de": ("de", "deu", "ger"),
    "de-CH-1996": ("de-ch-1996", "deu_CH_1996"),
    "nl": ("nl", "nld", "dut"),
    "es-419": ("es-419", "spa_419"),
    "en-u-ca-gregory-x-own": ("EN-U-CA-Gregory-X-Own",),
    "he": ("he", "iw", "heb"),
    "id": ("id", "in", "ind"),
    "no": ("no", "nor"),
    "nb-Latn": ("nob_Latn",),
    "nn": ("nn", "nno"),
    "ar-Arab": ("arb_Arab",),
    "tlh": ("tlh",),
    "und": ("und",),
}
TAGS = [(spelling, tag) for tag, spellings in SPELLINGS.items() for spelling in spellings]


@pytest.mark.parametrize(("spelling", "tag"), TAGS)
def test_every_spelling_gives_one_tag(spelling: str, tag: str) -> None:
    assert language_tag(spelling, "--target-lang") == tag


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("", None),
        (" ", None),
        ("Deutsch (DE)", "de"),
        ("deutsch", "de"),
        ("Chinese", "zh"),
        ("Chinese (Traditional)", "zh"),
        ("中文", "zh"),
        ("Germn", "de"),
        ("Norwegian", "no"),
        ("Bokmål", "nb"),
        ("Cantonese", "yue"),
        ("zh-CHS", "zh"),
        ("zh_CN.UTF-8", "zh-CN"),
        ("de,en", "de"),
        ("jp", "ja"),
        ("cz", "cs"),
        ("xx", None),
        ("klingonish", None),
        ("i-klingon", None),
        ("de--AT", "de"),
        ("zh\0", "zh"),
    ],
)
def test_what_is_no_tag_is_refused_with_the_nearest(text: str, near: str | None) -> None:
    fix = f"Did you mean {near}?" if near else "Give a BCP 47 tag, such as de or zh-Hant"
    shown = re.escape(f"--target-lang: {text!r} is no language tag. {fix}")
    with pytest.raises(LanguageTagError, match=f"^{shown}$"):
        language_tag(text, "--target-lang")


@pytest.mark.parametrize(
    ("tag", "base"),
    [
        *((tag, "zh") for tag in ("zh", "zh-TW", "zh_Hant_HK", "cmn", "yue", "wuu", "nan", "lzh")),
        *((tag, "nb") for tag in ("nb", "no", "nn", "nor", "no-NO")),
        ("de-AT", "de"),
        ("jpn", "ja"),
        ("tlh", "tlh"),
    ],
)
def test_varieties_count_as_the_language_a_model_knows(tag: str, base: str) -> None:
    assert base_language(tag) == base
    assert not is_untrained(tag, (base,))
    assert is_untrained(tag, ("eo",))


def test_without_languages_nothing_is_known() -> None:
    assert not is_untrained("tlh", ())


TEXTS = st.one_of(
    st.text(),
    st.from_regex(r"[A-Za-z]{1,9}([-_][A-Za-z0-9]{1,9}){0,4}", fullmatch=True),
    st.sampled_from([spelling for spelling, _ in TAGS]),
)


@given(TEXTS)
@example("İ")
@example("ſr")
@example("\ud800")
def test_a_tag_stays_and_nothing_else_is_raised(text: str) -> None:
    near = nearest_tag(text)
    assert near is None or normalised(near) == near
    if normalised(text) is None:
        with pytest.raises(LanguageTagError, match=r"^here: .* is no language tag"):
            language_tag(text, "here")
        with pytest.raises(LanguageTagError):
            base_language(text)
    else:
        tag = language_tag(text, "here")
        assert tag.isascii()
        assert language_tag(tag, "here") == tag
        assert base_language(base_language(text)) == base_language(tag)


@given(st.sampled_from(TAGS), st.sampled_from([str.lower, str.upper, str.swapcase]))
def test_case_and_underscores_mean_nothing(pair: tuple[str, str], change: object) -> None:
    spelling, tag = pair
    changed = change(spelling)  # type: ignore[operator]
    assert normalised(changed.replace("-", "_")) == tag
