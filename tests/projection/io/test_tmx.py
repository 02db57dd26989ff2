"""Translation memories are read unit by unit, as they stand, or refused with file and line."""

import tracemalloc
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
            pytest.param(
                'a <bpt i="1">&lt;b&gt;</bpt>b<ept i="1">&lt;/b&gt;</ept>', "a b", id="bpt"
            ),
            pytest.param(
                'a<ph x="1"><sub>no<it>i</it>te</sub>{0}</ph> b', "a b", id="ph and what it holds"
            ),
            pytest.param('<it pos="begin">{</it>a<ut>}</ut>', "a", id="it, ut"),
            pytest.param('a <hi type="x">b</hi> c', "a b c", id="hi holds text"),
            pytest.param("a &amp; b&#8232;c", "a & b\u2028c", id="character references"),
            pytest.param("<![CDATA[a <b>]]>", "a <b>", id="CDATA"),
            pytest.param("a<!-- no -->b", "ab", id="comment"),
            pytest.param("", "", id="empty"),
            pytest.param(" a\n b ", " a\n b ", id="white space is text"),
        ],
    )
    def test_only_text_is_kept_of_inline_tags(self, tmp_path: Path, seg: str, text: str) -> None:
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
        ],
    )
    def test_heads(self, tmp_path: Path, head: str) -> None:
        path = write(tmp_path / "a.tmx", tmx(tuv("en", "A") + tuv("de", "ü"), head=head))
        assert texts(read_tmx(path, "en", "de")) == [("A", "ü")]

    def test_utf_16_as_many_tools_write_it(self, tmp_path: Path) -> None:
        content = tmx(
            tuv("en", "A") + tuv("zh", "大西洋"), head='<?xml version="1.0" encoding="UTF-16"?>'
        )
        path = write(tmp_path / "a.tmx", content.encode("utf-16"))
        assert texts(read_tmx(path, "en", "zh")) == [("A", "大西洋")]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(
                "", r"a\.tmx:1: not well-formed XML \(no element found\)", id="empty file"
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
                tmx(tuv("en", "A\x01")), r"a\.tmx:4: not well-formed", id="control character"
            ),
            pytest.param(
                tmx(tuv("en", "caf\xe9")).encode("latin-1"),
                r"a\.tmx:4: not well-formed",
                id="not UTF-8",
            ),
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
                "refused: EntitiesForbidden",
                id="entity declared",
            ),
            pytest.param(
                tmx(
                    tuv("en", "&x;"), head='<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/hosts">]>'
                ),
                "refused: EntitiesForbidden",
                id="file asked for",
            ),
            pytest.param(
                tmx(tuv("en", "a&nbsp;b"), head='<!DOCTYPE tmx SYSTEM "tmx14.dtd">'),
                r"a\.tmx:4: &nbsp; is not defined",
                id="a character would be lost",
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
            tmp_path / "a.tmx", tmx(*[tuv("en", "A" * 200) + tuv("de", "B" * 200)] * 20_000)
        )
        tracemalloc.start()
        assert sum(1 for _ in read_tmx(path, "en", "de")) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert path.stat().st_size > 9_000_000
        assert peak < 1_000_000
