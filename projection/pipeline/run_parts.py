"""The parts of a run folder, and parts.json, which lists those that are done.

The first part is projected.jsonl and dropped.jsonl, the only part of most corpora; the next are
projected-00001.jsonl and dropped-00001.jsonl. With Parquet, they are .jsonl until they are done.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from projection.errors import RunError
from projection.io.files import parse_object, read_lines, read_object, write_json
from projection.io.json_fields import Fields
from projection.io.records_json import SCHEMA
from projection.pipeline.run_summary import RunCounts, RunRow

ANOTHER_FOLDER = "Use another --out folder, or remove this one"
CHANGED = (
    "Was the corpus changed, the limit lowered, or the run begun by an earlier version "
    f"with other ids? {ANOTHER_FOLDER}"
)
KINDS = PROJECTED, DROPPED = "projected", "dropped"
_MANIFEST = "parts.json"


class RunFormat(StrEnum):
    """The files of a run's parts."""

    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file as its part was listed with it."""

    name: str
    records: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, records: int) -> "PartFile":
        """The file as it is now."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(path.name, records, stream.tell(), digest)


@dataclass(frozen=True, slots=True)
class RunPart:
    """A part that is done."""

    sentences: int
    corpus: str  # `CorpusDigest` of them
    counts: RunCounts
    files: Mapping[str, PartFile]  # by kind


class CorpusDigest:
    """SHA-256 of ids and texts, by which sentences are known again."""

    def __init__(self) -> None:
        self.sentences = 0
        self._hash = hashlib.sha256()

    def add(self, name: str, source: str, target: str) -> None:
        """Add one sentence."""
        self.sentences += 1
        self._hash.update(f"{name}\0{source}\0{target}\n".encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()


def part_path(folder: Path, kind: str, number: int) -> Path:
    """The JSON Lines file of a part, by its number from 0; `kind` is one of `KINDS`."""
    return folder / (f"{kind}-{number:05}.jsonl" if number else f"{kind}.jsonl")


def packed(path: Path) -> Path:
    """The Parquet file that holds the same as a JSON Lines file."""
    return path.with_suffix(".parquet")


def read_parts(folder: Path) -> list[RunPart]:
    """The parts that are done, in order; none in folders of older versions."""
    path = folder / _MANIFEST
    parts = Fields(read_object(path), str(path)).children("parts") if path.exists() else ()
    return [
        RunPart(
            part.integer("sentences"),
            part.text("corpus"),
            RunCounts.of(part.child("counts")),
            {kind: _part_file(part.child(kind)) for kind in KINDS},
        )
        for part in parts
    ]


def _part_file(fields: Fields) -> PartFile:
    size, digest = fields.integer("bytes"), fields.text("sha256")
    return PartFile(fields.text("name"), fields.integer("records"), size, digest)


def write_parts(folder: Path, parts: Sequence[RunPart]) -> None:
    """Write parts.json, atomically."""
    listed = [
        {
            "sentences": part.sentences,
            "corpus": part.corpus,
            "counts": part.counts.to_json(),
            **{kind: asdict(file) for kind, file in part.files.items()},
        }
        for part in parts
    ]
    write_json(folder / _MANIFEST, {"schema": SCHEMA, "parts": listed})


def records_in(folder: Path, kind: str) -> Iterator[tuple[str, RunRow]]:
    """Stream (place, record) of all parts in order, that which is not done yet last.

    Raises RunError naming the file, before its first record, if it is not as it was listed.
    """
    parts = read_parts(folder)
    for part in parts:
        yield from _records_of(checked(folder, part.files[kind]))
    if (path := part_path(folder, kind, len(parts))).exists():
        yield from _records_of(path)


def _records_of(path: Path) -> Iterator[tuple[str, RunRow]]:
    for number, line in enumerate(lines_of(path), start=1):
        if line and not line.isspace():
            yield f"{path}:{number}", parse_object(line, f"{path}:{number}")


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a part's file, without their ends; Parquet holds them in a column."""
    if path.suffix != ".parquet":
        yield from (line for _, line in read_lines(path))
        return
    # pyarrow takes half a second to import, and most runs have no Parquet.
    from projection.pipeline.run_parquet import read_parquet  # noqa: PLC0415

    yield from read_parquet(path)


def count_records(folder: Path, kind: str) -> int:
    """How many records `records_in` streams."""
    parts = read_parts(folder)
    count = sum(part.files[kind].records for part in parts)
    if (path := part_path(folder, kind, len(parts))).exists():
        with path.open("rb") as lines:
            count += sum(1 for _ in lines)
    return count


def checked(folder: Path, listed: PartFile) -> Path:
    """The path of a listed file; RunError if its content is another."""
    path = folder / listed.name
    if not path.is_file():
        what = "missing, although parts.json lists it"
    elif PartFile.of(path, listed.records) != listed:
        what = f"not the file of {listed.bytes:,} bytes that parts.json lists"
    else:
        return path
    raise RunError(str(path), what, "Restore it from a copy, or project into another --out folder")
