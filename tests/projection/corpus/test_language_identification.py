"""Sentences in another language are found; names and short sentences are left alone."""

import sys

import pytest

from projection.corpus.language_identification import LanguageCheck
from projection.errors import CorpusError


def test_without_the_package_the_fix_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)  # how Python marks what is not there
    with pytest.raises(CorpusError, match=r"py3langid is not installed. pip .* min_language = 0"):
        LanguageCheck(0.02)


@pytest.fixture(scope="module")
def check() -> LanguageCheck:
    pytest.importorskip("py3langid", reason="pip install 'spanferry[clean]'")
    return LanguageCheck(0.02)


@pytest.mark.parametrize(
    ("lang", "text", "found"),
    [
        ("de", "The government has not yet decided about it.", "en"),
        ("de", "El gobierno todavía no ha decidido nada.", "es"),
        ("zh", "政府はまだ何も決めていない。", "ja"),
        ("ru", "Правительство ще нищо не е решило.", "bg"),
        ("en", "“Die Regierung hat noch nichts entschieden”, said Anna.", "de"),
    ],
    ids=["English", "Spanish", "Japanese", "Bulgarian", "German quoted at length"],
)
def test_another_language(check: LanguageCheck, lang: str, text: str, found: str) -> None:
    reason = check.other_language(text, lang)
    assert reason is not None
    assert reason.startswith(f"{found} at ")
    assert f", {lang} at 0.0" in reason


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "Kateřina Kněžínková and Adam Plachetka sang."),
        ("en", "Dvořák, Janáček, Smetana, Martinů"),
        ("de", "RWE, BASF und Bayer legten zu"),
        ("de", "Ja, okay."),
        ("en", "Sampras beat Becker 6-4 6-3"),
        ("de", "6:4, 6:3"),
        ("nb", "Regjeringen har ennå ikke bestemt noe om saken."),
        ("no", "Regjeringa har enno ikkje bestemt noko om saka."),
        ("yue", "政府仲未決定任何嘢。我哋要等一等先。"),
        ("zh-TW", "政府還沒有決定任何事情，我們還要再等一等。"),
        ("ar", "الحكومة لم تقرر أي شيء بعد في هذا الأمر"),
    ],
    ids=[
        *("names in a sentence", "names alone", "few words beside names", "short", "a score"),
        *("no letters", "Bokmål", "Nynorsk as no", "Cantonese", "traditional script", "Arabic"),
    ],
)
def test_what_is_left_alone(check: LanguageCheck, lang: str, text: str) -> None:
    assert check.other_language(text, lang) is None


def test_languages_that_it_cannot_tell_are_remembered(check: LanguageCheck) -> None:
    assert check.other_language("ᎤᏍᏗ ᎠᏂᏴᏫᏯ", "chr") is None
    assert "chr" in check.unknown
    assert "de" not in check.unknown
