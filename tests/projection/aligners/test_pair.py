"""Where a name stands in the translation, by a model whose answers can be told by looking."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.aligners.decoding import PUBLISHED, Decoding
from projection.aligners.pair import LABELS, PairAligner, projections_of, word_probabilities
from projection.errors import ModelError
from projection.records import Entity, ParallelSentence, Projection, Span


@pytest.fixture
def aligner(copying_aligner: Path) -> PairAligner:
    return PairAligner.from_pretrained(copying_aligner)


def entity(source: str, phrase: str, label: str = "PER", occurrence: int = 0) -> Entity:
    start = -1
    for _ in range(occurrence + 1):
        start = source.index(phrase, start + 1)
    return Entity(Span(start, start + len(phrase)), label)


def sentence(
    source: str, target: str, names: Sequence[str] = (), lang: str = "de"
) -> ParallelSentence:
    """Each time a name is given, its next occurrence in `source` is an entity."""
    entities = tuple(entity(source, n, occurrence=names[:i].count(n)) for i, n in enumerate(names))
    return ParallelSentence("1", source, target, "en", lang, "made:1", entities)


def places(found: Sequence[Projection], pair: ParallelSentence) -> list[tuple[str, Span | None]]:
    return [(p.source.span.of(pair.source), p.target) for p in found]


class TestWordProbabilities:
    @pytest.mark.parametrize(
        ("words", "tokens", "expected"),
        [
            pytest.param([(0, 4)], [((0, 4), 0.9)], [0.9], id="a token is a word"),
            pytest.param(
                [(0, 6), (7, 9)],
                [((0, 2), 0.9), ((2, 4), 0.6), ((4, 6), 0.3), ((7, 9), 0.1)],
                [0.6, 0.1],
                id="the mean of a word's pieces",
            ),
            pytest.param(
                [(0, 4), (5, 9)],
                [((0, 4), 0.2), ((4, 9), 0.8)],
                [0.2, 0.8],
                id="a piece that takes the space before it along",
            ),
            pytest.param(
                [(0, 1), (1, 2), (2, 3)],
                [((0, 2), 0.8), ((2, 3), 0.2)],
                [0.8, 0.8, 0.2],
                id="a piece across two words counts for both",
            ),
            pytest.param(
                [(0, 2), (3, 5), (6, 8)],
                [((0, 2), 0.9), ((6, 8), 0.7)],
                [0.9, 0.0, 0.7],
                id="a word the tokenizer leaves out",
            ),
            pytest.param(
                [(0, 1)],
                [((0, 1), 0.9), ((0, 1), 0.5), ((0, 1), 0.1)],
                [0.5],
                id="three byte pieces of one character",
            ),
            pytest.param(
                [(0, 2), (3, 5)], [((0, 2), 0.9)], [0.9, 0.0], id="what was cut off is outside"
            ),
            pytest.param([(0, 2)], [], [0.0], id="no pieces"),
            pytest.param([], [((0, 1), 0.5)], [], id="no words"),
        ],
    )
    def test_by_hand(
        self,
        words: list[tuple[int, int]],
        tokens: list[tuple[tuple[int, int], float]],
        expected: list[float],
    ) -> None:
        spans = [Span(*word) for word in words]
        places, scores = [place for place, _ in tokens], [p for _, p in tokens]
        assert word_probabilities(spans, places, scores) == pytest.approx(expected)


class TestAlign:
    def test_each_entity_goes_where_its_words_are(self, aligner: PairAligner) -> None:
        pair = sentence("Anna saw Berlin .", "Berlin sah Anna .", ["Anna", "Berlin"])
        (found,) = aligner.align([pair])
        assert places(found, pair) == [("Anna", Span(11, 15)), ("Berlin", Span(0, 6))]
        assert all(p.score > 0.9 for p in found)

    def test_what_is_not_there_was_not_found(self, aligner: PairAligner) -> None:
        pair = sentence("Anna left Bern", "sie verließ Bern", ["Anna", "Bern"])
        (found,) = aligner.align([pair])
        assert found[0] == Projection(entity(pair.source, "Anna"), None, 0.0)
        assert found[1].target == Span(12, 16)

    def test_mentions_of_one_name_take_its_places_in_reading_order(
        self, aligner: PairAligner
    ) -> None:
        pair = sentence("Anna saw Anna", "Anna sah das und Anna", ["Anna", "Anna"])
        (found,) = aligner.align([pair])
        assert [(p.source.span.start, p.target) for p in found] == [
            (0, Span(0, 4)),
            (9, Span(17, 21)),
        ]

    def test_a_mention_too_many_was_not_found(self, aligner: PairAligner) -> None:
        pair = sentence("Anna saw Anna", "Anna sah sie", ["Anna", "Anna"])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(0, 4), None]

    def test_a_place_too_many_stays_with_the_last_mention(self, aligner: PairAligner) -> None:
        pair = sentence("Anna left", "Anna sah und Anna verließ", ["Anna"])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(0, 4), Span(13, 17)]
        assert len({p.source for p in found}) == 1

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
    def test_answers_come_in_the_order_of_the_entities(
        self, aligner: PairAligner, order: tuple[int, ...]
    ) -> None:
        """Also where a name comes up again after another one, or the corpus does not sort."""
        pair = sentence(
            "Anna saw Bern and Anna", "Anna sah Bern und Anna", ["Anna", "Bern", "Anna"]
        )
        pair = replace(pair, entities=tuple((pair.entities or ())[i] for i in order))
        (found,) = aligner.align([pair])
        assert [p.source for p in found] == list(pair.entities or ())
        assert [p.target for p in found] == [p.source.span for p in found]

    def test_two_labels_on_the_same_words_share_their_place(self, aligner: PairAligner) -> None:
        pair = sentence("Bern left", "Bern verließ")
        labels = ("LOC", "ORG")
        pair = replace(pair, entities=tuple(entity(pair.source, "Bern", label) for label in labels))
        (found,) = aligner.align([pair])
        assert [(p.source.label, p.target) for p in found] == [
            ("LOC", Span(0, 4)),
            ("ORG", Span(0, 4)),
        ]

    def test_a_sentence_without_entities_has_no_projections(self, aligner: PairAligner) -> None:
        assert aligner.align([sentence("left", "verließ"), sentence("", "")]) == [(), ()]

    def test_no_sentences(self, aligner: PairAligner) -> None:
        assert aligner.align([]) == []

    def test_one_answer_a_sentence_in_order(self, aligner: PairAligner) -> None:
        pairs = [
            sentence("Anna left", "x" * n + " Anna", ["Anna"]) if n % 3 else sentence("a", "b")
            for n in (5, 3, 1, 4, 0, 2)
        ]
        found = aligner.align(pairs)
        assert [[p.target for p in answers] for answers in found] == [
            [Span(n + 1, n + 5)] if n % 3 else [] for n in (5, 3, 1, 4, 0, 2)
        ]

    def test_the_same_pair_twice_gets_the_same_answer(self, aligner: PairAligner) -> None:
        pair = sentence("Anna left", "Anna verließ", ["Anna"])
        first, second = aligner.align([pair, replace(pair, id="2")])
        assert first == second != ()

    @pytest.mark.parametrize("batch_tokens", [1, 20, 200])
    def test_neighbours_do_not_change_an_answer(
        self, copying_aligner: Path, batch_tokens: int
    ) -> None:
        pairs = [
            sentence("Anna saw Bern", "sah " * n + "Anna Bern", ["Anna", "Bern"])
            for n in (0, 20, 3, 1)
        ]
        together = PairAligner.from_pretrained(copying_aligner)
        together.batch_tokens = batch_tokens
        expected = [answer for pair in pairs for answer in together.align([pair])]
        found = together.align(pairs)
        assert [[p.target for p in a] for a in found] == [[p.target for p in a] for a in expected]
        scores = [[p.score for p in answers] for answers in found]
        assert scores == [pytest.approx([p.score for p in answers]) for answers in expected]


class TestOffsets:
    """Spans count code points of the target as it is, whatever the tokenizer makes of it."""

    @pytest.mark.parametrize(
        ("target", "lang"),
        [
            pytest.param("👨‍👩‍👧 und 🎉 Anna sah", "de", id="emoji before"),
            pytest.param("e\u0301te\u0301 Anna", "de", id="combining marks before"),
            pytest.param("verließ\r\nAnna\r\n", "de", id="CRLF"),
            pytest.param("\u00a0\u2003Anna", "de", id="odd spaces"),
            pytest.param("“Anna”, sah", "de", id="touching punctuation"),
            pytest.param("去Anna了", "zh", id="Latin inside Chinese"),
            pytest.param("\u202bשלום Anna\u202c", "he", id="right to left"),
            pytest.param("\ufeff\x00Anna", "de", id="characters the tokenizer throws away"),
        ],
    )
    def test_the_span_covers_the_name(self, aligner: PairAligner, target: str, lang: str) -> None:
        pair = sentence("Anna left", target, ["Anna"], lang)
        (found,) = aligner.align([pair])
        assert [p.target.of(target) for p in found if p.target] == ["Anna"]

    def test_a_decomposed_letter_is_covered_whole(self, aligner: PairAligner) -> None:
        """The tokenizer composes it; offsets still count both code points."""
        pair = sentence("Zoë left", "sah Zoe\u0308 und", ["Zoë"])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(4, 8)]

    def test_chinese_is_found_by_the_character(self, aligner: PairAligner) -> None:
        pair = sentence("柏林", "安娜去了柏林。", ["柏林"], "zh")
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(4, 6)]

    def test_a_word_of_several_pieces_is_one_word(self, aligner: PairAligner) -> None:
        pair = sentence("Europaparlament left", "das Europaparlament", ["Europaparlament"])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(4, 19)]


class TestDecoding:
    PAIR = sentence("Anna Weber left", "Anna von Weber verließ", ["Anna Weber"])

    def test_one_word_between_is_bridged(self, aligner: PairAligner) -> None:
        (found,) = aligner.align([self.PAIR])
        assert [p.target for p in found] == [Span(0, 14)]

    def test_word_by_word_as_published(self, copying_aligner: Path) -> None:
        aligner = PairAligner.from_pretrained(copying_aligner, PUBLISHED)
        (found,) = aligner.align([self.PAIR])
        assert [p.target for p in found] == [Span(0, 4), Span(9, 14)]

    def test_the_saved_decoding_is_used(self, copying_aligner: Path, tmp_path: Path) -> None:
        PairAligner.from_pretrained(copying_aligner, PUBLISHED).save_pretrained(tmp_path)
        assert PairAligner.from_pretrained(tmp_path).decoding == PUBLISHED

    def test_what_is_passed_wins(self, copying_aligner: Path, tmp_path: Path) -> None:
        PairAligner.from_pretrained(copying_aligner, PUBLISHED).save_pretrained(tmp_path)
        other = Decoding(threshold=0.9, bridge=3)
        assert PairAligner.from_pretrained(tmp_path, other).decoding == other

    @pytest.mark.parametrize("decoding", [{"treshold": 0.5}, [], 0.5])
    def test_a_broken_one_is_named(
        self, copying_aligner: Path, tmp_path: Path, decoding: object
    ) -> None:
        folder = shutil.copytree(copying_aligner, tmp_path / "broken")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "decoding": decoding}))
        with pytest.raises(ModelError, match=r"config\.json decoding: .* Such as"):
            PairAligner.from_pretrained(folder)


WHOLE = Decoding(whole_spans=True)
EXCLUSIVE = Decoding(whole_spans=True, exclusive=True)
EITHER = pytest.mark.parametrize("decoding", [WHOLE, EXCLUSIVE], ids=["whole", "exclusive"])


def told(
    pair: ParallelSentence, rows: Mapping[str, Sequence[float]], decoding: Decoding
) -> list[Span | None]:
    """Where the entities go if the model gives each name of `pair` such probabilities."""
    inside = {(name, pair.target, pair.target_lang): row for name, row in rows.items()}
    found = list(projections_of(pair, inside, decoding))
    assert [p.source for p in found] == list(pair.entities or ())
    return [p.target for p in found]


class TestPlaces:
    """What decoding in whole spans changes: every mention has one place at most."""

    ONCE = sentence("Anna left", "Anna sah und Anna verließ", ["Anna"])
    TWICE = sentence("Anna saw Anna", "Anna sah und Anna verließ", ["Anna", "Anna"])
    BOTH = sentence("Anna saw Bern", "Anna Bern sah", ["Anna", "Bern"])

    @EITHER
    def test_the_surest_run_alone(self, decoding: Decoding) -> None:
        row = [0.7, 0, 0, 0.9, 0.2]
        assert told(self.ONCE, {"Anna": row}, decoding) == [Span(13, 17)]

    @EITHER
    def test_a_run_reaches_over_a_doubtful_word_between_sure_ones(self, decoding: Decoding) -> None:
        assert told(self.ONCE, {"Anna": [0.99, 0.3, 0.99, 0, 0]}, decoding) == [Span(0, 12)]

    @EITHER
    def test_mentions_take_the_best_places_in_reading_order(self, decoding: Decoding) -> None:
        """The later place is the surer one, and yet it is the later mention's."""
        assert told(self.TWICE, {"Anna": [0.7, 0, 0, 0.9, 0]}, decoding) == [
            Span(0, 4),
            Span(13, 17),
        ]

    @EITHER
    def test_what_is_one_run_is_one_mention(self, decoding: Decoding) -> None:
        assert told(self.TWICE, {"Anna": [0.9, 0.9, 0, 0, 0]}, decoding) == [Span(0, 8), None]

    @EITHER
    def test_as_many_places_as_mentions_and_the_weakest_falls_off(self, decoding: Decoding) -> None:
        row = [0.6, 0, 0.9, 0, 0.8]
        assert told(self.TWICE, {"Anna": row}, decoding) == [Span(9, 12), Span(18, 25)]

    @EITHER
    def test_below_the_threshold_nothing_is_found(self, decoding: Decoding) -> None:
        sure = replace(decoding, threshold=0.8)
        assert told(self.ONCE, {"Anna": [0.7, 0, 0, 0.79, 0]}, sure) == [None]

    @pytest.mark.parametrize(
        ("decoding", "expected"),
        [
            pytest.param(WHOLE, [Span(0, 9), Span(5, 9)], id="each name by itself"),
            pytest.param(EXCLUSIVE, [Span(0, 4), Span(5, 9)], id="the surest chooses first"),
        ],
    )
    def test_names_that_want_the_same_word(
        self, decoding: Decoding, expected: list[Span | None]
    ) -> None:
        rows = {"Anna": [0.7, 0.6, 0], "Bern": [0, 0.99, 0]}
        assert told(self.BOTH, rows, decoding) == expected

    def test_nothing_is_left_for_the_loser(self) -> None:
        rows = {"Anna": [0, 0.6, 0], "Bern": [0, 0.99, 0]}
        assert told(self.BOTH, rows, EXCLUSIVE) == [None, Span(5, 9)]

    def test_exclusive_alone_is_in_places_too(self) -> None:
        rows = {"Anna": [0.7, 0, 0, 0.9, 0]}
        assert told(self.ONCE, rows, Decoding(exclusive=True)) == [Span(13, 17)]

    @EITHER
    def test_an_empty_target(self, decoding: Decoding) -> None:
        assert told(sentence("Anna left", "", ["Anna"]), {"Anna": []}, decoding) == [None]

    @EITHER
    def test_two_labels_on_the_same_words_share_their_place(self, decoding: Decoding) -> None:
        pair = sentence("Bern left", "Bern verließ")
        labels = ("LOC", "ORG")
        pair = replace(pair, entities=tuple(entity(pair.source, "Bern", label) for label in labels))
        assert told(pair, {"Bern": [0.9, 0.1]}, decoding) == [Span(0, 4), Span(0, 4)]

    @EITHER
    def test_the_order_of_the_entities_is_kept(self, decoding: Decoding) -> None:
        entities = tuple(reversed(self.TWICE.entities or ()))
        pair = replace(self.TWICE, entities=entities)
        assert told(pair, {"Anna": [0.9, 0, 0, 0.9, 0]}, decoding) == [Span(13, 17), Span(0, 4)]

    def test_the_score_is_the_mean_of_its_words(self) -> None:
        inside = {("Anna", self.ONCE.target, "de"): [0.9, 0.6, 0.0, 0.0, 0.0]}
        (found,) = projections_of(self.ONCE, inside, WHOLE)
        assert found.score == pytest.approx(0.75)

    @given(
        st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=3, max_size=3),
        st.booleans(),
    )
    def test_mentions_of_a_name_never_overlap_and_stand_in_reading_order(
        self, rows: list[list[float]], exclusive: bool
    ) -> None:
        pair = sentence(
            "Anna Bern Anna Berlin Anna Bern",
            "a b c d e f",
            ["Anna", "Bern", "Anna", "Berlin", "Anna", "Bern"],
        )
        decoding = Decoding(whole_spans=True, exclusive=exclusive)
        named = dict(zip(("Anna", "Bern", "Berlin"), rows, strict=True))
        found = told(pair, named, decoding)
        rivals = [
            [i for i, e in enumerate(pair.entities or ()) if name_of(pair, e) == name]
            for name in named
        ]
        for group in rivals:
            own = [span for i in group if (span := found[i]) is not None]
            assert own == sorted(own)
            assert all(a.end <= b.start for a, b in pairwise(own))
        if exclusive:
            every = sorted(span for span in found if span is not None)
            assert all(a.end <= b.start for a, b in pairwise(every))

    def test_the_aligner_decodes_as_it_is_told_to(self, copying_aligner: Path) -> None:
        pair = sentence("Anna left", "Anna sah und Anna verließ", ["Anna"])
        aligner = PairAligner.from_pretrained(copying_aligner, EXCLUSIVE)
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(0, 4)]
        assert found[0].score > 0.9


def name_of(pair: ParallelSentence, entity: Entity) -> str:
    return entity.span.of(pair.source)


class TestLength:
    def test_a_sentence_fits_if_a_name_fits_beside_it(self, aligner: PairAligner) -> None:
        """160 subwords, of which 64 are kept for the name."""
        assert aligner.fits(sentence("Anna", "sah " * 96))
        assert not aligner.fits(sentence("Anna", "sah " * 97))

    def test_asking_says_nothing(
        self, aligner: PairAligner, capfd: pytest.CaptureFixture[str]
    ) -> None:
        aligner.fits(sentence("Anna", "sah " * 500))
        assert capfd.readouterr() == ("", "")

    def test_a_name_longer_than_the_limit_leaves_the_sentence_whole(
        self, aligner: PairAligner
    ) -> None:
        name = " ".join(["Anna"] * 300)
        pair = sentence(name, "sah und " * 30 + "Anna", [name])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(240, 244)]

    def test_a_sentence_beyond_the_limit_is_answered_as_far_as_it_was_read(
        self, aligner: PairAligner
    ) -> None:
        pair = sentence("Anna left", "Anna " + "sah " * 400 + "Anna", ["Anna"])
        (found,) = aligner.align([pair])
        assert [p.target for p in found] == [Span(0, 4)]


class TestCheckpoints:
    def test_saved_and_loaded_it_answers_the_same(
        self, aligner: PairAligner, tmp_path: Path
    ) -> None:
        aligner.save_pretrained(tmp_path)
        again = PairAligner.from_pretrained(tmp_path)
        pairs = [sentence("Anna saw Bern", "Anna sah Bern", ["Anna", "Bern"])]
        assert again.align(pairs) == aligner.align(pairs)
        assert again.version == aligner.version
        assert (tmp_path / "model.safetensors").is_file()

    def test_a_folder_may_be_named_by_a_string(self, copying_aligner: Path) -> None:
        """As `--aligner` passes it, and as a model on the hub is named."""
        assert PairAligner.from_pretrained(str(copying_aligner)).model.config.id2label == LABELS

    def test_an_encoder_is_where_training_starts(
        self, word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = BertConfig(vocab_size=len(word_tokenizer), intermediate_size=8, **shape)
        BertModel(config).save_pretrained(tmp_path)
        word_tokenizer.save_pretrained(tmp_path)
        assert PairAligner.from_encoder(tmp_path).model.config.id2label == LABELS
        with pytest.raises(ModelError, match=r"LABEL_0.*spanferry aligner train --help"):
            PairAligner.from_pretrained(tmp_path)

    def test_a_tagger_is_no_aligner(self, word_tagger: Callable[[Mapping[str, str]], Path]) -> None:
        folder = word_tagger({"Anna": "B-PER"})
        with pytest.raises(ModelError) as caught:
            PairAligner.from_pretrained(folder)
        assert str(caught.value) == (
            f"{folder}: has labels ['O', 'B-PER'], an aligner has ['O', 'ENTITY']. "
            "Train one on this encoder first: spanferry aligner train --help"
        )

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            pytest.param("config.json", "{", id="configuration"),
            pytest.param("tokenizer.json", "{", id="tokenizer"),
            pytest.param("model.safetensors", "torn", id="weights"),
        ],
    )
    def test_a_damaged_checkpoint_is_named(
        self, copying_aligner: Path, tmp_path: Path, file: str, content: str
    ) -> None:
        folder = shutil.copytree(copying_aligner, tmp_path / "damaged")
        (folder / file).write_text(content)
        with pytest.raises(ModelError, match=r"damaged: no checkpoint .* Give a folder written by"):
            PairAligner.from_pretrained(folder)

    def test_no_folder_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="nowhere: no checkpoint could be loaded"):
            PairAligner.from_pretrained(tmp_path / "nowhere")


class TestFingerprint:
    def test_the_same_in_every_load(self, copying_aligner: Path) -> None:
        a, b = (PairAligner.from_pretrained(copying_aligner).version for _ in range(2))
        assert a == b
        assert len(a) == 12

    def test_working_does_not_change_it(self, aligner: PairAligner) -> None:
        before = aligner.version
        aligner.align([sentence("Anna", "Anna", ["Anna"])])
        assert aligner.version == before

    def test_decoding_changes_it(self, copying_aligner: Path, aligner: PairAligner) -> None:
        other = PairAligner.from_pretrained(copying_aligner, PUBLISHED)
        assert other.version != aligner.version

    def test_weights_change_it(self, aligner: PairAligner) -> None:
        before = aligner.version
        with torch.no_grad():
            aligner.model.classifier.bias[0] += 0.5
        assert aligner.version != before

    def test_another_vocabulary_changes_it(self, copying_aligner: Path, tmp_path: Path) -> None:
        """The same weights read other words by it."""
        folder = shutil.copytree(copying_aligner, tmp_path / "other")
        tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["Anna"], vocabulary["Bern"] = vocabulary["Bern"], vocabulary["Anna"]
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
        a, b = (PairAligner.from_pretrained(f).version for f in (copying_aligner, folder))
        assert a != b

    def test_half_precision_does_not(self, aligner: PairAligner) -> None:
        """A model that ships in half precision names itself as the one it was made from."""
        before = aligner.version
        aligner.model.half()
        assert aligner.version == before


def test_queries_may_repeat(aligner: PairAligner) -> None:
    query = ("Anna", "sah Anna", "de")
    found = aligner.probabilities([query, query])
    assert {asked: [round(p) for p in row] for asked, row in found.items()} == {query: [0, 1]}
