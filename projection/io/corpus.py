"""Parallel corpora as files of text, read as a stream of sentence pairs, empty sides included.

A pair without an id gets one such as `news.en:17-9f86d081`: the file's base name, the line (`tu`
and a number for a TMX unit), and eight hex digits of a hash of both texts. So ids do not depend on
the folder, and two files of one name share an id only where a line has the same texts in both.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from projection.errors import CorpusError, SpanError
from projection.io.annotations import label_fault
from projection.io.conll import FOUND, TagColumns, is_tagged, read_conll, refuse_tagged
from projection.io.files import read_lines
from projection.io.tmx import read_units
from projection.io.xml_text import unreadable
from projection.languages import normalised
from projection.records import Entity, ParallelSentence, Span
from projection.text.iob2 import TaggedSentence, chunks
from projection.text.references import has_references
from projection.text.tokens import find_tokens, join_tokens
from projection.text.wording import counted
from projection.text.words import word_spans

_LANGUAGES_NAMED = 20


@dataclass(slots=True)
class CorpusNotes:
    """What deserves a warning, counted while a corpus is read."""

    sentences: int = 0
    annotated: int = 0  # sentences with source entities of their own
    target_annotated: int = 0  # sentences with target entities of their own
    entities: int = 0  # those that come without the text they cover
    cut: int = 0  # of these, such as begin or end inside a word
    blank: int = 0  # lines of a TSV file
    references: int = 0  # sentences with HTML references, such as &amp;
    respelled: int = 0  # sentences whose tokens are not what `# text` says
    columns: list[str] = field(default_factory=list)  # those read of CoNLL files, in words

    @property
    def own_labels(self) -> bool:
        """Return whether the corpus leaves no sentence to the teacher."""
        return self.annotated > 0 or self.target_annotated == self.sentences

    def count(self, sentences: Iterable[ParallelSentence]) -> None:
        """Count sentences to their end."""
        for sentence in sentences:
            self.sentences += 1
            self.annotated += sentence.entities is not None
            self.target_annotated += sentence.target_entities is not None
            self.references += has_references(sentence.source) or has_references(sentence.target)

    def count_borders(self, text: str, lang: str, entities: Iterable[Entity]) -> None:
        """Count the entities of a text."""
        words = word_spans(text, lang)
        starts, ends = {word.start for word in words}, {word.end for word in words}
        for entity in entities:
            self.entities += 1
            self.cut += not (entity.span.start in starts and entity.span.end in ends)


Columns = tuple[int, ...] | tuple[str, ...]  # source, target and perhaps the margin score


def corpus_id(place: str, source: str, target: str) -> str:
    """The id of a pair that has none; see the module's docstring."""
    return f"{place}-{text_hash(source, target)[:8]}"


def text_hash(source: str, target: str) -> str:
    """Twelve hex digits for the texts of a pair."""
    return hashlib.sha256(f"{source}\n{target}".encode()).hexdigest()[:12]


class _Side(NamedTuple):
    """A sentence of a file in one language, and the line it begins on."""

    line: int
    text: str
    entities: tuple[Entity, ...] | None


def read_moses(
    source: Path,
    target: Path,
    source_lang: str,
    target_lang: str,
    *,
    columns: TagColumns = FOUND,
    notes: CorpusNotes | None = None,
) -> Iterator[ParallelSentence]:
    """Stream two files whose sentences correspond, one a line.

    Either may be a CoNLL file, by its name (`conll.is_tagged`), which brings entities. Its text is
    what a comment `# text` says if the tokens spell that, else the tokens joined (`join_tokens`).
    """
    notes = notes or CorpusNotes()
    sources = _sentences(source, source_lang, columns, notes)
    targets = _sentences(target, target_lang, columns, notes)
    for number, (left, right) in enumerate(zip_longest(sources, targets), start=1):
        if left is None or right is None:
            short, long = (source, target) if left is None else (target, source)
            raise _unequal(short, long, number)
        place, texts = f"{source.name}:{left.line}", (left.text, right.text)
        yield ParallelSentence(
            corpus_id(place, *texts),
            *texts,
            source_lang,
            target_lang,
            place,
            left.entities,
            target_entities=right.entities,
        )


def _unequal(short: Path, long: Path, number: int) -> CorpusError:
    where, fix = f"{short}:{number}", "Both need the same number of lines"
    if is_tagged(short) or is_tagged(long):
        where = f"{short} sentence {number}" if is_tagged(short) else where
        fix = "A line of text needs a sentence of the CoNLL file, of which -DOCSTART- is none"
    fix += ": look for one that was lost or split"
    return CorpusError(where, f"the file has ended, but {long} goes on", fix)


def _sentences(path: Path, lang: str, columns: TagColumns, notes: CorpusNotes) -> Iterator[_Side]:
    if not is_tagged(path):
        refuse_tagged(path)
        yield from (_Side(number, text, None) for number, text in read_lines(path))
        return
    for sentence in read_conll(path, columns, notes.columns.append):
        try:
            yield _untagged(sentence, lang, notes)
        except SpanError as error:  # a label that cannot be
            raise CorpusError(f"{path}:{sentence.line}", error.what, "Rename it") from error


def _untagged(sentence: TaggedSentence, lang: str, notes: CorpusNotes) -> _Side:
    text, spans = join_tokens(sentence.tokens, lang)
    places = dict(enumerate(spans))
    if (given := sentence.comments.get("text")) is not None:
        try:
            text, places = given, find_tokens(given, sentence.tokens)
        except SpanError:
            notes.respelled += 1
    entities = []
    for chunk in chunks(sentence.tags):
        covered = [places[i] for i in range(chunk.start, chunk.end) if i in places]
        if covered:
            entities.append(Entity(Span(covered[0].start, covered[-1].end), chunk.label))
    return _Side(sentence.line, text, tuple(entities))


def read_tsv(
    path: Path,
    source_lang: str,
    target_lang: str,
    *,
    columns: Columns = (1, 2),
    notes: CorpusNotes | None = None,
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


def with_labels(
    sentences: Iterable[ParallelSentence], rename: Mapping[str, str], ignore: Collection[str]
) -> Iterator[ParallelSentence]:
    """Rename the types of the corpus's own entities, leave out those to ignore, check the rest."""

    def named(entities: tuple[Entity, ...] | None, origin: str) -> tuple[Entity, ...] | None:
        if entities is None:
            return None
        renamed = [replace(e, label=rename.get(e.label, e.label)) for e in entities]
        kept = tuple(entity for entity in renamed if entity.label not in ignore)
        for entity in kept:
            if (fault := label_fault(entity.label)) is not None:
                fix = f"Rename it, or pass --map-label '{entity.label}=NEW'"
                raise CorpusError(origin, f"the label {entity.label!r} {fault}", fix)
        return kept

    for sentence in sentences:
        own, target = (
            named(entities, sentence.origin)
            for entities in (sentence.entities, sentence.target_entities)
        )
        yield replace(sentence, entities=own, target_entities=target)
