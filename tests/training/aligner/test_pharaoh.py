"""Word alignments of other tools: what they read, and how their answers are read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projection.errors import CorpusError
from projection.records import ParallelSentence
from training.aligner.pharaoh import GivenLinks, at_end, read_alignments, with_links, write_tokens
from training.aligner.silver import Tokenised


def sentence(source: str, target: str, lang: str = "de", number: int = 1) -> ParallelSentence:
    return ParallelSentence(str(number), source, target, "en", lang, f"news.en:{number}")


PAIRS = [sentence("Anna left", "Anna ging"), sentence("yes", "ja", number=2)]


@pytest.fixture
def forward(tmp_path: Path) -> Path:
    path = tmp_path / "forward.txt"
    path.write_text("0-0 1-1\n\n", "utf-8")
    return path


@pytest.fixture
def reverse(tmp_path: Path) -> Path:
    path = tmp_path / "reverse.txt"
    path.write_text("0-0 1-0\n0-0\n", "utf-8")
    return path


class TestReading:
    def test_both_directions(self, forward: Path, reverse: Path) -> None:
        first, second = read_alignments(forward, reverse)
        assert (first.forward, first.reverse) == ({(0, 0), (1, 1)}, {(0, 0), (1, 0)})
        assert (second.forward, second.reverse) == (frozenset(), {(0, 0)})
        assert second.places == (f"{forward}:2", f"{reverse}:2")

    def test_symmetrised_links_are_of_both_and_possible_ones_of_one(self, tmp_path: Path) -> None:
        path = tmp_path / "links.txt"
        path.write_text("0-0 1p1 0p0", "utf-8")
        (links,) = read_alignments(path)
        assert links.reverse == {(0, 0)}
        assert links.forward - links.reverse == {(1, 1)}

    @pytest.mark.parametrize("line", ["0-0 1", "0-0 | 1-1", "Anna ||| Anna", "NULL-0"])
    def test_another_format_is_named_with_its_line(self, forward: Path, line: str) -> None:
        forward.write_text(f"0-0\n{line}\n", "utf-8")
        with pytest.raises(CorpusError, match=r"forward\.txt:2: .* not a link\. Pharaoh format"):
            list(read_alignments(forward))
        with pytest.raises(CorpusError, match=r"forward\.txt:2"):
            list(read_alignments(forward, forward))

    @pytest.mark.parametrize(("lines", "short"), [("0-0\n", "reverse"), ("\n\n\n", "forward")])
    def test_directions_of_different_lengths(
        self, forward: Path, reverse: Path, lines: str, short: str
    ) -> None:
        reverse.write_text(lines, "utf-8")
        with pytest.raises(
            CorpusError, match=rf"{short}\.txt:\d: the file has ended, but .* goes on"
        ):
            list(read_alignments(forward, reverse))


class TestPairing:
    def test_every_sentence_gets_its_line(self, forward: Path) -> None:
        links = read_alignments(forward)
        lined = list(with_links(PAIRS, links))
        assert [pair for pair, _ in lined] == PAIRS
        assert [given.places[0] for _, given in lined] == [f"{forward}:1", f"{forward}:2"]
        at_end(links)

    def test_one_file_may_serve_several_corpora(self, forward: Path) -> None:
        links = read_alignments(forward)
        first, second = (list(with_links([pair], links)) for pair in PAIRS)
        assert first[0][1].forward
        assert not second[0][1].forward

    def test_too_few_lines(self, forward: Path) -> None:
        with pytest.raises(CorpusError, match=r"forward\.txt:2: ends here, .* with news\.en:2"):
            list(with_links([*PAIRS, PAIRS[1]], read_alignments(forward)))

    def test_no_lines(self) -> None:
        nothing: Iterator[GivenLinks] = iter(())
        with pytest.raises(CorpusError, match=r"--alignments: ends here, .* with news\.en:1"):
            list(with_links(PAIRS, nothing))

    def test_too_many_lines(self, forward: Path) -> None:
        links = read_alignments(forward)
        list(with_links(PAIRS[:1], links))
        with pytest.raises(CorpusError, match=r"forward\.txt:2: the corpus has ended"):
            at_end(links)


class TestRange:
    PAIR = Tokenised.of(PAIRS[0])

    @pytest.mark.parametrize(
        ("forward", "reverse", "message"),
        [
            pytest.param(
                {(0, 0), (2, 1)}, set(), "f:1: 2-1, but news.en:1 has 2 source", id="source"
            ),
            pytest.param({(1, 2)}, set(), "f:1: 1-2, but news.en:1 has 2 source", id="target"),
            pytest.param({(1, 1)}, {(5, 5)}, "r:1: 5-5, but", id="only the other direction"),
        ],
    )
    def test_words_that_are_not_there(
        self, forward: set[tuple[int, int]], reverse: set[tuple[int, int]], message: str
    ) -> None:
        given = GivenLinks(frozenset(forward), frozenset(reverse), ("f:1", "r:1"))
        with pytest.raises(CorpusError, match=message):
            given.of(self.PAIR)

    def test_words_that_are(self) -> None:
        links = frozenset({(0, 0), (1, 1)})
        assert GivenLinks(links, frozenset(), ("", "")).of(self.PAIR) == (links, frozenset())


class TestTokens:
    @pytest.mark.parametrize(
        ("source", "target", "line"),
        [
            pytest.param("Anna, left!", "Anna ging.", "Anna , left ! ||| Anna ging .", id="words"),
            pytest.param("", "\u3000", "_ ||| _", id="nothing to align, but a line"),
            pytest.param("a|||b", "c", "a | | | b ||| c", id="the separator"),
            pytest.param(
                "a\u2028b\x85c", "d\re", "a b c ||| d e", id="what others take for line ends"
            ),
            pytest.param(
                "EU-Rat U.S.", "👨‍👩‍👧 e\u0301", "EU-Rat U.S. ||| 👨‍👩‍👧 e\u0301", id="clusters"
            ),
        ],
    )
    def test_a_line(self, tmp_path: Path, source: str, target: str, line: str) -> None:
        path = tmp_path / "new" / "tokens.txt"
        assert write_tokens(path, [sentence(source, target), PAIRS[1]]) == 2
        assert path.read_text("utf-8") == f"{line}\nyes ||| ja\n"

    def test_as_many_words_as_the_indices_count(self, tmp_path: Path) -> None:
        pair = sentence("Anna left Beijing University.", "安娜離開了 北京大學。", "zh")
        write_tokens(tmp_path / "tokens.txt", [pair])
        source, target = (tmp_path / "tokens.txt").read_text("utf-8").rstrip("\n").split(" ||| ")
        units = Tokenised.of(pair)
        assert len(source.split(" ")) == len(units.source)
        assert len(target.split(" ")) == len(units.target)
        assert target.replace(" ", "") == "安娜离开了北京大学。"

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(CorpusError, match="cannot be written"):
            write_tokens(tmp_path / "file" / "tokens.txt", PAIRS)
