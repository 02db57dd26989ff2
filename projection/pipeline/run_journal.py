"""The two files of a run: finished batches are found again and checked against the corpus.

As a crash may come between writing the two, a batch is done when one or the other has each of its
sentences.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any

from projection.errors import RunError
from projection.io.files import json_line, parse_object, sync_folder
from projection.records import ParallelSentence

ANOTHER_FOLDER = "Use another --out folder, or remove this one"

RunRow = Mapping[str, Any]


class _Journal:
    """One of a run's two files, read, cut and appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0  # bytes of the records taken so far
        path.touch()
        self._rows = self._read()
        self._next = next(self._rows, None)

    def _read(self) -> Iterator[tuple[int, RunRow]]:
        """(bytes, row) of every whole line; a torn last line is ignored."""
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.endswith(b"\n"):
                    # A damaged byte becomes U+FFFD, which take() finds different from the corpus.
                    text = line.decode("utf-8", errors="replace")
                    yield len(line), parse_object(text, f"{self.path}:{number}")

    def take(self, sentence: ParallelSentence) -> RunRow | None:
        """The next row, if it has this sentence's id; a RunError if the text is another."""
        if self._next is None:
            return None
        size, row = self._next
        found = row.get("sentence", row)
        if found.get("id") != sentence.id:
            return None
        if (found.get("source"), found.get("target")) != (sentence.source, sentence.target):
            what = f"{sentence.id} has another text in the corpus"
            raise RunError(str(self.path), what, ANOTHER_FOLDER)
        self.position += size
        self._next = next(self._rows, None)
        return row

    def check_rest(self, expected: Set[str]) -> None:
        """Refuse the rest of the rows unless they are about the expected sentences."""
        rows = [] if self._next is None else [self._next, *self._rows]
        self._next = None
        ids = [str(row.get("sentence", row).get("id")) for _, row in rows]
        if strangers := [name for name in ids if name not in expected]:
            raise RunError(
                str(self.path),
                f"has {strangers[0]} (and {len(strangers) - 1} more), the corpus has not",
                "Was the corpus changed, the limit lowered, or the run begun by an earlier version "
                f"with other ids? {ANOTHER_FOLDER}",
            )

    def append(self, rows: Sequence[RunRow]) -> None:
        """Append rows and wait until they are on the disk."""
        if rows:
            with self.path.open("ab") as stream:
                stream.write("".join(json_line(row) for row in rows).encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())


class RunFiles:
    """projected.jsonl and dropped.jsonl, whose rows together are the corpus so far."""

    def __init__(self, folder: Path) -> None:
        self._projected = _Journal(folder / "projected.jsonl")
        self._dropped = _Journal(folder / "dropped.jsonl")
        self._journals = (self._projected, self._dropped)
        sync_folder(folder)

    def resume(
        self,
        batches: Iterator[list[ParallelSentence]],
        on_found: Callable[[Sequence[RunRow]], None],
    ) -> Iterator[list[ParallelSentence]]:
        """The batches still to do; `on_found` gets the rows of each finished batch.

        A batch that is only partly in the files is cut off. Sentences that the corpus does not have
        in this place are a RunError.
        """
        for batch in batches:
            before = self._positions()
            rows = list(self._taken(batch))
            if len(rows) < len(batch):
                self._cut(before, {sentence.id for sentence in batch})
                return chain([batch], batches)
            on_found(rows)
        self._cut(self._positions(), set())
        return iter(())

    def append(self, rows: Sequence[RunRow]) -> None:
        """Write the rows of a batch to the disk, each to its file."""
        self._projected.append([row for row in rows if "dropped" not in row])
        self._dropped.append([row for row in rows if "dropped" in row])

    def _taken(self, batch: Sequence[ParallelSentence]) -> Iterator[RunRow]:
        """The rows of the batch before the first sentence without one."""
        for sentence in batch:
            row = self._projected.take(sentence) or self._dropped.take(sentence)
            if row is None:
                return
            yield row

    def _positions(self) -> list[int]:
        return [journal.position for journal in self._journals]

    def _cut(self, positions: Sequence[int], expected: Set[str]) -> None:
        """Truncate the files, unless that would lose other than the expected sentences."""
        for journal in self._journals:
            journal.check_rest(expected)
        for journal, position in zip(self._journals, positions, strict=True):
            os.truncate(journal.path, position)
