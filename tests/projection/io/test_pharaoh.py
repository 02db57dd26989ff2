"""Links in Pharaoh format are read and written the same by all who use them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.pharaoh import WordLink, WordLinks, check_links, read_links, write_links


class TestPharaoh:
    @pytest.mark.parametrize(
        ("line", "sure", "possible"),
        [
            pytest.param("0-0 1-2 10-3", {(0, 0), (1, 2), (10, 3)}, set(), id="three links"),
            pytest.param("007-10", {(7, 10)}, set(), id="leading zeros"),
            pytest.param("", set(), set(), id="an empty line: nothing aligned"),
            pytest.param("0-1 0-1\n", {(0, 1)}, set(), id="said twice, with its line end"),
            pytest.param("0-0 3p12", {(0, 0)}, {(3, 12)}, id="a possible link"),
            pytest.param(" \t0p0 0-0\r", {(0, 0)}, {(0, 0)}, id="both, and white space"),
        ],
    )
    def test_a_line(self, line: str, sure: set[WordLink], possible: set[WordLink]) -> None:
        assert read_links(line, "a:1") == (sure, possible)

    @pytest.mark.parametrize(
        "item",
        [
            *("0", "0-", "-1", "0-1-2", "-1-0", "0--1", "a-b", "0:1", "1.0-2", "1_0-2"),
            *("0-1,1-1", "²-1", "٣-١", "0-1:0.9", "9" * 5000 + "-0"),
        ],
    )
    def test_anything_else_is_named(self, item: str) -> None:
        with pytest.raises(CorpusError, match=r"^a:7: '.{1,39}.* is not a link\. Pharaoh"):
            read_links(f"0-0 {item} 1-1", "a:7")

    @given(
        st.frozensets(st.tuples(st.integers(0, 99), st.integers(0, 99))),
        st.frozensets(st.tuples(st.integers(0, 99), st.integers(0, 99))),
    )
    def test_what_is_written_is_read(self, sure: WordLinks, possible: WordLinks) -> None:
        assert read_links(write_links(sure, possible), "a:1") == (sure, possible)


@pytest.mark.parametrize("links", [{(2, 0)}, {(0, 0), (1, 3)}])
def test_words_that_are_not_there(links: set[WordLink]) -> None:
    check_links(frozenset({(1, 2)}), (2, 3), "a.txt:4", "news.en:4", "--write-pairs")
    message = r"a\.txt:4: .*but news\.en:4 has 2 source and 3 .*align what --write-pairs writes"
    with pytest.raises(CorpusError, match=message):
        check_links(frozenset(links), (2, 3), "a.txt:4", "news.en:4", "--write-pairs")
