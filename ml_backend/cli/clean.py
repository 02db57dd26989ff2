"""`spanferry clean`: drop the pairs of a parallel corpus that are not worth projecting."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ml_backend.cli.console import print_result, progress, say, table
from ml_backend.cli.options import (
    AsJson,
    JsonlFile,
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
from ml_backend.cli.project import open_corpus, warnings_of
from projection.corpus.cleaning import CleaningSummary, clean_corpus
from projection.corpus.recipe import CleaningRecipe, read_recipe
from projection.errors import CorpusError
from projection.io.conll import TagColumns
from projection.io.corpus import CorpusNotes
from projection.text.wording import counts_in_words, percent


def clean(
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
    recipe: Annotated[
        Path | None, Option(help="What is dropped, as TOML; docs/corpora.md has the defaults.")
    ] = None,
    out: Annotated[
        Path,
        Option(parser=local_path, help="JSON Lines file to write, for spanferry project --jsonl."),
    ],
    dropped: Annotated[
        Path | None,
        Option(parser=local_path, help="Write what is dropped to this file, with the reasons."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drop pairs that are empty, copied, of unlike lengths, in another language, or repeated.

    Every dropped pair is counted once, by the first rule that refuses it. docs/corpora.md has the
    rules and their defaults. Needs pip install 'spanferry[clean]'.

    Example: spanferry clean --source a.en --target a.de --target-lang de --out clean.jsonl
    """
    chosen = CleaningRecipe() if recipe is None else read_recipe(recipe)
    if dropped is not None and dropped.resolve() == out.resolve():
        raise CorpusError("--dropped", f"is --out, too: {out}", "Name another file")
    notes, tags = CorpusNotes(), TagColumns(token_column, tag_column)
    sentences, where = open_corpus(
        source, target, tmx, tsv, columns, jsonl, source_lang, target_lang, tags, notes
    )
    with progress("pairs read") as advance:
        summary = clean_corpus(sentences, chosen, out, dropped, where=where, on_progress=advance)
    notes.sentences = summary.read
    for warning in warnings_of(notes):
        say(warning)
    for lang in summary.unidentified:
        say(f"{lang}: a language that cannot be identified, and was not")
    print_result(summary.to_json(), _shown(summary, out), as_json=as_json)


def _shown(summary: CleaningSummary, out: Path) -> list[object]:
    gone = summary.read - summary.kept
    rows = [("read", f"{summary.read:,}", ""), ("kept", f"{summary.kept:,}", f"in {out}")]
    rows.append(("dropped", f"{gone:,}", counts_in_words(summary.dropped)))
    shown = percent(gone / summary.read)
    return [
        table(("pairs", "", ""), rows, text=(0, 2)),
        f"{shown} dropped. Next: spanferry project --jsonl {out} --help",
    ]
