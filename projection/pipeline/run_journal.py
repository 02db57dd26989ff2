"""The two files that a run is filling: finished batches are found again and checked.

As a crash may come between writing the two, a batch is done when one or the other has each of its
sentences.
"""

import os
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import chain
from pathlib import Path

from projection.errors import RunError
from projection.io.files import json_line, parse_object, sync_folder
from projection.pipeline.run_parts import ANOTHER_FOLDER, CHANGED
from projection.pipeline.run_summary import RunRow, sentence_in
from projection.records import ParallelSentence


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
        found = sentence_in(row)
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
        rows = iter(()) if self._next is None else chain([self._next], self._rows)
        self._next = None
        ids = (str(sentence_in(row).get("id")) for _, row in rows)
        strangers = (name for name in ids if name not in expected)
        if (first := next(strangers, None)) is not None:
            what = f"has {first} (and {sum(1 for _ in strangers)} more), the corpus has not"
            raise RunError(str(self.path), what, CHANGED)

    def append(self, rows: Sequence[RunRow]) -> None:
        """Append rows and wait until they are on the disk."""
        if rows:
            with self.path.open("ab") as stream:
                stream.write("".join(json_line(row) for row in rows).encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())


class RunFiles:
    """A file of projected sentences and one of dropped ones, which together are a part."""

    def __init__(self, projected: Path, dropped: Path) -> None:
        self._projected, self._dropped = _Journal(projected), _Journal(dropped)
        self._journals = (self._projected, self._dropped)
        self._whole = self._positions()
        sync_folder(projected.parent)

    def resume(
        self,
        batches: Iterator[list[ParallelSentence]],
        on_found: Callable[[Sequence[RunRow]], None],
    ) -> Iterator[list[ParallelSentence]]:
        """The batches still to do; `on_found` gets the rows of each finished batch.

        `cut` removes a batch that is only partly in the files. Sentences that the corpus does not
        have in this place are a RunError.
        """
        for batch in batches:
            self._whole = self._positions()
            rows = list(self._taken(batch))
            if len(rows) < len(batch):
                self._check_rest({sentence.id for sentence in batch})
                return chain([batch], batches)
            on_found(rows)
        self._whole = self._positions()
        self._check_rest(set())
        return iter(())

    def cut(self) -> None:
        """Truncate the files after the last whole batch that `resume` found."""
        for journal, position in zip(self._journals, self._whole, strict=True):
            os.truncate(journal.path, position)

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

    def _check_rest(self, expected: Set[str]) -> None:
        for journal in self._journals:
            journal.check_rest(expected)
