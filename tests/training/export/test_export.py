"""An export folder: every form holds the same, and what is not in it is named with a reason."""

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset, load_from_disk
from huggingface_hub import DatasetCard

from label_config.annotations import annotation_of, reviewed_of
from label_config.tasks import to_task
from projection.errors import TrainingError
from projection.io.conll import read_conll
from projection.io.files import json_line, read_jsonl
from projection.io.records_json import encode as to_json_form
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
    UnreadableReview,
)
from projection.text.iob2 import chunks, decode
from training.data.adjudication import AdjudicationPolicy, newest_decisions
from training.data.dataset import from_dataset, read_rows
from training.data.reviewed import read_reviews
from training.data.rows import Row
from training.data.splits import Shares
from training.export.export import ExportSettings, ExportSummary, write_export

TEXT = "Anna wohnt in Bonn."
ANNA, BONN = Entity(Span(0, 4), "PER"), Entity(Span(14, 18), "LOC")


def review(
    number: int = 1,
    entities: Sequence[Entity] = (ANNA, BONN),
    status: ReviewStatus = ReviewStatus.ACCEPTED,
    *,
    text: str = TEXT,
    lang: str = "de",
    annotator: str = "1",
    at: str | None = "2024-05-01T10:00:00Z",
    annotation: int | None = None,
    file: str = "a.jsonl",
) -> ReviewedSentence:
    pair = ParallelSentence(
        f"s{number}", "Anna lives in Bonn.", text, "en", lang, f"{file}:{number}"
    )
    return ReviewedSentence(
        pair,
        tuple(entities),
        status,
        annotator,
        model_version="m1",
        updated_at=at,
        annotation_id=annotation,
    )


def unseen(number: int, text: str = TEXT) -> ReviewedSentence:
    """Nobody looked at it, and the model is sure."""
    entities = (replace(ANNA, score=0.97), replace(BONN, score=0.95))
    return replace(
        review(number, entities, ReviewStatus.UNSEEN, text=text, annotator="", at=None),
        predicted=entities,
        provenance=(Provenance(LabelOrigin.PROJECTED, Span(0, 4)),) * 2,
    )


def balanced(summary: ExportSummary) -> bool:
    """Every annotation is accounted for."""
    fates = (
        *(summary.unusable, summary.skipped, summary.empty, summary.usable),
        summary.unsettled,
    )
    read = summary.annotations + summary.unseen
    return read == summary.sentences + summary.superseded == sum(fates) + summary.superseded


class TestWriteExport:
    def test_usable_sentences_become_rows_with_their_provenance(self, tmp_path: Path) -> None:
        write_export([review(annotator="7")], tmp_path / "out", title="Test")
        assert [*read_rows(tmp_path / "out")] == [
            Row(
                id="s1",
                tokens=("Anna", "wohnt", "in", "Bonn", "."),
                tags=("B-PER", "O", "O", "B-LOC", "O"),
                lang="de",
                status="accepted",
                annotator="7",
                model_version="m1",
                origin="a.jsonl:1",
                label_origin=("unknown", "", "", "unknown", ""),
            )
        ]

    def test_all_three_forms_hold_the_same_sentences(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        reviewed = [review(1), review(2, [BONN], ReviewStatus.CORRECTED)]
        write_export(reviewed, out, title="Test")
        saved, again = read_rows(out), read_rows(out / "reviewed.jsonl")
        plain = read_rows(out / "data.iob2")
        assert [*saved] == [*again]
        assert [(r.tokens, r.tags) for r in plain] == [(r.tokens, r.tags) for r in saved]
        assert saved.fingerprint == again.fingerprint == plain.fingerprint

    def test_what_is_left_out_is_counted(self, tmp_path: Path) -> None:
        text = "Die Merkels"
        reviewed = [
            review(1),
            review(1, [BONN], ReviewStatus.CORRECTED, at="2024-05-02T10:00:00Z"),
            review(2, status=ReviewStatus.UNUSABLE),
            review(3, status=ReviewStatus.SKIPPED),
            review(4, [], text=" "),
            review(5, [Entity(Span(4, 10), "PER"), Entity(Span(4, 11), "ORG")], text=text),
            review(6, [Entity(Span(4, 10), "PER"), Entity(Span(3, 4), "ORG")], text=text),
        ]
        summary = write_export(reviewed, tmp_path / "out", title="Test")
        assert summary.annotations == 7
        assert summary.sentences == 6
        assert summary.superseded == 1
        assert balanced(summary)
        saved = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert saved == json.loads(json.dumps(summary.to_json()))
        assert {key: saved[key] for key in ("accepted", "corrected", "unusable", "skipped")} == {
            "accepted": 2,
            "corrected": 1,
            "unusable": 1,
            "skipped": 1,
        }
        assert (saved["empty"], saved["widened"]) == (1, 1)
        assert (saved["overlap_lost"], saved["blank_lost"]) == (1, 1)
        assert saved["by_label"] == {"LOC": 1, "ORG": 1, "PER": 1}
        assert str(summary).splitlines()[1] == f"{'… superseded by another decision':34}{1:8}"
        assert sum(1 for _ in read_conll(tmp_path / "out" / "data.iob2")) == 3

    def test_every_annotation_stays_in_reviewed_jsonl(self, tmp_path: Path) -> None:
        reviewed = [review(1), review(1, annotator="2"), review(2, status=ReviewStatus.SKIPPED)]
        write_export(reviewed, tmp_path / "out", title="Test")
        lines = (tmp_path / "out" / "reviewed.jsonl").read_text().splitlines()
        said = [replace(r, part="train" if r.usable else None) for r in reviewed]
        assert [json.loads(line) for line in lines] == [
            json.loads(json_line(to_json_form(r))) for r in said
        ]

    @pytest.mark.parametrize(
        ("lang", "text", "names"),
        [
            pytest.param("th", "มาลีบินจากน่านไปเชียงราย", ["มาลี", "น่าน", "เชียงราย"], id="Thai"),
            pytest.param("lo", "ບຸນມີໄປປາກເຊແລະຄຳມ່ວນ", ["ບຸນມີ", "ປາກເຊ", "ຄຳມ່ວນ"], id="Lao"),
            pytest.param("km", "សុខាទៅកំពតនិងកំពង់ស្ពឺ", ["សុខា", "កំពត", "កំពង់ស្ពឺ"], id="Khmer"),
            pytest.param("my", "မောင်ဘသည်ပဲခူးမှပုသိမ်သို့", ["မောင်ဘ", "ပဲခူး", "ပုသိမ်"], id="Burmese"),
            pytest.param("bo", "ཚེ་རིང་གྱང་རྩེར་འགྲོ།", ["ཚེ་རིང", "གྱང་རྩེ"], id="Tibetan"),
            pytest.param("ko", "춘향은 LG를 떠나 부산에서", ["춘향", "LG", "부산"], id="Korean"),
            pytest.param("ja", "太郎はLGを出て奈良へ", ["太郎", "LG", "奈良"], id="Japanese"),
        ],
    )
    def test_what_people_mark_has_exact_borders_without_spaces_too(
        self, tmp_path: Path, lang: str, text: str, names: list[str]
    ) -> None:
        """From regions in Label Studio to a file of IOB2."""
        spans = [Span(text.index(name), text.index(name) + len(name)) for name in names]
        marked = [Entity(span, "LOC") for span in spans]
        pair = ParallelSentence("s1", "A sentence.", text, "en", lang, "a.jsonl:1")
        result = annotation_of(marked, text, ReviewStatus.CORRECTED)
        annotation = {"id": 1, "result": result, "completed_by": 1, "was_cancelled": False}
        projected = ProjectedSentence(pair, (), (), (), 0.5, "m1")
        task = {"id": 1, **to_task(projected), "annotations": [annotation], "predictions": []}
        summary = write_export(reviewed_of(task).reviewed, tmp_path / "out", title="Test")
        assert summary.losses == ()
        [sentence] = read_conll(tmp_path / "out" / "data.iob2")
        found = ["".join(sentence.tokens[c.start : c.end]) for c in chunks(sentence.tags)]
        assert found == names
        assert "".join(sentence.tokens) == text.replace(" ", "")
        [row] = read_rows(tmp_path / "out")
        assert [entity.span for entity in decode(text, row.tags, lang)] == spans

    def test_labels_nobody_used_are_in_the_schema(self, tmp_path: Path) -> None:
        summary = write_export([review()], tmp_path / "out", title="Test", labels=["PER", "MISC"])
        assert summary.labels == ("LOC", "MISC", "PER")
        assert "B-MISC" in read_rows(tmp_path / "out").tag_names

    def test_the_card_dates_the_data_not_the_export(self, tmp_path: Path) -> None:
        reviewed = [
            review(1, at="2024-05-01T23:30:00+02:00"),
            review(2, at="2024-05-01T22:00:00Z"),
            review(3, at=None),
        ]
        summary = write_export(reviewed, tmp_path / "out", title="Höhe & Tiefe")
        card = (tmp_path / "out" / "README.md").read_text()
        assert summary.newest == "2024-05-01T22:00:00Z"
        assert "Last changed: 2024-05-01T22:00:00Z. 3 sentences" in card
        header = DatasetCard(card).data
        assert (header.pretty_name, header.language, header.license) == (
            "Höhe & Tiefe",
            ["de"],
            "other",
        )
        assert "The licence of the corpora it was made from" in card
        assert "Proposed by: `m1`" in card

    def test_the_same_reviews_make_the_same_files(self, tmp_path: Path) -> None:
        for name in "ab":
            write_export([review(1), review(2)], tmp_path / name, title="Test")
        first = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
        assert len(first) > 8
        for path in first:
            again = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert again.read_bytes() == path.read_bytes(), path

    def test_an_older_export_is_replaced_whole(self, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        write_export([review(1), review(2)], out, title="Test")
        write_export([review(3)], out, title="Test")
        assert [row.id for row in read_rows(out)] == ["s3"]
        assert [*out.parent.iterdir()] == [out]

    def test_another_folder_is_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("dear")
        with pytest.raises(TrainingError, match="is not an export"):
            write_export([review()], tmp_path, title="Test")
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]

    def test_an_export_of_nothing_can_be_read(self, tmp_path: Path) -> None:
        summary = write_export([], tmp_path / "out", title="Test", labels=["PER"])
        assert (summary.annotations, summary.newest) == (0, None)
        assert len(read_rows(tmp_path / "out")) == 0
        assert len(read_rows(tmp_path / "out" / "data.iob2")) == 0

    def test_what_cannot_be_read_is_counted_and_a_line_with_its_reason(
        self, tmp_path: Path
    ) -> None:
        bad = UnreadableReview(24, 14, "3", "s9", "a.jsonl:9", "task 24 annotation 14: no label")
        summary = write_export([review()], tmp_path / "out", title="Test", unreadable=[bad])
        assert (summary.annotations, summary.to_json()["unreadable"]) == (1, 1)
        assert "annotations that are unreadable          1" in str(summary)
        first, *_ = map(json.loads, (tmp_path / "out" / "losses.jsonl").read_text().splitlines())
        assert first == {
            "kind": "unreadable",
            "id": "s9",
            "origin": "a.jsonl:9",
            "annotator": "3",
            "task_id": 24,
            "annotation_id": 14,
            "entity": None,
            "reason": "task 24 annotation 14: no label",
        }

    def test_an_export_is_not_replaced_where_nothing_can_be_read(self, tmp_path: Path) -> None:
        write_export([review()], tmp_path / "out", title="Test")
        bad = UnreadableReview(24, 14, "3", "", "", "task 24: an older spanferry pushed it")
        with pytest.raises(
            TrainingError, match=r"none of 1 annotations can be read\. task 24: an ol"
        ):
            write_export([], tmp_path / "out", title="Test", unreadable=[bad])
        assert len(read_reviews(tmp_path / "out")) == 1

    def test_the_reviewer_must_be_named_before_any_work(self, tmp_path: Path) -> None:
        settings = ExportSettings(policy=AdjudicationPolicy.REVIEWER)
        with pytest.raises(TrainingError, match="needs a reviewer"):
            write_export([], tmp_path / "out", title="Test", settings=settings)
        assert not (tmp_path / "out").exists()


class TestUnseen:
    def test_they_are_marked_in_every_form(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        settings = ExportSettings(accept_above=0.93)
        summary = write_export([review(1), unseen(2)], out, title="Test", settings=settings)
        assert (summary.annotations, summary.unseen, summary.taken, summary.usable) == (1, 1, 1, 2)
        assert balanced(summary)
        [_, row] = read_rows(out)
        assert (row.status, row.annotator) == ("unseen", "")
        assert row.entity_origins == ["projected", "projected"]
        [_, sentence] = read_conll(out / "data.iob2")
        assert sentence.comments == {
            "sent_id": "s2",
            "lang": "de",
            "status": "unseen",
            "label_origin": "projected projected",
        }
        [_, read] = [row for _, row in read_jsonl(out / "reviewed.jsonl")]
        assert [each["origin"] for each in read["provenance"]] == ["projected", "projected"]
        assert "1 sentence that nobody looked at included" in (out / "README.md").read_text()
        assert "no label has a confidence below 0.93" in (out / "README.md").read_text()
        assert f"{'… taken unseen':34}{1:8}" in str(summary).splitlines()

    def test_tables_do_not_speak_of_them_unasked(self, tmp_path: Path) -> None:
        assert "unseen" not in str(write_export([review(1)], tmp_path / "out", title="Test"))

    def test_no_annotator_is_none_of_the_annotators(self, tmp_path: Path) -> None:
        assert write_export([unseen(1)], tmp_path / "out", title="Test").annotators == 0


class TestParts:
    def many(self) -> list[ReviewedSentence]:
        texts = (f"Anna {sha256(bytes([n // 256, n % 256])).hexdigest()}" for n in range(300))
        return [review(n, text=text, file=f"{n // 5}.en") for n, text in enumerate(texts)]

    def test_every_form_has_the_same_parts(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        settings = ExportSettings(shares=Shares.parse("60/20/20"))
        summary = write_export(self.many(), out, title="Test", settings=settings)
        assert summary.parts.keys() == {"train", "validation", "test"}
        assert sum(summary.parts.values()) == summary.usable == 300
        loaded = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
        disk = load_from_disk(str(out / "dataset"))
        for part, count in summary.parts.items():
            rows = [*read_rows(out, part)]
            assert len(rows) == count
            assert [*from_dataset(loaded[part])] == [*from_dataset(disk[part])] == rows
            tagged = [(s.tokens, s.tags) for s in read_conll(out / "iob2" / f"{part}.iob2")]
            assert tagged == [(row.tokens, row.tags) for row in rows]
            assert f"… for {part}" in str(summary)

    def test_every_review_says_the_part_of_its_sentence(self, tmp_path: Path) -> None:
        reviewed = self.many()
        skipped = replace(reviewed[0], status=ReviewStatus.SKIPPED)
        twice = replace(reviewed[1], annotator="2", updated_at="2020-01-01T00:00:00Z")
        settings = ExportSettings(shares=Shares.parse("60/20/20"))
        write_export(
            [skipped, twice, *reviewed[1:]], tmp_path / "out", title="x", settings=settings
        )
        read = read_reviews(tmp_path / "out")
        lines = tmp_path / "out" / "reviewed.jsonl"
        parts = {each.sentence.id: each.part for each in read}
        assert read[0].part is None, "it is in no training data"
        assert read[1].part == read[2].part, "every annotation of a sentence"
        for part in ("train", "validation", "test"):
            rows = read_rows(tmp_path / "out", part)
            assert {row.id for row in read_rows(lines, part)} == {r.id for r in rows}
            assert {row.id for row in rows} == {name for name in parts if parts[name] == part}

    def test_without_asking_all_is_for_training(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        summary = write_export(self.many(), out, title="Test")
        assert len(read_rows(out / "reviewed.jsonl", "test")) == 300, "it was not split"
        assert summary.parts == {"train": 300}
        assert not (out / "iob2").exists()
        assert "Not split." in (out / "README.md").read_text()

    def test_a_part_that_got_nothing_is_told_and_not_what_else_there_is(
        self, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        settings = ExportSettings(shares=Shares.parse("98/1/1"))
        summary = write_export([review(1)], out, title="Test", settings=settings)
        assert summary.parts == {"train": 1, "validation": 0, "test": 0}
        assert summary.shortfall is not None
        assert "--split 98/1/1 gave 1/0/0 of 1 sentences" in summary.shortfall
        for form in ("parquet", "iob2"):
            assert [path.stem for path in (out / form).iterdir()] == ["train"]
        assert load_dataset(str(out), cache_dir=str(tmp_path / "cache")).keys() == {"train"}
        assert [len(read_rows(out, part)) for part in (None, "train")] == [1, 1]
        with pytest.raises(TrainingError, match=r"part 'test' is empty\. Export more"):
            read_rows(out, "test")

    def test_an_export_without_a_sentence_lacks_no_part(self, tmp_path: Path) -> None:
        settings = ExportSettings(shares=Shares.parse("80/10/10"))
        summary = write_export([], tmp_path / "out", title="Test", settings=settings)
        assert summary.shortfall is None
        assert len(read_rows(tmp_path / "out")) == 0


class TestForms:
    def test_the_folder_is_a_dataset_with_its_types(self, tmp_path: Path) -> None:
        write_export([review(1)], tmp_path / "out", title="Test", labels=["MISC", "PER"])
        loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
        names = ["O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-PER", "I-PER"]
        assert [*from_dataset(loaded["train"]).tag_names] == names
        parquet = str(tmp_path / "out" / "parquet" / "train.parquet")
        alone = load_dataset("parquet", data_files=parquet, cache_dir=str(tmp_path / "cache"))
        assert alone["train"].features == loaded["train"].features

    def test_iob2_without_comments(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        write_export([review(1)], out, title="Test", settings=ExportSettings(comments=False))
        lines = (out / "data.iob2").read_text().splitlines()
        assert lines == ["Anna\tB-PER", "wohnt\tO", "in\tO", "Bonn\tB-LOC", ".\tO", ""]

    def test_an_id_of_several_lines_stays_in_one(self, tmp_path: Path) -> None:
        odd = review(1)
        odd = replace(odd, sentence=replace(odd.sentence, id="a\r\nb\tB-LOC"))
        write_export([odd], tmp_path / "out", title="Test")
        [sentence] = read_conll(tmp_path / "out" / "data.iob2")
        assert sentence.tokens == ("Anna", "wohnt", "in", "Bonn", ".")

    def test_ids_that_clash_between_corpora_are_two_sentences(self, tmp_path: Path) -> None:
        reviewed = [review(1, file="a.en"), review(1, [BONN], file="b.en")]
        summary = write_export(reviewed, tmp_path / "out", title="Test")
        assert (summary.sentences, summary.superseded) == (2, 0)
        assert summary.sources == {"a.en": 1, "b.en": 1}

    def test_unusable_only_is_an_empty_dataset(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        settings = ExportSettings(
            shares=Shares.parse("80/10/10"), spacy=find_spec("spacy") is not None
        )
        reviewed = [review(1, status=ReviewStatus.UNUSABLE)]
        summary = write_export(reviewed, out, title="Test", labels=["PER"], settings=settings)
        assert (summary.usable, summary.unusable) == (0, 1)
        assert len(read_rows(out)) == 0
        assert [*read_rows(out).tag_names] == ["O", "B-PER", "I-PER"]
        assert "configs" not in (out / "README.md").read_text()

    def test_the_card_says_what_stays_together_and_what_is_empty(self, tmp_path: Path) -> None:
        settings = ExportSettings(shares=Shares.parse("98/1/1"))
        write_export([review(1)], tmp_path / "out", title="Test", settings=settings)
        card = (tmp_path / "out" / "README.md").read_text()
        assert "Split by blocks of 20 lines of a corpus file" in card
        assert "Part `validation` is empty. Part `test` is empty." in card


class TestCard:
    def card(self, tmp_path: Path, *reviewed: ReviewedSentence, **settings: Any) -> str:
        out = tmp_path / "out"
        write_export(reviewed, out, title="Test", settings=ExportSettings(**settings))
        return (out / "README.md").read_text()

    def test_it_says_what_was_decided_and_how(self, tmp_path: Path) -> None:
        card = self.card(
            tmp_path,
            review(1),
            review(1, [BONN], annotator="2", at="2024-05-02T10:00:00Z"),
            policy=AdjudicationPolicy.REVIEWER,
            reviewer="2",
            made_with=("teacher-x", "aligner-y"),
        )
        assert "By 2 annotators." in card
        assert "By 1 annotator." in self.card(tmp_path, review(1))
        assert "the decision of annotator 2 holds (adjudication policy `reviewer`)" in card
        assert "Made with teacher-x, aligner-y." in card
        assert "| a.jsonl | 1 |" in card
        assert "| annotations superseded by another decision | 1 |" in card
        assert "| their entities that are not in the decision | 1 |" in card

    def test_agreement_is_there_if_known_and_of_how_many(self, tmp_path: Path) -> None:
        found = {"sentences": 1200, "compared": 1100, "f1": 0.91234, "kappa": None, "pairs": []}
        card = self.card(tmp_path, review(1), agreement=found)
        assert "F1 of exact spans 0.912, κ of tokens unknown, on the 1,100 of 1,200 sente" in card

    def test_nothing_is_said_of_what_nobody_measured(self, tmp_path: Path) -> None:
        none = {"sentences": 0, "compared": 0, "f1": None, "kappa": None, "pairs": []}
        card = self.card(tmp_path, review(1), agreement=none)
        assert "Agreement" not in card
        assert "Audit" not in card

    def test_of_nothing(self, tmp_path: Path) -> None:
        assert "By 0 annotators." in self.card(tmp_path)


class TestNewestDecision:
    @pytest.mark.parametrize(
        ("first", "second", "kept"),
        [
            pytest.param(
                review(annotator="1", at="2024-05-02T00:00:00Z"),
                review(annotator="2", at="2024-05-01T00:00:00Z"),
                "1",
                id="the newer one",
            ),
            pytest.param(
                review(annotator="1", at="2024-05-01T01:00:00+02:00"),
                review(annotator="2", at="2024-05-01T00:00:00Z"),
                "2",
                id="newer in another time zone",
            ),
            pytest.param(
                review(annotator="1", at=None),
                review(annotator="2", at="2020-01-01T00:00:00Z"),
                "2",
                id="any time is newer than none",
            ),
            pytest.param(
                review(annotator="1", annotation=4),
                review(annotator="2", annotation=5),
                "2",
                id="at one time, the later annotation",
            ),
            pytest.param(
                review(annotator="1"),
                review(annotator="2", status=ReviewStatus.SKIPPED, at="2025-01-01T00:00:00Z"),
                "1",
                id="skipping decides nothing",
            ),
            pytest.param(
                review(annotator="1"),
                review(annotator="2", status=ReviewStatus.UNUSABLE, at="2025-01-01T00:00:00Z"),
                "2",
                id="unusable is a decision",
            ),
        ],
    )
    def test_one_annotation_a_sentence_stands(
        self, first: ReviewedSentence, second: ReviewedSentence, kept: str
    ) -> None:
        for order in ([first, second], [second, first]):
            assert [r.annotator for r in newest_decisions(order)] == [kept]

    def test_sentences_that_share_an_id_by_chance_stay_two(self) -> None:
        assert len(newest_decisions([review(1), review(1, text="Anna wohnt in Rom.")])) == 2
