"""Translation Memory eXchange (TMX 1.4b, https://www.gala-global.org/tmx-14b), read as a stream.

Files come from strangers. No entity is read, whatever a file declares; nothing external is opened;
and what would fill the memory is refused.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.parsers import expat

from projection.errors import CorpusError
from projection.io.files import open_bytes
from projection.io.tmx_segments import Segment
from projection.io.xml_text import AMPERSAND, resolved, xml_text

# Far above what real memories have.
MOST_CHARACTERS = 1_000_000  # of a unit, and of one tag
_MOST_NAMES = 10_000  # of elements and attributes, each of which the parser remembers
_DEEPEST = 200

_SPLIT = "Split it into sentences"
_MALFORMED = "Export it again, or correct the line"
_UNDECLARE = "Remove what is between [ and ] of <!DOCTYPE"

Unit = tuple[int, tuple[tuple[str, str], ...]]
"""One `<tu>`: the line it begins on, and (language tag, text) of each `<tuv>` in order.

A text that holds what cannot be read says so by `xml_text.unreadable`.
"""


def read_units(path: Path) -> Iterator[Unit]:
    """Stream the units of a TMX file, in constant memory; those before an error come first."""
    reader = _TmxReader(path)
    with open_bytes(path) as stream:
        for text in xml_text(stream, path):
            yield from reader.read(text)
        yield from reader.read("", last=True)


class _TmxReader:
    """Parses text, and collects units."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartCdataSectionHandler = partial(setattr, self, "_cdata", True)
        self._parser.EndCdataSectionHandler = partial(setattr, self, "_cdata", False)
        self._parser.EntityDeclHandler = self._entity
        self._parser.AttlistDeclHandler = self._attribute
        self._units: list[Unit] = []
        self._variants: list[tuple[str, str]] = []
        self._segment: Segment | None = None
        self._lang = ""
        self._cdata = False
        self._line = self._depth = self._segment_depth = self._size = 0
        self._pending = 0  # characters since the parser understood any

    def read(self, text: str, *, last: bool = False) -> Iterator[Unit]:
        """Parse more text, and yield the units that are complete; then raise what is wrong."""
        mistake: CorpusError | None = None
        self._pending += len(text)
        try:
            self._parser.Parse(text, last)
            if self._pending > 2 * MOST_CHARACTERS:
                what = f"a tag or comment of more than {MOST_CHARACTERS:,} characters"
                raise self._error(what, "Is this a TMX file?")
            if len(self._parser.intern) > _MOST_NAMES:
                raise self._error("names of thousands of elements", "Is this a TMX file?")
        except CorpusError as error:
            mistake = error
        except expat.ExpatError as error:
            what = f"not well-formed XML ({expat.errors.messages[error.code]})"
            place = f"{self._path}:{error.lineno}"
            mistake = CorpusError(place, f"{what} at column {error.offset + 1}", _MALFORMED)
        units, self._units = self._units, []
        yield from units
        if mistake is not None:
            raise mistake

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count(1)
        if self._depth == 0 and name != "tmx":
            raise self._error(f"<{name:.40}> where <tmx> should be", "Is this a TMX file?")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"more than {_DEEPEST} elements in each other", "Export it again")
        if self._segment is not None:
            self._segment.start(name, attributes)
        elif name == "tu":
            self._line, self._variants, self._size = self._parser.CurrentLineNumber, [], 0
        elif name == "tuv":
            # TMX 1.1 wrote lang, later versions xml:lang.
            self._lang = resolved(attributes.get("xml:lang") or attributes.get("lang") or "")
            if not self._lang:
                raise self._error("<tuv>: no xml:lang", "Add xml:lang to it")
            self._count(len(self._lang))
        elif name == "seg":
            self._segment, self._segment_depth = Segment(), self._depth

    def _end(self, name: str) -> None:
        self._pending = 0
        if name == "tu" and self._segment is None:
            self._units.append((self._line, tuple(self._variants)))
        elif self._segment is not None and self._depth == self._segment_depth:
            self._variants.append((self._lang, self._segment.text))
            self._segment = None
        elif self._segment is not None:
            self._segment.end(name)
        self._depth -= 1

    def _characters(self, text: str) -> None:
        self._pending = 0
        if self._segment is not None:
            self._count(len(text))
            self._segment.characters(text.replace(AMPERSAND, "&") if self._cdata else text)

    def _count(self, characters: int) -> None:
        self._pending = 0
        self._size += characters
        if self._size > MOST_CHARACTERS:
            raise self._error(f"a unit of more than {MOST_CHARACTERS:,} characters", _SPLIT)

    def _entity(self, *_declaration: object) -> None:
        raise self._error("declares an entity, which is not read for safety", _UNDECLARE)

    def _attribute(self, _of: str, _name: str, _type: str, default: str | None, _: bool) -> None:
        if default is not None:  # it would multiply with every element
            raise self._error("declares a default of an attribute", _UNDECLARE)

    def _error(self, what: str, fix: str) -> CorpusError:
        return CorpusError(f"{self._path}:{self._parser.CurrentLineNumber}", what, fix)
