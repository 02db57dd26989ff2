"""Projecting a whole corpus into a run folder that survives interruptions.

run.json         what shaped the answers: model version, policy, settings
projected.jsonl  every sentence that was kept or flagged, in the order of the corpus
dropped.jsonl    every sentence that was not, with reasons
summary.json     how many sentences were kept, flagged and dropped, once the corpus is done
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from projection.errors import RunError
from projection.io.files import alone, read_jsonl, read_object, write_json
from projection.io.json_fields import Fields
from projection.io.records_json import SCHEMA, Json, decode_projected, encode
from projection.io.xml_text import unreadable
from projection.languages import is_untrained
from projection.pipeline.conflicts import Policy
from projection.pipeline.run_journal import ANOTHER_FOLDER, RunFiles, RunRow
from projection.protocols import ProjectsSentences
from projection.records import ParallelSentence, ProjectedSentence

MAX_BATCH = 1024  # sentences a call gets, to sort by length; an interruption costs at most these


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The numbers of a run: `read = kept + flagged_sentences + dropped_sentences`."""

    read: int
    kept: int
    flagged: Mapping[str, int]  # sentences by kind of conflict, in several of which one may count
    dropped: Mapping[str, int]  # sentences by kind of conflict or other reason, likewise
    flagged_sentences: int
    dropped_sentences: int
    entities: int  # in projected.jsonl
    teacher_labelled: int  # kept and flagged sentences without entities of the corpus's own
    target_labelled: int  # kept sentences with target entities of the corpus's own
    windowed: int  # sentences with a side too long to be read at once
    untrained: Mapping[str, int]  # sentences to align, by language the aligner was not trained on
    seconds: float  # wall time of the call that finished the run

    def to_json(self) -> Json:
        """The content of summary.json."""
        return {"schema": SCHEMA, **asdict(self)}


def load_summary(run: Path) -> RunSummary:
    """The summary of a finished run."""
    path = _existing_run(run) / "summary.json"
    if not path.is_file():
        raise RunError(str(run), "not done (no summary.json)", "Run `spanferry project` again")
    fields = Fields(read_object(path), str(path))
    flagged, dropped = fields.child("flagged"), fields.child("dropped")
    untrained = fields.child("untrained").row if fields.has("untrained") else {}  # older
    counts = ("read", "kept", "flagged_sentences", "dropped_sentences", "entities")
    return RunSummary(
        **{name: fields.integer(name) for name in counts},
        flagged={kind: flagged.integer(kind) for kind in flagged.row},
        dropped={kind: dropped.integer(kind) for kind in dropped.row},
        untrained={lang: int(str(count)) for lang, count in untrained.items()},
        windowed=fields.integer_or_none("windowed") or 0,  # older
        teacher_labelled=fields.integer_or_none("teacher_labelled") or 0,  # older
        target_labelled=fields.integer_or_none("target_labelled") or 0,  # older
        seconds=fields.number("seconds"),
    )


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The sentences of a run folder, streamed anew whenever they are gone through."""

    path: Path

    def __iter__(self) -> Iterator[ProjectedSentence]:
        """As `load_run`."""
        return load_run(self.path)


def load_run(path: Path) -> Iterator[ProjectedSentence]:
    """Stream the sentences that a run kept and flagged."""
    projected = _existing_run(path) / "projected.jsonl"
    for number, row in read_jsonl(projected) if projected.exists() else ():
        yield decode_projected(row, f"{projected}:{number}")


def _existing_run(path: Path) -> Path:
    if not (path / "run.json").is_file():
        what = "not a run folder (no run.json)"
        raise RunError(str(path), what, "Name one that `spanferry project` made")
    return path


def project_corpus(
    sentences: Iterable[ParallelSentence],
    projector: ProjectsSentences,
    out: Path,
    *,
    policy: Policy,
    limit: int | None = None,
    settings: Mapping[str, object],
    on_progress: Callable[[int], None],
    batch_size: int = MAX_BATCH,
) -> RunSummary:
    """Project up to `limit` sentences into the folder `out`, or resume an interrupted run there.

    Results are on the disk after every batch. An interrupted run continues after its last whole
    batch, so that projected.jsonl has the same bytes as without the interruption. `settings` are
    everything else that shapes the result (corpus, languages). `on_progress` is called with the
    number of sentences since the last call.

    Raises:
        RunError: if `out` belongs to another model, policy, settings or corpus, another process is
            projecting into it, or it cannot be written.
    """
    if not 1 <= batch_size <= MAX_BATCH:
        raise ValueError(f"batch_size {batch_size} is not within 1 to {MAX_BATCH}")
    try:
        return _project_into(
            out, sentences, projector, policy, limit, settings, on_progress, batch_size
        )
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        fix = "Mend that and run the command again, which goes on here; or choose another --out"
        raise RunError(str(out), what, fix) from error


def _project_into(  # noqa: PLR0917  passed on as they come
    out: Path,
    sentences: Iterable[ParallelSentence],
    projector: ProjectsSentences,
    policy: Policy,
    limit: int | None,
    settings: Mapping[str, object],
    on_progress: Callable[[int], None],
    batch_size: int,
) -> RunSummary:
    out.mkdir(parents=True, exist_ok=True)
    with alone(out / ".lock") as ours:
        if not ours:
            fix = "Wait for its end, or choose another --out folder"
            raise RunError(str(out), "another process is projecting into it", fix)
        _claim(out, projector.model_version, policy, settings)
        rest = islice(sentences, limit)
        batches = iter(lambda: list(islice(rest, batch_size)), [])
        return _resume(out, batches, projector, policy, on_progress)


def _resume(
    out: Path,
    batches: Iterator[list[ParallelSentence]],
    projector: ProjectsSentences,
    policy: Policy,
    on_progress: Callable[[int], None],
) -> RunSummary:
    """Project the batches that are not in the folder yet, and summarise all of them."""
    started = time.monotonic()
    counts = Counter[str]()
    flagged, dropped, languages = Counter[str](), Counter[str](), Counter[str]()

    def done(rows: Sequence[RunRow]) -> None:
        for row in rows:
            pair = row.get("sentence", row)
            own = "target_entities" in pair  # no model reads it
            languages.update([] if own else [pair["target_lang"]])
            if "dropped" in row:
                counts["dropped"] += 1
                dropped.update({drop["kind"] for drop in row["dropped"]})
            else:
                counts["flagged" if row["conflicts"] else "kept"] += 1
                counts["entities"] += len(row["entities"])
                counts["target"] += own
                if not own:
                    counts["teacher"] += pair["entities"] is None
                    counts["windowed"] += projector.needs_windows(pair["source"], pair["target"])
                flagged.update({conflict["kind"] for conflict in row["conflicts"]})
        on_progress(len(rows))

    files = RunFiles(out)
    to_do = files.resume(batches, done)
    (out / "summary.json").unlink(missing_ok=True)  # outdated until this call is done
    for batch in to_do:
        rows = _project_batch(batch, projector, policy)
        files.append(rows)
        done(rows)
    summary = RunSummary(
        read=counts["kept"] + counts["flagged"] + counts["dropped"],
        kept=counts["kept"],
        flagged=dict(sorted(flagged.items())),
        dropped=dict(sorted(dropped.items())),
        flagged_sentences=counts["flagged"],
        dropped_sentences=counts["dropped"],
        entities=counts["entities"],
        teacher_labelled=counts["teacher"],
        target_labelled=counts["target"],
        windowed=counts["windowed"],
        untrained={
            lang: count
            for lang, count in sorted(languages.items())
            if is_untrained(lang, projector.languages)
        },
        seconds=round(time.monotonic() - started, 3),
    )
    write_json(out / "summary.json", summary.to_json())
    return summary


def _claim(out: Path, model_version: str, policy: Policy, settings: Mapping[str, object]) -> None:
    """Write run.json, or check that the one there is the same."""
    mine: Json = {
        "schema": SCHEMA,
        "model_version": model_version,
        "policy": policy.value,
        "settings": dict(settings),
    }
    manifest = out / "run.json"
    if manifest.exists():
        theirs = read_object(manifest)
        if differences := list(_differences(theirs, mine)):
            raise RunError(str(out), "made with " + "; ".join(differences), ANOTHER_FOLDER)
    elif any((out / name).exists() for name in ("projected.jsonl", "dropped.jsonl")):
        raise RunError(str(out), "holds results but no run.json", ANOTHER_FOLDER)
    else:
        write_json(manifest, mine)


def _differences(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*theirs, *mine)):
        old, new = theirs.get(key), mine.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new)
        elif old != new:
            yield f"{key} {old!r}, now {new!r}"


def _project_batch(
    batch: Sequence[ParallelSentence], projector: ProjectsSentences, policy: Policy
) -> list[RunRow]:
    """One row a sentence: its projection, or the sentence with the reasons for dropping it."""
    unfit = [_unfit(sentence, projector) for sentence in batch]
    fit = [sentence for sentence, drop in zip(batch, unfit, strict=True) if drop is None]
    answers = projector.project(fit) if fit else []
    # strict: with an answer missing, every later sentence would get its neighbour's entities.
    projected = iter([answer for _, answer in zip(fit, answers, strict=True)])
    return [
        _row_under(policy, next(projected)) if drop is None else _dropped(sentence, [drop])
        for sentence, drop in zip(batch, unfit, strict=True)
    ]


def _unfit(sentence: ParallelSentence, projector: ProjectsSentences) -> tuple[str, str] | None:
    """The kind and the reason if a sentence cannot be projected."""
    sides = {"source": sentence.source, "target": sentence.target}
    if empty := [side for side, text in sides.items() if not text.strip()]:
        return "empty", f"no {' and no '.join(empty)} text"
    if nul := [side for side, text in sides.items() if "\0" in text]:
        return "nul", f"a NUL character in {' and '.join(nul)}"
    for side, text in sides.items():
        if (what := unreadable(text)) is not None:
            return "unreadable", f"{what}, in {side}"
    if not projector.fits(sentence):
        lengths = f"{len(sentence.source)} and {len(sentence.target)} characters"
        return "too_long", f"longer than the model can read ({lengths})"
    return None


def _row_under(policy: Policy, projected: ProjectedSentence) -> RunRow:
    if policy is Policy.FLAG or not projected.conflicts:
        return encode(projected)
    drops = [(conflict.kind.value, conflict.reason) for conflict in projected.conflicts]
    return _dropped(projected.sentence, drops)


def _dropped(sentence: ParallelSentence, drops: Iterable[tuple[str, str]]) -> RunRow:
    reasons = [{"kind": kind, "reason": reason} for kind, reason in drops]
    return {**encode(sentence), "dropped": reasons}
