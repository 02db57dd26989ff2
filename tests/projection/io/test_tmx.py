"""Translation memories are read unit by unit, as they stand, or refused with file and line."""

import gzip
import os
from itertools import islice
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.corpus import read_tmx
from projection.records import ParallelSentence
from tests.projection.io.corpora import PIECES, texts, tmx, tuv, write
from tests.projection.peak import peak_below


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For properties, which write the same files over and over."""
    return tmp_path_factory.mktemp("corpus")


xml_texts = st.one_of(
    st.lists(st.sampled_from(PIECES[:-1]), max_size=5).map(" ".join),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Cc"]), max_size=12),
)


class TestTmx:
    """Translation memories."""

    def test_a_unit_knows_where_it_stood(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "a.tmx", tmx(tuv("en", "One") + tuv("de", "Eins"), tuv("en", "Two"))
        )
        assert list(read_tmx(path, "en", "de")) == [
            ParallelSentence("a.tmx:tu1-5c63724a", "One", "Eins", "en", "de", "a.tmx:4"),
            ParallelSentence("a.tmx:tu2-6bfcb6c5", "Two", "", "en", "de", "a.tmx:5"),
        ]

    @given(st.lists(st.tuples(xml_texts, xml_texts), min_size=1, max_size=4))
    def test_what_was_written_is_read(self, folder: Path, pairs: list[tuple[str, str]]) -> None:
        units = (tuv("en", escape(a)) + tuv("de", escape(b)) for a, b in pairs)
        path = write(folder / "a.tmx", tmx(*units))
        assert texts(read_tmx(path, "en", "de")) == pairs

    @pytest.mark.parametrize(
        ("seg", "text"),
        [
            pytest.param('a <hi type="x">b</hi> c', "a b c", id="hi holds text"),
            pytest.param('a<ph x="1"><sub>no<it>i</it>te</sub>{0}</ph>.', "a.", id="code"),
            pytest.param("\n   a\n   <seg>b</seg>\n  ", "a b", id="an element of the same name"),
            pytest.param("a &amp; b&#8232;c", "a & b\u2028c", id="character references"),
            pytest.param("AT&T, R&D;", "AT&T, R\ufdd0&D;", id="an ampersand stands for itself"),
            pytest.param("<![CDATA[a <b> &amp; &#x1F;]]>", "a <b> &amp; &#x1F;", id="CDATA"),
            pytest.param("a<!-- &no; -->b", "ab", id="comment"),
            pytest.param("", "", id="empty"),
            pytest.param("a\x0bb &#x1F;", "a\ufdd0000Bb \ufdd0001F", id="what XML forbids"),
        ],
    )
    def test_the_text_of_a_segment(self, tmp_path: Path, seg: str, text: str) -> None:
        path = write(tmp_path / "a.tmx", tmx(tuv("en", seg) + tuv("de", "x")))
        assert texts(read_tmx(path, "en", "de")) == [(text, "x")]

    @pytest.mark.parametrize(
        ("variants", "expected"),
        [
            pytest.param(tuv("EN-us", "A") + tuv("de_AT", "B"), ("A", "B"), id="varieties fit"),
            pytest.param(
                tuv("de", "B") + tuv("fr", "C") + tuv("en", "A"), ("A", "B"), id="any order"
            ),
            pytest.param(
                tuv("en-GB", "x") + tuv("en", "A") + tuv("de", "B"),
                ("A", "B"),
                id="exact is better",
            ),
            pytest.param(
                tuv("en-GB", "A") + tuv("en-US", "x") + tuv("de", "B"),
                ("A", "B"),
                id="else the first",
            ),
            pytest.param(
                '<tuv lang="en"><seg>A</seg></tuv>' + tuv("de", "B"), ("A", "B"), id="TMX 1.1"
            ),
            pytest.param(
                tuv("en", "A") + tuv("de", " \n") + tuv("de-AT", "C") + tuv("de", "B"),
                ("A", "B"),
                id="the first exact one with text",
            ),
            pytest.param(
                tuv("en", "A") + tuv("de", "") + tuv("de-CH", "B"),
                ("A", "B"),
                id="a variety with text",
            ),
            pytest.param(
                tuv("en", "A") + tuv("de", "\x01") + tuv("de", "B"), ("A", "B"), id="a readable one"
            ),
            pytest.param(tuv("en", "A") + tuv("de", ""), ("A", ""), id="none with text"),
            pytest.param(
                tuv("en", "A").replace("en", "&#101;n") + tuv("de", "B"), ("A", "B"), id="reference"
            ),
        ],
    )
    def test_languages(self, tmp_path: Path, variants: str, expected: tuple[str, str]) -> None:
        path = write(tmp_path / "a.tmx", tmx(variants))
        assert texts(read_tmx(path, "en", "de")) == [expected]

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param('<!DOCTYPE tmx SYSTEM "tmx14.dtd">', id="the DTD is named, never fetched"),
            pytest.param("\ufeff<?xml version='1.0'?>", id="BOM"),
            pytest.param("\n \ufeff\n<?xml version='1.1' encoding='utf8'?>", id="blank lines"),
        ],
    )
    def test_heads(self, tmp_path: Path, head: str) -> None:
        path = write(tmp_path / "a.tmx", tmx(tuv("en", "A") + tuv("de", "ü"), head=head))
        assert texts(read_tmx(path, "en", "de")) == [("A", "ü")]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(
                "", r"a\.tmx:1: not well-formed XML \(no element found\) at", id="empty file"
            ),
            pytest.param(
                tmx(tuv("en", "A"), "<tuv><seg>B</seg></tuv>"),
                r"a\.tmx:5: <tuv>: no xml:lang. Add xml:lang",
                id="no language",
            ),
            pytest.param(
                tmx(tuv("en", "A</tuv>")),
                r"a\.tmx:4: not well-formed XML \(mismatched",
                id="malformed",
            ),
            pytest.param(tmx(tuv("en", "A"))[:-20], r"not well-formed", id="cut short"),
            pytest.param(
                "<xliff></xliff>", r"a\.tmx:1: <xliff> where <tmx> should be", id="not TMX"
            ),
            pytest.param(
                tmx(tuv("fr", "A") + tuv("nl", "B")),
                r"a\.tmx: no <tu> has both en and de; there are fr, nl. Pass the languages",
                id="other languages",
            ),
            pytest.param(
                tmx(tuv("en", "&x;"), head='<!DOCTYPE tmx [<!ENTITY x "boom">]>'),
                r"a\.tmx:1: declares an entity.*Remove what is between",
                id="entity declared",
            ),
            pytest.param(
                tmx(
                    tuv("en", "&x;"), head='<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/hosts">]>'
                ),
                r"a\.tmx:1: declares an entity.*Remove what is between",
                id="file asked for",
            ),
            pytest.param(
                tmx(tuv("en", "A"), head='<!DOCTYPE tmx [<!ATTLIST tu x CDATA "1">]>'),
                "declares a default",
                id="attribute declared",
            ),
        ],
    )
    def test_broken_files(self, tmp_path: Path, content: str | bytes, message: str) -> None:
        path = write(tmp_path / "a.tmx", content)
        with pytest.raises(CorpusError, match=message):
            list(read_tmx(path, "en", "de"))

    def test_what_stands_before_a_mistake_is_read(self, tmp_path: Path) -> None:
        good = tuv("en", "A") + tuv("de", "B")
        path = write(tmp_path / "a.tmx", tmx(good, good, "<tuv>"))
        assert texts(islice(read_tmx(path, "en", "de"), 2)) == [("A", "B")] * 2

    def test_memory_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        path = write(
            tmp_path / "a.tmx", tmx(*[tuv("en", "A" * 200) + tuv("de", "B" * 200)] * 4_000)
        )
        assert path.stat().st_size > 1_800_000
        with peak_below(1_000_000):
            assert sum(1 for _ in read_tmx(path, "en", "de")) == 4_000

    @pytest.mark.parametrize(
        ("start", "piece", "what"),
        [
            pytest.param("<tu><tuv lang='en'><seg>", "x", "a unit of more than", id="segment"),
            pytest.param("<tu><tuv lang='en'><seg><ph>", "x", "a unit of more than", id="code"),
            pytest.param("<tu>", "<tuv lang='en'/>", "a unit of more than", id="variants"),
            pytest.param("<tu a='", "x", "a tag or comment of more than", id="attribute"),
            pytest.param("<tu ", "x", "a tag or comment of more than", id="name"),
            pytest.param("<!--", "x", "a tag or comment of more than", id="comment"),
            pytest.param("", "<a>", "more than 200 elements", id="depth"),
        ],
    )
    def test_what_would_fill_the_memory_is_refused(
        self, tmp_path: Path, start: str, piece: str, what: str
    ) -> None:
        many = piece * (6_000_000 // len(piece))
        packed = gzip.compress((tmx()[:-16] + start + many).encode(), 1)
        path = write(tmp_path / "a.tmx", packed)
        with pytest.raises(CorpusError, match=rf"a\.tmx:3: {what}"):
            list(read_tmx(path, "en", "de"))

    def test_names_without_end_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tmx", tmx(*(f"<a{i}/>" for i in range(20_000))))
        with pytest.raises(CorpusError, match="names of thousands of elements"):
            list(read_tmx(path, "en", "de"))

    @given(
        st.binary(max_size=40), st.integers(0, 400), st.sampled_from(("utf-8", "utf-16", "big5"))
    )
    def test_a_damaged_file_is_read_or_refused(
        self, folder: Path, damage: bytes, at: int, encoding: str
    ) -> None:
        head = f'<?xml version="1.0" encoding="{encoding}"?>'
        whole = tmx(tuv("en", "A&amp;<ph>b</ph>c") + tuv("de", "大"), head=head).encode(encoding)
        path = write(folder / "b.tmx", whole[:at] + damage + whole[at + len(damage) :])
        try:
            answer = repr(texts(read_tmx(path, "en", "de")))
        except CorpusError as error:
            answer = str(error)
        assert answer.startswith((str(path), "[("))
        assert "\n" not in answer

    def test_nothing_external_is_opened(self, tmp_path: Path) -> None:
        head = f'<!DOCTYPE tmx PUBLIC "-//LISA//TMX" "file://{tmp_path}/tmx14.dtd">'
        os.mkfifo(tmp_path / "tmx14.dtd")  # to open it would wait for ever
        path = write(tmp_path / "a.tmx", tmx(tuv("en", "A&x;") + tuv("de", "B"), head=head))
        assert texts(read_tmx(path, "en", "de")) == [("A\ufdd0&x;", "B")]
