"""CoNLL files as people have them: one token a line, an empty line after every sentence.

Our own have two columns, token and tag (`iob2`). In files with more, the columns are found: that of
the tokens is the first behind numbers of tokens and names of texts; the tag is in the one that
holds tags such as `B-PER`, as in CoNLL-2002, CoNLL-2003, GermEval, UNER and MultiCoNER, or in
`NER=B-PER` of the last of CoNLL-U. Tags in other schemes are converted (`tag_schemes`).
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from projection.errors import CorpusError
from projection.io.files import atomic_write, open_bytes, read_lines
from projection.text.iob2 import (
    MASKED,
    NO_COMMENTS,
    OUTSIDE,
    TYPES,
    TaggedSentence,
    refuse_unwritable,
)
from projection.text.tag_schemes import IOB2, is_tag, scheme_of, to_iob2
from projection.text.unknown_formats import fix_tag, name_format

log = logging.getLogger(__name__)

_DOCUMENT_MARK = re.compile(r"-DOCSTART-(?:\s|$)")
_COMMENT = re.compile(r"# (\w[\w ]*) = (.*)")
_NO_WORD = re.compile(r"\d+[-.]\d+")  # CoNLL-U: the number of words that are one token, or of none
_IN_FEATURES = re.compile(r"(?:^|\|)(?:ner|ne|name|entity)=([^|]*)", re.IGNORECASE)
# Types of a column of phrases, which stands beside that of entities.
_PHRASES = frozenset(
    ("ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP", "NC", "PC")
)

# Names of files of tokens and tags, and how many bytes of others are looked at.
_TAGGED = re.compile(
    r"\.(?:conll\w*|iob[12]?|bio|bioes|bilou|bmes)(?:\.(?:gz|bz2|xz|zip))?$", re.IGNORECASE
)
_HEAD = 4096
_SAMPLE = 5000  # sentences in which columns are found

_WRITE = "Write the token, a tab, and its tag"


class TagColumns(NamedTuple):
    """The columns of token and tag, from 1; those that are None are found."""

    token: int | None = None
    tag: int | None = None


FOUND = TagColumns()


class _Row(NamedTuple):
    line: int
    cells: list[str]


class _Block(NamedTuple):
    """A sentence: its comments and rows."""

    comments: Mapping[str, str]
    rows: list[_Row]


def is_tagged(path: Path) -> bool:
    """Return whether a file, perhaps packed, is one of tokens and tags by its name."""
    return _TAGGED.search(path.name) is not None


def refuse_tagged(path: Path) -> None:
    """Raise CorpusError if a file of text by its name begins with tokens and tags."""
    with open_bytes(path) as stream:
        lines = stream.peek(_HEAD)[:_HEAD].decode("utf-8", "ignore").splitlines()[:-1]
    rows = [cells for line in lines if len(cells := line.split()) > 1]
    width = {*map(len, rows)}
    if (
        len(rows) > 2
        and len(width) == 1
        and any(_holds_tags(rows, c + 1) for c in range(1, *width))
    ):
        what = "tokens and tags, under the name of a text"
        raise CorpusError(str(path), what, "Give it a name that ends in .conll or .iob2")


def read_conll(
    path: Path, columns: TagColumns = FOUND, tell: Callable[[str], None] = log.warning
) -> Iterator[TaggedSentence]:
    """Stream a file of tokens and tags, in columns parted by tabs or by spaces, as IOB2.

    The columns show in its first sentences; the scheme in all tags, so it is read twice. Document
    marks and comments without a sentence are skipped. `tell` gets columns and scheme if they are
    not those of our own files. Raises CorpusError, naming file and line, at the first line that
    does not fit the others.
    """
    sample = [*islice(_blocks(path), _SAMPLE)]
    if not sample:
        return
    chosen = _columns(path, sample, columns)
    scheme = scheme_of(_tags(block, chosen) for block in _of_words(path, chosen))
    if len(sample[0].rows[0].cells) > 2 or scheme != IOB2:
        told = "" if scheme == IOB2 else f", which are {scheme} and become {IOB2}"
        tell(f"{path}: tokens of column {chosen.token}, tags of column {chosen.tag}{told}")
    yield from (_sentence(path, block, chosen, scheme) for block in _of_words(path, chosen))


def _blocks(path: Path) -> Iterator[_Block]:
    """Yield the sentences of a file, all with the same number of columns."""
    comments: dict[str, str] = {}
    rows: list[_Row] = []
    first: _Row | None = None
    for number, line in read_lines(path):
        text = line.rstrip("\r \t")
        if not text or text.isspace() or _DOCUMENT_MARK.match(text):
            if rows:
                yield _Block(comments, rows)
            comments, rows = {}, []
            continue
        hash_first = text[0] == "#"
        if hash_first and not rows and (comment := _COMMENT.fullmatch(line.rstrip("\r"))):
            comments[comment[1]] = _checked(comment[1], comment[2], f"{path}:{number}")
            continue
        row = _Row(number, _cells(path, number, text))
        if hash_first and _is_comment(row, text, first, begun=bool(rows)):
            continue
        first = first or row
        if len(row.cells) != len(first.cells) or len(row.cells) == 1:
            raise _misfit(path, row, first, text)
        rows.append(row)
    if rows:
        yield _Block(comments, rows)


def _checked(key: str, value: str, where: str) -> str:
    if key == TYPES and not value.strip():
        fix = f"Leave the comment out if all were looked for; tag the tokens {MASKED} if none"
        raise CorpusError(where, "lists no entity type", fix)
    return value


def _cells(path: Path, number: int, text: str) -> list[str]:
    if "\r" in text:
        what = "a carriage return inside a line"
        raise CorpusError(f"{path}:{number}", what, "Convert the line ends: tr '\\r' '\\n'")
    if text[0] == "\t":
        raise CorpusError(f"{path}:{number}", "an empty token", _WRITE)
    # A token may itself be an odd kind of white space, so only tabs and plain spaces part columns.
    return [cell for cell in text.split("\t" if "\t" in text else " ") if cell]


def _is_comment(row: _Row, text: str, first: _Row | None, *, begun: bool) -> bool:
    """Return whether a line that begins with # is no token; inside a sentence `#x` is one."""
    fits = first is None or len(row.cells) == len(first.cells)
    is_row = fits and any(is_tag(c) or c == MASKED for c in row.cells[1:])
    return not is_row and (not begun or text.startswith(("# ", "#\t")))


def _misfit(path: Path, row: _Row, first: _Row, text: str) -> CorpusError:
    where, count = f"{path}:{row.line}", len(row.cells)
    named = name_format(text if row is first else " ".join(first.cells))
    if named is not None and not any(map(is_tag, first.cells)):
        return CorpusError(f"{path}:{first.line}", *named)
    if count == 1:
        return CorpusError(where, "a token without a tag", _WRITE)
    what = f"{count} columns, but line {first.line} has {len(first.cells)}"
    return CorpusError(where, what, "Look for a missing tag, or a space or tab inside a token")


def _columns(path: Path, blocks: Sequence[_Block], given: TagColumns) -> TagColumns:
    """Return the columns, those that were not given as they are found."""
    first, width = blocks[0].rows[0], len(blocks[0].rows[0].cells)
    for option, column in zip(("--token-column", "--tag-column"), given, strict=True):
        if column is not None and not 1 <= column <= width:
            what = f"has {width} columns, no column {column}"
            raise CorpusError(f"{path}:{first.line}", what, f"Pass another {option}")
    rows = [row.cells for block in blocks for row in block.rows]
    if width == 2 and given == FOUND:
        _refuse_no_tags(path, first, rows)
        return TagColumns(1, 2)
    token = given.token or _token_column(blocks, width)
    if given.tag is not None:
        return TagColumns(token, given.tag)
    holding = [c for c in range(1, width + 1) if c != token and _holds_tags(rows, c)]
    holding = [c for c in holding if not _holds_phrases(rows, c)] or holding
    if len(holding) == 1 or (holding and token > 1):  # GermEval: nested entities are in the last
        return TagColumns(token, holding[0])
    if holding:
        what = f"columns {' and '.join(map(str, holding))} hold tags"
        raise CorpusError(f"{path}:{first.line}", what, "Choose with --tag-column")
    found = (_IN_FEATURES.search(cells[-1]) for cells in rows)
    if any(each and is_tag(each[1]) for each in found):
        return TagColumns(token, width)
    what, fix = name_format(" ".join(first.cells)) or (
        f"{width} columns, and none holds tags such as B-PER",
        "Name them: --token-column and --tag-column",
    )
    raise CorpusError(f"{path}:{first.line}", what, fix)


def _refuse_no_tags(path: Path, first: _Row, rows: Sequence[Sequence[str]]) -> None:
    """Raise CorpusError if a file of two columns is another one than of tokens and tags."""
    if _holds_tags(rows, 1) and not _holds_tags(rows, 2):
        fix = "Pass --token-column 2 --tag-column 1"
        raise CorpusError(f"{path}:{first.line}", "tags in the first column", fix)
    if not is_tag(first.cells[1]) and (named := name_format(" ".join(first.cells))) is not None:
        raise CorpusError(f"{path}:{first.line}", *named)


def _token_column(blocks: Sequence[_Block], width: int) -> int:
    """Return the first column that neither counts the tokens nor names their text."""
    if width == 2:
        return 1
    return next((c for c in range(1, width) if not _is_index(blocks, c)), 1)


def _is_index(blocks: Sequence[_Block], column: int) -> bool:
    longest = 0
    for block in blocks:
        cells = [row.cells[column - 1] for row in block.rows]
        cells = [cell for cell in cells if not _NO_WORD.fullmatch(cell)]
        start = int(cells[0] == "1") if cells else 0
        counts = cells == [str(start + i) for i in range(len(cells))]
        if not counts and len(set(cells)) > 1:
            return False
        longest = max(longest, len(cells))
    return longest > 1


def _holds_tags(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Return whether most cells of a column are tags, so that a mistyped one is found as such."""
    return 2 * sum(is_tag(cells[column - 1]) for cells in rows) > len(rows)


def _holds_phrases(rows: Sequence[Sequence[str]], column: int) -> bool:
    types = {cells[column - 1][2:] for cells in rows if is_tag(cells[column - 1])} - {""}
    return bool(types) and types <= _PHRASES


def _tag(row: _Row, columns: TagColumns) -> str:
    cell = row.cells[(columns.tag or 0) - 1]
    if len(row.cells) > 2 and "=" in cell:
        found = _IN_FEATURES.search(cell)
        return found[1] if found else OUTSIDE
    return cell


def _of_words(path: Path, columns: TagColumns) -> Iterator[_Block]:
    """Yield the sentences without the rows that are no words, by the numbers before the tokens."""
    number = (columns.token or 0) - 2
    for block in _blocks(path):
        rows = block.rows
        if number >= 0:
            rows = [row for row in rows if not _NO_WORD.fullmatch(row.cells[number])]
        if rows:
            yield block._replace(rows=rows)


def _tags(block: _Block, columns: TagColumns) -> list[str]:
    return [_tag(row, columns) for row in block.rows]


def _sentence(path: Path, block: _Block, columns: TagColumns, scheme: str) -> TaggedSentence:
    tags = []
    converted = to_iob2(_tags(block, columns), scheme)
    for row, (tag, fault) in zip(block.rows, converted, strict=True):
        if fault is not None:
            fix = fix_tag(tag) if fault.startswith("unknown") else "Begin the entity with B-"
            raise CorpusError(f"{path}:{row.line}", fault, fix)
        tags.append(tag)
    tokens = tuple(row.cells[(columns.token or 0) - 1] for row in block.rows)
    return TaggedSentence(tokens, tuple(tags), block.rows[0].line, block.comments or NO_COMMENTS)


def write_iob2(
    sentences: Iterable[tuple[Sequence[str], Sequence[str]] | TaggedSentence], path: Path
) -> int:
    """Write sentences, or plain (tokens, tags), and return their number.

    The file appears whole or not at all: it is left as it was at a sentence the format cannot hold,
    which raises TrainingError.
    """
    written = 0
    with atomic_write(path) as file:
        for written, sentence in enumerate(sentences, start=1):
            tokens, tags, _, comments = TaggedSentence(*sentence)
            refuse_unwritable(tokens, tags, f"{path} sentence {written}")
            for key, value in comments.items():
                in_a_line = re.sub(r"[\r\n]+", " ", value)
                file.write(f"# {key} = {in_a_line}\n")
            file.writelines(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))
            file.write("\n")
    return written
