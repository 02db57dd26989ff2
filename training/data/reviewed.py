"""The reviews of an export, every annotation as it came from Label Studio."""

from pathlib import Path

from projection.errors import CorpusError
from projection.io.files import read_jsonl
from projection.io.folders import recover
from projection.io.records_json import decode_reviewed
from projection.records import ReviewedSentence
from projection.text.unknown_formats import name_json

REVIEWED = "reviewed.jsonl"  # of an export folder


def read_reviews(path: Path) -> list[ReviewedSentence]:
    """Read a `reviewed.jsonl`, or that of an export folder; CorpusError names file and line."""
    recover(path)
    file = path / REVIEWED if path.is_dir() else path
    reviews = []
    for line, row in read_jsonl(file):
        if "schema" not in row:
            raise CorpusError(f"{file}:{line}", *name_json({*row}))
        reviews.append(decode_reviewed(row, f"{file}:{line}"))
    return reviews
