"""Phrase pairs from word alignments: what is a name, and what translates it."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError, SpanError
from projection.io.files import json_line
from projection.io.pharaoh import WordLink, read_links
from projection.records import ParallelSentence, Span
from projection.text.words import word_spans
from training.aligner.silver import (
    Links,
    SilverSentence,
    Tokenised,
    alignment_words,
    content_phrases,
    drawn,
    name_like,
    name_pair,
    phrase_of,
    phrases_of,
    plausible,
    read_names,
    read_silver,
    silver_of,
    to_words,
)

NONE: Links = frozenset()


def sentence(source: str, target: str, lang: str = "de") -> ParallelSentence:
    return ParallelSentence("1", source, target, "en", lang, "made:1")


def diagonal(pairs: Sequence[ParallelSentence]) -> list[tuple[Tokenised, tuple[Links, Links]]]:
    """Word i translates word i: what an aligner says of a word-by-word translation."""
    tokenised = [Tokenised.of(pair) for pair in pairs]
    links = [frozenset((i, i) for i in range(min(map(len, pair.texts())))) for pair in tokenised]
    return [(pair, (both, both)) for pair, both in zip(tokenised, links, strict=True)]


class TestNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            pytest.param("she saw Anna Weber today", ["Anna Weber"], id="a capitalised run"),
            pytest.param("the Bank of Spain rose", ["Bank of Spain"], id="a connector inside"),
            pytest.param("a walk in Bath of course", ["Bath"], id="none at the end"),
            pytest.param("The house is old", [], id="a function word that begins the sentence"),
            pytest.param("Houses are old", ["Houses"], id="a content word might be a name"),
            pytest.param("Anna left Bern", ["Anna", "Bern"], id="two names"),
            pytest.param("he met Anna, Bern and I", ["Anna", "Bern"], id="I is no name"),
            pytest.param("Anna", ["Anna"], id="a lone word"),
            pytest.param(
                "The European Union grew", ["European Union"], id="without the article in front"
            ),
            pytest.param("the Bank of the West", ["Bank of the West"], id="two connectors"),
            pytest.param("nothing here", [], id="no capitals"),
            pytest.param("", [], id="no words"),
        ],
    )
    def test_words_that_look_like_names(self, text: str, names: list[str]) -> None:
        spans = word_spans(text, "en")
        words = [span.of(text) for span in spans]
        assert [" ".join(words[a:b]) for a, b in name_like(words)] == [
            " ".join(name.replace(",", " ,").split()) for name in names
        ]

    @given(st.lists(st.sampled_from(["Anna", "of", "the", "saw", ",", "Ü", "3"]), max_size=15))
    def test_names_are_disjoint_and_begin_and_end_with_a_capital(self, words: list[str]) -> None:
        found = list(name_like(words))
        assert found == sorted(found)
        assert all(a[1] <= b[0] for a, b in combinations(found, 2))
        assert all(words[a][0].isupper() and words[b - 1][0].isupper() for a, b in found)

    @given(st.lists(st.sampled_from(["house", "of", "the", ",", "Ü"]), min_size=1), st.integers())
    def test_ordinary_phrases_begin_and_end_with_a_content_word(
        self, words: list[str], seed: int
    ) -> None:
        for start, end in content_phrases(words, random.Random(seed), 5):
            assert {words[start], words[end - 1]} <= {"house", "Ü"}
            assert 1 <= end - start <= 3


class TestPhraseOf:
    @pytest.mark.parametrize(
        ("links", "source", "gap", "expected"),
        [
            pytest.param("0-0 1-1 2-2", (1, 2), 2, (1, 2), id="one to one"),
            pytest.param("0-0 1-3 2-2", (1, 3), 2, (2, 4), id="in another order"),
            pytest.param("0-0 1-1 1-2 2-3", (1, 2), 2, (1, 3), id="one word becomes two"),
            pytest.param("1-1 2-2", (0, 1), 2, None, id="nothing aligned"),
            pytest.param("0-0 1-3", (0, 2), 2, (0, 4), id="a gap of two is bridged"),
            pytest.param("0-0 1-4", (0, 2), 2, None, id="a gap of three is doubtful"),
            pytest.param("0-0 1-2", (0, 2), 0, None, id="no gap allowed"),
            pytest.param("0-0 1-2 5-1", (0, 2), 2, None, id="a stranger in the gap"),
            pytest.param("0-0 5-0", (0, 1), 2, None, id="a word shared with a stranger"),
            pytest.param("0-0 1-0", (0, 2), 2, (0, 1), id="two words become one"),
        ],
    )
    def test_consistent_or_nothing(
        self, links: str, source: tuple[int, int], gap: int, expected: tuple[int, int] | None
    ) -> None:
        assert phrase_of(read_links(links, "links")[0], *source, gap) == expected

    @given(
        st.frozensets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15),
        st.integers(0, 8),
        st.integers(1, 4),
        st.integers(0, 3),
    )
    def test_no_word_of_it_belongs_elsewhere(
        self, links: frozenset[WordLink], start: int, length: int, gap: int
    ) -> None:
        found = phrase_of(links, start, start + length, gap)
        if found is not None:
            for i, j in links:
                assert (start <= i < start + length) == (found[0] <= j < found[1])

    @pytest.mark.parametrize(
        ("source", "target", "verdict"),
        [(1, 1, True), (1, 4, True), (1, 5, False), (4, 1, True), (5, 1, False), (3, 8, True)],
    )
    def test_lengths_must_be_alike(self, source: int, target: int, verdict: bool) -> None:
        assert plausible(source, target) is verdict


class TestPhrasesOf:
    def test_spans_are_of_the_texts_as_they_are(self) -> None:
        pair = sentence("🎉 yes, Anna Weber left", "🎉🎉 ja: Anna Weber ging")
        source, target = word_spans(pair.source, "en"), word_spans(pair.target, "de")
        links, _ = read_links("3-4 4-5 5-6", "links")
        names = list(phrases_of(pair, source, target, links, random.Random(0)))
        assert (Span(7, 17), Span(7, 17)) in names
        assert all(s.end <= len(pair.source) and t.end <= len(pair.target) for s, t in names)

    @given(
        st.frozensets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14), st.integers()
    )
    def test_phrases_are_disjoint_on_both_sides(
        self, links: frozenset[WordLink], seed: int
    ) -> None:
        text = "Anna saw Bern and the Bank of Spain"
        words = word_spans(text, "en")
        found = list(phrases_of(sentence(text, text), words, words, links, random.Random(seed)))
        for (a, x), (b, y) in combinations(found, 2):
            assert not a.overlaps(b)
            assert not x.overlaps(y)


class TestSilverOf:
    def test_names_and_their_translations(self) -> None:
        (silver,) = silver_of(diagonal([sentence("yes Anna left", "ja Anna ging")]), 0)
        assert (silver.source, silver.target, silver.lang) == (
            "yes Anna left",
            "ja Anna ging",
            "de",
        )
        assert (Span(4, 8), Span(3, 7)) in silver.phrases

    @pytest.mark.parametrize(
        ("source", "target"),
        [
            pytest.param(" \u3000", "ging", id="no source words"),
            pytest.param("Anna", "\t", id="no target words"),
            pytest.param("Anna " * 81, "Anna " * 50, id="source too long"),
            pytest.param("Anna " * 50, "Anna " * 81, id="target too long"),
            pytest.param("", "", id="empty"),
        ],
    )
    def test_sentences_that_would_align_badly_do_not_fit(self, source: str, target: str) -> None:
        assert not Tokenised.of(sentence(source, target)).fits
        assert Tokenised.of(sentence("yes Anna left", "ja Anna ging")).fits

    def test_a_sentence_without_a_phrase_pair_is_left_out(self) -> None:
        pair = Tokenised.of(sentence("yes Anna left", "ja Anna ging"))
        assert list(silver_of([(pair, (NONE, NONE))], 0)) == []

    def test_a_lone_name_is_a_sentence(self) -> None:
        (silver,) = silver_of(diagonal([sentence("Cologne", "Köln")]), 0)
        assert silver.phrases == ((Span(0, 7), Span(0, 4)),)

    def test_links_of_both_directions_are_sure_those_of_one_possible(self) -> None:
        """And phrases are read off the sure ones."""
        forward, reverse = frozenset({(0, 0), (1, 1)}), frozenset({(1, 1), (2, 2)})
        pair = Tokenised.of(sentence("yes Anna left", "ja Anna ging"))
        (silver,) = silver_of([(pair, (forward, reverse))], 0)
        assert silver.sure == {(1, 1)}
        assert silver.possible == {(0, 0), (2, 2)}
        assert silver.phrases == ((Span(4, 8), Span(3, 7)),)

    def test_the_same_seed_makes_the_same_data(self) -> None:
        pairs = [
            sentence(f"Anna saw red houses number {i}", f"Anna sah rote Häuser {i}")
            for i in range(9)
        ]
        first, again = (list(silver_of(diagonal(pairs), seed=3)) for _ in range(2))
        assert first == again
        assert first != list(silver_of(diagonal(pairs), seed=4))


class TestChinese:
    def test_words_lead_back_to_characters(self) -> None:
        text = "安娜 去了北京大学。"
        spans = alignment_words(text, "zh")
        words = [span.of(text) for span in spans]
        assert "".join(words) == text.replace(" ", "")
        assert list(spans) == sorted(spans)

    def test_aligners_see_simplified_characters_and_silver_keeps_the_texts(self) -> None:
        pair = sentence("Anna left Beijing University", "安娜離開了北京大學", "zh-Hant")
        seen = Tokenised.of(pair).texts()[1]
        assert "".join(seen) == "安娜离开了北京大学"
        (silver,) = silver_of(diagonal([pair]), 0)
        assert silver.target == pair.target

    def test_links_of_a_word_become_links_of_its_characters(self) -> None:
        pair = sentence("in Beijing", "在北京 。", "zh")
        units = (Span(0, 1), Span(1, 3), Span(4, 5))
        assert to_words(frozenset({(1, 1), (0, 0)}), pair, units) == {(0, 0), (1, 1), (1, 2)}


def test_others_are_read_as_everywhere() -> None:
    assert alignment_words("EU-Rat, ja", "de") == word_spans("EU-Rat, ja", "de")


class TestListedNames:
    @pytest.mark.parametrize(
        ("english", "foreign", "lang", "links"),
        [
            pytest.param("Cologne", "Köln", "de", {(0, 0)}, id="a word each"),
            pytest.param("New York", "Nueva York", "es", {(0, 0), (1, 1)}, id="as many words"),
            pytest.param("The Hague", "Haag", "nl", set(), id="more on one side: no one knows"),
            pytest.param(
                "Anna Weber", "安娜·韦伯", "zh", {(0, 0), (0, 1), (1, 3), (1, 4)}, id="between dots"
            ),
            pytest.param("Anna Weber", "安娜韦伯", "zh", set(), id="Chinese without dots"),
            pytest.param("Anna", "安娜", "zh", {(0, 0), (0, 1)}, id="one Chinese part"),
            pytest.param("Nan", "น่าน", "th", {(0, 0), (0, 1), (0, 2)}, id="Thai with marks"),
        ],
    )
    def test_parts_pair_up_where_there_are_as_many(
        self, english: str, foreign: str, lang: str, links: set[WordLink]
    ) -> None:
        silver = name_pair(english, foreign, lang)
        assert silver.sure == links
        assert silver.phrases == ((Span(0, len(english)), Span(0, len(foreign))),)

    def test_a_list(self, tmp_path: Path) -> None:
        path = tmp_path / "names.tsv"
        path.write_text(
            "kind\ten\tforeign\nx\tSpringfield (Illinois)\t斯普林菲尔德（伊利诺伊州）\n"
            'x\tAnna "A" W\t安娜\nx\tBern\tBern\nx\t\t安娜\nx\tRome\n',
            "utf-8",
        )
        names = [(name.source, name.target) for name in read_names(path, "zh")]
        assert names == [("Springfield", "斯普林菲尔德"), ('Anna "A" W', "安娜")]

    def test_letters_are_no_chinese_name_but_a_german_one(self, tmp_path: Path) -> None:
        path = tmp_path / "names.tsv"
        path.write_text("en\tforeign\nBern\tBern\n", "utf-8")
        assert [name.target for name in read_names(path, "de")] == ["Bern"]
        assert list(read_names(path, "zh")) == []

    @pytest.mark.parametrize(
        ("lang", "name"), [("th", "น่าน"), ("ko", "부산"), ("ja", "ローマ"), ("km", "កំពត")]
    )
    def test_only_chinese_names_need_ideographs(self, tmp_path: Path, lang: str, name: str) -> None:
        path = tmp_path / "names.tsv"
        path.write_text(f"en\tforeign\nX\t{name}\n", "utf-8")
        assert [each.target for each in read_names(path, lang)] == [name]

    @pytest.mark.parametrize(("line", "missing"), [("en\tde", "foreign"), ("", "en, foreign")])
    def test_missing_columns_are_named(self, tmp_path: Path, line: str, missing: str) -> None:
        path = tmp_path / "names.tsv"
        path.write_text(f"{line}\nBern\tBern\n", "utf-8")
        with pytest.raises(CorpusError, match=rf"names\.tsv:1: no column {missing}"):
            list(read_names(path, "de"))


class TestDrawn:
    SILVER = tuple(
        SilverSentence(f"Anna {i}", f"Anna {i}", lang, ())
        for lang in ("de", "es")
        for i in range(50)
    )

    def test_so_many_of_each_language(self) -> None:
        chosen = drawn(self.SILVER, 10, seed=0)
        assert sorted(s.lang for s in chosen) == ["de"] * 10 + ["es"] * 10
        assert [s.lang for s in chosen] != sorted(s.lang for s in chosen)
        assert chosen == drawn(self.SILVER, 10, seed=0) != drawn(self.SILVER, 10, seed=1)

    def test_all_of_them(self) -> None:
        assert set(drawn(self.SILVER, None, seed=0)) == set(self.SILVER)

    def test_the_trusted_are_always_in_and_first(self) -> None:
        trusted = [replace(s, weight=5.0) for s in self.SILVER[::10]]
        chosen = drawn([*self.SILVER, *trusted], 8, seed=0)
        assert set(chosen[:10]) == set(trusted)
        assert len(chosen) == 16


class TestFiles:
    SENTENCE = SilverSentence(
        "Anna left", "Anna ging", "de", ((Span(0, 4), Span(0, 4)),), frozenset({(0, 0), (1, 1)})
    )

    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "de.jsonl"
        path.write_text(json_line(self.SENTENCE.to_json()) * 2, "utf-8")
        assert list(read_silver(path)) == [self.SENTENCE] * 2

    def test_everything_a_sentence_can_hold_comes_back(self, tmp_path: Path) -> None:
        path = tmp_path / "de.jsonl"
        full = replace(
            self.SENTENCE, possible=frozenset({(1, 0)}), weight=0.5, absent=(Span(5, 7), Span(8, 9))
        )
        path.write_text(json_line(full.to_json()), "utf-8")
        assert list(read_silver(path)) == [full]

    def test_the_tag_is_normalised_and_what_is_none_refused_by_line(self, tmp_path: Path) -> None:
        path, made = tmp_path / "a.jsonl", name_pair("Taipei", "臺北", "zh_TW")
        assert made.lang == "zh-TW"
        path.write_text(json.dumps({**made.to_json(), "lang": "Chinese"}) + "\n", "utf-8")
        with pytest.raises(CorpusError, match=r"a\.jsonl:1 lang: 'Chinese' is no .* mean zh\?"):
            list(read_silver(path))

    def test_what_nobody_knows_to_be_absent_is_not_written(self) -> None:
        assert json_line(self.SENTENCE.to_json()) == (
            '{"source": "Anna left", "target": "Anna ging", "lang": "de", '
            '"phrases": [[0, 4, 0, 4]], "links": "0-0 1-1", "weight": 1.0}\n'
        )

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"phrases": None}, id="no phrases"),
            pytest.param({"phrases": [[0, 4, 0]]}, id="half a span"),
            pytest.param({"phrases": [[4, 4, 0, 4]]}, id="an empty span"),
            pytest.param({"phrases": [[0, 4, 0, 40]]}, id="past the target"),
            pytest.param({"phrases": [[0, 40, 0, 4]]}, id="past the source"),
            pytest.param({"phrases": [["a", 4, 0, 4]]}, id="not a number"),
            pytest.param({"links": "0-0 1"}, id="half a link"),
            pytest.param({"links": None}, id="no links"),
            pytest.param({"weight": 0}, id="no weight"),
            pytest.param({"weight": "1"}, id="a weight in words"),
            pytest.param({"absent": [[0, 40]]}, id="absent past the source"),
            pytest.param({"absent": [[0, 2]]}, id="absent and translated"),
            pytest.param({"absent": [4]}, id="absent, but no span"),
        ],
    )
    def test_a_broken_line_is_named(self, tmp_path: Path, change: dict[str, object]) -> None:
        path = tmp_path / "de.jsonl"
        rows = [self.SENTENCE.to_json(), {**self.SENTENCE.to_json(), **change}]
        path.write_text("".join(map(json_line, rows)), "utf-8")
        with pytest.raises(CorpusError, match=r"de\.jsonl:2: not a silver sentence .* Make the"):
            list(read_silver(path))

    @pytest.mark.parametrize("key", ["source", "target", "lang", "phrases", "links", "weight"])
    def test_a_missing_field_is_named(self, tmp_path: Path, key: str) -> None:
        path = tmp_path / "de.jsonl"
        row = {k: v for k, v in self.SENTENCE.to_json().items() if k != key}
        path.write_text(json.dumps(row), "utf-8")
        with pytest.raises(CorpusError, match=f"de.jsonl:1: .*{key}"):
            list(read_silver(path))

    def test_a_phrase_past_its_text_is_refused(self) -> None:
        with pytest.raises(SpanError, match="past the text"):
            SilverSentence("Anna", "Anna", "de", ((Span(0, 4), Span(0, 5)),))

    @pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_weight_that_is_none_is_refused(self, weight: float) -> None:
        with pytest.raises(SpanError, match="weight"):
            SilverSentence("Anna", "Anna", "de", (), weight=weight)
