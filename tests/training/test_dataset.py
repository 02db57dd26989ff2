import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from datasets import Dataset

from projection.errors import CorpusError, TrainingError
from projection.files import json_line
from projection.json_form import encode as to_json_form
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span
from training.dataset import (
    LabelMap,
    Row,
    dataset_of,
    fingerprint,
    load_all,
    load_export,
    map_labels,
    newest_decisions,
    parse_label_map,
    rows_of,
    tag_names_of,
    write_export,
)
from training.iob2 import read_iob2

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
) -> ReviewedSentence:
    pair = ParallelSentence(
        f"s{number}", "Anna lives in Bonn.", text, "en", lang, f"a.jsonl:{number}"
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


class TestWriteExport:
    def test_usable_sentences_become_rows_with_their_provenance(self, tmp_path: Path) -> None:
        write_export([review(annotator="7")], tmp_path / "out", title="Test")
        assert rows_of(load_export(tmp_path / "out")) == [
            Row(
                id="s1",
                tokens=("Anna", "wohnt", "in", "Bonn", "."),
                tags=("B-PER", "O", "O", "B-LOC", "O"),
                lang="de",
                status="accepted",
                annotator="7",
                model_version="m1",
                origin="a.jsonl:1",
            )
        ]

    def test_all_three_forms_hold_the_same_sentences(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        reviewed = [review(1), review(2, [BONN], ReviewStatus.CORRECTED)]
        write_export(reviewed, out, title="Test")
        saved, again = load_export(out), load_export(out / "reviewed.jsonl")
        plain = load_export(out / "data.iob2")
        assert rows_of(saved) == rows_of(again)
        assert [(r.tokens, r.tags) for r in rows_of(plain)] == [
            (r.tokens, r.tags) for r in rows_of(saved)
        ]
        assert fingerprint(saved) == fingerprint(again) == fingerprint(plain)

    def test_what_is_left_out_is_counted(self, tmp_path: Path) -> None:
        text = "Die Merkels"
        reviewed = [
            review(1),
            review(1, [BONN], ReviewStatus.CORRECTED, annotator="2", at="2024-05-02T10:00:00Z"),
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
        assert [m["id"] for m in saved["misfits"]] == ["s5", "s6", "s6"]
        assert saved["by_label"] == {"LOC": 1, "ORG": 1, "PER": 1}
        assert str(summary).splitlines()[1] == f"{'… superseded by a newer one':32}{1:8}"
        assert sum(1 for _ in read_iob2(tmp_path / "out" / "data.iob2")) == 3

    def test_every_annotation_stays_in_reviewed_jsonl(self, tmp_path: Path) -> None:
        reviewed = [review(1), review(1, annotator="2"), review(2, status=ReviewStatus.SKIPPED)]
        write_export(reviewed, tmp_path / "out", title="Test")
        lines = (tmp_path / "out" / "reviewed.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == [
            json.loads(json_line(to_json_form(r))) for r in reviewed
        ]

    def test_labels_nobody_used_are_in_the_schema(self, tmp_path: Path) -> None:
        summary = write_export([review()], tmp_path / "out", title="Test", labels=["PER", "MISC"])
        assert summary.labels == ("LOC", "MISC", "PER")
        assert "B-MISC" in tag_names_of(load_export(tmp_path / "out"))

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
        assert 'pretty_name: "Höhe & Tiefe"\nlanguage: ["de"]\nlicense: "other"' in card
        assert "The corpus's own licence applies" in card
        assert "- `m1`" in card

    def test_the_same_reviews_make_the_same_card_and_summary(self, tmp_path: Path) -> None:
        for name in "ab":
            write_export([review()], tmp_path / name, title="Test")
        for file in ("README.md", "summary.json", "data.iob2", "reviewed.jsonl"):
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()

    def test_an_older_export_is_replaced_whole(self, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        write_export([review(1), review(2)], out, title="Test")
        write_export([review(3)], out, title="Test")
        assert [row.id for row in rows_of(load_export(out))] == ["s3"]
        assert [*out.parent.iterdir()] == [out]

    def test_another_folder_is_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("dear")
        with pytest.raises(TrainingError, match="is not an export"):
            write_export([review()], tmp_path, title="Test")
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]

    def test_an_export_of_nothing_can_be_read(self, tmp_path: Path) -> None:
        summary = write_export([], tmp_path / "out", title="Test", labels=["PER"])
        assert (summary.annotations, summary.newest) == (0, None)
        assert len(load_export(tmp_path / "out")) == 0
        assert len(load_export(tmp_path / "out" / "data.iob2")) == 0

    def test_a_time_that_is_none_is_refused(self) -> None:
        with pytest.raises(TrainingError, match=r"a\.jsonl:1 updated_at: 'May' is not an ISO 8601"):
            newest_decisions([review(at="May")])


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


class TestLoad:
    def test_an_iob2_file_says_where_each_sentence_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "a.iob2"
        path.write_text("Rom\tB-LOC\n\nJa\tO\n")
        rows = rows_of(load_export(path))
        assert [(row.id, row.status) for row in rows] == [
            ("a.iob2:1", "gold"),
            ("a.iob2:3", "gold"),
        ]

    def test_several_sources_share_one_set_of_tags(self, tmp_path: Path) -> None:
        for name, tag in (("a", "B-LOC"), ("b", "B-ORG")):
            (tmp_path / name).write_text(f"x\t{tag}\n")
        both = load_all([tmp_path / "b", tmp_path / "a"])
        assert tag_names_of(both) == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
        assert [row.tags for row in rows_of(both)] == [("B-ORG",), ("B-LOC",)]

    def test_a_missing_path_names_the_verb_that_makes_one(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"does not exist\. .*spanferry export"):
            load_export(tmp_path / "nothing")

    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="is not an export folder"):
            load_export(tmp_path)

    def test_a_broken_review_is_named_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "reviewed.jsonl"
        path.write_text('{"schema": 1}\n')
        with pytest.raises(CorpusError, match=r"reviewed\.jsonl:1"):
            load_export(path)

    def test_a_dataset_without_tags_is_refused(self) -> None:
        with pytest.raises(TrainingError, match="needs tokens and tags"):
            rows_of(Dataset.from_dict({"tokens": [["a"]]}))


class TestLabelMap:
    def test_types_are_renamed_then_ignored(self) -> None:
        tags = ("B-OTH", "I-OTH", "B-LOCderiv", "O", "B-PER")
        mapping = parse_label_map(["OTH=MISC"], ["*deriv"])
        assert mapping.tags(tags) == ("B-MISC", "I-MISC", "O", "O", "B-PER")
        mapped = map_labels(dataset_of([Row("1", ("a",) * 5, tags)]), mapping)
        assert tag_names_of(mapped) == ["O", "B-MISC", "I-MISC", "B-PER", "I-PER"]

    def test_ignoring_goes_by_the_new_name(self) -> None:
        assert LabelMap({"OTH": "MISC"}, ("MISC",)).tags(["B-OTH"]) == ("O",)

    @pytest.mark.parametrize("text", ["OTH", "=MISC", "OTH="])
    def test_a_renaming_needs_both_names(self, text: str) -> None:
        with pytest.raises(TrainingError, match="is not OLD=NEW"):
            parse_label_map([text], [])


def test_the_fingerprint_tells_data_apart_by_tokens_and_tags_alone() -> None:
    one = dataset_of([Row("1", ("a",), ("O",))])
    assert fingerprint(one) == fingerprint(dataset_of([Row("2", ("a",), ("O",))], ["PER"]))
    assert fingerprint(one) != fingerprint(dataset_of([Row("1", ("a",), ("B-PER",))]))
