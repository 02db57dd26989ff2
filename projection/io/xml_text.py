"""The text of an XML file as a stream, in any encoding it declares, fit to be parsed.

Characters that XML forbids become `UNREADABLE` and a code point in hex, so that they cost a
sentence and not the file. Every `&` becomes `AMPERSAND`: a parser then meets no reference, and so
no entity that a file declares, and `resolved` reads the references in what it found. The
declaration, which has said all it has to, becomes blanks, also behind some that no parser would
take.
"""

import codecs
import re
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterator
from html.entities import html5
from io import BufferedReader
from pathlib import Path

from projection.errors import CorpusError

CHUNK_BYTES = 1 << 16

# Noncharacters of Unicode, which no text has.
UNREADABLE, AMPERSAND = "\ufdd0", "\ufdd1"
NONCHARACTERS = "\ufdd0-\ufdef\ufffe\uffff"
_FORBIDDEN = re.compile(rf"[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff{NONCHARACTERS}]+")
_REFERENCE = re.compile(
    rf"{AMPERSAND}(?:#(\d{{1,10}})|#x([\da-f]{{1,10}})|([a-z]\w{{0,31}}));",
    re.ASCII | re.IGNORECASE,
)
_UNREADABLE = re.compile(rf"{UNREADABLE}(?:([0-9A-F]{{4,6}})|&)")

_MARKS = {  # of UTF-32 before those of UTF-16, which they begin with
    BOM_UTF32_LE: "utf-32",
    BOM_UTF32_BE: "utf-32",
    BOM_UTF8: "utf-8-sig",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
    b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']\s*([\w.:+-]*)\s*[\"']")
_LONGEST_DECLARATION = 1024
_XML = re.compile(r"\A[\s\ufeff]*<\?xml\s[^>]*>")

_UTF8 = "utf-8"
# By Python's name of a codec, what files of that name are written in: as browsers read them
# (https://encoding.spec.whatwg.org/#names-and-labels), with the characters that Windows added.
_WRITTEN_IN = {
    "ascii": _UTF8,
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "cp950",
}
_NAMES = {"windows-31j": "cp932", "unicode-1-1-utf-8": _UTF8}
_CODE_PAGE = re.compile(r"(?:windows|win|ms|cp|ibm|dos)[-_ ]?(\d{3,5})")
# Codecs of Python that are no encodings of text files.
_NO_ENCODINGS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}


def xml_text(stream: BufferedReader, path: Path) -> Iterator[str]:
    """Stream the text of the XML file at `path`, as the module's docstring describes.

    A byte order mark counts more than the declaration. A declared name that nobody knows, or that
    contradicts the first bytes, is passed over where the rest is valid UTF-8. Raises CorpusError
    at bytes that are not of the encoding.
    """
    head = stream.read(CHUNK_BYTES)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), None)
    found = _DECLARATION.match(head[:_LONGEST_DECLARATION])
    declared = found[1].decode("ascii", "replace") if found and mark is None else ""
    codec = _codec(declared, head[: found.end()]) if found and declared else None
    encoding = _MARKS[mark] if mark else codec or _UTF8
    decoder = codecs.getincrementaldecoder(encoding)()
    line, chunk = 1, head
    while True:
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            raise _undecodable(error, f"{path}:{line}", declared, codec, encoding) from error
        if chunk is head:
            text = _XML.sub(_as_blanks, text)
        line += text.count("\n")
        yield _FORBIDDEN.sub(_as_unreadable, text).replace("&", AMPERSAND)
        if not chunk:
            return
        chunk = stream.read(CHUNK_BYTES)


def _codec(declared: str, declaration: bytes) -> str | None:
    """Return the codec for a declared encoding, or None if it is unknown or cannot be right."""
    name = declared.lower()
    if page := _CODE_PAGE.fullmatch(name.removeprefix("x-")):
        name = f"cp{page[1]}"
    for known in (_NAMES.get(name, name), name.removeprefix("x-"), name.replace("x-mac", "mac")):
        try:
            codec = codecs.lookup(known).name
            if codec.replace("-", "_") in _NO_ENCODINGS:
                return None
            codec = _WRITTEN_IN.get(codec, codec)
            # Of what is declared in ASCII, UTF-16 and EBCDIC are wrong; base64 is no encoding.
            return codec if declaration.decode(codec) == declaration.decode("ascii") else None
        except (LookupError, UnicodeError, ValueError):
            continue
    return None


def _undecodable(
    error: UnicodeDecodeError, where: str, declared: str, codec: str | None, encoding: str
) -> CorpusError:
    what = f"not {encoding.upper().removesuffix('-SIG')}"
    fix = "Convert it to UTF-8, for instance with iconv -f WINDOWS-1252 -t UTF-8"
    if codec is not None:
        what = f"declares {declared}, but is not {declared}"
        fix += ', and declare encoding="UTF-8"'
    elif declared:
        what = f"declares {declared:.40}, which cannot be read, and is not UTF-8"
        fix += ', and declare encoding="UTF-8"; or declare the encoding it has'
    elif encoding == _UTF8:
        fix += ', or declare its encoding in line 1: <?xml version="1.0" encoding="windows-1252"?>'
    bad = f"byte 0x{error.object[error.start]:02x}" if error.start < len(error.object) else "end"
    return CorpusError(where, f"{what} ({bad}: {error.reason})", fix)


def _as_blanks(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _as_unreadable(found: re.Match[str]) -> str:
    return f"{UNREADABLE}{ord(found[0][0]):04X}"


def resolved(text: str) -> str:
    """Read the references in parsed text: XML's, HTML's, and those to a code point.

    An `&` that begins none stands for itself. One that means no character is `UNREADABLE`.
    """
    return _REFERENCE.sub(_referred, text).replace(AMPERSAND, "&") if AMPERSAND in text else text


def _referred(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return html5.get(f"{name};", f"{UNREADABLE}&{name};")
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code > sys.maxunicode:
        return f"{UNREADABLE}&#{code};"
    if 0x80 <= code < 0xA0:  # as HTML does: &#146; is the apostrophe that Windows has there
        return bytes([code]).decode("cp1252", "replace")
    return _FORBIDDEN.sub(_as_unreadable, chr(code))


def unreadable(text: str) -> str | None:
    """Return what cannot be read in a text of `xml_text`, or None."""
    if (found := _UNREADABLE.search(text)) is None:
        return None
    return f"U+{found[1]}, which XML forbids" if found[1] else "a reference to no character"
