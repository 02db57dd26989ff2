"""Writing a run folder part by part, and going on where an earlier process has ended.

A part that is listed as done is not read again: the corpus is checked against a hash of its
sentences. The order of writes is such that a process may be killed between any two of them.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from projection.errors import RunError, SpanferryError
from projection.io.files import atomic_write
from projection.pipeline.engines import Batch
from projection.pipeline.run_journal import RunFiles
from projection.pipeline.run_parts import (
    ANOTHER_FOLDER,
    CHANGED,
    KINDS,
    PROJECTED,
    CorpusDigest,
    PartFile,
    RunFormat,
    RunPart,
    checked,
    lines_of,
    packed,
    part_path,
    read_parts,
    write_parts,
)
from projection.pipeline.run_summary import RunCounts, RunRow, sentence_in
from projection.records import ParallelSentence


class RunWriter:
    """A run folder: its parts that are done, and the one that is being filled.

    A part is done when it has `part_size` sentences, or when the corpus has ended; if the corpus
    goes on later, so does its last part.
    """

    def __init__(
        self,
        folder: Path,
        form: RunFormat,
        part_size: int,
        needs_windows: Callable[[str, str], bool],
    ) -> None:
        self.counts = RunCounts()  # of all parts that are done
        self._folder, self._form, self._part_size = folder, form, part_size
        self._needs_windows = needs_windows
        self._parts = read_parts(folder)
        self._files: RunFiles | None = None
        self._begin_part()

    def resume(self, sentences: Iterator[ParallelSentence], batch_size: int) -> Iterator[Batch]:
        """The batches still to do, none of which is in two parts.

        RunError, before a file is changed, if what the folder holds is not about these sentences.
        """
        short = [part for part in self._parts[-1:] if part.sentences % self._part_size]
        last = self._parts.pop() if short else None
        self._refuse_unlisted()
        for part in self._parts:
            self._skip(part, sentences)
        self._remove_unpacked()
        to_do = _batches(sentences, batch_size, self._part_size)
        if last is not None or any(path.exists() for path in self._paths):
            to_do = self._resume_part(last, to_do)
        self._end_if_full()
        return to_do

    @property
    def found(self) -> int:
        """The sentences that are done."""
        return self.counts.read + self._digest.sentences

    def append(self, rows: Sequence[RunRow]) -> None:
        """Write the rows of a batch to the disk."""
        self._files = self._files or RunFiles(*self._paths)
        self._files.append(rows)
        self._take(rows)
        self._end_if_full()

    def finish(self) -> None:
        """List the last part, once the corpus has ended."""
        if self._digest.sentences:
            self._end_part()

    @property
    def _paths(self) -> list[Path]:
        """The files of the part that is being filled."""
        return [part_path(self._folder, kind, len(self._parts)) for kind in KINDS]

    def _refuse_unlisted(self) -> None:
        """Files of a later part would be written over."""
        beyond = part_path(self._folder, PROJECTED, len(self._parts) + 1)
        for path in (beyond, packed(beyond)):
            if path.exists():
                raise RunError(str(path), "not listed in parts.json", ANOTHER_FOLDER)

    def _skip(self, part: RunPart, sentences: Iterator[ParallelSentence]) -> None:
        """Pass over the sentences of a part that is done."""
        digest, before = CorpusDigest(), self.counts.read
        for each in islice(sentences, part.sentences):
            digest.add(each.id, each.source, each.target)
        if str(digest) != part.corpus:
            what = f"sentences {before + 1:,} to {before + part.sentences:,} are not the corpus's"
            raise RunError(str(self._folder / part.files[PROJECTED].name), what, CHANGED)
        self.counts.add(part.counts)

    def _resume_part(self, last: RunPart | None, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Find what the part has that is to be filled; `last` if it was listed as done."""
        unpacked = [] if last is None else [*self._unpack(last)]
        self._files = RunFiles(*self._paths)
        try:
            to_do = self._files.resume(batches, self._take)
        except SpanferryError:
            for path in unpacked:
                path.unlink()
            raise
        if last is not None:
            write_parts(self._folder, self._parts)
        self._files.cut()
        for path in unpacked:
            packed(path).unlink()
        return to_do

    def _unpack(self, part: RunPart) -> Iterator[Path]:
        """Check the files of a part, and make JSON Lines of those that are Parquet."""
        for path, file in zip(self._paths, part.files.values(), strict=True):
            listed = checked(self._folder, file)
            if listed != path:
                with atomic_write(path) as text:
                    text.writelines(f"{line}\n" for line in lines_of(listed))
                yield path

    def _remove_unpacked(self) -> None:
        """Remove JSON Lines that are Parquet now."""
        for part in self._parts[-1:]:
            for kind, file in part.files.items():
                path = part_path(self._folder, kind, len(self._parts) - 1)
                if path.name != file.name:
                    path.unlink(missing_ok=True)

    def _take(self, rows: Sequence[RunRow]) -> None:
        self._part_counts.count(rows, self._needs_windows)
        for pair in map(sentence_in, rows):
            self._digest.add(pair["id"], pair["source"], pair["target"])

    def _begin_part(self) -> None:
        self._files = None
        self._digest, self._part_counts = CorpusDigest(), RunCounts()

    def _end_if_full(self) -> None:
        # A file of an older version may have several times as many; it is one part.
        if self._digest.sentences and self._digest.sentences % self._part_size == 0:
            self._end_part()

    def _end_part(self) -> None:
        counts = self._part_counts
        records = (counts.projected, counts.sentences["dropped"])
        files = map(self._done, self._paths, records)
        listed = dict(zip(KINDS, files, strict=True))
        self._parts.append(RunPart(self._digest.sentences, str(self._digest), counts, listed))
        write_parts(self._folder, self._parts)
        self._remove_unpacked()
        self.counts.add(counts)
        self._begin_part()

    def _done(self, path: Path, records: int) -> PartFile:
        if self._form is RunFormat.PARQUET:
            # pyarrow takes half a second to import, and most runs have no Parquet.
            from projection.pipeline.run_parquet import write_parquet  # noqa: PLC0415

            write_parquet(packed(path), lines_of(path))
            path = packed(path)
        return PartFile.of(path, records)


def _batches(
    sentences: Iterator[ParallelSentence], batch_size: int, part_size: int
) -> Iterator[Batch]:
    room = part_size
    while batch := [*islice(sentences, min(batch_size, room))]:
        yield batch
        room = room - len(batch) or part_size
