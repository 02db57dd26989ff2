"""Parallel corpora in four formats, read as a stream of sentence pairs, empty sides included.

A pair without an id gets one such as `news.en:17-9f86d081`: the file's base name, the line (`tu`
and a number for a TMX unit), and eight hex digits of a hash of both texts. So ids do not depend on
the folder, and two files of one name share an id only where a line has the same texts in both.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path

from projection.errors import CorpusError
from projection.io.annotations import FORM, entities_beside, label_fault, unverified
from projection.io.files import read_jsonl, read_lines
from projection.io.json_fields import Fields
from projection.io.records_json import decode_parallel
from projection.io.tmx import read_units
from projection.io.xml_text import unreadable
from projection.languages import normalised
from projection.records import ParallelSentence
from projection.text.references import has_references
from projection.text.wording import counted
from projection.text.words import word_spans

_LANGUAGES_NAMED = 20


@dataclass(slots=True)
class CorpusNotes:
    """What deserves a warning, counted while a corpus is read."""

    sentences: int = 0
    annotated: int = 0  # sentences with entities of their own
    entities: int = 0  # those that come without the text they cover
    cut: int = 0  # of these, such as begin or end inside a word
    blank: int = 0  # lines of a TSV file
    references: int = 0  # sentences with HTML references, such as &amp;

    def count(self, sentences: Iterable[ParallelSentence]) -> None:
        """Count sentences to their end."""
        for sentence in sentences:
            self.sentences += 1
            self.annotated += sentence.entities is not None
            self.references += has_references(sentence.source) or has_references(sentence.target)

    def count_borders(self, sentence: ParallelSentence) -> None:
        """Count the entities of a sentence."""
        words = word_spans(sentence.source, sentence.source_lang)
        starts, ends = {word.start for word in words}, {word.end for word in words}
        for entity in sentence.entities or ():
            self.entities += 1
            self.cut += not (entity.span.start in starts and entity.span.end in ends)


Columns = tuple[int, ...] | tuple[str, ...]  # source, target and perhaps the margin score


def corpus_id(place: str, source: str, target: str) -> str:
    """The id of a pair that has none; see the module's docstring."""
    return f"{place}-{text_hash(source, target)[:8]}"


def text_hash(source: str, target: str) -> str:
    """Twelve hex digits for the texts of a pair."""
    return hashlib.sha256(f"{source}\n{target}".encode()).hexdigest()[:12]


def read_moses(
    source: Path, target: Path, source_lang: str, target_lang: str
) -> Iterator[ParallelSentence]:
    """Stream two files whose lines correspond."""
    pairs = zip_longest(read_lines(source), read_lines(target))
    for number, (left, right) in enumerate(pairs, start=1):
        if left is None or right is None:
            short, long = (source, target) if left is None else (target, source)
            fix = "Both need the same number of lines: look for one that was lost or split"
            raise CorpusError(f"{short}:{number}", f"the file has ended, but {long} goes on", fix)
        place, texts = f"{source.name}:{number}", (left[1], right[1])
        yield ParallelSentence(corpus_id(place, *texts), *texts, source_lang, target_lang, place)


def read_tsv(
    path: Path,
    source_lang: str,
    target_lang: str,
    *,
    columns: Columns = (1, 2),
    notes: "CorpusNotes | None" = None,
) -> Iterator[ParallelSentence]:
    """Stream columns of a tab-separated file; quotation marks have no meaning.

    `columns` are numbers from 1, or names in the first line. WikiMatrix has 2, 3, 1. Blank lines
    are skipped; an empty margin is none.
    """
    notes = notes or CorpusNotes()
    width, wanted = 0, list[int]()
    for number, line in read_lines(path):
        cells, where = line.split("\t"), f"{path}:{number}"
        if not line.strip(" \r"):
            notes.blank += 1
            continue
        if not width:
            width, wanted = len(cells), [_column_index(c, cells, where) for c in columns]
            if isinstance(columns[0], str):
                continue
        if len(cells) != width:
            what = f"{counted(len(cells), 'column')}, but the first line has {width}"
            raise CorpusError(where, what, "Look for a tab or a line break inside a sentence")
        place, (source, target, *rest) = f"{path.name}:{number}", (cells[i] for i in wanted)
        margin = _margin(rest[0], where) if rest and rest[0].strip() else None
        name = corpus_id(place, source, target)
        yield ParallelSentence(name, source, target, source_lang, target_lang, place, margin=margin)


def _margin(cell: str, where: str) -> float:
    try:
        margin = float(cell)
    except ValueError as error:
        what = f"the margin {cell!r:.40} is no number"
        raise CorpusError(where, what, "Name its column; write 1.2, not 1,2") from error
    if not math.isfinite(margin):
        what = f"the margin {cell!r:.40} is not finite"
        raise CorpusError(where, what, "Leave it empty where there is none")
    return margin


def _column_index(column: int | str, first: Sequence[str], where: str) -> int:
    if isinstance(column, str):
        if column not in first:
            what = f"no column {column!r} among {', '.join(first)}"
            raise CorpusError(where, what, "Name one of these")
        return first.index(column)
    if not 1 <= column <= len(first):
        what = f"no column {column} in {counted(len(first), 'column')}"
        raise CorpusError(where, what, "Columns count from 1")
    return column - 1


def read_tmx(path: Path, source_lang: str, target_lang: str) -> Iterator[ParallelSentence]:
    """Stream the units of a TMX file (versions 1.1 to 1.4b).

    `en` also takes `en-US` and `eng`: the first exact match that has text, else the first. A unit
    without one of the languages has an empty side.
    """
    both, seen, number = False, dict[str, None](), 0
    for number, (line, variants) in enumerate(read_units(path), start=1):
        source, target = (_variant(variants, lang) for lang in (source_lang, target_lang))
        both = both or (source is not None and target is not None)
        if not both and len(seen) < _LANGUAGES_NAMED:
            seen.update(dict.fromkeys(f"{lang:.20}" for lang, _ in variants))
        texts = (source or "", target or "")
        # Numbered by unit, because a TMX file may be one long line.
        name = corpus_id(f"{path.name}:tu{number}", *texts)
        yield ParallelSentence(name, *texts, source_lang, target_lang, f"{path.name}:{line}")
    if number and not both:
        there = ", ".join(islice(seen, _LANGUAGES_NAMED)) or "none"
        what = f"no <tu> has both {source_lang} and {target_lang}; there are {there}"
        raise CorpusError(str(path), what, "Pass the languages of this file")


def _variant(variants: Sequence[tuple[str, str]], lang: str) -> str | None:
    fitting = [variant for variant in variants if covers(lang, variant[0])]
    return min(fitting, key=partial(_rank, lang))[1] if fitting else None


def _rank(lang: str, variant: tuple[str, str]) -> tuple[bool, bool, bool]:
    tag, text = variant
    return not text.strip(), unreadable(text) is not None, normalised(tag) != normalised(lang)


def covers(wanted: str, found: str) -> bool:
    """Return whether the language tag `found` is `wanted` or a variety of it: `en-US` of `en`.

    What is no tag covers nothing and is covered by nothing.
    """
    prefix, tag = normalised(wanted), normalised(found)
    return None not in (prefix, tag) and f"{tag}-".startswith(f"{prefix}-")


def read_jsonl_corpus(
    path: Path,
    source_lang: str | None = None,
    target_lang: str | None = None,
    notes: "CorpusNotes | None" = None,
) -> Iterator[ParallelSentence]:
    """Stream a JSON Lines file of sentence pairs, perhaps with source entities.

    A line is one of: the form of `records_json`; a gold record, `{"source": {"text", "entities"},
    "target": {"text"}}`; plain `{"source": "…", "target": "…"}`; or `{"translation": {"en": "…",
    "de": "…"}}`. Entities of the source may be beside its text as `annotations` reads them. All but
    the first may have `id`, `source_lang`, `lang` and `margin`. Languages passed here are for lines
    without any, and must agree with the others. Other keys are ignored.
    """
    first_use: dict[str, int] = {}
    for number, row in read_jsonl(path):
        fields = Fields(row, f"{path}:{number}", fix=FORM)
        sentence = sentence_of(fields, f"{path.name}:{number}", source_lang, target_lang)
        if sentence.id in first_use:
            what = f"{sentence.id!r} is also on line {first_use[sentence.id]}"
            raise fields.error("id", what, "Give every sentence an id of its own, or none")
        first_use[sentence.id] = number
        if notes is not None and sentence.entities and unverified(_beside(fields)):
            notes.count_borders(sentence)
        yield sentence


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
        entities=entities_beside(_beside(fields), source),
        margin=fields.number_or_none("margin"),
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


def _beside(fields: Fields) -> Fields:
    """What is beside the text of the source: in the line, and in the source's own object."""
    if not isinstance(fields.row.get("source"), dict):
        return fields
    side = fields.child("source")
    beside = {key: value for key, value in fields.row.items() if key not in side.row}
    return replace(side, row={**beside, **side.row})


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


def with_labels(
    sentences: Iterable[ParallelSentence], rename: Mapping[str, str], ignore: Collection[str]
) -> Iterator[ParallelSentence]:
    """Rename the types of the corpus's own entities, leave out those to ignore, check the rest."""
    for sentence in sentences:
        if sentence.entities is None:
            yield sentence
            continue
        named = [replace(e, label=rename.get(e.label, e.label)) for e in sentence.entities]
        kept = tuple(entity for entity in named if entity.label not in ignore)
        for entity in kept:
            if (fault := label_fault(entity.label)) is not None:
                fix = f"Rename it, or pass --map-label '{entity.label}=NEW'"
                raise CorpusError(sentence.origin, f"the label {entity.label!r} {fault}", fix)
        yield replace(sentence, entities=kept)
