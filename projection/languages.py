"""Language tags as people type them, normalised to BCP 47 (RFC 5646), and what models know of them.

A tag has a language subtag of ISO 639: of two letters where the language has a code of two, else of
three (`de`, `yue`). Script, region and the rest follow it, each in its customary case
(`zh-Hant-HK`). The registered scripts, regions and three-letter codes are not listed here: what is
well-formed is accepted.

The records of sentences and training rows normalise their tags when they are made, so that nothing
behind them meets another spelling.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path

from projection.errors import LanguageTagError

# ISO 639-1 with the codes of 639-2 and 639-3, withdrawn ones, and those of the individual language
# that stands for a macrolanguage (`cmn`, `arb`: CLDR's aliases); names for suggestions only.
_TABLE = Path(__file__).with_name("languages.tsv")

# Varieties that keep their tag, and the tag of the language whose rules and models serve them. Of
# Norwegian corpora are labelled `no`, `nb` and `nn`; most text of all three is Bokmål, `nb`.
_CHINESE = frozenset(
    {"cdo", "cjy", "cnp", "cpx", "csp", "czh", "czo", "gan", "hak", "hsn", "lzh", "mnp", "nan"}
    | {"wuu", "yue"}
)
_CHINESE_CODES = "|".join(sorted(_CHINESE))
_BASES = {**dict.fromkeys(_CHINESE, "zh"), **dict.fromkeys(("no", "nn"), "nb")}

# The grammar of RFC 5646, without extended language subtags but the Chinese ones (`zh-yue`).
_TAG = re.compile(
    rf"(?P<language>[a-z]{{2,3}}|zh-(?:cmn|{_CHINESE_CODES}))"
    r"(?P<script>-[a-z]{4})?"
    r"(?P<region>-(?:[a-z]{2}|\d{3}))?"
    r"(?P<rest>(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*"
    r"(?:-[a-wyz\d](?:-[a-z\d]{2,8})+)*(?:-x(?:-[a-z\d]{1,8})+)?)",
    re.ASCII,
)

# Codes of countries that people give for their languages.
_COUNTRIES = {
    "cn": "zh",
    "cz": "cs",
    "dk": "da",
    "gb": "en",
    "gr": "el",
    "jp": "ja",
    "tw": "zh-TW",
    "ua": "uk",
    "us": "en",
    "vn": "vi",
}
_CLOSE = 0.8  # of difflib: one letter of five may differ


def language_tag(text: str, where: str) -> str:
    """Normalise a tag that a person typed: `zh_TW` and `ZH-tw` to `zh-TW`, `deu` and `ger` to `de`.

    Raises LanguageTagError, with the nearest tag, if `text` is none; `where` it was found.
    """
    if (tag := normalised(text)) is not None:
        return tag
    near = nearest_tag(text)
    fix = f"Did you mean {near}?" if near else "Give a BCP 47 tag, such as de or zh-Hant"
    raise LanguageTagError(where, f"{text!r:.40} is no language tag", fix)


@lru_cache(maxsize=4096)
def normalised(text: str) -> str | None:
    """Return the normalised tag, or None if `text` is no tag."""
    parts = _TAG.fullmatch(text.strip().replace("_", "-").lower())
    if parts is None:
        return None
    code = parts["language"].rpartition("-")[2]
    language = _codes().get(code, code)
    if len(language) == 2 and language not in _codes():
        return None
    script, region = (parts["script"] or "").title(), (parts["region"] or "").upper()
    return f"{language}{script}{region}{parts['rest']}"


@lru_cache(maxsize=4096)
def base_language(tag: str) -> str:
    """Return the primary language that a model knows: `zh` for `zh-TW` and `yue`, `nb` for `no`.

    Raises LanguageTagError if `tag` is none.
    """
    language = language_tag(tag, "language").partition("-")[0]
    return _BASES.get(language, language)


def is_untrained(tag: str, trained: Collection[str]) -> bool:
    """Return whether a model trained on these base languages does not know that of `tag`.

    False if `trained` is empty: then nothing is known.
    """
    return bool(trained) and base_language(tag) not in trained


def nearest_tag(text: str) -> str | None:
    """Guess the tag that was meant by what is none: `zh` by `Chinese`, `de` by `Deutsch (DE)`."""
    words = [word for word in re.split(r"[^\w-]+", text.casefold()) if word]
    known = {**_names(), **_COUNTRIES}
    for phrase in (" ".join(words), *words):
        if phrase in known:
            return known[phrase]
    for word in words:
        for start in _starts(word):
            if (tag := normalised(start)) is not None:
                return tag
    for phrase in (" ".join(words), *words):
        if close := get_close_matches(phrase, known, n=1, cutoff=_CLOSE):
            return known[close[0]]
    return None


def _starts(word: str) -> Iterator[str]:
    """The subtags of a word, from all of them down to the first one."""
    subtags = re.split(r"[-_]", word)
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])


@cache
def _codes() -> dict[str, str]:
    """The language subtag of every code in the table, its own included."""
    return {code: tag for tag, others, _ in _rows() for code in (tag, *others.split())}


@cache
def _names() -> dict[str, str]:
    """The language subtag of every name in the table, in lower case."""
    return {name.casefold(): tag for tag, _, names in _rows() for name in names.split(", ")}


@cache
def _rows() -> list[list[str]]:
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]
