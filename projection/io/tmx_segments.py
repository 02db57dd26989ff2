"""The text of a TMX `<seg>`: what inline codes and the layout of the file leave of it.

An inline code is formatting of the original document. Where a line break, a tab or a placeholder
stood between two words there is a blank; formatting that comes in pairs parts no word.
"""

import re
from collections.abc import Mapping
from html import unescape

import regex

from projection.io.xml_text import resolved
from projection.text.words import UNPARTED

# Elements whose content is code of the original format (RTF, HTML), unlike that of <hi>.
_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})
# Elements that stand for themselves; those without code are XLIFF's.
_PLACEHOLDERS = frozenset({"it", "ph", "x", "bx", "ex"})
_CODE_READ = 64  # characters of a code that are looked at

# Noncharacters that stand for codes until the text around them is known.
_GAP, _BREAK = "\ufdd2", "\ufdd3"
_RUN = re.compile(f"[{_GAP}{_BREAK}]+")
_LAYOUT = re.compile(r"[ \t\r\n]+")
_LETTER = regex.compile(r"[\p{L}\p{M}\p{N}]")
# Of languages whose words have blanks between them.
_SPACED_LETTER = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNPARTED}]]", regex.VERSION1)

# How HTML, RTF, WordprocessingML, OpenDocument and TMX's own types name what parts words, and what
# does not.
_PARTS = re.compile(
    r"\W*(?:[a-z]{1,6}:)?"
    r"(?:br|cr|lb|p|par|line|tab|page|cell|row|td|th|tr|li|dd|dt|div|h[1-6]"
    r"|(?:line|page|column)-?break|sect?|column)(?![a-z\d-])|[\s{]*\\~|<text:s\b",
    re.IGNORECASE,
)
_JOINS = re.compile(
    r"\W*(?:[a-z]{1,6}:)?(?:shy|wbr|zwn?j|zwn?bo|zwsp|soft-?hyphen)(?![a-z\d])"
    r"|[\s{]*\\-[\s}]*$|[\s{]*[\xad\u200b-\u200d\u2060]",
    re.IGNORECASE,
)


class Segment:
    """Collects one `<seg>`: its elements and characters, as a parser meets them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._codes: list[str] = []  # names of the open code elements
        self._type = ""
        self._code: list[str] = []  # of the outermost

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element inside the segment begins."""
        if not self._codes:
            self._code, self._type = [], attributes.get("type", "")
        if self._codes or name in _CODE:
            self._codes.append(name)
        else:
            self._mark(name, name)

    def end(self, name: str) -> None:
        """An element inside the segment ends."""
        if not self._codes:
            if name not in _PLACEHOLDERS:
                self._mark(name, name)
        elif len(self._codes) == 1:
            self._mark(self._codes.pop(), "".join(self._code)[:_CODE_READ])
        else:
            self._codes.pop()

    def characters(self, text: str) -> None:
        """Text of the segment or of a code in it."""
        if not self._codes:
            self._parts.append(text)
        elif len(self._codes) == 1 and len(self._code) < _CODE_READ:
            self._code.append(text[:_CODE_READ])

    @property
    def text(self) -> str:
        """The text, without white space that only lays out the file."""
        text = _RUN.sub(_blank, resolved("".join(self._parts)))
        return _LAYOUT.sub(_laid_out, text) if "\n" in text or "\r" in text else text

    def _mark(self, name: str, code: str) -> None:
        code = unescape(resolved(code))
        if code.isspace() or _PARTS.match(code) or _PARTS.match(self._type):
            self._parts.append(_BREAK)
        elif name in _PLACEHOLDERS and not (_JOINS.match(code) or _JOINS.match(self._type)):
            self._parts.append(_GAP)


def _blank(codes: re.Match[str]) -> str:
    """Return the blank for codes in a row, if they part two words."""
    text, start, end = codes.string, codes.start(), codes.end()
    if start == 0 or end == len(text):
        return ""
    before, after = text[start - 1], text[end]
    if _BREAK in codes[0]:
        parts = not before.isspace() and _LETTER.match(after)
    else:
        parts = _SPACED_LETTER.match(before) and _SPACED_LETTER.match(after)
    return " " if parts else ""


def _laid_out(run: re.Match[str]) -> str:
    if "\n" not in run[0] and "\r" not in run[0]:
        return run[0]
    return " " if run.start() and run.end() < len(run.string) else ""
