"""Translation Memory eXchange (TMX 1.4b, https://www.gala-global.org/tmx-14b), read as a stream."""

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from projection.errors import CorpusError
from projection.io.files import open_bytes

_CHUNK_BYTES = 1 << 16

# Elements of a <seg> whose content is code of the original format (RTF, HTML), unlike that of <hi>.
_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})

Unit = tuple[int, tuple[tuple[str, str], ...]]
"""One `<tu>`: the line it begins on, and (language tag, text) of each `<tuv>` in order."""


def read_units(path: Path) -> Iterator[Unit]:
    """Stream the units of a TMX file, in constant memory; those before an error come first."""
    # This allows the reference to tmx14.dtd that most TMX files begin with. Nothing external is
    # fetched (the parser's default), and no entity can be declared.
    parser = DefusedExpatParser(forbid_external=False)
    handler = _TmxHandler(path, parser.getLineNumber)
    parser.setContentHandler(handler)
    mistake: CorpusError | None = None
    with open_bytes(path) as stream:
        chunk = None
        while chunk != b"" and mistake is None:  # an empty file is fed once too, for its error
            chunk = stream.read(_CHUNK_BYTES)
            try:
                parser.feed(chunk)
                if not chunk:
                    parser.close()
            except SAXParseException as error:
                what = f"not well-formed XML ({error.getMessage()})"
                mistake = CorpusError(f"{path}:{error.getLineNumber()}", what, "Export it again")
            except DefusedXmlException as error:
                where = f"{path}:{parser.getLineNumber()}"
                mistake = CorpusError(where, f"refused: {error}", "Remove the declaration")
            except CorpusError as error:
                mistake = error
            yield from handler.take()
    if mistake is not None:
        raise mistake


class _TmxHandler(ContentHandler):
    """Collects units; `take` returns the complete ones."""

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
        self._code = 0  # depth in code elements

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
            self._lang = attrs.get("xml:lang") or attrs.get("lang") or ""
            if not self._lang:
                raise self._error("<tuv>: no xml:lang", "Add xml:lang to it")
        elif name == "seg":
            self._text, self._code = [], 0
        elif name in _CODE:
            self._code += 1

    def endElement(self, name: str) -> None:  # noqa: N802  SAX's name
        self._depth -= 1
        if name == "tu":
            self._units.append((self._line, tuple(self._variants)))
        elif name == "seg" and self._text is not None:
            self._variants.append((self._lang, "".join(self._text)))
            self._text = None
        elif name in _CODE:
            self._code -= 1

    def characters(self, content: str) -> None:
        if self._text is not None and not self._code:
            self._text.append(content)

    def skippedEntity(self, name: str) -> None:  # noqa: N802  SAX's name
        raise self._error(f"&{name}; is not defined", "Write the character itself")

    def _error(self, what: str, fix: str) -> CorpusError:
        return CorpusError(f"{self._path}:{self._line_number()}", what, fix)
