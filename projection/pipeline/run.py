"""Projecting a whole corpus into a run folder that survives interruptions.

run.json         what shaped the answers: model version, policy, settings
projected.jsonl  every sentence that was kept or flagged, in the order of the corpus
dropped.jsonl    every sentence that was not, with reasons
summary.json     the table of what happened, once the corpus is done
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from projection.errors import RunError
from projection.io.files import alone, parse_object, read_jsonl, write_json
from projection.io.json_fields import Fields
from projection.io.records_json import SCHEMA, Json, decode_projected, encode
from projection.pipeline.conflicts import Policy
from projection.pipeline.run_journal import ANOTHER_FOLDER, Row, RunFiles
from projection.records import ParallelSentence, ProjectedSentence

if TYPE_CHECKING:
    from projection.protocols import ProjectsSentences

MAX_BATCH = 64  # an interruption costs at most this many sentences
WAIT = "Wait for its end, or choose another --out folder"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a sentence was dropped: a ConflictKind or a word of `_unfit`, and plain words."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What became of a corpus: `read = kept + flagged_sentences + dropped_sentences`.

    `flagged` and `dropped` count sentences by kind of conflict or drop; one sentence may count
    under several kinds. `entities` are those in projected.jsonl. `seconds` is the wall time of the
    call that finished the run.
    """

    read: int
    kept: int
    flagged: Mapping[str, int]
    dropped: Mapping[str, int]
    flagged_sentences: int
    dropped_sentences: int
    entities: int
    seconds: float

    def to_json(self) -> Json:
        """The content of summary.json."""
        return {"schema": SCHEMA, **asdict(self)}


def load_summary(run: Path) -> RunSummary:
    """The summary of a run that is done.

    Raises:
        RunError: if it is no run folder, or the run is not done.
        CorpusError: if its summary is damaged.
    """
    path = run / "summary.json"
    if not (run / "run.json").is_file():
        raise RunError(
            str(run), "not a run folder (no run.json)", "Name one of `spanferry project`"
        )
    if not path.is_file():
        raise RunError(str(run), "not done (no summary.json)", "Run `spanferry project` again")
    fields = Fields(parse_object(path.read_text("utf-8"), str(path)), str(path))
    return RunSummary(
        read=fields.integer("read"),
        kept=fields.integer("kept"),
        flagged=_counts(fields.child("flagged")),
        dropped=_counts(fields.child("dropped")),
        flagged_sentences=fields.integer("flagged_sentences"),
        dropped_sentences=fields.integer("dropped_sentences"),
        entities=fields.integer("entities"),
        seconds=fields.number("seconds"),
    )


def _counts(fields: Fields) -> dict[str, int]:
    return {kind: fields.integer(kind) for kind in fields.row}


def project_corpus(
    sentences: Iterable[ParallelSentence],
    projector: "ProjectsSentences",
    out: Path,
    *,
    policy: Policy,
    limit: int | None = None,
    settings: Mapping[str, str],
    on_progress: Callable[[int], None],
    batch_size: int = MAX_BATCH,
) -> RunSummary:
    """Project up to `limit` sentences into the folder `out`, or go on where a call stopped.

    Results are on the disk after every batch. An interrupted run continues at its last whole
    batch, so that projected.jsonl has the same bytes as if it had never been interrupted, even
    where scores depend on what shares a batch. `settings` is whatever else shaped the result
    (corpus, languages, thresholds): a folder is only continued if they are all the same.
    `on_progress` is told how many more sentences have been dealt with.

    Raises:
        RunError: if `out` belongs to another model, policy, settings or corpus, or another process
            is projecting into it.
        CorpusError: from `sentences`; the batches before the mistake are kept.
        ValueError: if `batch_size` is not within 1 to 64.
    """
    if not 1 <= batch_size <= MAX_BATCH:
        raise ValueError(f"batch_size {batch_size} is not within 1 to {MAX_BATCH}")
    _make_folder(out)
    with alone(out / ".lock") as ours:
        if not ours:
            raise RunError(str(out), "another process is projecting into it", WAIT)
        _claim(out, projector.model_version, policy, settings)
        batches = _batched(islice(sentences, limit), batch_size)
        return _go_on(out, batches, projector, policy, on_progress)


def _go_on(
    out: Path,
    batches: Iterator[list[ParallelSentence]],
    projector: "ProjectsSentences",
    policy: Policy,
    on_progress: Callable[[int], None],
) -> RunSummary:
    """Do the batches that are not in the folder yet, and sum up all of them."""
    started = time.monotonic()
    tally = _Tally()

    def done(rows: Sequence[Row]) -> None:
        tally.count(rows)
        on_progress(len(rows))

    files = RunFiles(out)
    to_do = files.resume(batches, done)
    (out / "summary.json").unlink(missing_ok=True)  # no longer true, until this call is done
    for batch in to_do:
        rows = _project_batch(batch, projector, policy)
        files.append(rows)
        done(rows)
    summary = tally.summary(time.monotonic() - started)
    write_json(out / "summary.json", summary.to_json())
    return summary


def load_run(path: Path) -> Iterator[ProjectedSentence]:
    """Stream what a run kept and flagged.

    Raises:
        RunError: if `path` is not a run folder.
        CorpusError: naming file and line, if a record is torn or contradicts itself.
    """
    if not (path / "run.json").is_file():
        raise RunError(str(path), "not a run folder (no run.json)", "Make one: spanferry project")
    projected = path / "projected.jsonl"
    for number, row in read_jsonl(projected) if projected.exists() else ():
        yield decode_projected(row, f"{projected}:{number}")


def _claim(out: Path, model_version: str, policy: Policy, settings: Mapping[str, str]) -> None:
    """Make the folder ours, or make sure that it already is."""
    mine: Json = {
        "schema": SCHEMA,
        "model_version": model_version,
        "policy": policy.value,
        "settings": dict(settings),
    }
    manifest = out / "run.json"
    if manifest.exists():
        theirs = parse_object(manifest.read_text(encoding="utf-8"), str(manifest))
        if differences := list(_differences(theirs, mine)):
            raise RunError(str(out), "made with " + "; ".join(differences), ANOTHER_FOLDER)
    elif any((out / name).exists() for name in ("projected.jsonl", "dropped.jsonl")):
        raise RunError(str(out), "holds results but no run.json", ANOTHER_FOLDER)
    else:
        write_json(manifest, mine)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            str(out), f"cannot be made a folder ({error.strerror})", "Choose another --out"
        ) from error


def _differences(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*theirs, *mine)):
        old, new = theirs.get(key), mine.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new)
        elif old != new:
            yield f"{key} {old!r}, now {new!r}"


def _project_batch(
    batch: Sequence[ParallelSentence], projector: "ProjectsSentences", policy: Policy
) -> list[Row]:
    """One row a sentence: its projection, or the sentence with the reasons for dropping it."""
    unfit = [tuple(_unfit(sentence, projector)) for sentence in batch]
    fit = [sentence for sentence, drops in zip(batch, unfit, strict=True) if not drops]
    answers = projector.project(fit) if fit else []
    # strict: an answer too few would give every later sentence its neighbour's entities.
    projected = iter([answer for _, answer in zip(fit, answers, strict=True)])
    return [
        _dropped_row(sentence, drops) if drops else _row_under(policy, next(projected))
        for sentence, drops in zip(batch, unfit, strict=True)
    ]


def _unfit(sentence: ParallelSentence, projector: "ProjectsSentences") -> Iterator[Drop]:
    sides = {"source": sentence.source, "target": sentence.target}
    empty = [side for side, text in sides.items() if not text.strip()]
    if empty:
        yield Drop("empty", f"no {' and no '.join(empty)} text")
    elif nul := [side for side, text in sides.items() if "\0" in text]:
        yield Drop("nul", f"a NUL character in {' and '.join(nul)}")
    elif not projector.fits(sentence):
        lengths = f"{len(sentence.source)} and {len(sentence.target)} characters"
        yield Drop("too_long", f"longer than the model can read ({lengths})")


def _row_under(policy: Policy, projected: ProjectedSentence) -> Row:
    if policy is Policy.FLAG or not projected.conflicts:
        return encode(projected)
    drops = [Drop(conflict.kind.value, conflict.reason) for conflict in projected.conflicts]
    return _dropped_row(projected.sentence, drops)


def _dropped_row(sentence: ParallelSentence, drops: Sequence[Drop]) -> Row:
    return {**encode(sentence), "dropped": [asdict(drop) for drop in drops]}


@dataclass(slots=True)
class _Tally:
    """Counts the rows of both files, whether they were just made or found from earlier."""

    kept: int = 0
    entities: int = 0
    flagged_sentences: int = 0
    dropped_sentences: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if "dropped" in row:
                self._count_dropped(row)
            else:
                self._count_projected(row)

    def _count_dropped(self, row: Row) -> None:
        self.dropped_sentences += 1
        self.dropped.update({drop["kind"] for drop in row["dropped"]})

    def _count_projected(self, row: Row) -> None:
        self.entities += len(row["entities"])
        self.flagged.update({conflict["kind"] for conflict in row["conflicts"]})
        if row["conflicts"]:
            self.flagged_sentences += 1
        else:
            self.kept += 1

    def summary(self, seconds: float) -> RunSummary:
        return RunSummary(
            read=self.kept + self.flagged_sentences + self.dropped_sentences,
            kept=self.kept,
            flagged=dict(sorted(self.flagged.items())),
            dropped=dict(sorted(self.dropped.items())),
            flagged_sentences=self.flagged_sentences,
            dropped_sentences=self.dropped_sentences,
            entities=self.entities,
            seconds=round(seconds, 3),
        )


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
