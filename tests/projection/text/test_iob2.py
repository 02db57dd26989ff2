import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projection.errors import TrainingError
from projection.io.conll import read_conll, write_iob2
from projection.records import Entity, Span
from projection.text.iob2 import (
    MASKED,
    MisfitKind,
    TaggedSentence,
    chunks,
    decode,
    encode,
    in_words,
    labels_of,
    of_types,
    tag_fault,
    tag_names,
)
from projection.text.words import span_of_words, word_spans

TEXTS = st.text(
    st.sampled_from(
        "aBç é-.,'’中文ー の👩‍🚀🇩🇪שלوم۝เกำ부ស្ត\u0301\u200b\u200d\u00ad\u2028\x1c\r\n\t01½"
    ),
    min_size=0,
    max_size=30,
)
LABELS = st.sampled_from(["PER", "ORG", "B-side", "作品"])


@st.composite
def sentences(draw: st.DrawFn) -> tuple[str, str, tuple[Entity, ...]]:
    """A text, its language, and entities that cover whole words and do not overlap."""
    text, lang = draw(TEXTS), draw(st.sampled_from(["de", "zh", "he", "th", "ko"]))
    words = word_spans(text, lang)
    cuts = sorted(draw(st.sets(st.integers(0, len(words)))))
    taken = zip(cuts[::2], cuts[1::2], strict=False)
    entities = (Entity(span_of_words(words, a, b), draw(LABELS)) for a, b in taken)
    return text, lang, tuple(entities)


def visible(tokens: Iterable[str]) -> str:
    return re.sub(r"[\s\u200b\u200d\u00ad]", "", "".join(tokens))


def entity(text: str, phrase: str, label: str = "PER", score: float | None = None) -> Entity:
    start = text.index(phrase)
    return Entity(Span(start, start + len(phrase)), label, score)


class TestEncode:
    @given(sentences())
    def test_decoding_gives_the_entities_back(
        self, sentence: tuple[str, str, tuple[Entity, ...]]
    ) -> None:
        text, lang, entities = sentence
        encoded = encode(text, entities, lang)
        assert encoded.misfits == ()
        assert decode(text, encoded.tags, lang) == entities

    @given(TEXTS, st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30), LABELS), max_size=6))
    def test_every_entity_is_either_in_the_tags_or_reported_lost(
        self, text: str, drawn: list[tuple[int, int, str]]
    ) -> None:
        spans = (
            (Span(a, min(b, len(text))), label) for a, b, label in drawn if a < min(b, len(text))
        )
        entities = [Entity(span, label) for span, label in spans]
        encoded = encode(text, entities, "de")
        lost = [m for m in encoded.misfits if m.kind is not MisfitKind.WIDENED]
        assert len(chunks(encoded.tags)) == len(entities) - len(lost)

    def test_words_are_those_of_the_language(self) -> None:
        assert encode("在北京。", [], "zh").tokens == ("在", "北", "京", "。")
        assert encode("Die EU-Kommission, ja.", [], "de").tokens == (
            "Die",
            "EU-Kommission",
            ",",
            "ja",
            ".",
        )

    @pytest.mark.parametrize(
        ("lang", "text", "name", "tokens"),
        [
            pytest.param(
                "th", "บินไปเชียงรายกับ", "เชียงราย", ("เชี", "ย", "ง", "ร", "า", "ย"), id="Thai"
            ),
            pytest.param("km", "នៅកំពតហើយ", "កំពត", ("កំ", "ព", "ត"), id="Khmer"),
            pytest.param("my", "သူပဲခူးသို့", "ပဲခူး", ("ပဲ", "ခူး"), id="Burmese"),
            pytest.param("ko", "부산에서 왔다", "부산", ("부", "산"), id="a Korean particle"),
            pytest.param(
                "de", "In Mar\u00adburg ja", "Mar\u00adburg", ("Mar\u00adburg",), id="hyphen"
            ),
        ],
    )
    def test_names_have_exact_borders(
        self, lang: str, text: str, name: str, tokens: tuple[str, ...]
    ) -> None:
        named = entity(text, name, "LOC")
        encoded = encode(text, [named], lang)
        assert encoded.misfits == ()
        [chunk] = chunks(encoded.tags)
        assert encoded.tokens[chunk.start : chunk.end] == tokens
        assert decode(text, encoded.tags, lang) == (named,)

    def test_touching_entities_stay_two(self) -> None:
        text = "北京大学"
        found = [entity(text, "北京", "LOC"), entity(text, "大学", "LOC")]
        assert encode(text, found, "zh").tags == ("B-LOC", "I-LOC", "B-LOC", "I-LOC")

    def test_a_span_that_cuts_a_word_is_widened_and_reported(self) -> None:
        text = "Die Merkels kamen"
        encoded = encode(text, [entity(text, "Merkel")], "de")
        assert encoded.tags == ("O", "B-PER", "O")
        assert [m.kind for m in encoded.misfits] == [MisfitKind.WIDENED]
        assert "“Merkel”" in encoded.misfits[0].reason
        assert "“Merkels”" in encoded.misfits[0].reason

    @pytest.mark.parametrize("text", ["a   b", "a \u200b b", "a \u00ad\u2066 b"])
    def test_a_span_of_nothing_visible_is_lost_and_reported(self, text: str) -> None:
        encoded = encode(text, [Entity(Span(2, 4), "PER")], "de")
        assert encoded.tags == ("O", "O")
        assert [m.kind for m in encoded.misfits] == [MisfitKind.BLANK]

    @pytest.mark.parametrize(
        ("first", "second", "tags"),
        [
            pytest.param(
                ("Bank von Spanien", "ORG", 0.2), ("Spanien", "LOC", 0.9), "ORG", id="the longer"
            ),
            pytest.param(
                ("Spanien", "LOC", 0.4), ("Spanien", "ORG", 0.9), "ORG", id="alike: the surer"
            ),
            pytest.param(
                ("Spanien", "LOC", 0.4), ("Spanien", "ORG", None), "ORG", id="alike: a person's"
            ),
        ],
    )
    def test_of_overlapping_entities_one_stays(
        self,
        first: tuple[str, str, float | None],
        second: tuple[str, str, float | None],
        tags: str,
    ) -> None:
        text = "Die Bank von Spanien"
        for order in ((first, second), (second, first)):
            encoded = encode(text, [entity(text, *given) for given in order], "es")
            assert labels_of(encoded.tags) == {tags}
            assert [m.kind for m in encoded.misfits] == [MisfitKind.OVERLAP]

    def test_spans_that_only_meet_in_a_widened_word_are_reported(self) -> None:
        text = "New-York"
        found = [entity(text, "New", "LOC"), entity(text, "York", "LOC")]
        kinds = {misfit.kind for misfit in encode(text, found, "de").misfits}
        assert kinds == {MisfitKind.WIDENED, MisfitKind.OVERLAP}


class TestDecode:
    def test_needs_a_tag_a_word(self) -> None:
        with pytest.raises(TrainingError, match="1 tags for 2 words"):
            decode("a b", ["O"], "de")

    def test_refuses_a_stray_i(self) -> None:
        with pytest.raises(TrainingError, match=r"token 2: I-PER after O .*begins with B-"):
            decode("a b", ["O", "I-PER"], "de")


class TestInWords:
    def test_a_name_is_parted_as_it_will_be_read(self) -> None:
        """Initials and their full stops are words of running text, and belong to the name."""
        tokens, tags = (
            ["Mr.", "J.", "Weber's", "EU-Büro", "U.S."],
            ["O", "B-PER", "I-PER", "O", "O"],
        )
        assert in_words(tokens, tags, "en") == [
            *[("Mr", "O"), (".", "O"), ("J", "B-PER"), (".", "I-PER"), ("Weber", "I-PER")],
            *[("'", "I-PER"), ("s", "I-PER"), ("EU-Büro", "O"), ("U.S.", "O")],
        ]

    def test_in_the_words_of_the_language(self) -> None:
        assert in_words(["柏林"], ["B-LOC"], "zh") == [("柏", "B-LOC"), ("林", "I-LOC")]

    def test_a_token_without_a_word_stays(self) -> None:
        assert in_words(["\u2028", "Anna"], ["O", "B-PER"], "en") == [
            ("\u2028", "O"),
            ("Anna", "B-PER"),
        ]

    @given(sentences())
    def test_words_are_left_as_they_are(
        self, sentence: tuple[str, str, tuple[Entity, ...]]
    ) -> None:
        text, lang, entities = sentence
        encoded = encode(text, entities, lang)
        assume(all(len(word_spans(token, lang)) == 1 for token in encoded.tokens))
        parted = in_words(encoded.tokens, encoded.tags, lang)
        assert parted == list(zip(encoded.tokens, encoded.tags, strict=True))

    @given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=5), st.sampled_from(["de", "zh"]))
    def test_neither_letters_nor_entities_are_lost(
        self, drawn: list[tuple[str, bool]], lang: str
    ) -> None:
        tokens = [text for text, _ in drawn]
        tags = ["B-PER" if named else "O" for _, named in drawn]
        parted = in_words(tokens, tags, lang)
        assert visible(word for word, _ in parted) == visible(tokens)
        assert len(chunks([tag for _, tag in parted])) == tags.count("B-PER")


def test_a_stray_i_is_no_entity() -> None:
    assert chunks(["I-PER", "B-LOC", "I-PER", "B-LOC", "I-LOC"]) == [(1, 2, "LOC"), (3, 5, "LOC")]


def test_types_that_were_not_looked_for_are_outside() -> None:
    tags = ("B-PER", "I-PER", "O", MASKED, "B-MISC")
    assert of_types(tags, ("PER",)) == ("B-PER", "I-PER", "O", MASKED, "O")
    assert of_types(tags, ()) == tags


def test_a_masked_word_is_in_no_entity() -> None:
    assert chunks(["B-PER", MASKED, "B-PER", "I-PER"]) == [(0, 1, "PER"), (2, 4, "PER")]
    assert in_words(["@ada!"], [MASKED], "en") == [("@", "_"), ("ada", "_"), ("!", "_")]
    assert tag_fault(MASKED, "O") == "unknown tag '_'"  # a model cannot predict it


def test_tag_names_do_not_depend_on_the_order_of_the_types() -> None:
    names = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert tag_names(["PER", "LOC"]) == tag_names(["LOC", "PER", "LOC"]) == names


class TestFiles:
    @given(st.lists(sentences(), max_size=4))
    def test_reading_gives_back_what_was_written(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        drawn: list[tuple[str, str, tuple[Entity, ...]]],
    ) -> None:
        encoded = [encode(text, entities, lang) for text, lang, entities in drawn]
        pairs = [(e.tokens, e.tags) for e in encoded if e.tokens]
        path = tmp_path_factory.mktemp("iob2") / "data.iob2"
        assert write_iob2(pairs, path) == len(pairs)
        assert [(s.tokens, s.tags) for s in read_conll(path)] == pairs

    @given(st.lists(sentences(), max_size=3), st.text(max_size=20))
    def test_comments_come_back_in_one_line(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        drawn: list[tuple[str, str, tuple[Entity, ...]]],
        said: str,
    ) -> None:
        encoded = [encode(text, entities, lang) for text, lang, entities in drawn]
        written = [
            TaggedSentence(e.tokens, e.tags, comments={"id": said}) for e in encoded if e.tokens
        ]
        path = tmp_path_factory.mktemp("iob2") / "data.iob2"
        write_iob2(written, path)
        read = list(read_conll(path))
        assert [(s.tokens, s.tags) for s in read] == [(s.tokens, s.tags) for s in written]
        assert all(s.comments == {"id": re.sub(r"[\r\n]+", " ", said)} for s in read)

    def test_masked_tokens_and_the_types_looked_for_come_back(self, tmp_path: Path) -> None:
        given = TaggedSentence(
            ("Ada", "saw", "Baroque"), ("B-PER", "O", MASKED), comments={"types": "PER ORG"}
        )
        write_iob2([given], tmp_path / "a.iob2")
        assert [*read_conll(tmp_path / "a.iob2")] == [given._replace(line=2)]

    @pytest.mark.parametrize(
        ("tokens", "tags", "message"),
        [
            pytest.param([], [], "0 tokens", id="empty sentence"),
            pytest.param(["a"], ["O", "O"], "1 tokens and 2 tags", id="lengths differ"),
            pytest.param(["a b"], ["O"], "white space", id="a space in a token"),
            pytest.param(["a"], ["I-PER"], "continues nothing", id="not IOB2"),
            pytest.param(["a"], ["B-x\ty"], "Rename the label", id="a tab in a label"),
        ],
    )
    def test_a_sentence_that_cannot_be_written_leaves_the_file_as_it_was(
        self, tmp_path: Path, tokens: list[str], tags: list[str], message: str
    ) -> None:
        path = tmp_path / "a.iob2"
        path.write_text("old")
        with pytest.raises(TrainingError, match=re.escape(message)):
            write_iob2([(["fine"], ["O"]), (tokens, tags)], path)
        assert path.read_text() == "old"
        assert [*tmp_path.iterdir()] == [path]


@pytest.mark.shared
def test_published_corpora_are_read_and_written_back_line_by_line(
    shared_data: Path, tmp_path: Path
) -> None:
    """The smallest file of each."""
    corpora = [[*folder.glob("*.iob2")] for folder in sorted((shared_data / "ner").iterdir())]
    assert any(corpora)
    for path in (min(files, key=lambda file: file.stat().st_size) for files in corpora if files):
        copy = tmp_path / "copy.iob2"
        write_iob2(((s.tokens, s.tags) for s in read_conll(path)), copy)
        before, after = (file.read_text("utf-8").split("\n") for file in (path, copy))
        assert [line for line in before if line] == [line for line in after if line], path
