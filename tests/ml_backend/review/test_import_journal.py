"""What is remembered of an import that was not answered."""

from pathlib import Path

import pytest

from ml_backend.review.import_journal import ImportJournal


def test_an_import_is_pending_until_it_is_answered(tmp_path: Path) -> None:
    journal = ImportJournal(tmp_path / "new" / "journal")
    assert journal.pending() is None
    journal.begin(7)
    pending = ImportJournal(tmp_path / "new" / "journal").pending()
    assert pending is not None
    assert pending.tasks == 7
    assert 0 <= pending.seconds_ago < 60
    for _ in range(2):
        journal.end()
        assert journal.pending() is None


def test_without_a_file_nothing_is_kept() -> None:
    journal = ImportJournal()
    journal.begin(7)
    assert journal.pending() is None
    journal.end()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tasks": "x", "at": 1}', "\0"])
def test_a_journal_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal").write_text(text)
    assert ImportJournal(tmp_path / "journal").pending() is None
