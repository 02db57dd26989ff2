"""XML is read in the encoding it is written in, or one line says how to convert it."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.xml_text import resolved, unreadable, xml_text

HEAD = '<?xml version="1.0" encoding="{}"?>\n<tmx>{}</tmx>'


def decoded(content: bytes) -> str:
    return "".join(xml_text(io.BufferedReader(io.BytesIO(content)), Path("a.tmx")))


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("utf8", "utf-8", "München"),
        ("UTF_8", "utf-8", "München"),
        ("UTF-8-SIG", "utf-8", "München"),
        ("unicode-1-1-utf-8", "utf-8", "München"),
        ("us-ascii", "utf-8", "München"),
        ("utf-8", "utf-8-sig", "München"),
        ("Shift_JIS", "shift_jis", "ミュンヘン"),
        ("Shift_JIS", "cp932", "①髙島屋"),
        ("x-sjis", "shift_jis", "ミュンヘン"),
        ("Windows-31J", "cp932", "ミュンヘン"),
        ("EUC-JP", "euc-jp", "ミュンヘン"),
        ("ISO-2022-JP", "iso-2022-jp", "ミュンヘン"),
        ("GBK", "gbk", "慕尼黑"),
        ("GB2312", "gbk", "朱镕基"),
        ("gb18030", "gb18030", "慕尼黑 𠮷"),
        ("Big5", "big5", "慕尼黑"),
        ("Big5", "cp950", "裏"),
        ("big5-hkscs", "big5hkscs", "啲"),
        ("EUC-KR", "euc-kr", "뮌헨"),
        ("ks_c_5601-1987", "cp949", "똠"),
        ("windows-949", "cp949", "뮌헨"),
        ("iso-8859-1", "cp1252", "“München”"),
        ("ISO-8859-15", "iso-8859-15", "€"),
        ("x-mac-roman", "mac_roman", "München"),
        ("macintosh", "mac_roman", "München"),
        ("win-1251", "cp1251", "Мюнхен"),
        ("KOI8-R", "koi8-r", "Мюнхен"),
        ("TIS-620", "tis-620", "มิวนิก"),
        ("UCS-2", "utf-16", "München"),
        ("ISO-10646-UCS-2", "utf-16", "München"),
        ("UTF-16", "utf-16-le", "München"),
        ("UTF-16", "utf-16-be", "München"),
        ("utf-8", "utf-16", "München"),
        ("UTF-32", "utf-32", "München"),
        ("UTF-32", "utf-32-be", "München"),
        pytest.param("UTF-16", "utf-8", "München", id="only says that it is UTF-16"),
        pytest.param("UNICODE", "utf-8", "München", id="an unknown name, and UTF-8"),
        pytest.param("ANSI", "utf-8", "München", id="no one encoding, and UTF-8"),
        pytest.param("base64", "utf-8", "München", id="a codec that is no encoding"),
        pytest.param("unicode_escape", "utf-8", r"M\xfcnchen", id="a codec of source code"),
        pytest.param("cp037", "utf-8", "München", id="EBCDIC, declared in ASCII"),
    ],
)
def test_declared_encodings(declared: str, codec: str, text: str) -> None:
    content = HEAD.format(declared, text)
    head, _, rest = decoded(content.encode(codec)).partition("\n")
    assert (head.strip(), rest) == ("", f"<tmx>{text}</tmx>")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            HEAD.format("ANSI", "ü").encode("cp1252"),
            r"a\.tmx:2: declares ANSI, which cannot be read, and is not UTF-8 \(byte 0xfc.*iconv",
            id="no one encoding",
        ),
        pytest.param(
            HEAD.format("Shift_JIS", "“").encode(),
            r"a\.tmx:2: declares Shift_JIS, but is not Shift_JIS \(byte 0x9c.*declare",
            id="another one",
        ),
        pytest.param(
            "<tmx>\n\nü</tmx>".encode("latin-1"),
            r"a\.tmx:3: not UTF-8 \(byte 0xfc.*iconv.*or declare its encoding in line 1",
            id="undeclared",
        ),
        pytest.param(
            HEAD.format("UTF-16", "ü").encode("latin-1"),
            "declares UTF-16, which cannot be read, and is not UTF-8",
            id="a wrong one",
        ),
        pytest.param(
            HEAD.format("UTF-16", "ü").encode("utf-16")[:-1],
            r"not UTF-16 \(byte 0x3e: truncated data\)",
            id="cut short",
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n", r"a\.tmx:1: not UTF-8 \(byte 0x89", id="a picture"),
    ],
)
def test_what_is_not_in_the_encoding_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        decoded(content)


@given(st.binary(max_size=60), st.sampled_from(("utf-7", "hz", "idna", "big5", "x", "utf-16", "")))
def test_any_bytes_are_read_or_refused(content: bytes, declared: str) -> None:
    try:
        text = decoded(HEAD.format(declared, "").encode() + content)
    except CorpusError as error:
        text = str(error).replace("\n", "\ud800")
    text.encode()  # neither half a character nor two lines of message


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a&amp;b&lt;&gt;&quot;&apos;", "a&b<>\"'"),
        ("M&uuml;nchen&nbsp;1", "München\xa01"),
        ("&#252;&#xFC;&#XFC;&#0000252;", "üüüü"),
        ("&#128512;", "😀"),
        ("Peter&#146;s", "Peter’s"),
        ("&amp;amp;", "&amp;"),
        ("AT&T & Co; &;&#;&#x;&#xZ;", "AT&T & Co; &;&#;&#x;&#xZ;"),
    ],
)
def test_references(written: str, text: str) -> None:
    assert resolved(decoded(written.encode())) == text
    assert unreadable(text) is None


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("a\x0bb", "U+000B, which XML forbids"),
        ("a\0b", "U+0000, which XML forbids"),
        ("a\uffffb", "U+FFFF, which XML forbids"),
        ("a\ufdd1b", "U+FDD1, which XML forbids"),
        ("a&#x1F;b", "U+001F, which XML forbids"),
        ("a&#0;b", "U+0000, which XML forbids"),
        ("a&#xD800;b", "U+D800, which XML forbids"),
        ("a&#9999999;b", "a reference to no character"),
        ("a&nosuch;b", "a reference to no character"),
    ],
)
def test_what_cannot_be_read_is_named(written: str, what: str) -> None:
    assert unreadable(resolved(decoded(written.encode()))) == what
