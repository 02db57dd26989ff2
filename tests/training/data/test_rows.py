from dataclasses import replace

import pytest

from projection.errors import LanguageTagError, TrainingError
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from projection.text.iob2 import MASKED
from training.data.rows import NO_ROWS, UNDETERMINED, LabelMap, Row, Rows, row_of

PAIR = ParallelSentence("s1", "Anna in Bonn", "Anna in Bonn", "en", "de", "a.en:1")
ANNA, BONN = Entity(Span(0, 4), "PER"), Entity(Span(8, 12), "LOC")
REVIEW = ReviewedSentence(
    PAIR,
    (ANNA, BONN),
    ReviewStatus.CORRECTED,
    "7",
    model_version="m1",
    provenance=(Provenance(LabelOrigin.PROJECTED, Span(0, 4)), Provenance(LabelOrigin.PERSON)),
)
ROW = Row(
    "s1",
    ("Anna", "in", "Bonn"),
    ("B-PER", "O", "B-LOC"),
    lang="de",
    status="corrected",
    annotator="7",
    model_version="m1",
    origin="a.en:1",
    label_origin=("projected", "", "person"),
)


class TestRow:
    def test_a_review_says_where_each_label_comes_from(self) -> None:
        assert row_of(REVIEW) == (ROW, ())

    def test_every_word_of_a_label_comes_from_where_it_does(self) -> None:
        whole = Entity(Span(0, 7), "PER")
        row, _ = row_of(replace(REVIEW, entities=(whole,), provenance=REVIEW.provenance[:1]))
        assert row.label_origin == ("projected", "projected", "")
        assert row.entity_origins == ["projected"]

    def test_of_overlapping_labels_the_one_that_stays_is_meant(self) -> None:
        whole = Entity(Span(0, 7), "ORG")
        row, misfits = row_of(replace(REVIEW, entities=(ANNA, whole)))
        assert row.label_origin == ("person", "person", "")
        assert [misfit.entity for misfit in misfits] == [ANNA]

    def test_older_exports_do_not_know(self) -> None:
        row, _ = row_of(replace(REVIEW, provenance=()))
        assert row.entity_origins == ["unknown", "unknown"]

    def test_nothing_where_there_are_no_labels(self) -> None:
        row, _ = row_of(replace(REVIEW, entities=(), provenance=()))
        assert (row.label_origin, row.entity_origins) == ((), [])

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            pytest.param(("Yahoo", "!", "wins"), ("Yahoo!", "wins"), True, id="tokenisation"),
            pytest.param(("Zoe\u0301",), ("Zo\u00e9",), True, id="composition"),
            pytest.param(("Zo", "e\u0301"), ("Zo\u00e9",), True, id="composition across tokens"),
            pytest.param(("a\u00a0b",), ("a", "b"), True, id="white space"),
            pytest.param(("Bern",), ("BERN",), False, id="case"),
            pytest.param(("Bern", "."), ("Bern",), False, id="punctuation"),
        ],
    )
    def test_texts_are_equal_in_all_tokenisations(
        self, one: tuple[str, ...], other: tuple[str, ...], same: bool
    ) -> None:
        first, second = (Row("1", tokens, ("O",) * len(tokens)) for tokens in (one, other))
        assert (first.text_key == second.text_key) is same

    @pytest.mark.parametrize(
        ("status", "reviewed"),
        [
            ("gold", True),
            ("accepted", True),
            ("corrected", True),
            ("unseen", False),
            ("projected", False),
        ],
    )
    def test_people_and_gold_stand_behind_labels(self, status: str, reviewed: bool) -> None:
        assert replace(ROW, status=status).is_reviewed is reviewed


class TestRows:
    LOC = Row("1", ("Bern",), ("B-LOC",), "de")
    BARE = Row("2", ("ja",), ("O",))

    def test_have_the_types_they_are_annotated_for_and_use(self) -> None:
        rows = Rows.of([self.LOC, self.BARE], ["PER"])
        assert rows.labels == ("LOC", "PER")
        assert rows.tag_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
        assert [*rows] == [self.LOC, self.BARE]
        assert (len(rows), rows.languages) == (2, ["de", UNDETERMINED])

    def test_joined_have_the_types_of_all(self) -> None:
        whole = Rows.joined(Rows.of([self.LOC]), NO_ROWS, Rows.of([self.BARE], ["PER"]))
        assert whole == Rows.of([self.LOC, self.BARE], ["PER"])
        assert Rows.joined() == NO_ROWS

    def test_filtered_keep_their_types(self) -> None:
        rows = Rows.of([self.LOC, self.BARE])
        assert rows.filter(lambda row: not row.has_entity) == Rows((self.BARE,), ("LOC",))

    def test_a_language_is_given_to_what_has_none(self) -> None:
        rows = Rows.of([self.LOC, self.BARE]).in_language("nl")
        assert [row.lang for row in rows] == ["de", "nl"]

    def test_describe_names_files_without_their_folders(self) -> None:
        rows = Rows.of([replace(self.LOC, origin="a/b/train.en:7"), self.BARE])
        assert rows.describe() == {
            "fingerprint": rows.fingerprint,
            "sentences": 2,
            "entities": 1,
            "languages": ["de", UNDETERMINED],
            "corpora": {"train.en": 1, "": 1},
        }


class TestLabelMap:
    def test_types_are_renamed_then_ignored(self) -> None:
        tags = ("B-OTH", "I-OTH", "B-LOCderiv", "O", "B-PER")
        mapping = LabelMap.parse(["OTH=MISC"], ["*deriv"])
        assert mapping.tags(tags) == ("B-MISC", "I-MISC", "O", "O", "B-PER")
        mapped = Rows.of([Row("1", ("a",) * 5, tags)]).mapped(mapping)
        assert mapped.labels == ("MISC", "PER")

    def test_a_label_that_is_ignored_comes_from_nowhere(self) -> None:
        [row] = Rows.of([ROW]).mapped(LabelMap({}, ("PER",)))
        assert (row.tags, row.label_origin) == (("O", "O", "B-LOC"), ("", "", "person"))

    def test_ignoring_goes_by_the_new_name(self) -> None:
        assert LabelMap({"OTH": "MISC"}, ("MISC",)).tags(["B-OTH"]) == ("O",)

    @pytest.mark.parametrize("text", ["OTH", "=MISC", "OTH="])
    def test_a_renaming_needs_both_names(self, text: str) -> None:
        with pytest.raises(TrainingError, match="is not OLD=NEW"):
            LabelMap.parse([text], [])


class TestTypesLookedFor:
    ROW = Row("1", ("Ada", "und", "x"), ("B-PER", "O", MASKED), types=("PER", "ORG"))

    def test_are_a_comment(self) -> None:
        assert self.ROW.tagged.comments["types"] == "PER ORG"
        assert "types" not in Row("1", ("x",), ("O",)).tagged.comments

    def test_cannot_be_listed_with_white_space_in_their_names(self) -> None:
        with pytest.raises(TrainingError, match="creative work"):
            _ = Row("1", ("x",), ("O",), types=("creative work",)).tagged

    def test_are_types_of_the_data(self) -> None:
        assert Rows.of([self.ROW]).labels == ("ORG", "PER")

    def test_are_renamed_and_ignored_with_the_tags(self) -> None:
        mapped = self.ROW.mapped(LabelMap({"PER": "person"}, ("ORG",)))
        assert mapped.types == ("person",)
        assert mapped.tags == ("B-person", "O", MASKED)

    def test_nothing_is_known_where_all_are_ignored(self) -> None:
        mapped = replace(self.ROW, tags=("O", "O", MASKED)).mapped(LabelMap({}, ("PER", "ORG")))
        assert (mapped.types, mapped.tags) == ((), (MASKED,) * 3)

    def test_tell_data_apart(self) -> None:
        whole, other, same = (
            replace(self.ROW, types=types) for types in ((), ("PER",), ("ORG", "PER"))
        )
        prints = [Rows.of([row]).fingerprint for row in (self.ROW, whole, other, same)]
        assert len({*prints}) == 3
        assert prints[3] == prints[0]

    def test_a_masked_token_is_no_entity(self) -> None:
        assert not Row("1", ("x",), (MASKED,)).has_entity


def test_the_fingerprint_tells_data_apart_by_tokens_and_tags_alone() -> None:
    one = Rows.of([Row("1", ("a",), ("O",))])
    assert one.fingerprint == Rows.of([Row("2", ("a",), ("O",))], ["PER"]).fingerprint
    assert one.fingerprint != Rows.of([Row("1", ("a",), ("B-PER",))]).fingerprint


def test_a_row_holds_a_normalised_tag() -> None:
    assert Row("1", ("a",), ("O",), "zh_TW").lang == "zh-TW"
    with pytest.raises(LanguageTagError, match=r"^a\.iob2:3 lang: 'Dutch' is no .* mean nl\?$"):
        Row("1", ("a",), ("O",), "Dutch", origin="a.iob2:3")
