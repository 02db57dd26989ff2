"""Translation Memory eXchange (TMX 1.4b, https://www.gala-global.org/tmx-14b), read as a stream."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from projection.errors import CorpusError
from projection.io.files import open_bytes

CHUNK_BYTES = 1 << 16

# Elements of a <seg> whose content is code of the original format (RTF, HTML), not text. <hi> is
# not among them: what it holds is text.
CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})


@dataclass(frozen=True, slots=True)
class Unit:
    """One `<tu>`: the line it begins on, and (language tag, text) of each `<tuv>` in order."""

    line: int
    variants: tuple[tuple[str, str], ...]


def read_units(path: Path) -> Iterator[Unit]:
    """Stream the units of a TMX file, in constant memory.

    Raises:
        CorpusError: naming file and line, if it is not well-formed, not TMX, or a `<tuv>` has no
            `xml:lang`. Units before the mistake are yielded first.
    """
    # External entities are not fetched (the parser's default), and none can be declared: what
    # remains to allow is the reference to tmx14.dtd that most TMX files begin with.
    parser = DefusedExpatParser(forbid_external=False)
    reader = _TmxHandler(path, parser.getLineNumber)
    parser.setContentHandler(reader)
    with open_bytes(path) as stream:
        for mistake in _parse(parser, stream, path):
            yield from reader.take()
            if mistake is not None:
                raise mistake


def _parse(
    parser: DefusedExpatParser, stream: BufferedReader, path: Path
) -> Iterator[CorpusError | None]:
    """Feed the stream to the parser; what went wrong, if anything, after each chunk."""
    try:
        chunk = None
        while chunk != b"":  # an empty file is fed once too, so that it is noticed
            chunk = stream.read(CHUNK_BYTES)
            parser.feed(chunk)
            yield None
        parser.close()
        yield None
    except SAXParseException as error:
        where = f"{path}:{error.getLineNumber()}"
        yield CorpusError(where, f"not well-formed XML ({error.getMessage()})", "Export it again")
    except DefusedXmlException as error:
        where = f"{path}:{parser.getLineNumber()}"
        yield CorpusError(where, f"refused: {error}", "Remove the declaration")
    except CorpusError as error:
        yield error


class _TmxHandler(ContentHandler):
    """Collects units as their tags go by; `take` hands over those that are complete."""

    def __init__(self, path: Path, line_number: Callable[[], int]) -> None:
        super().__init__()
        self._path = path
        self._line_number = line_number
        self._units: list[Unit] = []
        self._depth = 0
        self._line = 0
        self._variants: list[tuple[str, str]] = []
        self._lang = ""
        self._text: list[str] | None = None  # None outside <seg>
        self._code = 0  # how many code elements we are inside of

    def take(self) -> list[Unit]:
        units, self._units = self._units, []
        return units

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802  SAX's name
        if self._depth == 0 and name != "tmx":
            raise self._error(f"<{name}> where <tmx> should be", "Is this a TMX file?")
        self._depth += 1
        if name == "tu":
            self._line, self._variants = self._line_number(), []
        elif name == "tuv":
            # TMX 1.1 wrote lang, later versions xml:lang.
            lang = attrs.get("xml:lang") or attrs.get("lang")
            if not lang:
                raise self._error("<tuv>: no xml:lang", "Add xml:lang to it")
            self._lang = lang
        elif name == "seg":
            self._text, self._code = [], 0
        elif name in CODE:
            self._code += 1

    def endElement(self, name: str) -> None:  # noqa: N802  SAX's name
        self._depth -= 1
        if name == "tu":
            self._units.append(Unit(self._line, tuple(self._variants)))
        elif name == "seg" and self._text is not None:
            self._variants.append((self._lang, "".join(self._text)))
            self._text = None
        elif name in CODE:
            self._code -= 1

    def characters(self, content: str) -> None:
        if self._text is not None and not self._code:
            self._text.append(content)

    def skippedEntity(self, name: str) -> None:  # noqa: N802  SAX's name
        raise self._error(f"&{name}; is not defined", "Write the character itself")

    def _error(self, what: str, fix: str) -> CorpusError:
        return CorpusError(f"{self._path}:{self._line_number()}", what, fix)
