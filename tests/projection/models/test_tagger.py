"""Entities from a token classifier, whatever its tags are called and however long the text is."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.errors import ModelError
from projection.models import bundled
from projection.models.readings import TaggerCalibration
from projection.models.tagger import Tagger, begins, entity_type, label_table
from projection.records import Entity, Span

WordTagger = Callable[..., Path]

IOB2 = {"Anna": "B-PER", "Weber": "I-PER", "Berlin": "B-LOC", "Siemens": "B-ORG"}


def phrases(text: str, found: tuple[Entity, ...]) -> list[tuple[str, str]]:
    return [(e.span.of(text), e.label) for e in found]


@pytest.fixture
def tagged(word_tagger: WordTagger) -> Callable[[Mapping[str, str], str], list[tuple[str, str]]]:
    """`tagged({"Anna": "B-PER"}, "Anna left")`: what a model with these tags finds there."""

    def tag(tags: Mapping[str, str], text: str, lang: str = "en") -> list[tuple[str, str]]:
        (found,) = Tagger.from_pretrained(word_tagger(tags)).tag([text], lang)
        return phrases(text, found)

    return tag


Tagged = Callable[..., list[tuple[str, str]]]


class TestSchemes:
    @pytest.mark.parametrize(
        ("tags", "text", "expected"),
        [
            pytest.param(
                IOB2,
                "Anna Weber saw Berlin .",
                [("Anna Weber", "PER"), ("Berlin", "LOC")],
                id="IOB2",
            ),
            pytest.param(
                IOB2, "Anna Anna left", [("Anna", "PER"), ("Anna", "PER")], id="IOB2: B- begins"
            ),
            pytest.param(
                {"Ibn": "B-PER", "Sina": "E-PER", "Anna": "S-PER"},
                "Ibn Sina Anna Anna left",
                [("Ibn Sina", "PER"), ("Anna", "PER"), ("Anna", "PER")],
                id="BIOES",
            ),
            pytest.param(
                {"Ibn": "B-PER", "Sina": "L-PER", "Anna": "U-PER"},
                "Ibn Sina Anna Anna left",
                [("Ibn Sina", "PER"), ("Anna", "PER"), ("Anna", "PER")],
                id="BILOU",
            ),
            pytest.param(
                {"Anna": "PER", "Weber": "PER", "Berlin": "LOC"},
                "Anna Weber Berlin left",
                [("Anna Weber", "PER"), ("Berlin", "LOC")],
                id="plain: neighbours of one type are one",
            ),
            pytest.param(
                {"Anna": "BRAND", "Weber": "BRAND", "Bern": "SITE", "Sina": "UNIT", "Ibn": "UNIT"},
                "Anna Weber Bern Bern Ibn Sina",
                [("Anna Weber", "BRAND"), ("Bern Bern", "SITE"), ("Ibn Sina", "UNIT")],
                id="plain types that begin like B-, S- and U-",
            ),
            pytest.param(
                {"Anna": "B-LAW-ACT", "Weber": "I-LAW-ACT"},
                "Anna Weber",
                [("Anna Weber", "LAW-ACT")],
                id="a type with a dash",
            ),
        ],
    )
    def test_tags_become_entities(
        self, tagged: Tagged, tags: dict[str, str], text: str, expected: list[tuple[str, str]]
    ) -> None:
        assert tagged(tags, text) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("saw Weber left", [("Weber", "PER")], id="after O"),
            pytest.param("Weber", [("Weber", "PER")], id="at the start"),
            pytest.param("Berlin Weber", [("Berlin", "LOC"), ("Weber", "PER")], id="after another"),
        ],
    )
    def test_an_i_that_continues_nothing_begins(
        self, tagged: Tagged, text: str, expected: list[tuple[str, str]]
    ) -> None:
        assert tagged(IOB2, text) == expected

    @pytest.mark.parametrize(
        ("tag", "kind", "starts"),
        [
            ("B-PER", "PER", True),
            ("I-PER", "PER", False),
            ("S-PER", "PER", True),
            ("PER", "PER", False),
            ("BRAND", "BRAND", False),
            ("X-RAY", "X-RAY", False),
            ("O", "O", False),
        ],
    )
    def test_reading_a_tag(self, tag: str, kind: str, starts: bool) -> None:
        assert (entity_type(tag), begins(tag)) == (kind, starts)


class TestTexts:
    def test_one_answer_a_text_in_order(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        tagger.batch_tokens = 12
        texts = ["Anna saw the Berlin of Siemens", "left", "", "Berlin", "   ", "Anna Weber left"]
        found = [phrases(t, f) for t, f in zip(texts, tagger.tag(texts, "en"), strict=True)]
        assert found == [
            [("Anna", "PER"), ("Berlin", "LOC"), ("Siemens", "ORG")],
            [],
            [],
            [("Berlin", "LOC")],
            [],
            [("Anna Weber", "PER")],
        ]

    def test_no_texts(self, word_tagger: WordTagger) -> None:
        assert Tagger.from_pretrained(word_tagger(IOB2)).tag([], "en") == []

    @pytest.mark.parametrize(
        ("text", "lang"),
        [
            pytest.param("👨‍👩‍👧 🎉 Anna !", "de", id="emoji"),
            pytest.param("e\u0301te\u0301 Anna", "fr", id="combining marks"),
            pytest.param("and\r\nAnna\r\n", "en", id="CRLF"),
            pytest.param("去Anna了", "zh", id="Chinese"),
            pytest.param("(Anna)", "en", id="brackets"),
        ],
    )
    def test_offsets_are_code_points(self, tagged: Tagged, text: str, lang: str) -> None:
        assert tagged(IOB2, text, lang) == [("Anna", "PER")]

    def test_chinese_entities_are_runs_of_characters(self, tagged: Tagged) -> None:
        tags = {"柏": "B-LOC", "林": "I-LOC", "安": "B-PER", "娜": "I-PER"}
        found = tagged(tags, "安娜去了柏林。", "zh")
        assert found == [("安娜", "PER"), ("柏林", "LOC")]

    def test_the_characters_of_a_subword_are_one_entity(self) -> None:
        """柏林 is one subword of the bundled tagger: its second character continues the first."""
        tagger = Tagger.from_pretrained(bundled.path("tagger"))
        (words,) = tagger.tag_words([[*"北京在中国，鲍勃住在柏林。"]])
        tags = [word.tag for word in words]
        assert tags[-3:-1] == ["B-LOC", "I-LOC"]

    def test_the_first_piece_speaks_for_the_word(self, tagged: Tagged) -> None:
        tags = {"Europa": "B-ORG", "##parlament": "B-LOC"}
        assert tagged(tags, "Europaparlament") == [("Europaparlament", "ORG")]

    def test_words_the_tokenizer_throws_away_are_outside(self, tagged: Tagged) -> None:
        assert tagged(IOB2, "\ufeff Anna \u200d") == [("Anna", "PER")]

    def test_uncalibrated_scores_are_the_mean_of_the_type(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        (entity,) = tagger.tag(["Anna Weber"], "en")[0]
        (words,) = tagger.tag_words([["Anna", "Weber"]])
        # The begin and inside tags of a type count together.
        assert entity.score is not None
        assert entity.score >= sum(word.score for word in words) / 2
        assert entity == Entity(Span(0, 10), "PER", entity.score)

    @pytest.mark.parametrize("words", [158, 159, 500])
    def test_long_texts_are_read_in_windows_and_nothing_is_lost(
        self, tagged: Tagged, words: int
    ) -> None:
        """The model reads 160 subwords, two of them special."""
        text = " ".join(["Anna", *["saw", "the"] * ((words - 2) // 2), "Berlin"])
        assert tagged(IOB2, text) == [("Anna", "PER"), ("Berlin", "LOC")]

    def test_an_entity_across_a_window_border_stays_whole(self, tagged: Tagged) -> None:
        text = " ".join(["Anna", "Weber"] * 300)
        assert tagged(IOB2, text) == [("Anna Weber", "PER")] * 300

    def test_neighbours_do_not_change_an_answer(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        texts = ["Anna left", "Anna " * 50, "Berlin"]
        together = tagger.tag(texts, "en")
        alone = [tagger.tag([text], "en")[0] for text in texts]
        for a, b in zip(together, alone, strict=True):
            assert [(e.span, e.label) for e in a] == [(e.span, e.label) for e in b]
            assert [e.score for e in a] == pytest.approx([e.score for e in b])


class TestLabels:
    TAGS = ("O", "B-PERSON", "I-PERSON", "B-GPE", "B-MISC")

    def test_without_a_table_types_stay(self) -> None:
        table = label_table(self.TAGS, None, (), "m")
        assert table == {"PERSON": "PERSON", "GPE": "GPE", "MISC": "MISC"}

    def test_types_are_renamed_and_may_fall_together(self) -> None:
        table = {"PERSON": "PER", "GPE": "LOC", "MISC": "LOC"}
        assert label_table(self.TAGS, table, (), "m") == table

    @pytest.mark.parametrize(
        ("labels", "suppress"),
        [
            pytest.param(None, ["MISC"], id="without a table"),
            pytest.param({"PERSON": "PERSON", "GPE": "GPE"}, ["MISC"], id="not in the table"),
            pytest.param(
                {"PERSON": "PERSON", "GPE": "GPE", "MISC": "OTHER"},
                ["OTHER"],
                id="by the name it was given",
            ),
        ],
    )
    def test_suppressed_types_are_left_out(
        self, labels: dict[str, str] | None, suppress: list[str]
    ) -> None:
        found = label_table(self.TAGS, labels, suppress, "m")
        assert found == {"PERSON": "PERSON", "GPE": "GPE"}

    @pytest.mark.parametrize(
        ("labels", "suppress", "message"),
        [
            pytest.param(
                {"PERSON": "PER"},
                [],
                "m: the label table says nothing of GPE, MISC. "
                "Map each to one of your labels, or suppress it",
                id="a type left out",
            ),
            pytest.param(
                {"PERSON": "PER", "GPE": "LOC", "MISC": "MISC", "DATE": "TIME"},
                [],
                "m: has no entity type DATE. Its types are GPE, MISC, PERSON",
                id="a type it does not know",
            ),
            pytest.param(
                None,
                ["MSIC"],
                "m: has no entity type MSIC. Its types are GPE, MISC, PERSON",
                id="a suppressed type it does not know",
            ),
        ],
    )
    def test_a_table_that_does_not_fit_is_refused(
        self, labels: dict[str, str] | None, suppress: list[str], message: str
    ) -> None:
        with pytest.raises(ModelError) as caught:
            label_table(self.TAGS, labels, suppress, "m")
        assert str(caught.value) == message

    def test_the_error_names_the_folder(self, word_tagger: WordTagger) -> None:
        folder = word_tagger(IOB2)
        with pytest.raises(ModelError) as caught:
            Tagger.from_pretrained(folder, {"PER": "PERSON"})
        assert caught.value.where == str(folder)

    def test_entities_bear_the_projects_labels(self, word_tagger: WordTagger) -> None:
        labels = {"PER": "person", "LOC": "place", "ORG": "place"}
        tagger = Tagger.from_pretrained(word_tagger(IOB2), labels)
        text = "Anna saw Berlin Siemens"
        assert tagger.labels == ("person", "place")
        assert phrases(text, tagger.tag([text], "en")[0]) == [
            ("Anna", "person"),
            ("Berlin", "place"),
            ("Siemens", "place"),
        ]

    def test_suppressed_entities_are_not_found(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2), suppress=["LOC"])
        text = "Anna saw Berlin Siemens"
        assert tagger.labels == ("ORG", "PER")
        assert phrases(text, tagger.tag([text], "en")[0]) == [("Anna", "PER"), ("Siemens", "ORG")]


class TestAlternatives:
    """`Siemens` is torn between types; `Bern` is nearly an entity."""

    @pytest.fixture
    def tagger(self, word_tagger: WordTagger) -> Tagger:
        tagger = Tagger.from_pretrained(word_tagger({"Anna": "B-PER"}, ("B-LOC", "B-ORG")))
        number = {tag: i for i, tag in enumerate(tagger.tags)}
        pieces = tagger.tokenizer.get_vocab()
        with torch.no_grad():
            table = tagger.model.base_model.embeddings.word_embeddings.weight
            table[pieces["Bern"], [number["O"], number["B-LOC"]]] = torch.tensor([1.0, 0.9])
            table[pieces["Siemens"], [number["O"], number["B-ORG"], number["B-LOC"]]] = (
                torch.tensor([0.0, 1.0, 0.9])
            )
        return tagger

    def test_they_come_with_the_entities(self, tagger: Tagger) -> None:
        text = "Anna Siemens left Bern"
        (found,) = tagger.tag_with_alternatives([text], "en")
        assert phrases(text, found.entities) == [("Anna", "PER"), ("Siemens", "ORG")]
        assert phrases(text, found.alternatives)[0] == ("Siemens", "LOC")
        assert ("Bern", "LOC") in phrases(text, found.alternatives)
        assert tagger.tag([text], "en") == [found.entities]

    def test_an_alternative_is_less_likely(self, tagger: Tagger) -> None:
        (found,) = tagger.tag_with_alternatives(["Siemens"], "en")
        ((entity,), (other,)) = found.entities, found.alternatives
        assert entity.score is not None
        assert other.score is not None
        assert other.score < entity.score

    def test_types_that_are_suppressed_are_no_alternative(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2), suppress=["LOC"])
        (found,) = tagger.tag_with_alternatives(["Berlin"], "en")
        assert "LOC" not in {entity.label for entity in found.alternatives}


class TestCalibration:
    CALIBRATION = TaggerCalibration((0.5, 0.25, -0.25), -1.0)

    def test_it_is_saved_and_shapes_the_scores(
        self, word_tagger: WordTagger, tmp_path: Path
    ) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        (before,) = tagger.tag(["Anna"], "en")[0]
        tagger.calibration = self.CALIBRATION
        tagger.save_pretrained(tmp_path)
        again = Tagger.from_pretrained(tmp_path)
        assert again.calibration == self.CALIBRATION
        (after,) = again.tag(["Anna"], "en")[0]
        assert after != before
        [[reading]] = [[r for r in readings if r.chosen] for readings in again.readings([["Anna"]])]
        assert after.score == self.CALIBRATION.probability(reading.signals)

    def test_it_is_part_of_the_version(self, word_tagger: WordTagger, tmp_path: Path) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        before = tagger.version
        tagger.calibration = self.CALIBRATION
        assert tagger.version != before
        tagger.save_pretrained(tmp_path)
        assert Tagger.from_pretrained(tmp_path).version == tagger.version

    def test_a_damaged_one_is_refused(self, word_tagger: WordTagger) -> None:
        folder = word_tagger(IOB2)
        config = json.loads((folder / "config.json").read_text())
        config["calibration"] = {"weights": {}, "bias": 0}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="inside: missing") as caught:
            Tagger.from_pretrained(folder)
        assert "calibrate-teacher" in caught.value.fix


class TestCheckpoints:
    def test_saved_and_loaded_it_answers_the_same(
        self, word_tagger: WordTagger, tmp_path: Path
    ) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        tagger.save_pretrained(tmp_path)
        again = Tagger.from_pretrained(tmp_path)
        texts = ["Anna Weber saw Berlin"]
        assert again.tag(texts, "en") == tagger.tag(texts, "en")
        assert again.version == tagger.version

    def test_the_version_depends_on_tags_and_table(self, word_tagger: WordTagger) -> None:
        folder = word_tagger({"Anna": "B-PER", "Berlin": "B-LOC"})
        found = {
            Tagger.from_pretrained(folder, labels, suppress).version
            for labels, suppress in [(None, ()), ({"PER": "P", "LOC": "L"}, ()), (None, ["LOC"])]
        }
        same = Tagger.from_pretrained(folder, {"PER": "PER", "LOC": "LOC"}).version
        assert len(found) == 3
        assert same in found

    def test_an_encoder_that_never_learnt_to_tag_is_refused(
        self, word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        """Its head would be random, and its entities of type LABEL_0."""
        shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = BertConfig(vocab_size=len(word_tokenizer), intermediate_size=8, **shape)
        BertModel(config).save_pretrained(tmp_path)
        word_tokenizer.save_pretrained(tmp_path)
        with pytest.raises(ModelError, match="its labels are LABEL_0, LABEL_1, without an O"):
            Tagger.from_pretrained(tmp_path)
