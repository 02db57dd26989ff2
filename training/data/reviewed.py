"""The reviews of an export, every annotation as it came from Label Studio."""

from pathlib import Path

from projection.io.files import read_jsonl
from projection.io.records_json import decode_reviewed
from projection.records import ReviewedSentence

REVIEWED = "reviewed.jsonl"  # of an export folder


def read_reviews(path: Path) -> list[ReviewedSentence]:
    """Read a `reviewed.jsonl`, or that of an export folder; CorpusError names file and line."""
    file = path / REVIEWED if path.is_dir() else path
    return [decode_reviewed(row, f"{file}:{line}") for line, row in read_jsonl(file)]
