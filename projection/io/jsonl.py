"""Parallel corpora as JSON Lines, a sentence pair a line; corpus.schema.json describes a line."""

import errno
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from projection.io.annotations import FORM, entities_beside, unverified
from projection.io.corpus import CorpusNotes, corpus_id, covers
from projection.io.files import read_jsonl
from projection.io.json_fields import Fields
from projection.io.records_json import decode_parallel
from projection.records import ParallelSentence

_IDS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA cache_size = -16000",  # KiB
    "CREATE TABLE ids (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID",
    "BEGIN",
)


def read_jsonl_corpus(
    path: Path,
    source_lang: str | None = None,
    target_lang: str | None = None,
    notes: CorpusNotes | None = None,
) -> Iterator[ParallelSentence]:
    """Stream a JSON Lines file of sentence pairs, perhaps with entities of source and target.

    A line is one of: the form of `records_json`; a gold record, `{"source": {"text", "entities"},
    "target": {"text", "entities"}}`; plain `{"source": "…", "target": "…"}`; or `{"translation":
    {"en": "…", "de": "…"}}`. Entities of the source may be beside its text as `annotations` reads
    them; those of the target in its own object, or under `target_entities`. All but the first form
    may have `id`, `source_lang`, `lang` and `margin`. Languages passed here are for lines without
    any, and must agree with the others. Other keys are ignored.
    """
    with _lines_of_ids() as first_line:
        for number, row in read_jsonl(path):
            fields = Fields(row, f"{path}:{number}", fix=FORM)
            sentence = sentence_of(fields, f"{path.name}:{number}", source_lang, target_lang)
            if (first := first_line(sentence.id, number)) != number:
                what = f"{sentence.id!r} is also on line {first}"
                raise fields.error("id", what, "Give every sentence an id of its own, or none")
            if notes is not None:
                _count_borders(notes, fields, sentence)
            yield sentence


def _count_borders(notes: CorpusNotes, fields: Fields, sentence: ParallelSentence) -> None:
    if sentence.entities and unverified(_of_source(fields)):
        notes.count_borders(sentence.source, sentence.source_lang, sentence.entities)
    if sentence.target_entities and unverified(_of_target(fields)):
        notes.count_borders(sentence.target, sentence.target_lang, sentence.target_entities)


@contextmanager
def _lines_of_ids() -> Iterator[Callable[[str, int], int]]:
    """Yield a function that takes an id with its line, and returns the first line of that id.

    Millions of ids would fill the memory: they are in a temporary file, but for what SQLite caches.
    """
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as table:
        for statement in _IDS:
            table.execute(statement)

        def first_line(name: str, line: int) -> int:
            try:
                if table.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (name, line)).rowcount:
                    return line
                [[first]] = table.execute("SELECT line FROM ids WHERE id = ?", (name,))
            except sqlite3.OperationalError as error:  # such as a full disk
                raise OSError(errno.ENOSPC, str(error), tempfile.gettempdir()) from error
            return int(first)

        yield first_line


def sentence_of(
    fields: Fields, origin: str, source_lang: str | None = None, target_lang: str | None = None
) -> ParallelSentence:
    """One line of a JSON Lines corpus, in a form that `read_jsonl_corpus` names."""
    if fields.has("schema"):
        sentence = decode_parallel(fields.row, fields.where)
        _check_language(fields, "source_lang", sentence.source_lang, source_lang)
        _check_language(fields, "target_lang", sentence.target_lang, target_lang)
        return sentence
    if not fields.has("source") and isinstance(fields.row.get("translation"), dict):
        fields = _translated(fields, *_languages(fields, source_lang, target_lang))
    source, target = (_text(fields, key) for key in ("source", "target"))
    langs = _languages(fields, source_lang, target_lang)
    return ParallelSentence(
        id=_id_of(fields) or corpus_id(origin, source, target),
        source=source,
        target=target,
        source_lang=langs[0],
        target_lang=langs[1],
        origin=origin,
        entities=entities_beside(_of_source(fields), source),
        margin=fields.number_or_none("margin"),
        target_entities=entities_beside(_of_target(fields), target),
    )


def _translated(fields: Fields, source_lang: str, target_lang: str) -> Fields:
    """The line with `source` and `target`, which `translation` has by language."""
    texts = fields.child("translation")
    sides = {}
    for side, lang in (("source", source_lang), ("target", target_lang)):
        key = next((key for key in texts.row if covers(lang, key)), lang)
        sides[side] = texts.text(key)
    return replace(fields, row={**fields.row, **sides})


def _text(fields: Fields, key: str) -> str:
    side = fields.row.get(key)
    return fields.child(key).text("text") if isinstance(side, dict) else fields.text(key)


def _of_source(fields: Fields) -> Fields:
    """What is beside the text of the source: in the line, and in the source's own object."""
    beside = {key: value for key, value in fields.row.items() if not _is_of_target(key)}
    return _with_own(fields, "source", beside)


def _of_target(fields: Fields) -> Fields:
    """What is said of the target: under such keys of the line, and in the target's own object."""
    beside = {key: value for key, value in fields.row.items() if _is_of_target(key)}
    return _with_own(fields, "target", beside)


def _is_of_target(key: str) -> bool:
    return key.lower().startswith("target")


def _with_own(fields: Fields, side: str, beside: Mapping[str, object]) -> Fields:
    if not isinstance(fields.row.get(side), dict):
        return replace(fields, row=beside)
    own = fields.child(side)
    return replace(own, row={**beside, **own.row})


def _id_of(fields: Fields) -> str | None:
    given = fields.row.get("id")
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    return fields.text_or_none("id")


def _languages(fields: Fields, source: str | None, target: str | None) -> tuple[str, str]:
    return (
        _language(fields, ("source_lang",), source),
        _language(fields, ("target_lang", "lang"), target),
    )


def _language(fields: Fields, keys: tuple[str, ...], passed: str | None) -> str:
    for key in keys:
        if fields.has(key):
            found = fields.language(key)
            _check_language(fields, key, found, passed)
            return found
    if passed is None:
        raise fields.error(keys[0], "missing", f"Add it, or pass the {keys[0]} of the whole file")
    return passed


def _check_language(fields: Fields, key: str, found: str, passed: str | None) -> None:
    if passed is not None and not covers(passed, found):
        what = f"{found!r}, but {passed!r} was asked for"
        raise fields.error(key, what, "Pass what the file has")
