"""`spanferry project`: project the entities of a parallel corpus into a run folder."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

from rich.table import Table
from typer import Option

from ml_backend.cli.console import print_result, progress, say, table
from ml_backend.cli.engines import EngineName, engine_of, load_projector
from ml_backend.cli.options import (
    Aligner,
    AsJson,
    IgnoreLabel,
    JsonlFile,
    RenameLabel,
    SourceFile,
    SourceLang,
    TagColumn,
    TargetFile,
    TargetLang,
    TmxFile,
    TokenColumn,
    TsvColumns,
    TsvFile,
    local_path,
)
from ml_backend.settings import label_table, listed
from projection.errors import CorpusError
from projection.io.conll import FOUND, TagColumns
from projection.io.corpus import (
    Columns,
    CorpusNotes,
    read_moses,
    read_tmx,
    read_tsv,
    with_labels,
)
from projection.io.jsonl import read_jsonl_corpus
from projection.languages import is_untrained
from projection.models.teacher import check_teacher
from projection.pipeline.conflicts import Policy
from projection.pipeline.ray_workers import check_ray
from projection.pipeline.run import project_corpus
from projection.pipeline.run_parts import RunFormat
from projection.pipeline.run_summary import RunSummary
from projection.records import ParallelSentence
from projection.text.references import unescaped
from projection.text.wording import FIX_UNTRAINED, counted, counts_in_words, untrained_language


def project(
    *,
    source: SourceFile = None,
    target: TargetFile = None,
    tmx: TmxFile = None,
    tsv: TsvFile = None,
    columns: TsvColumns = "1,2",
    jsonl: JsonlFile = None,
    token_column: TokenColumn = None,
    tag_column: TagColumn = None,
    source_lang: SourceLang = "en",
    target_lang: TargetLang = None,
    out: Annotated[
        Path, Option(parser=local_path, help="Run folder; an interrupted run is resumed there.")
    ],
    policy: Annotated[
        Policy, Option(help="Sentences with conflicts: flag for review, or drop as published.")
    ] = Policy.FLAG,
    limit: Annotated[int | None, Option(min=1, help="Most sentences to read.")] = None,
    teacher: Annotated[
        str | None,
        Option(
            help="English NER model: a folder or a hub name; gliner:… is a GLiNER checkpoint. "
            "[default: bundled]"
        ),
    ] = None,
    types: Annotated[
        str | None,
        Option(help="Entity types that a GLiNER teacher looks for, with commas between."),
    ] = None,
    aligner: Aligner = None,
    labels: RenameLabel = None,
    ignore_label: IgnoreLabel = None,
    unescape: Annotated[
        bool, Option("--unescape", help="Read HTML references in text, such as &amp;, once.")
    ] = False,
    form: Annotated[
        RunFormat, Option("--format", help="Files of the run: JSON Lines, or Parquet.")
    ] = RunFormat.JSONL,
    count: Annotated[
        int, Option("--workers", min=1, help="Processes that project, each with its own models.")
    ] = 1,
    engine: Annotated[
        EngineName, Option(help="Where the workers are: on this machine, or in a Ray cluster.")
    ] = EngineName.LOCAL,
    as_json: AsJson = False,
) -> None:
    """Project the entities of a parallel corpus from its English side to the other side.

    Files may be packed (gzip, bzip2, xz, zip; a.zip/b.txt names one of several), or URLs (s3://…,
    hf://…, https://…). --columns takes numbers or names (WikiMatrix: 2,3,1). Where the corpus
    brings source entities, no teacher runs: sentences without any have none. Where it brings target
    entities, these are kept for review, and no model reads the sentence. --map-label and
    --ignore-label are about the corpus's labels and the teacher's. docs/formats.md shows every
    format.

    Example: spanferry project --source a.en --target a.de --target-lang de --out runs/de
    """

    def opened(notes: CorpusNotes) -> tuple[Iterator[ParallelSentence], str]:
        found, name = open_corpus(
            source,
            target,
            tmx,
            tsv,
            columns,
            jsonl,
            source_lang,
            target_lang,
            TagColumns(token_column, tag_column),
            notes,
        )
        renamed = with_labels(islice(found, limit), label_table(labels or ()) or {}, ignored)
        return (map(unescaped, renamed) if unescape else renamed), name

    # A mistake is refused before models are loaded and a run folder is claimed.
    sought = listed(types or "")
    check_teacher(teacher, sought)
    if engine is EngineName.RAY:
        check_ray()
    notes, ignored = CorpusNotes(), ignore_label or []
    sentences, where = opened(notes)
    notes.count(sentences)
    if not notes.sentences:
        raise CorpusError(where, "no sentences", "Name a file that has some")
    for warning in warnings_of(notes):
        say(warning)
    renamed = None if notes.own_labels else label_table(labels or ())
    suppressed = () if notes.own_labels else ignored
    load = partial(
        load_projector,
        policy=policy,
        teacher=teacher,
        aligner=aligner,
        labels=renamed,
        suppress=suppressed,
        types=sought,
    )
    with engine_of(engine, count, load, policy) as chosen:
        with progress("models loaded", 1) as advance:
            projector = load()
            advance(1)
        sentences, _ = opened(CorpusNotes())
        if notes.annotated:
            sentences = (replace(each, entities=each.entities or ()) for each in sentences)
        sentences = warned(sentences, projector.languages)
        settings: dict[str, object] = {"corpus": where, "source_lang": source_lang}
        settings["target_lang"] = target_lang or ""
        if unescape:
            settings["unescaped"] = True
        if notes.own_labels:
            settings["own_labels"] = {"rename": label_table(labels or ()) or {}, "ignore": ignored}
        else:
            settings["labels"] = [*projector.labels]
            if sought:
                version = projector.teacher.version
                settings["teacher"] = {"name": teacher, "types": [*sought], "version": version}
        with progress("sentences projected", notes.sentences) as advance:
            summary = project_corpus(
                sentences,
                projector,
                out,
                policy=policy,
                limit=limit,
                settings=settings,
                on_progress=advance,
                engine=chosen,
                form=form,
            )
    shown = [_summary_table(summary), f"Next: spanferry push {out} --help"]
    print_result(summary.to_json(), shown, as_json=as_json)


def warnings_of(notes: CorpusNotes) -> Iterator[str]:
    """Say what was met in a corpus that may be a mistake, with counts."""
    yield from notes.columns
    total = f"{notes.sentences:,}"
    if 0 < notes.annotated < notes.sentences:
        yield (
            f"{notes.annotated:,} of {total} sentences have entities of their own: the others are "
            "taken to have none, and the teacher labels nothing"
        )
    if notes.target_annotated:
        yield (
            f"{notes.target_annotated:,} of {total} sentences have target entities of their own: "
            "these are kept for review, and nothing is projected there"
        )
    if notes.respelled:
        yield (
            f"{notes.respelled:,} of {total} sentences: the tokens do not spell the comment "
            "“# text”, and are joined instead"
        )
    if notes.cut:
        yield (
            f"{notes.cut:,} of {notes.entities:,} entities begin or end inside a word or at a "
            "space. Offsets are Unicode code points from 0, ends exclusive: are these bytes, "
            "UTF-16 units, counted from 1, or ends inclusive?"
        )
    if notes.references:
        yield (
            f"{notes.references:,} of {total} sentences have HTML references such as &amp;, which "
            "models read as they stand. Pass --unescape to read them as characters"
        )
    if notes.blank:
        yield f"{counted(notes.blank, 'blank line')} passed over"


def warned(
    sentences: Iterator[ParallelSentence], trained: Sequence[str]
) -> Iterator[ParallelSentence]:
    """Warn before the first sentence of each target language that no aligner was trained on."""
    seen = set[str]()
    for sentence in sentences:
        if sentence.target_entities is None and (lang := sentence.target_lang) not in seen:
            seen.add(lang)
            if is_untrained(lang, trained):
                say(f"{untrained_language(lang, trained)}. {FIX_UNTRAINED}")
        yield sentence


def open_corpus(  # noqa: PLR0917  options, passed on as they come
    source: Path | None,
    target: Path | None,
    tmx: Path | None,
    tsv: Path | None,
    columns: str,
    jsonl: Path | None,
    source_lang: str,
    target_lang: str | None,
    tag_columns: TagColumns = FOUND,
    notes: CorpusNotes | None = None,
) -> tuple[Iterator[ParallelSentence], str]:
    """Open the one corpus that was named; return its sentences, and its name in run.json."""
    named = [path for path in (source or target, tmx, tsv, jsonl) if path is not None]
    if len(named) != 1 or (source is None) != (target is None):
        fix = "Pass --source with --target, or one of --tmx, --tsv and --jsonl"
        raise CorpusError("project", "needs exactly one corpus", fix)
    [path] = named
    if jsonl is not None:
        return read_jsonl_corpus(jsonl, source_lang, target_lang, notes), str(path)
    if target_lang is None:
        fix = "Pass --target-lang, such as de"
        raise CorpusError(str(path), "the target language is not known", fix)
    if target is not None:
        sides = read_moses(path, target, source_lang, target_lang, columns=tag_columns, notes=notes)
        return sides, f"{path} + {target}"
    if tmx is not None:
        return read_tmx(tmx, source_lang, target_lang), str(path)
    table_columns = columns_of(columns)
    return read_tsv(path, source_lang, target_lang, columns=table_columns, notes=notes), str(path)


def columns_of(columns: str) -> Columns:
    """Read `2,5` as numbers, `english,german` as names; two of them or three."""
    named = columns.split(",")
    if len(named) not in (2, 3) or not all(named):
        what = f"{columns!r} is neither two columns nor three"
        raise CorpusError("--columns", what, "Such as 1,2 or en,de, or 2,3,1 for WikiMatrix")
    return tuple(map(int, named)) if all(map(str.isdecimal, named)) else tuple(named)


def _summary_table(summary: RunSummary) -> Table:
    """Return the numbers of kept, flagged and dropped sentences, with the reasons."""
    rows = [
        ("read", summary.read, f"in {summary.seconds:.1f} s"),
        ("kept", summary.kept, "no conflict"),
        ("flagged", summary.flagged_sentences, counts_in_words(summary.flagged)),
        ("dropped", summary.dropped_sentences, counts_in_words(summary.dropped)),
        ("entities", summary.entities, "in kept and flagged sentences"),
        ("teacher", summary.teacher_labelled, "kept and flagged sentences that it labelled"),
    ]
    if summary.target_labelled:
        rows.append(("own labels", summary.target_labelled, "target entities of the corpus, kept"))
    if summary.windowed:
        rows.append(("windowed", summary.windowed, "too long for the model to read at once"))
    if summary.untrained:
        why = f"in languages new to the aligner: {counts_in_words(summary.untrained)}"
        rows.append(("untrained", sum(summary.untrained.values()), why))
    cells = ((name, str(count), why) for name, count, why in rows)
    return table(("sentences", "", "why"), cells, text=(0, 2))
