"""Projecting a whole corpus into a run folder that survives interruptions.

run.json         what shaped the answers: model version, policy, settings
projected.jsonl  every sentence that was kept or flagged, in the order of the corpus
dropped.jsonl    every sentence that was not, with reasons
parts.json       how many sentences, bytes and what hash they have; further parts, see run_parts
summary.json     how many sentences were kept, flagged and dropped, once the corpus is done
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from projection.errors import RunError
from projection.io.files import alone, read_object, write_json
from projection.io.records_json import SCHEMA, Json, decode_projected
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import Engine, local
from projection.pipeline.run_parts import (
    ANOTHER_FOLDER,
    DROPPED,
    KINDS,
    PROJECTED,
    RunFormat,
    count_records,
    records_in,
)
from projection.pipeline.run_summary import RunRow, RunSummary, existing_run
from projection.pipeline.run_writer import RunWriter
from projection.protocols import ProjectsSentences
from projection.records import ParallelSentence, ProjectedSentence

MAX_BATCH = 1024  # sentences a call gets, to sort by length; an interruption costs at most these
MAX_PART = 100_000  # sentences of the corpus whose results are in one pair of files


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The sentences of a run folder, streamed anew whenever they are gone through."""

    path: Path

    def __iter__(self) -> Iterator[ProjectedSentence]:
        """As `load_run`."""
        return load_run(self.path)

    def __len__(self) -> int:
        return count_records(existing_run(self.path), PROJECTED)


def load_run(path: Path) -> Iterator[ProjectedSentence]:
    """Stream the sentences that a run kept and flagged, whatever the layout of its folder.

    Raises RunError if it is no run folder, or a file is not as the run left it.
    """
    for where, row in records_in(existing_run(path), PROJECTED):
        yield decode_projected(row, where)


def load_dropped(path: Path) -> Iterator[tuple[str, RunRow]]:
    """Stream (place, record) of the sentences that a run dropped; raises as `load_run`."""
    yield from records_in(existing_run(path), DROPPED)


def project_corpus(
    sentences: Iterable[ParallelSentence],
    projector: ProjectsSentences,
    out: Path,
    *,
    policy: Policy,
    limit: int | None = None,
    settings: Mapping[str, object],
    on_progress: Callable[[int], None],
    engine: Engine | None = None,
    form: RunFormat = RunFormat.JSONL,
    batch_size: int = MAX_BATCH,
    part_size: int = MAX_PART,
) -> RunSummary:
    """Project up to `limit` sentences into the folder `out`, or resume an interrupted run there.

    Results are on the disk after every batch. An interrupted run continues after its last whole
    batch, so that its files have the same bytes as without the interruption. `settings` are
    everything else that shapes the result (corpus, languages). `on_progress` is called with the
    number of sentences since the last call, first with those found done. `engine` projects, by
    default the projector itself; a part of the files is about `part_size` sentences.

    Raises:
        RunError: if `out` belongs to another model, policy, settings or corpus, another process is
            projecting into it, or it cannot be written.
    """
    if not 1 <= batch_size <= MAX_BATCH:
        raise ValueError(f"batch_size {batch_size} is not within 1 to {MAX_BATCH}")
    started, engine = time.monotonic(), engine or local(projector, policy)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with alone(out / ".lock") as ours:
            if not ours:
                fix = "Wait for its end, or choose another --out folder"
                raise RunError(str(out), "another process is projecting into it", fix)
            _claim(out, projector.model_version, policy, settings, form)
            writer = RunWriter(out, form, part_size, projector.needs_windows)
            to_do = writer.resume(islice(sentences, limit), batch_size)
            (out / "summary.json").unlink(missing_ok=True)  # outdated until this call is done
            if writer.found:
                on_progress(writer.found)
            with closing(engine(to_do)) as results:
                for rows in results:
                    _check_models(rows, projector.model_version)
                    writer.append(rows)
                    on_progress(len(rows))
            writer.finish()
            summary = writer.counts.summary(projector.languages, time.monotonic() - started)
            write_json(out / "summary.json", summary.to_json())
            return summary
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        fix = "Mend that and run the command again, which goes on here; or choose another --out"
        raise RunError(str(out), what, fix) from error


def _claim(
    out: Path,
    model_version: str,
    policy: Policy,
    settings: Mapping[str, object],
    form: RunFormat,
) -> None:
    """Write run.json, or check that the one there is the same."""
    mine: Json = {
        "schema": SCHEMA,
        "model_version": model_version,
        "policy": policy.value,
        "settings": dict(settings),
    }
    if form is not RunFormat.JSONL:  # of which older versions said nothing
        mine["format"] = form.value
    manifest = out / "run.json"
    if manifest.exists():
        theirs = read_object(manifest)
        if differences := list(_differences(theirs, mine)):
            raise RunError(str(out), "made with " + "; ".join(differences), ANOTHER_FOLDER)
    elif any(next(out.glob(f"{kind}*"), None) for kind in KINDS):
        raise RunError(str(out), "holds results but no run.json", ANOTHER_FOLDER)
    else:
        write_json(manifest, mine)


def _check_models(rows: Sequence[RunRow], model_version: str) -> None:
    """An engine may have loaded them elsewhere."""
    found = {row["model_version"] for row in rows if "model_version" in row}
    if others := found - {model_version}:
        what = f"has the models {min(others)}, not {model_version}"
        raise RunError("a worker", what, "Give all machines the same files")


def _differences(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*theirs, *mine)):
        old, new = theirs.get(key), mine.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new)
        elif old != new:
            yield f"{key} {old!r}, now {new!r}"
