"""Word links against those of people: files, tokens and words, scores by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.evaluation.links import LinkedPair, LinkScores, Tokens, compare_links, read_linked
from projection.io.pharaoh import WordLinks

ROW = {
    "source": ["The", "EU-Commission", "met"],
    "target": ["Komise", "se", "sešla"],
    "sure": [[1, 0], [2, 2]],
    "possible": [[0, 0], [2, 1]],
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def linked(sure: WordLinks, possible: WordLinks = frozenset()) -> LinkedPair:
    texts = Tokens.of(["a", "b", "c"], "en"), Tokens.of(["x", "y", "z"], "de")
    return LinkedPair(*texts, "de", sure, sure | possible, "made:1")


class TestTokens:
    @pytest.mark.parametrize(
        ("tokens", "lang", "text", "words"),
        [
            pytest.param(["a", "b"], "de", "a b", ((0,), (1,)), id="a word each"),
            pytest.param(["don't", "go"], "en", "don't go", ((0, 1, 2), (3,)), id="several words"),
            pytest.param(
                ["EU", "-", "Rat"], "de", "EU - Rat", ((0,), (1,), (2,)), id="punctuation"
            ),
            pytest.param(["北京", "大学"], "zh", "北京大学", ((0, 1), (2, 3)), id="without spaces"),
            pytest.param(["서울을", "본다"], "ko", "서울을 본다", ((0, 1, 2), (3, 4)), id="Korean"),
            pytest.param(["a", "\u00ad", "b"], "de", "a \u00ad b", ((0,), (), (1,)), id="unseen"),
            pytest.param([], "de", "", (), id="none"),
        ],
    )
    def test_words_of_each_token(
        self, tokens: list[str], lang: str, text: str, words: tuple[tuple[int, ...], ...]
    ) -> None:
        assert Tokens.of(tokens, lang) == (text, words)

    def test_a_word_is_of_the_first_token_in_it(self) -> None:
        """A Thai vowel is one character with the consonant after it."""
        assert Tokens.of(["เ", "ก"], "th").words == ((0,), (0,))
        assert Tokens.of(["เ", "ก"], "th").token_of == {0: 0}
        assert Tokens.of(["don't", "go"], "en").token_of == {0: 0, 1: 0, 2: 0, 3: 1}

    @given(st.lists(st.sampled_from(["Anna", "don't", "EU-Rat", ".", "½"]), max_size=6))
    def test_links_of_tokens_survive_the_way_to_words_and_back(self, tokens: list[str]) -> None:
        pair = LinkedPair(
            Tokens.of(tokens, "en"), Tokens.of(tokens, "de"), "de", frozenset(), frozenset(), "x"
        )
        links = frozenset((i, i) for i in range(len(tokens)))
        assert pair.in_tokens(pair.in_words(links)) == links


class TestReading:
    def test_a_pair(self, tmp_path: Path) -> None:
        (pair,) = read_linked(write(tmp_path / "links.jsonl", ROW), "cs")
        assert pair.sure == {(1, 0), (2, 2)}
        assert pair.possible == {(1, 0), (2, 2), (0, 0), (2, 1)}
        assert pair.in_words(pair.sure) == {(1, 0), (2, 2)}
        assert pair.origin.endswith("links.jsonl:1")

    def test_each_english_word_is_asked_for(self, tmp_path: Path) -> None:
        (pair,) = read_linked(write(tmp_path / "links.jsonl", ROW), "cs")
        sentence = pair.sentence()
        assert (sentence.source, sentence.target) == ("The EU-Commission met", "Komise se sešla")
        words = [entity.span.of(sentence.source) for entity in sentence.entities or ()]
        assert words == ["The", "EU-Commission", "met"]

    def test_possible_links_may_be_missing(self, tmp_path: Path) -> None:
        row = {key: value for key, value in ROW.items() if key != "possible"}
        (pair,) = read_linked(write(tmp_path / "links.jsonl", row), "cs")
        assert pair.possible == pair.sure

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"source": None}, id="no source"),
            pytest.param({"sure": None}, id="no links"),
            pytest.param({"sure": [[3, 0]]}, id="past the source"),
            pytest.param({"possible": [[0, 3]]}, id="past the target"),
            pytest.param({"sure": [[0]]}, id="half a link"),
            pytest.param({"sure": [["a", 0]]}, id="not a number"),
            pytest.param({"target": [1, 2, 3]}, id="tokens that are no text"),
        ],
    )
    def test_a_broken_line_is_named(self, tmp_path: Path, change: dict[str, object]) -> None:
        path = write(tmp_path / "links.jsonl", ROW, {**ROW, **change})
        with pytest.raises(CorpusError, match=r"links\.jsonl:2: no linked sentence pair .* needs"):
            list(read_linked(path, "cs"))


class TestScores:
    def test_possible_links_count_for_precision_and_sure_ones_for_recall(self) -> None:
        """Found: a sure one, a possible one and a wrong one, of two sure ones."""
        gold = linked(frozenset({(0, 0), (1, 1)}), frozenset({(2, 2)}))
        found = frozenset({(0, 0), (2, 2), (2, 0)})
        scores = compare_links([(gold, found)])
        assert (scores.precision, scores.recall) == pytest.approx((2 / 3, 1 / 2))
        assert scores.f1 == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
        assert scores.sentences == 1

    def test_links_are_counted_over_all_sentences(self) -> None:
        one = linked(frozenset({(0, 0)})), frozenset({(0, 0)})
        other = linked(frozenset({(0, 0), (1, 1), (2, 2)})), frozenset[tuple[int, int]]()
        scores = compare_links([one, other])
        assert (scores.precision, scores.recall, scores.sentences) == (1, 0.25, 2)

    @pytest.mark.parametrize(
        "pairs",
        [
            pytest.param([], id="no sentences"),
            pytest.param([(linked(frozenset({(0, 0)})), frozenset())], id="nothing found"),
            pytest.param([(linked(frozenset({(0, 0)})), frozenset({(1, 0)}))], id="all wrong"),
        ],
    )
    def test_nothing_right_is_0(self, pairs: list[tuple[LinkedPair, WordLinks]]) -> None:
        assert compare_links(pairs) == LinkScores(0, 0, 0, len(pairs))
