"""Annotators' reviews as training data: what is certain is paired, the rest is left out."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError, SpanError, TrainingError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.aligner.augment import example_of, renamed
from training.aligner.from_reviews import (
    WEIGHT,
    paired_entities,
    read_examples,
    read_reviews,
    reviews_to_learn_from,
    silver_of_reviews,
)
from training.aligner.pair import PairExample, pair_examples
from training.aligner.silver import SilverSentence, name_pair
from training.data.dataset import read_rows
from training.data.splits import Shares
from training.export.export import ExportSettings, write_export


def entities(text: str, marked: str) -> tuple[Entity, ...]:
    """`"LOC:Bern LOC:Rom PER:Anna_Weber"`: each name at its next place in the text."""
    found, ends = [], dict[str, int]()
    for item in marked.split():
        label, name = item.replace("_", " ").split(":")
        start = text.index(name, ends.get(name, 0))
        ends[name] = start + len(name)
        found.append(Entity(Span(start, ends[name]), label))
    return tuple(found)


def review(
    source: str,
    target: str,
    known: str | None,
    left: str,
    *,
    predicted: str | None = None,
    lang: str = "de",
) -> ReviewedSentence:
    sentence = ParallelSentence("1", source, target, "en", lang, "news.en:1")
    if known is not None:
        sentence = replace(sentence, entities=entities(source, known))
    return ReviewedSentence(
        sentence,
        entities(target, left),
        ReviewStatus.CORRECTED,
        annotator="7",
        predicted=None if predicted is None else entities(target, predicted),
        updated_at="2026-01-05T10:00:00Z",
    )


def names(made: ReviewedSentence) -> list[str]:
    """The pairs found, as `Cologne=Köln`."""
    pair = made.sentence
    return [f"{s.of(pair.source)}={t.of(pair.target)}" for s, t in paired_entities(made).pairs]


class TestPairs:
    @pytest.mark.parametrize(
        ("known", "left", "pairs"),
        [
            pytest.param("LOC:Cologne", "LOC:Köln", ["Cologne=Köln"], id="the only one"),
            pytest.param(
                "PER:Anna LOC:Cologne",
                "LOC:Köln PER:Anna",
                ["Anna=Anna", "Cologne=Köln"],
                id="types",
            ),
            pytest.param(
                "LOC:Bern LOC:Cologne",
                "LOC:Köln LOC:Bern",
                ["Cologne=Köln", "Bern=Bern"],
                id="spelt alike, and the one that is left",
            ),
            pytest.param("LOC:Cologne LOC:Munich", "LOC:Köln LOC:München", [], id="two of two"),
            pytest.param("LOC:Cologne LOC:Munich", "LOC:Köln", [], id="one of two"),
            pytest.param("LOC:Cologne", "LOC:Köln LOC:München", [], id="two of one"),
            pytest.param("LOC:Cologne", "ORG:Köln", [], id="another type"),
            pytest.param("", "", [], id="none"),
            pytest.param(None, "LOC:Köln", [], id="nobody knows the source's"),
            pytest.param(None, "PER:Anna LOC:Köln", ["Anna=Anna"], id="but letters say it"),
            pytest.param("LOC:Bern", "ORG:Bern", ["Bern=Bern"], id="letters in spite of the type"),
            pytest.param("LOC:Cologne", "LOC:Köln LOC:Köln", ["Cologne=Köln"], id="said twice"),
        ],
    )
    def test_what_is_certain(self, known: str | None, left: str, pairs: list[str]) -> None:
        made = review(
            "Anna left Cologne and Munich for Bern",
            "Anna ging von Köln, München bis Bern",
            known,
            "",
        )
        if left == "LOC:Köln LOC:Köln":
            made = replace(made, entities=entities(made.sentence.target, "LOC:Köln") * 2)
        else:
            made = replace(made, entities=entities(made.sentence.target, left))
        assert sorted(names(made)) == sorted(pairs)

    @pytest.mark.parametrize(
        ("source", "target", "known", "left"),
        [
            pytest.param(
                "Anna and Anna", "Anna und Anna", "PER:Anna PER:Anna", "PER:Anna PER:Anna"
            ),
            pytest.param("Anna and Anna", "Anna ging", None, "PER:Anna"),
            pytest.param("Anna left", "Anna, Anna!", None, "PER:Anna"),
            pytest.param("Annapolis", "Anna ging", None, "PER:Anna"),
            pytest.param("Anna Weber left", "Anna ging", "PER:Anna_Weber LOC:left", "ORG:Anna"),
        ],
        ids=[
            "two mentions",
            "two in the source",
            "two in the target",
            "part of a word",
            "of a name",
        ],
    )
    def test_letters_that_do_not_decide(
        self, source: str, target: str, known: str | None, left: str
    ) -> None:
        assert names(review(source, target, known, left)) == []

    def test_a_place_that_has_its_pair_is_not_given_away_again(self) -> None:
        made = review(
            "the Bern Museum", "das Museum in Bern", "ORG:Bern_Museum", "ORG:Museum LOC:Bern"
        )
        assert names(made) == ["Bern Museum=Museum"]
        assert paired_entities(made).unpaired_target == 1

    def test_overlapping_entities_are_not_guessed_at(self) -> None:
        made = review("Cologne University", "Uni Köln", "ORG:Cologne_University", "")
        nested = (Entity(Span(0, 8), "ORG"), Entity(Span(4, 8), "LOC"))
        found = paired_entities(replace(made, entities=nested))
        assert (found.pairs, found.unpaired_source, found.unpaired_target) == ((), 1, 2)

    def test_chinese(self) -> None:
        made = review(
            "Anna left Bern", "安娜离开了伯尔尼", "PER:Anna LOC:Bern", "PER:安娜 LOC:伯尔尼"
        )
        assert names(made) == ["Anna=安娜", "Bern=伯尔尼"]

    @given(
        st.lists(st.sampled_from(["PER:Anna", "LOC:Bern", "ORG:Bern", "PER:Weber"]), max_size=4),
        st.lists(st.sampled_from(["PER:Anna", "LOC:Bern", "ORG:Anna", "LOC:Rom"]), max_size=4),
    )
    def test_every_entity_is_paired_absent_or_counted(
        self, known: list[str], left: list[str]
    ) -> None:
        source, target = "Anna Bern Weber " * 4, "Anna Bern Rom " * 4
        made = review(source, target, " ".join(known), " ".join(left))
        found = paired_entities(made)
        assert len(found.pairs) + len(found.absent) + found.unpaired_source >= len(
            {e.span for e in made.sentence.entities or ()} - {s for s, _ in found.pairs}
        )
        silver = SilverSentence(source, target, "de", found.pairs, absent=found.absent)
        assert len({s for s, _ in silver.phrases}) == len(silver.phrases)
        assert len({t for _, t in silver.phrases}) == len(silver.phrases)


class TestKnown:
    """What a label was projected from need not be guessed."""

    TWO = review("Cologne and Munich", "Köln und München", "LOC:Cologne LOC:Munich", "")

    @staticmethod
    def known(made: ReviewedSentence, *sources: str | None) -> ReviewedSentence:
        text = made.sentence.source
        spans = [
            None if s is None else Span(text.index(s), text.index(s) + len(s)) for s in sources
        ]
        provenance = tuple(Provenance(LabelOrigin.PROJECTED, span) for span in spans)
        return replace(made, provenance=provenance)

    def test_two_of_one_label(self) -> None:
        made = replace(
            self.TWO, entities=entities(self.TWO.sentence.target, "LOC:Köln LOC:München")
        )
        made = self.known(made, "Cologne", "Munich")
        assert names(made) == ["Cologne=Köln", "Munich=München"]
        found = paired_entities(made)
        assert (found.known, found.unpaired_source, found.unpaired_target) == (2, 0, 0)

    def test_what_is_known_decides_the_rest(self) -> None:
        made = replace(
            self.TWO, entities=entities(self.TWO.sentence.target, "LOC:Köln LOC:München")
        )
        made = self.known(made, "Cologne", None)
        assert names(made) == ["Cologne=Köln", "Munich=München"]
        assert paired_entities(made).known == 1

    def test_another_type_and_a_source_nobody_knew(self) -> None:
        made = self.known(review("In Cologne", "In Köln", None, "ORG:Köln"), "Cologne")
        assert names(made) == ["Cologne=Köln"]

    def test_one_source_of_two_labels_is_left_out(self) -> None:
        made = review("Cologne", "Köln, Köln", None, "LOC:Köln LOC:Köln")
        assert names(self.known(made, "Cologne", "Cologne")) == []

    def test_overlapping_labels_are_left_out(self) -> None:
        made = review("Cologne University", "Uni Köln", None, "")
        nested = (Entity(Span(0, 8), "ORG"), Entity(Span(4, 8), "LOC"))
        made = self.known(replace(made, entities=nested), "Cologne University", "Cologne")
        assert names(made) == []

    def test_part_of_a_known_source_is_not_absent(self) -> None:
        made = review("Cologne Cathedral", "der Dom", "LOC:Cologne", "LOC:Dom")
        known = self.known(made, "Cologne Cathedral")
        found = paired_entities(known)
        assert (found.absent, found.unpaired_source) == ((), 1)
        [(_, silver)], _ = silver_of_reviews([known], None, 1.0)
        assert silver.phrases == ((Span(0, 17), Span(4, 7)),)

    def test_what_nobody_looked_at_teaches_nothing(self) -> None:
        made = self.known(review("Anna left", "Anna ging", "PER:Anna", "PER:Anna"), "Anna")
        unseen = replace(made, status=ReviewStatus.UNSEEN, annotator="")
        silver, counts = silver_of_reviews([unseen], "de", 5.0)
        assert (silver, counts.unseen, counts.unusable) == ([], 1, 0)


class TestAbsent:
    @pytest.mark.parametrize(
        ("known", "left", "predicted", "absent"),
        [
            pytest.param("PER:Anna LOC:Cologne", "PER:Anna", None, ["Cologne"], id="never there"),
            pytest.param("LOC:Cologne", "", "", ["Cologne"], id="and nothing was proposed"),
            pytest.param("PER:Anna LOC:Cologne", "PER:Anna LOC:Dort", "", [], id="or is it this?"),
            pytest.param("LOC:Cologne", "PER:Dort", "", [], id="of another type, but left over"),
            pytest.param("LOC:Cologne", "", "LOC:Dort", [], id="its proposal was deleted"),
            pytest.param("LOC:Cologne", "", "PER:Dort", ["Cologne"], id="another's was"),
            pytest.param("PER:Anna", "", None, [], id="its letters are there"),
            pytest.param(None, "PER:Anna", None, [], id="nobody knows the source's"),
        ],
    )
    def test_only_what_is_known_to_be(
        self, known: str | None, left: str, predicted: str | None, absent: list[str]
    ) -> None:
        made = review("Anna left Cologne", "Dort ging Anna", known, left, predicted=predicted)
        found = paired_entities(made)
        assert [span.of(made.sentence.source) for span in found.absent] == absent

    SILVER = SilverSentence(
        "Anna left Cologne", "Anna ging", "de", ((Span(0, 4), Span(0, 4)),), absent=(Span(10, 17),)
    )

    def test_the_pair_aligner_is_asked_for_it_in_vain(self) -> None:
        assert [e for _, e in pair_examples([self.SILVER], negatives=0, seed=0)] == [
            PairExample("Anna", "Anna ging", (Span(0, 4),)),
            PairExample("Cologne", "Anna ging", ()),
        ]

    def test_the_joint_aligner_as_well(self) -> None:
        assert example_of(self.SILVER).entities == (((0, 1), (0, 1)), ((2, 3), None))

    def test_it_moves_when_a_name_before_it_is_exchanged(self) -> None:
        name = name_pair("Zoë Ibn Sina", "Zoë Ibn Sina", "de")
        moved = renamed(self.SILVER, name, random.Random(0))
        assert [gone.of(moved.source) for gone in moved.absent] == ["Cologne"]
        assert moved.source == "Zoë Ibn Sina left Cologne"


class TestReviews:
    GOOD = review("Anna left", "Anna ging", "PER:Anna", "PER:Anna")
    SILVER = SilverSentence("Anna", "Anna", "de", ((Span(0, 4), Span(0, 4)),))

    def test_they_count_more_than_others(self) -> None:
        ((pair, silver),), _ = silver_of_reviews([self.GOOD], "de", 5.0)
        assert pair == self.GOOD.sentence
        assert (silver.weight, silver.lang) == (5.0, "de")
        assert silver.phrases == ((Span(0, 4), Span(0, 4)),)

    def test_what_became_of_each(self) -> None:
        newer = "2026-02-05T10:00:00Z"
        reviews = [
            self.GOOD,
            replace(self.GOOD, entities=(), updated_at=newer),
            *(
                replace(
                    self.GOOD, status=status, sentence=replace(self.GOOD.sentence, id=status.value)
                )
                for status in (ReviewStatus.SKIPPED, ReviewStatus.UNUSABLE)
            ),
            replace(self.GOOD, sentence=replace(self.GOOD.sentence, id="fr", target_lang="fr")),
            replace(
                review("Rome, Bern", "Rom", "LOC:Rome LOC:Bern", "LOC:Rom"),
                sentence=replace(
                    review("Rome, Bern", "Rom", "LOC:Rome LOC:Bern", "LOC:Rom").sentence, id="left"
                ),
            ),
        ]
        silver, counts = silver_of_reviews(reviews, "de", 5.0)
        assert silver == []
        assert (counts.read, counts.superseded, counts.unusable, counts.foreign) == (6, 1, 2, 1)
        assert (counts.pairs, counts.absent) == (0, 0)
        assert (counts.unpaired_source, counts.unpaired_target) == (3, 1)
        assert str(counts) == (
            "6 reviews (1 superseded or disagreed on, 2 skipped or unusable, 0 unseen, "
            "1 of other languages): "
            "0 sentences with 0 pairs (0 of them known) and 0 entities without a translation; left "
            "out as uncertain: 3 source and 1 target entities"
        )

    def test_a_variety_is_of_the_language(self) -> None:
        made = review("Anna left", "安娜走了", "PER:Anna", "PER:安娜", lang="zh-Hans")
        (pair,), _ = silver_of_reviews([made], "zh", 2.0)
        assert pair[1].lang == "zh-Hans"

    def test_a_weight_of_nothing_is_refused(self) -> None:
        with pytest.raises(SpanError, match="weight"):
            silver_of_reviews([self.GOOD], "de", 0.0)

    def test_a_file_or_the_folder_it_is_in(self, tmp_path: Path) -> None:
        path = tmp_path / "reviewed.jsonl"
        path.write_text(json_line(encode(self.GOOD)), "utf-8")
        assert read_reviews(path) == read_reviews(tmp_path) == [self.GOOD]

    def test_examples_are_read_from_an_export_or_from_silver(self, tmp_path: Path) -> None:
        french = replace(self.GOOD, sentence=replace(self.GOOD.sentence, id="fr", target_lang="fr"))
        reviews = tmp_path / "reviewed.jsonl"
        reviews.write_text(
            "".join(json_line(encode(each)) for each in (self.GOOD, french)), "utf-8"
        )
        silver = tmp_path / "de.jsonl"
        silver.write_text(json_line(self.SILVER.to_json()), "utf-8")
        assert list(read_examples(silver)) == [self.SILVER]
        assert list(read_examples(tmp_path)) == list(read_examples(reviews))
        assert [(each.lang, each.weight) for each in read_examples(tmp_path)] == [
            ("de", WEIGHT),
            ("fr", WEIGHT),
        ]

    @pytest.mark.parametrize("name", ["", "reviewed.jsonl"])
    def test_what_a_split_export_holds_out_is_not_learned_from(
        self, tmp_path: Path, name: str
    ) -> None:
        names = ("Anna", "Bela", "Carla", "Dora", "Emil", "Fritz")
        reviews = [
            replace(
                made := review(f"{who} left", f"{who} ging {i}", f"PER:{who}", f"PER:{who}"),
                sentence=replace(made.sentence, id=str(i), origin=f"{who}-{i}.en:1"),
            )
            for i, who in enumerate(names * 10)
        ]
        whole, split = tmp_path / "whole", tmp_path / "split"
        write_export(reviews, whole, title="Lakes")
        settings = ExportSettings(shares=Shares(0.8, 0.1, 0.1))
        parts = write_export(reviews, split, title="Lakes", settings=settings).parts

        assert 0 < parts["train"] < len(reviews)
        assert len(list(read_examples(whole / name))) == len(reviews)
        assert len(reviews_to_learn_from(split / name)) == parts["train"]
        learned = {each.target for each in read_examples(split / name)}
        assert len(learned) == parts["train"]
        held_out = {row.id for part in ("test", "validation") for row in read_rows(split, part)}
        assert learned.isdisjoint(r.sentence.target for r in reviews if r.sentence.id in held_out)
        assert len(read_reviews(split / name)) == len(reviews), "pushing takes all"

    def test_a_split_export_of_an_older_version_is_refused(self, tmp_path: Path) -> None:
        row = encode(review("Anna left", "Anna ging", "PER:Anna", "PER:Anna"))
        old = {key: row[key] for key in row if key not in ("part", "teacher_entities")}
        (tmp_path / "reviewed.jsonl").write_text(json_line({**old, "schema": 1}), encoding="utf-8")
        summary = tmp_path / "summary.json"
        summary.write_text('{"schema": 2, "usable": 1, "parts": {"train": 1}}', encoding="utf-8")
        assert len(reviews_to_learn_from(tmp_path)) == 1, "what was not split is read"
        parts = {"train": 1, "test": 0}
        summary.write_text(json_line({"schema": 2, "usable": 1, "parts": parts}), encoding="utf-8")
        with pytest.raises(TrainingError, match=r"do not say their part\. Export again"):
            reviews_to_learn_from(tmp_path)

    def test_a_broken_line_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "reviewed.jsonl"
        path.write_text(json_line(encode(self.GOOD)) + '{"schema": 1}\n', "utf-8")
        with pytest.raises(CorpusError, match=r"reviewed\.jsonl:2"):
            read_reviews(path)
