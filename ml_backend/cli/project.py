"""`spanferry project`: project the entities of a parallel corpus into a run folder."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from ml_backend.cli.options import Aligner, AsJson, IgnoreLabel, LabelMap, Teacher
from ml_backend.settings import label_table
from projection.errors import CorpusError
from projection.io.corpus import Columns, read_jsonl_corpus, read_moses, read_tmx, read_tsv
from projection.pipeline.conflicts import CHECKS, PAPER_CHECKS, Check, Policy
from projection.pipeline.run import RunSummary, project_corpus
from projection.records import ParallelSentence
from projection.text.wording import counts_in_words

Corpus = Iterator[ParallelSentence]

# As published, sentences are dropped by the paper's three rules only; low confidence is for review.
CHECKS_UNDER: Mapping[Policy, Sequence[Check]] = {Policy.DROP: PAPER_CHECKS, Policy.FLAG: CHECKS}


def project(
    *,
    source: Annotated[Path | None, typer.Option(help="English side of a Moses pair.")] = None,
    target: Annotated[Path | None, typer.Option(help="Its translation, line by line.")] = None,
    tmx: Annotated[Path | None, typer.Option(help="A TMX file.")] = None,
    tsv: Annotated[Path | None, typer.Option(help="A tab-separated file.")] = None,
    columns: Annotated[
        str,
        typer.Option(
            help="Source and target column of the TSV file, and that of a margin score if it has "
            "one (WikiMatrix: 2,3,1): numbers or names."
        ),
    ] = "1,2",
    jsonl: Annotated[
        Path | None,
        typer.Option(help="JSON Lines; where a line brings source entities, no teacher runs."),
    ] = None,
    source_lang: Annotated[str, typer.Option(help="BCP 47 tag of the source.")] = "en",
    target_lang: Annotated[
        str | None, typer.Option(help="BCP 47 tag of the target, such as de or zh.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder; an interrupted run is resumed there.")],
    policy: Annotated[
        Policy,
        typer.Option(help="Sentences with conflicts: flag for review, or drop as published."),
    ] = Policy.FLAG,
    limit: Annotated[int | None, typer.Option(min=1, help="Most sentences to read.")] = None,
    teacher: Teacher = None,
    aligner: Aligner = None,
    labels: LabelMap = None,
    ignore_label: IgnoreLabel = None,
    as_json: AsJson = False,
) -> None:
    """Project the entities of a parallel corpus from its English side to the other side.

    Any of the files may be gzipped.

    Example:

        spanferry project --source news.en --target news.de --target-lang de --out runs/news-de
    """
    # torch takes seconds to import, which `--help` should not.
    from projection.pipeline.projector import Projector  # noqa: PLC0415

    sentences, where = open_corpus(
        source, target, tmx, tsv, columns, jsonl, source_lang=source_lang, target_lang=target_lang
    )
    # Refuse a mistyped path at once, not after loading models and claiming a run folder.
    sentences = chain(list(islice(sentences, 1)), sentences)
    with progress("models loaded", 1) as advance:
        projector = Projector.load(
            teacher,
            aligner,
            labels=label_table(labels or ()),
            suppress=ignore_label or (),
            checks=CHECKS_UNDER[policy],
        )
        advance(1)
    settings = {"corpus": where, "source_lang": source_lang, "target_lang": target_lang or ""}
    if jsonl is None:
        settings["labels"] = " ".join(projector.labels)
    with progress("sentences projected", limit) as advance:
        summary = project_corpus(
            sentences,
            projector,
            out,
            policy=policy,
            limit=limit,
            settings=settings,
            on_progress=advance,
        )
    if as_json:
        print_json(summary.to_json())
    else:
        console.print(summary_table(summary))
        console.print(
            f"Next: spanferry push {out} --help", highlight=False, markup=False, soft_wrap=True
        )


def open_corpus(  # noqa: PLR0917  options, passed on as they come
    source: Path | None,
    target: Path | None,
    tmx: Path | None,
    tsv: Path | None,
    columns: str,
    jsonl: Path | None,
    source_lang: str,
    target_lang: str | None,
) -> tuple[Corpus, str]:
    """The one corpus that was named, and its name in run.json.

    Raises:
        CorpusError: if none or several were named, or the target language is not.
    """
    named = [path for path in (source or target, tmx, tsv, jsonl) if path is not None]
    if len(named) != 1 or (source is None) != (target is None):
        raise CorpusError(
            "project",
            "needs exactly one corpus",
            "Pass --source with --target, or one of --tmx, --tsv and --jsonl",
        )
    if jsonl is not None:
        return read_jsonl_corpus(jsonl, source_lang, target_lang), str(jsonl)
    if target_lang is None:
        raise CorpusError(
            str(named[0]), "the target language is not known", "Pass --target-lang, such as de"
        )
    if tmx is not None:
        return read_tmx(tmx, source_lang, target_lang), str(tmx)
    if tsv is not None:
        return read_tsv(tsv, source_lang, target_lang, columns=columns_of(columns)), str(tsv)
    assert source is not None and target is not None  # noqa: PT018, S101  checked above
    return read_moses(source, target, source_lang, target_lang), f"{source} + {target}"


def columns_of(columns: str) -> Columns:
    """Read `2,5` as numbers, `english,german` as names.

    Raises:
        CorpusError: if there are not two or three.
    """
    named = columns.split(",")
    if len(named) not in (2, 3) or not all(named):
        what = f"{columns!r} is neither two columns nor three"
        raise CorpusError("--columns", what, "Such as 1,2 or en,de, or 2,3,1 for WikiMatrix")
    return tuple(map(int, named)) if all(map(str.isdecimal, named)) else tuple(named)


def summary_table(summary: RunSummary) -> Table:
    """The numbers of kept, flagged and dropped sentences, with the reasons."""
    table = Table("sentences", "", "why", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    table.add_row("read", str(summary.read), f"in {summary.seconds:.1f} s")
    table.add_row("kept", str(summary.kept), "no conflict")
    table.add_row("flagged", str(summary.flagged_sentences), counts_in_words(summary.flagged))
    table.add_row("dropped", str(summary.dropped_sentences), counts_in_words(summary.dropped))
    table.add_row("entities", str(summary.entities), "in kept and flagged sentences")
    return table
