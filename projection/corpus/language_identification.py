"""Sentences in another language than they should be, found by py3langid.

py3langid (BSD-3) brings its model of 140 languages; nothing is downloaded. On short sentences and
on names every identifier guesses. So only the running text is looked at, without words that have a
capital, and a side is refused only if three things hold: that text has `RUNNING_LETTERS`, the
probability of the side's language is below the recipe's, and another language has `SURE`.
"""

from collections import Counter
from importlib.util import find_spec
from typing import Any

from projection.corpus.rules import running_text, tells_something
from projection.errors import CorpusError
from projection.languages import base_language

SURE = 0.5
_NO_LANGUAGE = "zxx"  # the label of program code and figures
# Labels of py3langid for varieties of a language, which `base_language` does not know.
_VARIETIES = {"ary": "ar", "arz": "ar", "grc": "el", "hbo": "he"}


class LanguageCheck:
    """Which texts are in another language. `unknown` are languages that it cannot tell."""

    def __init__(self, least: float) -> None:
        """Drop a text if the probability of its language is below `least`.

        Raises CorpusError if py3langid is not installed.
        """
        if find_spec("py3langid") is None:
            fix = "pip install 'spanferry[clean]', or set min_language = 0 in a --recipe"
            raise CorpusError("clean", "py3langid is not installed", fix)
        from py3langid.langid import (  # noqa: PLC0415  an extra
            MODEL_FILE,
            LanguageIdentifier,
        )

        self._identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        labels = [label for label in self._identifier.labels if label != _NO_LANGUAGE]
        self._identifier.set_languages(labels)
        self._bases = {label: base_language(_VARIETIES.get(label, label)) for label in labels}
        self._known = {*self._bases.values()}
        self._least = least
        self.unknown: set[str] = set()

    def other_language(self, text: str, lang: str) -> str | None:
        """Say which language a text is in, if that is surely not `lang`."""
        expected = base_language(lang)
        if expected not in self._known:
            self.unknown.add(lang)
            return None
        running = running_text(text)
        if not tells_something(running):
            return None
        if self._bases[self._identifier.classify(running)[0]] == expected:
            return None
        found = Counter[str]()
        for label, probability in self._identifier.rank(running):
            found[self._bases[label]] += probability
        [(likeliest, probability)] = found.most_common(1)
        if found[expected] >= self._least or probability < SURE:
            return None
        return f"{likeliest} at {probability:.2f}, {expected} at {found[expected]:.2f}"
