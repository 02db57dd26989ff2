"""Exports as the source of a report."""

from pathlib import Path

import pytest

from ml_backend.report.source import read_export
from projection.errors import CorpusError
from projection.records import ReviewStatus
from tests.ml_backend.reviews import ALL, RIGHT, review, write_export


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    decided = (review(ALL, RIGHT), review(ALL, (), number=2, status=ReviewStatus.SKIPPED))
    found = read_export(write_export(tmp_path / "export", *decided))
    assert (found.title, tuple(found.reviewed), found.waiting) == ("News de", decided, None)


def test_a_folder_that_is_no_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is not an export folder"):
        read_export(tmp_path)
