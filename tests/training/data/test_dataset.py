import gzip
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from datasets import Dataset, DatasetDict

from projection.addresses import path_or_address
from projection.errors import CorpusError, TrainingError
from projection.io.conll import write_iob2
from projection.io.files import json_line
from projection.io.records_json import encode as to_json_form
from projection.records import (
    ReviewStatus,
)
from tests.training.data.test_rows import REVIEW, ROW
from training.data.dataset import from_dataset, read_all, read_rows, to_dataset
from training.data.rows import Row, Rows


class TestFiles:
    def test_a_file_says_the_same(self, tmp_path: Path) -> None:
        bare = Row("s2", ("Ja",), ("O",), lang="de", status="unseen")
        write_iob2([ROW.tagged, bare.tagged], tmp_path / "a.iob2")
        assert (tmp_path / "a.iob2").read_text() == (
            "# sent_id = s1\n# lang = de\n# status = corrected\n# label_origin = projected person\n"
            "Anna\tB-PER\nin\tO\nBonn\tB-LOC\n\n"
            "# sent_id = s2\n# lang = de\n# status = unseen\nJa\tO\n\n"
        )
        read = [*read_rows(tmp_path / "a.iob2")]
        beside = {"annotator": "", "model_version": ""}
        assert read == [
            replace(ROW, origin=f"{tmp_path}/a.iob2:5", **beside),
            replace(bare, origin=f"{tmp_path}/a.iob2:12"),
        ]

    def test_a_file_may_be_elsewhere(self, tmp_path: Path) -> None:
        write_iob2([ROW.tagged], tmp_path / "a.iob2")
        packed = gzip.compress((tmp_path / "a.iob2").read_bytes())
        fsspec.filesystem("memory").pipe("/gold/a.iob2.gz", packed)
        read = read_all([path_or_address("memory://gold/a.iob2.gz")])
        assert [row.tagged for row in read] == [ROW.tagged]
        with pytest.raises(CorpusError, match=r"memory://gold/c\.jsonl: no such object"):
            read_rows(path_or_address("memory://gold/c.jsonl"))

    def test_what_annotators_looked_for_is_kept(self, tmp_path: Path) -> None:
        part = Row("s1", ("Ada", "x"), ("B-PER", "_"), types=("PER", "ORG"))
        rows = Rows.of([part, Row("s2", ("Ja",), ("O",))])
        assert [*from_dataset(to_dataset(rows))] == [*rows]
        assert from_dataset(to_dataset(rows)).labels == rows.labels
        write_iob2([row.tagged for row in rows], tmp_path / "a.iob2")
        read = read_rows(tmp_path / "a.iob2")
        assert [(row.tags, row.types) for row in read] == [(r.tags, r.types) for r in rows]

    def test_a_dataset_keeps_it(self) -> None:
        bare = Row("s2", ("Ja",), ("O",))
        assert [*from_dataset(to_dataset(Rows.of([ROW, bare])))] == [ROW, bare]


class TestParts:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        parts = {
            name: to_dataset(Rows.of([Row(name, ("x",), (tag,))], ["LOC", "ORG"]))
            for name, tag in (("train", "B-LOC"), ("test", "B-ORG"))
        }
        DatasetDict(parts).save_to_disk(tmp_path / "dataset")
        return tmp_path

    def test_one_is_read_if_it_is_named_and_all_else(self, folder: Path) -> None:
        assert [row.id for row in read_rows(folder, "test")] == ["test"]
        assert [row.id for row in read_rows(folder)] == ["train", "test"]
        assert [row.id for row in read_all([folder], "train")] == ["train"]

    def test_one_that_is_not_there_is_an_error(self, folder: Path) -> None:
        with pytest.raises(TrainingError, match=r"no part 'validation'\. There are train, test"):
            read_rows(folder, "validation")

    def test_what_was_not_split_is_read_whole(self, tmp_path: Path) -> None:
        DatasetDict({"train": to_dataset(Rows.of([ROW]))}).save_to_disk(
            tmp_path / "new" / "dataset"
        )
        to_dataset(Rows.of([ROW])).save_to_disk(tmp_path / "old" / "dataset")
        for name in ("new", "old"):
            assert [*read_rows(tmp_path / name, "test")] == [ROW]

    def test_an_export_of_an_earlier_version_is_read(self, tmp_path: Path) -> None:
        to_dataset(Rows.of([ROW])).remove_columns("label_origin").save_to_disk(tmp_path / "dataset")
        assert [*read_rows(tmp_path)] == [replace(ROW, label_origin=())]


class TestLoad:
    def test_an_iob2_file_says_where_each_sentence_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "a.iob2"
        path.write_text("Rom\tB-LOC\n\nJa\tO\n")
        rows = [*read_rows(path)]
        assert [(row.id, row.status) for row in rows] == [
            ("a.iob2:1", "gold"),
            ("a.iob2:3", "gold"),
        ]

    def test_several_sources_share_one_set_of_tags(self, tmp_path: Path) -> None:
        for name, tag in (("a", "B-LOC"), ("b", "B-ORG")):
            (tmp_path / name).write_text(f"x\t{tag}\n")
        both = read_all([tmp_path / "b", tmp_path / "a"])
        assert [*both.tag_names] == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
        assert [row.tags for row in both] == [("B-ORG",), ("B-LOC",)]

    def test_reviews_are_read_by_their_newest_decision(self, tmp_path: Path) -> None:
        reviews = [
            replace(REVIEW, entities=(), provenance=(), updated_at="2024-05-01T10:00:00Z"),
            replace(REVIEW, updated_at="2024-05-02T10:00:00Z"),
            replace(REVIEW, status=ReviewStatus.SKIPPED, updated_at="2024-05-03T10:00:00Z"),
        ]
        path = tmp_path / "reviewed.jsonl"
        path.write_text("".join(json_line(to_json_form(each)) for each in reviews), "utf-8")
        assert [*read_rows(path)] == [ROW]

    def test_a_missing_path_names_the_verb_that_makes_one(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"does not exist\. .*spanferry export"):
            read_rows(tmp_path / "nothing")

    def test_a_folder_of_something_else_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="is not an export folder"):
            read_rows(tmp_path)

    def test_a_broken_review_is_named_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "reviewed.jsonl"
        path.write_text('{"schema": 1}\n')
        with pytest.raises(CorpusError, match=r"reviewed\.jsonl:1"):
            read_rows(path)

    def test_a_dataset_without_tags_is_refused(self) -> None:
        with pytest.raises(TrainingError, match="needs tokens and tags"):
            from_dataset(Dataset.from_dict({"tokens": [["a"]]}))
