"""Reviews of an export, read from its folder or its file."""

from pathlib import Path

import pytest

from projection.errors import CorpusError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span
from training.data.reviewed import REVIEWED, read_reviews

PAIR = ParallelSentence("1", "I saw Bern", "Ik zag 😀 Bern", "en", "nl", "a.en:1")
REVIEWS = [
    ReviewedSentence(PAIR, (Entity(Span(9, 13), "LOC"),), ReviewStatus.CORRECTED, annotator="1"),
    ReviewedSentence(PAIR, (), ReviewStatus.SKIPPED, annotator="2"),
]


def test_every_annotation_is_read_in_order_from_folder_and_file(tmp_path: Path) -> None:
    file = tmp_path / REVIEWED
    file.write_text("".join(json_line(encode(review)) for review in REVIEWS), "utf-8")
    assert read_reviews(tmp_path) == read_reviews(file) == REVIEWS


def test_a_damaged_record_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / REVIEWED
    file.write_text(json_line(encode(REVIEWS[0])) + "{}\n", "utf-8")
    with pytest.raises(CorpusError, match=r"reviewed\.jsonl:2"):
        read_reviews(tmp_path)
