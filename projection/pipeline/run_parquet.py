"""Records as Parquet: the columns people look at, and each record as its line of JSON.

The line is kept to the last character, so that a file becomes the same JSON Lines again.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from projection.io.files import atomic_write, parse_object

COLUMNS = ("id", "source", "target", "source_lang", "target_lang")
RECORD = "record"
_SCHEMA = pa.schema([(name, pa.string()) for name in (*COLUMNS, RECORD)])
_ROWS = 10_000  # in memory at a time


def write_parquet(path: Path, lines: Iterable[str]) -> None:
    """Write records of a run, one a line of JSON, atomically: a sentence pair is a row."""
    lines = iter(lines)
    with atomic_write(path) as file:
        # pyarrow has types, but not for these
        writer = pq.ParquetWriter(file.buffer, _SCHEMA, compression="zstd")  # type: ignore[no-untyped-call]
        with writer as table:
            while rows := [_row(line, path) for line in islice(lines, _ROWS)]:
                table.write_table(pa.Table.from_pylist(rows, _SCHEMA))


def _row(line: str, path: Path) -> Mapping[str, object]:
    record = parse_object(line, str(path))
    sentence = record.get("sentence", record)  # a dropped sentence is a record of its own
    return {**{name: sentence[name] for name in COLUMNS}, RECORD: line.removesuffix("\n")}


def read_parquet(path: Path) -> Iterator[str]:
    """Stream the lines that `write_parquet` was given, without their ends."""
    with pq.ParquetFile(path) as table:  # type: ignore[no-untyped-call]
        for group in table.iter_batches(batch_size=_ROWS, columns=[RECORD]):
            yield from group.column(0).to_pylist()
