"""Records as Parquet: the columns people look at, and each record as its line of JSON.

The line is kept to the last character, so that a file becomes the same JSON Lines again.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from projection.io.files import parse_object, sync_folder, writing

COLUMNS = ("id", "source", "target", "source_lang", "target_lang")
RECORD = "record"
_SCHEMA = pa.schema([(name, pa.string()) for name in (*COLUMNS, RECORD)])
_ROWS = 10_000  # in memory at a time


def write_parquet(path: Path, lines: Iterable[str]) -> None:
    """Write records of a run, one a line of JSON, atomically: a sentence pair is a row."""
    temporary = path.with_name(f".{path.name}.tmp")
    lines = iter(lines)
    with writing(path):
        try:
            with temporary.open("wb") as file:
                # pyarrow has types, but not for these
                writer = pq.ParquetWriter(file, _SCHEMA, compression="zstd")  # type: ignore[no-untyped-call]
                with writer as table:
                    while rows := [_row(line, path) for line in islice(lines, _ROWS)]:
                        table.write_table(pa.Table.from_pylist(rows, _SCHEMA))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _row(line: str, path: Path) -> Mapping[str, object]:
    record = parse_object(line, str(path))
    sentence = record.get("sentence", record)  # a dropped sentence is a record of its own
    return {**{name: sentence[name] for name in COLUMNS}, RECORD: line.removesuffix("\n")}


def read_parquet(path: Path) -> Iterator[str]:
    """Stream the lines that `write_parquet` was given, without their ends."""
    with pq.ParquetFile(path) as table:  # type: ignore[no-untyped-call]
        for group in table.iter_batches(batch_size=_ROWS, columns=[RECORD]):
            yield from group.column(0).to_pylist()
