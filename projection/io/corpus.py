"""Parallel corpora in four formats, read as a stream of sentence pairs, empty sides included.

A pair without an id gets one such as `news.en:17-9f86d081`: the file's base name, the line (`tu`
and a number for a TMX unit), and eight hex digits of a hash of both texts. So ids do not depend on
the folder, and two files of one name share an id only where a line has the same texts in both.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path

from projection.errors import CorpusError
from projection.io.files import read_jsonl, read_lines
from projection.io.json_fields import Fields
from projection.io.records_json import decode_entities_or_none, decode_parallel
from projection.io.tmx import read_units
from projection.io.xml_text import unreadable
from projection.languages import normalised
from projection.records import Entity, ParallelSentence
from projection.text.wording import counted

_LANGUAGES_NAMED = 20

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
    path: Path, source_lang: str, target_lang: str, *, columns: Columns = (1, 2)
) -> Iterator[ParallelSentence]:
    """Stream columns of a tab-separated file; quotation marks have no meaning.

    `columns` are numbers from 1, or names in the first line. WikiMatrix has 2, 3, 1.
    """
    width, wanted = 0, list[int]()
    for number, line in read_lines(path):
        cells, where = line.split("\t"), f"{path}:{number}"
        if not width:
            width, wanted = len(cells), [_column_index(c, cells, where) for c in columns]
            if isinstance(columns[0], str):
                continue
        if len(cells) != width:
            what = f"{counted(len(cells), 'column')}, but the first line has {width}"
            raise CorpusError(where, what, "Look for a tab or a line break inside a sentence")
        place, (source, target, *rest) = f"{path.name}:{number}", (cells[i] for i in wanted)
        try:
            margin = float(rest[0]) if rest else None
        except ValueError as error:
            what = f"the margin {rest[0]!r} is no number"
            raise CorpusError(where, what, "Name its column") from error
        name = corpus_id(place, source, target)
        yield ParallelSentence(name, source, target, source_lang, target_lang, place, margin=margin)


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
        there = ", ".join(islice(seen, _LANGUAGES_NAMED))
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
    path: Path, source_lang: str | None = None, target_lang: str | None = None
) -> Iterator[ParallelSentence]:
    """Stream a JSON Lines file of sentence pairs, perhaps with source entities.

    A line is one of: the form of `records_json`; a gold record, `{"source": {"text", "entities"},
    "target": {"text"}}`; or plain `{"source": "…", "target": "…"}`, optionally with `entities` of
    the source. The latter two may have `id`, `source_lang`, `lang` and `margin`. Languages passed
    here are for lines without any, and must agree with the others. Other keys are ignored.
    """
    first_use: dict[str, int] = {}
    for number, row in read_jsonl(path):
        fields = Fields(row, f"{path}:{number}")
        sentence = sentence_of(fields, f"{path.name}:{number}", source_lang, target_lang)
        if sentence.id in first_use:
            what = f"{sentence.id!r} is also on line {first_use[sentence.id]}"
            raise fields.error("id", what, "Give every sentence an id of its own, or none")
        first_use[sentence.id] = number
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
    source, entities = _side(fields, "source")
    target, _ = _side(fields, "target")
    return ParallelSentence(
        id=fields.text_or_none("id") or corpus_id(origin, source, target),
        source=source,
        target=target,
        source_lang=_language(fields, ("source_lang",), source_lang),
        target_lang=_language(fields, ("target_lang", "lang"), target_lang),
        origin=origin,
        entities=entities,
        margin=fields.number_or_none("margin"),
    )


def _side(fields: Fields, key: str) -> tuple[str, tuple[Entity, ...] | None]:
    """Text and entities of one side; in plain lines the source's entities are beside the text."""
    if isinstance(fields.row.get(key), dict):
        side = fields.child(key)
        text = side.text("text")
        return text, decode_entities_or_none(side, "entities", text)
    text = fields.text(key)
    return text, decode_entities_or_none(fields, "entities", text) if key == "source" else None


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
